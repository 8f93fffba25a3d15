/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A window of a few lines that is drawn over itself. Titles are cut to the
 * width of the terminal: a line that wraps would spoil the counting.
 */
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/check_live.h"
#include "cmd/text.h"

#define LINES     8
#define TICK_MS   100
#define LINE_MAX_ 512

struct sp_check_live {
	bool on;
	struct sp_timer *timer; /* owned */
	char *done[LINES];      /* owned: steps that have ended, a ring */
	size_t done_count;
	char *now; /* owned: the step begun last; or null */
	unsigned tick;
	int drawn; /* lines on the terminal */
};

static int width(void)
{
	struct winsize size = {0};

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20
	               ? size.ws_col
	               : 80;
}

static void wipe(struct sp_check_live *live)
{
	if (live->drawn) {
		fprintf(stderr, "\r\033[%dA\033[J", live->drawn);
		live->drawn = 0;
	}
}

/* Made harmless, and cut to so many bytes. */
static void put_cut(const char *text, int max)
{
	struct sp_buf safe;
	struct sp_str s;

	sp_buf_init(&safe, SP_TEXT_MAX);
	sp_text_append(&safe, sp_str_from(text));
	s = sp_str_sub(sp_buf_str(&safe), 0, (size_t)(max > 0 ? max : 0));
	fprintf(stderr, SP_STR_FMT "\n", SP_STR_ARG(s));
	sp_buf_fini(&safe);
}

static void draw(struct sp_check_live *live)
{
	static const char spinner[] = "|/-\\";
	size_t first = live->done_count > LINES ? live->done_count - LINES : 0;
	int columns = width();

	wipe(live);
	for (size_t i = first; i < live->done_count; i++) {
		put_cut(live->done[i % LINES], columns - 1);
		live->drawn++;
	}
	if (live->now) {
		fprintf(stderr, "  %c    ", spinner[live->tick % 4]);
		put_cut(live->now, columns - 8);
		live->drawn++;
	}
	fflush(stderr);
}

static void on_tick(void *arg)
{
	struct sp_check_live *live = arg;

	live->tick++;
	draw(live);
	sp_timer_set(live->timer, TICK_MS);
}

struct sp_check_live *sp_check_live_new(struct sp_loop *loop)
{
	struct sp_check_live *live = SP_NEW(struct sp_check_live);

	live->on = isatty(STDOUT_FILENO) && isatty(STDERR_FILENO) &&
	           sp_text_terminal_moves();
	if (live->on) {
		live->timer = sp_timer_new(loop, on_tick, live);
		sp_timer_set(live->timer, TICK_MS);
	}
	return live;
}

void sp_check_live_free(struct sp_check_live **live)
{
	struct sp_check_live *l = *live;

	if (!l) {
		return;
	}
	wipe(l);
	fflush(stderr);
	sp_timer_free(&l->timer);
	for (size_t i = 0; i < LINES; i++) {
		sp_free(l->done[i]);
	}
	sp_free(l->now);
	SP_FREE(live);
}

static char *line_of(const struct sp_step *step)
{
	static const char *const marks[] = {
		[SP_STEP_SKIP] = "[skip] ",
		[SP_STEP_PASS] = "[pass] ",
		[SP_STEP_WARN] = "[warn] ",
		[SP_STEP_FAIL] = "[FAIL] ",
	};
	char line[LINE_MAX_];

	snprintf(line, sizeof(line), "%s" SP_STR_FMT,
	         marks[sp_step_verdict(step)], SP_STR_ARG(sp_step_title(step)));
	return sp_strdup(line);
}

void sp_check_live_step(void *arg, const struct sp_step *step)
{
	struct sp_check_live *live = arg;
	char **line = &live->done[live->done_count % LINES];

	if (!live->on || sp_step_depth(step) == 0) {
		return;
	}
	if (sp_step_ended(step)) {
		sp_free(*line);
		*line = line_of(step);
		live->done_count++;
	} else {
		sp_free(live->now);
		live->now = sp_str_dup(sp_step_title(step));
	}
}
