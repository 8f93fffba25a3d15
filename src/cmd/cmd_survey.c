/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealpost survey: reads the list, hands its domains to worker processes, and
 * writes what comes back.
 *
 *   list ──new, a domain──▶ SURVEY to the worker with the most room
 *     │                         │
 *     │ none                    ▼ SURVEY_ROW
 *     └──error row──────▶ out, summary, progress
 *
 * What is in memory is bounded: a worker has no more domains than it can ask
 * about at one time and a few to go on with, the list is read as they are
 * wanted, and rows in order wait in a window. Only the names that were met
 * grow with the list, by a few bytes each.
 *
 * A worker that dies leaves a row with an error for each domain that it had:
 * one of them may be the reason, and is not tried on the next worker.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/time.h"
#include "cmd/cmd.h"
#include "cmd/survey_list.h"
#include "cmd/survey_out.h"
#include "cmd/survey_show.h"
#include "cmd/survey_sum.h"
#include "cmd/survey_worker.h"
#include "cmd/text.h"
#include "ipc/channel.h"
#include "ipc/msg.h"
#include "net/loop.h"

#define JOBS_DEFAULT 500
#define JOBS_MAX     100000
#define WORKERS_MAX  64
#define AHEAD        32 /* domains that a worker has beside its jobs */
#define SHOW_MS      250
#define LINES_A_TURN 4096

struct survey;

struct worker {
	struct survey *survey;
	pid_t pid;
	int fd;                     /* until the channel has it */
	struct sp_channel *channel; /* null: it has ended */
	bool ready;                 /* its resolver is, and validates */
	struct sp_map tasks;        /* owned char * of a domain, by number */
};

struct survey {
	struct sp_loop *loop;
	struct sp_survey_work work;
	struct worker workers[WORKERS_MAX];
	unsigned worker_count;
	size_t hands_max; /* domains in a worker's hands */

	const char *path; /* "-": standard input */
	int fd;
	uint64_t size;             /* 0: not known */
	struct sp_watch *readable; /* null: read as wanted */
	struct sp_survey_list *list;
	struct sp_survey_seen *seen;
	bool ended;    /* the list */
	uint64_t next; /* number of the next row */
	uint64_t open; /* domains in workers' hands */

	struct sp_survey_out *out;
	struct sp_survey_sum sum;
	struct sp_deferred *turn;
	struct sp_timer *show; /* null: no terminal */
	double begun;          /* part of the list when the first one went */
	int64_t start_ms;
	bool stopped; /* by a signal, or for status */
	int status;
};

/* --- rows --- */

static void wake(struct survey *s)
{
	sp_deferred_call(s->turn);
}

static void take_row(struct survey *s, const struct sp_survey_row *row)
{
	sp_survey_sum_add(&s->sum, row);
	sp_survey_out_put(s->out, row);
	wake(s);
}

static void take_error(struct survey *s, uint64_t number, struct sp_str domain,
                       const char *error)
{
	const struct sp_survey_row row = {
		.number = number,
		.domain = domain,
		.error = sp_str_from(error),
	};

	take_row(s, &row);
}

static void on_earlier(void *arg, const struct sp_survey_row *row)
{
	struct survey *s = arg;

	sp_survey_seen_before(s->seen, row->domain);
	sp_survey_sum_add(&s->sum, row);
	s->sum.earlier++;
}

static void stop(struct survey *s, int status)
{
	s->stopped = true;
	s->status = s->status ? s->status : status;
	sp_loop_stop(s->loop);
}

/* --- workers --- */

/* Nobody begins before all are there: the first would get everything. */
static struct worker *freest(struct survey *s)
{
	struct worker *best = NULL;

	for (unsigned i = 0; i < s->worker_count; i++) {
		struct worker *w = &s->workers[i];

		if (w->channel && !w->ready) {
			return NULL;
		}
		if (w->channel && w->tasks.count < s->hands_max &&
		    (!best || w->tasks.count < best->tasks.count)) {
			best = w;
		}
	}
	return best;
}

