/* SPDX-License-Identifier: Apache-2.0 */
/* sealpost stats, sealpost sessions: a look into the running server. */
#include <stdio.h>

#include "cmd/control.h"
#include "cmd/text.h"

/* ---- stats ---- */

static void put_processes(const struct sp_json *list)
{
	static const char *const TITLES[] = {"PROCESS", "INDEX", "PID",
	                                     "RUNNING", "RESTARTS"};
	struct sp_table *t = sp_table_new(TITLES, 5);

	for (size_t i = 0; i < sp_json_len(list); i++) {
		const struct sp_json *row = sp_json_at(list, i);

		sp_table_cell(t, sp_json_get_str(row, "role"));
		sp_table_int(t, sp_json_get_int(row, "index", 0));
		sp_table_int(t, sp_json_get_int(row, "pid", 0));
		sp_table_cell(t, sp_json_get_bool(row, "running")
		                         ? SP_STR("yes")
		                         : SP_STR("no"));
		sp_table_int(t, sp_json_get_int(row, "restarts", 0));
	}
	sp_table_print(t, stdout);
	sp_table_free(&t);
}

struct counter {
	const char *section;
	const char *key;
	const char *title;
};

static const struct counter COUNTERS[] = {
	{"receive", "sessions", "open sessions"},
	{"receive", "connections", "connections"},
	{"receive", "accepted", "messages accepted"},
	{"receive", "refused", "messages refused"},
	{"queue", "messages", "messages in the store"},
	{"queue", "incoming", "messages coming in"},
	{"queue", "in_flight", "recipients in flight"},
	{"queue", "report_due", "reports due"},
	{"recipients", "queued", "recipients queued"},
	{"recipients", "leased", "recipients being tried"},
	{"recipients", "held", "recipients held"},
	{"recipients", "delivered", "recipients delivered"},
	{"recipients", "failed", "recipients failed"},
	{"recipients", "removed", "recipients removed"},
	{"transport", "connections", "connections open"},
	{"transport", "attempts", "attempts"},
	{"transport", "delivered", "attempts delivered"},
	{"transport", "deferred", "attempts deferred"},
	{"transport", "failed", "attempts failed"},
	{"resolve", "questions", "questions"},
	{"resolve", "secure", "answers secure"},
	{"resolve", "insecure", "answers insecure"},
	{"resolve", "bogus", "answers bogus"},
	{"resolve", "failed", "answers failed"},
	{"sign", "keys", "DKIM keys"},
	{"sign", "signed", "messages signed"},
	{"sign", "not_signed", "messages not to be signed"},
	{"sign", "failed", "signatures failed"},
	{"fetch", "running", "requests running"},
	{"fetch", "waiting", "requests waiting"},
	{"fetch", "requests", "requests"},
	{"fetch", "answered", "requests answered"},
	{"fetch", "failed", "requests failed"},
	{"fetch", "webpki", "certificates not accepted"},
};

/* transport is a list, a worker each: the sum. */
static int64_t value_of(const struct sp_json *all, const struct counter *c)
{
	const struct sp_json *section = sp_json_get(all, c->section);
	int64_t sum = 0;

	if (sp_str_eq(sp_str_from(c->section), SP_STR("recipients"))) {
		section = sp_json_get(sp_json_get(all, "queue"), c->section);
	}
	if (!sp_json_is_array(section)) {
		return sp_json_get_int(section, c->key, 0);
	}
	for (size_t i = 0; i < sp_json_len(section); i++) {
		sum += sp_json_get_int(sp_json_at(section, i), c->key, 0);
	}
	return sum;
}

/* What was let through by log-only mode, an exception or the sender, summed
 * over the workers. */
#define WAIVED_MAX 256

struct waived {
	struct sp_str code, scenario, filter;
	int64_t attempts;
};

static size_t add_waived(struct waived *rows, size_t count,
                         const struct sp_json *row)
{
	struct waived w = {
		.code = sp_json_get_str(row, "code"),
		.scenario = sp_json_get_str(row, "scenario"),
		.filter = sp_json_get_str(row, "filter"),
		.attempts = sp_json_get_int(row, "attempts", 0),
	};

	for (size_t i = 0; i < count; i++) {
		if (sp_str_eq(rows[i].scenario, w.scenario) &&
		    sp_str_eq(rows[i].filter, w.filter)) {
			rows[i].attempts += w.attempts;
			return count;
		}
	}
	if (count < WAIVED_MAX) {
		rows[count++] = w;
	}
	return count;
}

static void put_waived(const struct sp_json *workers)
{
	static const char *const TITLES[] = {"WOULD HAVE BLOCKED", "SCENARIO",
	                                     "FILTER", "ATTEMPTS"};
	struct waived rows[WAIVED_MAX];
	size_t count = 0;
	struct sp_table *t;

	for (size_t i = 0; i < sp_json_len(workers); i++) {
		const struct sp_json *list = sp_json_get(sp_json_at(workers, i),
		                                         "would_have_blocked");

		for (size_t k = 0; k < sp_json_len(list); k++) {
			count = add_waived(rows, count, sp_json_at(list, k));
		}
	}
	if (count == 0) {
		return;
	}
	t = sp_table_new(TITLES, 4);
	for (size_t i = 0; i < count; i++) {
		sp_table_cell(t, rows[i].code);
		sp_table_cell(t, rows[i].scenario);
		sp_table_cell(t, rows[i].filter);
		sp_table_int(t, rows[i].attempts);
	}
	putchar('\n');
	sp_table_print(t, stdout);
	sp_table_free(&t);
}

