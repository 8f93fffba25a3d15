/* SPDX-License-Identifier: Apache-2.0 */
/* The time that is left comes from the part of the list that this run has
 * done, not from its rate: how many lines are to come is not known. */
#include <string.h>
#include <sys/ioctl.h>

#include "base/time.h"
#include "cmd/survey_show.h"

#define BAR_MAX     30
#define BAR_MIN     10
#define COLUMNS_MIN 20

static void write_left(const struct sp_survey_progress *p, char *out,
                       size_t cap)
{
	double done = p->part - p->begun;
	double left_s =
		done > 0 ? (1 - p->part) / done * (double)p->elapsed_ms / 1000
			 : -1;
	char text[SP_TIME_TEXT];

	*out = '\0';
	if (left_s < 0 || left_s > 1e8) {
		return;
	}
	if (left_s >= 600) { /* seconds mean nothing then */
		int64_t minutes = (int64_t)(left_s / 60);

		left_s = (double)(minutes * 60);
	}
	sp_duration_format((int64_t)(left_s + 0.5) * 1000, text);
	snprintf(out, cap, ", %s left", text);
}

static void write_bar(double part, unsigned width, char *out)
{
	unsigned filled = (unsigned)(part * width);

	for (unsigned i = 0; i < width; i++) {
		*out++ = i < filled ? '#' : '.';
	}
	*out = '\0';
}

void sp_survey_show_line(const struct sp_survey_progress *p, unsigned columns,
                         char out[SP_SURVEY_SHOW_MAX])
{
	char bar[BAR_MAX + 1] = "";
	char left[64] = "";
	char rest[96];
	double rate = p->elapsed_ms > 0
	                      ? (double)p->done * 1000 / (double)p->elapsed_ms
	                      : 0;
	unsigned room;

	columns = columns < COLUMNS_MIN ? COLUMNS_MIN : columns;
	columns =
		columns < SP_SURVEY_SHOW_MAX ? columns : SP_SURVEY_SHOW_MAX - 1;
	if (p->part >= 0) {
		write_left(p, left, sizeof(left));
	}
	snprintf(rest, sizeof(rest), "%llu done, %.0f a second%s, %llu blocked",
	         (unsigned long long)p->done, rate, left,
	         (unsigned long long)p->blocked);
	room = columns > strlen(rest) + 9 ? columns - (unsigned)strlen(rest) - 9
	                                  : 0;
	if (p->part >= 0 && room >= BAR_MIN) {
		write_bar(p->part, room < BAR_MAX ? room : BAR_MAX, bar);
		snprintf(out, columns + 1, "[%s] %3.0f %% %s", bar,
		         p->part * 100, rest);
	} else {
		snprintf(out, columns + 1, "%s", rest);
	}
}

static unsigned columns_of(FILE *terminal)
{
	struct winsize size;

	return ioctl(fileno(terminal), TIOCGWINSZ, &size) == 0 && size.ws_col
	               ? size.ws_col
	               : 80;
}

void sp_survey_show(FILE *terminal, const struct sp_survey_progress *p)
{
	char line[SP_SURVEY_SHOW_MAX];

	sp_survey_show_line(p, columns_of(terminal) - 1, line);
	fprintf(terminal, "\r%s\033[K", line);
	fflush(terminal);
}

void sp_survey_show_end(FILE *terminal)
{
	fputs("\r\033[K", terminal);
	fflush(terminal);
}