static void hand_out(struct survey *s, struct worker *w, struct sp_str domain)
{
	const struct sp_survey_task task = {
		.number = s->next++,
		.domain = domain,
	};

	sp_map_set(&w->tasks, sp_map_key_u64(&task.number), sp_str_dup(domain));
	s->open++;
	sp_channel_send(w->channel, SP_MSG_SURVEY, SP_SURVEY_TASK_FIELDS,
	                &task);
}

static bool settle(struct worker *w, uint64_t number)
{
	char *domain = sp_map_remove(&w->tasks, sp_map_key_u64(&number));

	if (!domain) {
		return false;
	}
	sp_free(domain);
	w->survey->open--;
	return true;
}

static int on_frame(void *arg, uint16_t type, struct sp_str payload, int fd)
{
	struct worker *w = arg;
	struct sp_survey_row row = {0};

	if (fd >= 0) {
		close(fd);
	}
	if (type == SP_MSG_READY) {
		w->ready = true;
		wake(w->survey);
		return 0;
	}
	if (type != SP_MSG_SURVEY_ROW ||
	    sp_unpack(SP_SURVEY_ROW_FIELDS, payload, false, NULL, &row) ||
	    !settle(w, row.number)) {
		return SP_EPROTO;
	}
	take_row(w->survey, &row);
	return 0;
}

static int reap(struct worker *w)
{
	int status = 0;

	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR) {
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void on_closed(void *arg, int err)
{
	struct worker *w = arg;
	struct survey *s = w->survey;
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *domain;
	bool others = false;
	int status;

	(void)err;
	sp_channel_free(&w->channel);
	status = reap(w);
	while (sp_map_next(&w->tasks, &it, &key, &domain)) {
		uint64_t number;

		memcpy(&number, key.ptr, sizeof(number));
		take_error(s, number, sp_str_from(domain),
		           "the process that asked about it has ended");
		sp_map_remove(&w->tasks, key);
		sp_free(domain);
		s->open--;
	}
	for (unsigned i = 0; i < s->worker_count; i++) {
		others |= s->workers[i].channel != NULL;
	}
	if (status == SP_EXIT_CONF) { /* it has said why */
		stop(s, status);
	} else if (!others) {
		stop(s, sp_cmd_fail(SP_EXIT_AGAIN, "no process is left"));
	} else {
		wake(s); /* nobody waits for it any more */
	}
}

static int fork_worker(struct survey *s, unsigned index)
{
	struct worker *w = &s->workers[index];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	               pair)) {
		return sp_cmd_fail(SP_EXIT_AGAIN, "socket pair: %s",
		                   sp_strerror(-errno));
	}
	w->survey = s;
	sp_map_init(&w->tasks);
	w->fd = pair[0];
	w->pid = fork();
	if (w->pid == 0) {
		s->work.index = index;
		exit(sp_survey_worker_run(&s->work, pair[1]));
	}
	close(pair[1]);
	if (w->pid < 0) {
		close(pair[0]);
		return sp_cmd_fail(SP_EXIT_AGAIN, "fork: %s",
		                   sp_strerror(-errno));
	}
	s->worker_count = index + 1;
	return 0;
}

/* Before there is a loop, or anything that a child should not have. */
static int fork_workers(struct survey *s)
{
	fflush(NULL);
	for (unsigned i = 0; i < s->work.worker_count; i++) {
		int status = fork_worker(s, i);

		if (status) {
			return status;
		}
	}
	return 0;
}

static void end_workers(struct survey *s)
{
	for (unsigned i = 0; i < s->worker_count; i++) {
		struct worker *w = &s->workers[i];
		struct sp_map_iter it = {0};
		struct sp_str key;
		void *domain;
		bool runs = w->channel || !s->loop;

		if (!s->loop) {
			close(w->fd);
		}
		sp_channel_free(&w->channel);
		if (runs) {
			(void)reap(w);
		}
		while (sp_map_next(&w->tasks, &it, &key, &domain)) {
			sp_free(domain);
		}
		sp_map_fini(&w->tasks);
	}
}

/* --- the list --- */

static double part(const struct survey *s)
{
	return s->size ? (double)sp_survey_list_at(s->list) / (double)s->size
	               : -1;
}