static void put_failing(const struct sp_json *list)
{
	static const char *const TITLES[] = {"FAILING", "SCENARIO", "SINCE",
	                                     "NEXT ATTEMPT", "WAITING"};
	struct sp_table *t;

	if (sp_json_len(list) == 0) {
		return;
	}
	t = sp_table_new(TITLES, 5);
	for (size_t i = 0; i < sp_json_len(list); i++) {
		const struct sp_json *row = sp_json_at(list, i);

		sp_table_cell(t, sp_json_get_str(row, "domain"));
		sp_table_cell(t, sp_json_get_str(row, "scenario"));
		sp_table_cell(t, sp_json_get_str(row, "since"));
		sp_table_cell(t, sp_json_get_str(row, "next_attempt"));
		sp_table_int(t, sp_json_get_int(row, "waiting", 0));
	}
	putchar('\n');
	sp_table_print(t, stdout);
	sp_table_free(&t);
}

static void put_counters(const struct sp_json *all)
{
	static const char *const TITLES[] = {"OF", "WHAT", "NUMBER"};
	struct sp_table *t = sp_table_new(TITLES, 3);

	for (size_t i = 0; i < sizeof(COUNTERS) / sizeof(COUNTERS[0]); i++) {
		sp_table_cell(t, sp_str_from(COUNTERS[i].section));
		sp_table_cell(t, sp_str_from(COUNTERS[i].title));
		sp_table_int(t, value_of(all, &COUNTERS[i]));
	}
	sp_table_print(t, stdout);
	sp_table_free(&t);
}

static void put_self_test(const struct sp_json *resolve)
{
	struct sp_str why = sp_json_get_str(resolve, "self_test");

	if (sp_json_get_bool(resolve, "self_test_ok")) {
		puts("\nDNSSEC self-test: good");
	} else {
		fputs("\nDNSSEC self-test: not passed", stdout);
		fputs(why.len ? ": " : "", stdout);
		sp_text_put(stdout, why);
		fputs("; DANE decisions are deferred\n", stdout);
	}
}

static int stats(struct sp_cmd_ctx *ctx)
{
	struct sp_json *done = NULL;
	int status = sp_control_ask(ctx, sp_control_verb("stats"), NULL, NULL,
	                            &done);

	if (status) {
		return status;
	}
	if (ctx->json) {
		sp_json_put(stdout, done);
	} else {
		put_processes(sp_json_get(done, "processes"));
		putchar('\n');
		put_counters(done);
		put_waived(sp_json_get(done, "transport"));
		put_failing(sp_json_get(done, "failing"));
		put_self_test(sp_json_get(done, "resolve"));
	}
	sp_json_free(&done);
	return 0;
}

const struct sp_cmd SP_CMD_STATS = {
	.name = "stats",
	.words = "",
	.about = "processes and counters of the running server",
	.run = stats,
};

/* ---- sessions ---- */

static void on_session(void *arg, const struct sp_json *row)
{
	sp_json_add(arg, sp_json_copy(row));
}

static struct sp_str first_of(const struct sp_json *row, const char *a,
                              const char *b)
{
	struct sp_str text = sp_json_get_str(row, a);

	return text.len ? text : sp_json_get_str(row, b);
}

static void put_sessions(const struct sp_json *list)
{
	static const char *const TITLES[] = {"DIRECTION", "PEER", "NAME",
	                                     "STATE",     "TLS",  "MESSAGES",
	                                     "SECONDS",   "ID"};
	struct sp_table *t = sp_table_new(TITLES, 8);

	for (size_t i = 0; i < sp_json_len(list); i++) {
		const struct sp_json *s = sp_json_at(list, i);
		bool in = sp_str_eq(sp_json_get_str(s, "role"),
		                    SP_STR("receive"));

		sp_table_cell(t, in ? SP_STR("in") : SP_STR("out"));
		sp_table_cell(t, first_of(s, "peer", "address"));
		sp_table_cell(t, first_of(s, "helo", "host"));
		sp_table_cell(t, first_of(s, "state", "attempt_stage"));
		sp_table_cell(t, sp_json_get_bool(s, "tls") ? SP_STR("yes")
		                                            : SP_STR("no"));
		sp_table_int(t, sp_json_get_int(s, "messages", 0));
		sp_table_int(t, sp_json_get_int(s, "age_ms", 0) / 1000);
		sp_table_cell(t, sp_json_get_str(s, "id"));
	}
	sp_table_print(t, stdout);
	sp_table_free(&t);
}

static int sessions(struct sp_cmd_ctx *ctx)
{
	struct sp_json *list = sp_json_array();
	int status = sp_control_ask(ctx, sp_control_verb("sessions"),
	                            on_session, list, NULL);

	if (!status && ctx->json) {
		sp_json_put(stdout, list);
	} else if (!status && sp_json_len(list)) {
		put_sessions(list);
	}
	sp_json_free(&list);
	return status;
}

const struct sp_cmd SP_CMD_SESSIONS = {
	.name = "sessions",
	.words = "",
	.about = "live sessions of the running server",
	.run = sessions,
};