/* Once; on a pipe only when there is something. */
static void read_list(struct survey *s)
{
	char bytes[SP_SURVEY_FEED_MAX];
	ssize_t n = read(s->fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
		return;
	}
	if (n < 0) {
		stop(s, sp_cmd_fail(SP_EXIT_NOINPUT, "%s: %s", s->path,
		                    sp_strerror(-errno)));
	}
	if (n <= 0) {
		s->ended = true;
		sp_survey_list_end(s->list);
	} else {
		sp_survey_list_feed(s->list, sp_str_slice(bytes, (size_t)n));
	}
}

static void take_line(struct survey *s, struct worker *w,
                      const struct sp_survey_line *line)
{
	enum sp_survey_met met = sp_survey_seen_meet(s->seen, line->domain);

	if (met == SP_SURVEY_AGAIN) {
		s->sum.repeats++;
	} else if (met == SP_SURVEY_NEW && line->error) {
		take_error(s, s->next++, line->domain, line->error);
	} else if (met == SP_SURVEY_NEW) {
		if (s->begun < 0) {
			s->begun = part(s);
		}
		hand_out(s, w, line->domain);
	}
}

/* True: there is no line now. */
static bool is_dry(struct survey *s, struct worker *w)
{
	struct sp_survey_line line;
	struct sp_arena arena;
	bool found;

	sp_arena_init(&arena);
	found = sp_survey_list_next(s->list, &arena, &line);
	if (found) {
		take_line(s, w, &line);
	}
	sp_arena_fini(&arena);
	return !found;
}

/* Gives the workers as much as they can take. */
static void feed(struct survey *s)
{
	struct worker *w;
	bool dry = false;
	size_t lines = 0;

	while (!s->stopped && !dry && (w = freest(s)) &&
	       sp_survey_out_has_room(s->out, s->next)) {
		if (++lines > LINES_A_TURN) { /* others have a word too */
			wake(s);
			return;
		}
		dry = is_dry(s, w);
		if (dry && !s->ended && !s->readable) {
			read_list(s);
			dry = false;
		}
	}
	if (s->readable) {
		sp_watch_set(s->readable, dry && !s->ended ? SP_IO_READ : 0);
	}
	if (dry && s->ended && s->open == 0) {
		s->sum.finished = true;
		sp_loop_stop(s->loop);
	}
}

static void on_readable(void *arg, int flags)
{
	struct survey *s = arg;

	(void)flags;
	read_list(s);
	feed(s);
}

static void on_turn(void *arg)
{
	struct survey *s = arg;

	if (sp_survey_out_flush(s->out)) {
		stop(s, 0); /* it is said when it is closed */
		return;
	}
	feed(s);
}

/* Something that may have no line yet; all else is read at once, and can't be
 * waited for by epoll(7). */
static bool is_stream(int fd, mode_t mode)
{
	return S_ISFIFO(mode) || S_ISSOCK(mode) || isatty(fd);
}

static int open_list(struct survey *s)
{
	struct stat st;

	s->fd = strcmp(s->path, "-") == 0 ? STDIN_FILENO
	                                  : open(s->path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0 || fstat(s->fd, &st)) {
		return sp_cmd_fail(SP_EXIT_NOINPUT, "%s: %s", s->path,
		                   sp_strerror(-errno));
	}
	if (S_ISREG(st.st_mode)) {
		s->size = (uint64_t)st.st_size;
	} else if (is_stream(s->fd, st.st_mode)) {
		s->readable = sp_watch_new(s->loop, s->fd, on_readable, s);
	}
	return 0;
}

/* --- progress --- */

static void on_show(void *arg)
{
	struct survey *s = arg;
	const struct sp_survey_progress progress = {
		.done = s->sum.rows - s->sum.earlier,
		.blocked = s->sum.blocked,
		.part = part(s),
		.begun = s->begun,
		.elapsed_ms = sp_time_mono_ms() - s->start_ms,
	};

	sp_survey_show(stderr, &progress);
	sp_timer_set(s->show, SHOW_MS);
}

/* --- the command --- */

static void on_signal(void *arg)
{
	stop(arg, SP_EXIT_AGAIN);
}

static void run_loop(struct survey *s)
{
	struct sp_signal *interrupt =
		sp_signal_new(s->loop, SIGINT, on_signal, s);
	struct sp_signal *terminate =
		sp_signal_new(s->loop, SIGTERM, on_signal, s);

	s->start_ms = sp_time_mono_ms();
	s->begun = -1;
	wake(s);
	if (s->show) {
		on_show(s);
	}
	if (sp_loop_run(s->loop)) {
		s->status = sp_cmd_fail(SP_EXIT_AGAIN, "event loop failed");
	}
	s->sum.elapsed_ms = sp_time_mono_ms() - s->start_ms;
	if (s->show) {
		sp_survey_show_end(stderr);
	}
	sp_signal_free(&interrupt);
	sp_signal_free(&terminate);
}

static int write_summary(const struct survey *s, const char *path)
{
	struct sp_json *json = sp_survey_sum_json(&s->sum);
	FILE *f = fopen(path, "we");
	struct sp_buf text;
	int err = f ? 0 : -errno;

	sp_buf_init(&text, SP_TEXT_MAX);
	(void)sp_json_write_pretty(json, &text);
	(void)sp_buf_append_char(&text, '\n');
	if (f) {
		struct sp_str bytes = sp_buf_str(&text);

		err = fwrite(bytes.ptr, 1, bytes.len, f) == bytes.len ? 0
		                                                      : -errno;
		err = fclose(f) && !err ? -errno : err;
	}
	sp_buf_fini(&text);
	sp_json_free(&json);
	return err ? sp_cmd_fail(SP_EXIT_IO, "%s: %s", path, sp_strerror(err))
	           : 0;
}

static int finish(struct survey *s, const struct sp_args *args)
{
	const char *summary = sp_args_get(args, "summary");
	int status = sp_survey_out_close(&s->out);

	s->status = s->status ? s->status : status;
	if (!sp_args_has(args, "quiet")) {
		sp_survey_sum_put(stderr, &s->sum);
	}
	if (summary) {
		status = write_summary(s, summary);
		s->status = s->status ? s->status : status;
	}
	return s->status;
}

static int survey_run(struct survey *s, const struct sp_args *args)
{
	const char *resume = sp_args_get(args, "resume");
	const struct sp_survey_out_conf out = {
		.path = resume ? resume : sp_args_get(args, "output"),
		.resume = resume != NULL,
		.csv = sp_args_has(args, "csv"),
		.ordered = sp_args_has(args, "ordered"),
	};
	int status = fork_workers(s);

	if (status) {
		return status;
	}
	signal(SIGPIPE, SIG_IGN); /* a reader that leaves is an error */
	s->loop = sp_loop_new();
	s->list = sp_survey_list_new();
	s->seen = sp_survey_seen_new();
	s->turn = sp_deferred_new(s->loop, on_turn, s);
	if (isatty(STDERR_FILENO) && sp_text_terminal_moves() &&
	    !sp_args_has(args, "quiet")) {
		s->show = sp_timer_new(s->loop, on_show, s);
	}
	for (unsigned i = 0; i < s->worker_count; i++) {
		struct worker *w = &s->workers[i];

		w->channel =
			sp_channel_new(s->loop, w->fd, on_frame, on_closed, w);
	}
	status = open_list(s);
	if (!status) {
		status = sp_survey_out_open(&out, on_earlier, s, &s->out);
	}
	if (status) {
		return status;
	}
	run_loop(s);
	return finish(s, args);
}

static void survey_fini(struct survey *s)
{
	end_workers(s);
	(void)sp_survey_out_close(&s->out);
	sp_watch_free(&s->readable);
	if (s->fd > STDIN_FILENO) {
		close(s->fd);
	}
	sp_survey_list_free(&s->list);
	sp_survey_seen_free(&s->seen);
	if (s->loop) {
		sp_timer_free(&s->show);
		sp_deferred_free(&s->turn);
		sp_loop_free(&s->loop);
	}
	sp_free(s);
}

/* --- what is asked for --- */

static int read_count(const struct sp_args *args, const char *name,
                      uint64_t fallback, uint64_t max, uint64_t *count_out)
{
	const char *text = sp_args_get(args, name);

	*count_out = fallback;
	if (text && (sp_str_u64(sp_str_from(text), max, count_out) ||
	             *count_out == 0)) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "--%s %s: expected a number from 1 to %llu",
		                   name, text, (unsigned long long)max);
	}
	return 0;
}

static int check_args(const struct sp_args *args)
{
	const char *resume = sp_args_get(args, "resume");
	const char *output = sp_args_get(args, "output");

	if (resume && output && strcmp(resume, output) != 0) {
		return sp_cmd_fail(
			SP_EXIT_USAGE,
			"--resume %s and --output %s: the rows go to "
			"the file that is gone on with",
			resume, output);
	}
	if (sp_args_has(args, "csv") && sp_args_has(args, "json")) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "--csv and --json: one of them, please");
	}
	return 0;
}

/* The limit by address is divided among the workers: in whole parts, so that
 * together they never have more. */
static void divide(struct sp_conf *conf, uint64_t workers, uint64_t jobs,
                   struct survey *s)
{
	uint64_t most = (uint64_t)conf->smtp.max_per_host;

	workers = workers < WORKERS_MAX ? workers : WORKERS_MAX;
	workers = workers < jobs ? workers : jobs;
	if (workers > most) {
		workers = most;
	}
	SP_ASSERT(workers > 0); /* by the schema of the configuration */
	conf->smtp.max_per_host = (int64_t)(most / workers * workers);
	s->work.worker_count = (unsigned)workers;
	s->work.jobs = (size_t)((jobs + workers - 1) / workers);
	s->hands_max = s->work.jobs + AHEAD;
}

static int prepare(struct sp_cmd_ctx *ctx, struct survey *s)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t jobs, workers;
	int status = check_args(ctx->args);

	if (!status) {
		status = sp_cmd_conf(ctx);
	}
	if (!status) {
		status = read_count(ctx->args, "jobs", JOBS_DEFAULT, JOBS_MAX,
		                    &jobs);
	}
	if (!status) {
		workers = ctx->conf->workers > 0 ? (uint64_t)ctx->conf->workers
		          : cores > 0            ? (uint64_t)cores
		                                 : 1;
		status = read_count(ctx->args, "workers", workers, WORKERS_MAX,
		                    &workers);
	}
	if (status) {
		return status;
	}
	ctx->conf->enforce = true; /* what would be, if it were */
	divide(ctx->conf, workers, jobs, s);
	s->path = ctx->words[0];
	s->fd = -1;
	s->work.conf = ctx->conf;
	s->work.dns_only = s->sum.dns_only = sp_args_has(ctx->args, "dns-only");
	s->work.sts = s->sum.with_sts = sp_args_has(ctx->args, "sts");
	return 0;
}

static int run(struct sp_cmd_ctx *ctx)
{
	struct survey *s = SP_NEW(struct survey);
	int status = prepare(ctx, s);

	if (!status) {
		status = survey_run(s, ctx->args);
	}
	survey_fini(s);
	return status;
}

static const struct sp_option OPTIONS[] = {
	{"output", 'o', "FILE", "rows go to this file, which is overwritten"},
	{"resume", 0, "FILE", "go on with the rows of an earlier run"},
	{"csv", 0, NULL, "comma-separated values with a line of titles"},
	{"ordered", 0, NULL, "rows in the order of the list"},
	{"jobs", 'j', "NUMBER", "domains at one time (500)"},
	{"workers", 0, "NUMBER", "processes (one per core)"},
	{"dns-only", 0, NULL, "the plan of each domain, and no connection"},
	{"sts", 0, NULL, "fetch MTA-STS policies too: a request a domain"},
	{"summary", 0, "FILE", "the summary as JSON"},
	{"quiet", 'q', NULL, "no progress and no summary for people"},
	{0},
};

const struct sp_cmd SP_CMD_SURVEY = {
	.name = "survey",
	.words = "FILE",
	.about = "what would become of mail to many domains, under enforcement",
	.text = "FILE has a domain on each line; \"-\" is standard input. For "
		"each there is one\nrow, as JSON, with the verdict that "
		"delivery would come to: hosts and addresses\nhave their turn "
		"as for a message, up to the point where MAIL would be said.\n"
		"Rows that log-only mode would let pass are marked as blocked. "
		"At the end the\nsummary is on standard error.\n"
		"Exit status: 0 done, 75 not finished (--resume goes on). "
		"sealpost-survey(1)\nhas more.\n",
	.options = OPTIONS,
	.words_min = 1,
	.words_max = 1,
	.run = run,
};
