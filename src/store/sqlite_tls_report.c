/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts are kept in two tables, so that the text of a policy stands once and
 * a count is a narrow row. A policy's id is looked up before the count goes
 * in; both are found by their unique index.
 */
#include "base/err.h"
#include "store/sqlite.h"

static int find_policy(struct sp__sqlite *s, const struct sp_store_tls_count *c,
                       int64_t *id_out)
{
	struct sp__use u = sp__use(s, SP__SQL_TLS_POLICY_FIND);

	*id_out = 0;
	sp__bind_str(&u, c->domain);
	sp__bind_str(&u, c->recipient);
	sp__bind_str(&u, c->type);
	sp__bind_str(&u, c->policy);
	sp__bind_str(&u, c->mx_hosts);
	while (sp__row(&u)) {
		*id_out = sp__int(&u, 0, 1, INT64_MAX);
	}
	return sp__end(&u);
}

static int add_policy(struct sp__sqlite *s, const struct sp_store_tls_count *c,
                      int64_t *id_out)
{
	struct sp__use u = sp__use(s, SP__SQL_TLS_POLICY_ADD);
	int ret;

	sp__bind_str(&u, c->domain);
	sp__bind_str(&u, c->recipient);
	sp__bind_str(&u, c->type);
	sp__bind_str(&u, c->policy);
	sp__bind_str(&u, c->mx_hosts);
	ret = sp__run(&u);
	*id_out = sqlite3_last_insert_rowid(s->db);
	return ret;
}

int sp__tls_count(struct sp_store *store, int64_t day,
                  const struct sp_store_tls_count *c)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct sp__use u;
	int64_t policy = 0;
	int ret = find_policy(s, c, &policy);

	if (ret == 0 && policy == 0) {
		ret = add_policy(s, c, &policy);
	}
	if (ret) {
		return ret;
	}
	u = sp__use(s, SP__SQL_TLS_COUNT_ADD);
	sp__bind_int(&u, day);
	sp__bind_int(&u, policy);
	sp__bind_str(&u, c->result);
	sp__bind_str(&u, c->sending_ip);
	sp__bind_str(&u, c->mx_host);
	sp__bind_str(&u, c->mx_helo);
	sp__bind_str(&u, c->receiving_ip);
	sp__bind_str(&u, c->reason);
	sp__bind_int(&u, (int64_t)c->sessions);
	return sp__run(&u);
}

static struct sp_str text(struct sp__use *u, int column)
{
	return sp__str(u, column, SP_STORE_TLS_TEXT_MAX);
}

int sp__tls_counts(struct sp_store *store, int64_t first_day, int64_t last_day,
                   struct sp_str domain, sp_store_tls_count_fn *fn, void *arg)
{
	struct sp__use u =
		sp__use(sp__sqlite_of(store), domain.len ? SP__SQL_TLS_COUNTS_OF
	                                                 : SP__SQL_TLS_COUNTS);
	int stop = 0;
	int ret;

	sp__bind_int(&u, first_day);
	sp__bind_int(&u, last_day);
	sp__bind_str(&u, domain);
	while (stop == 0 && sp__row(&u)) {
		int64_t day = sp__int(&u, 0, 0, INT64_MAX);
		const struct sp_store_tls_count c = {
			.type = text(&u, 1),
			.domain = text(&u, 2),
			.policy = sp__str(&u, 3, SP_STORE_TLS_LIST_MAX),
			.mx_hosts = sp__str(&u, 4, SP_STORE_TLS_LIST_MAX),
			.result = text(&u, 5),
			.sending_ip = text(&u, 6),
			.mx_host = text(&u, 7),
			.mx_helo = text(&u, 8),
			.receiving_ip = text(&u, 9),
			.reason = text(&u, 10),
			.sessions = (uint64_t)sp__int(&u, 11, 0, INT64_MAX),
			.recipient = text(&u, 12),
		};

		if (!u.error) {
			stop = fn(arg, day, &c);
		}
	}
	ret = sp__end(&u);
	return ret ? ret : stop;
}

int sp__tls_out_set(struct sp_store *store, const struct sp_store_tls_out *o)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_TLS_OUT_SET);

	sp__bind_int(&u, o->day);
	sp__bind_str(&u, o->domain);
	sp__bind_str(&u, o->uri);
	sp__bind_int(&u, o->state);
	sp__bind_str(&u, o->report_id);
	sp__bind_int(&u, o->tries);
	sp__bind_int(&u, o->next_ms);
	sp__bind_str(&u, o->queue_id);
	sp__bind_str(&u, o->why);
	sp__bind_int(&u, o->time_ms);
	return sp__run(&u);
}

int sp__tls_out_find(struct sp_store *store, int64_t day, struct sp_str domain,
                     struct sp_str uri, enum sp_store_tls_out_state *state_out)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_TLS_OUT_FIND);
	bool found = false;
	int ret;

	sp__bind_int(&u, day);
	sp__bind_str(&u, domain);
	sp__bind_str(&u, uri);
	while (sp__row(&u)) {
		found = true;
		*state_out = (enum sp_store_tls_out_state)sp__int(
			&u, 0, 0, SP_STORE_TLS_OUT_DROPPED);
	}
	ret = sp__end(&u);
	return ret || found ? ret : SP_ENOTFOUND;
}

static int list_outs(struct sp_store *store, enum sp__sql sql,
                     int64_t first_day, int64_t last_day, struct sp_str of,
                     sp_store_tls_out_fn *fn, void *arg)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), sql);
	int stop = 0;
	int ret;

	sp__bind_int(&u, first_day);
	sp__bind_int(&u, last_day);
	sp__bind_str(&u, of);
	while (stop == 0 && sp__row(&u)) {
		const struct sp_store_tls_out o = {
			.day = sp__int(&u, 0, 0, INT64_MAX),
			.domain = text(&u, 1),
			.uri = sp__str(&u, 2, SP_STORE_TLS_URI_MAX),
			.state = (enum sp_store_tls_out_state)sp__int(
				&u, 3, 0, SP_STORE_TLS_OUT_DROPPED),
			.report_id = text(&u, 4),
			.tries = (uint32_t)sp__int(&u, 5, 0, UINT32_MAX),
			.next_ms = sp__int(&u, 6, 0, INT64_MAX),
			.queue_id = text(&u, 7),
			.why = sp__str(&u, 8, SP_STORE_TLS_WHY_MAX),
			.time_ms = sp__int(&u, 9, 0, INT64_MAX),
		};

		if (!u.error) {
			stop = fn(arg, &o);
		}
	}
	ret = sp__end(&u);
	return ret ? ret : stop;
}

int sp__tls_outs(struct sp_store *store, int64_t first_day, int64_t last_day,
                 sp_store_tls_out_fn *fn, void *arg)
{
	return list_outs(store, SP__SQL_TLS_OUTS, first_day, last_day,
	                 SP_STR(""), fn, arg);
}

int sp__tls_outs_of(struct sp_store *store, int64_t day, struct sp_str domain,
                    sp_store_tls_out_fn *fn, void *arg)
{
	return list_outs(store, SP__SQL_TLS_OUTS_OF, day, day, domain, fn, arg);
}

int sp__tls_outs_to(struct sp_store *store, int64_t first_day, int64_t last_day,
                    struct sp_str uri, sp_store_tls_out_fn *fn, void *arg)
{
	return list_outs(store, SP__SQL_TLS_OUTS_TO, first_day, last_day, uri,
	                 fn, arg);
}

/* ---- reports that we got ---- */

static int has_failures(struct sp__sqlite *s, struct sp_str domain,
                        bool *has_out)
{
	struct sp__use u = sp__use(s, SP__SQL_TLS_IN_FAILED);

	*has_out = false;
	sp__bind_str(&u, domain);
	while (sp__row(&u)) {
		*has_out = true;
	}
	return sp__end(&u);
}

static void bind_name(struct sp__use *u, const struct sp_store_tls_in *in)
{
	sp__bind_str(u, in->organization);
	sp__bind_str(u, in->report_id);
	sp__bind_str(u, in->type);
	sp__bind_str(u, in->domain);
	sp__bind_str(u, in->policy);
}

/* One that counts is known by the same name from the same signer, or from
 * the operator's hand; one that doesn't, by its name alone. */
static int is_known(struct sp__sqlite *s, const struct sp_store_tls_in *in,
                    bool *known_out)
{
	struct sp__use u = sp__use(s, SP__SQL_TLS_IN_KNOWN);

	*known_out = false;
	bind_name(&u, in);
	sp__bind_int(&u, in->trusted);
	sp__bind_str(&u, in->dkim);
	while (sp__row(&u)) {
		*known_out = true;
	}
	return sp__end(&u);
}

static int replace_unverified(struct sp__sqlite *s,
                              const struct sp_store_tls_in *in)
{
	struct sp__use u = sp__use(s, SP__SQL_TLS_IN_REPLACE);

	bind_name(&u, in);
	return sp__run(&u);
}

static int add_in(struct sp__sqlite *s, const struct sp_store_tls_in *in)
{
	struct sp__use u = sp__use(s, SP__SQL_TLS_IN_ADD);

	sp__bind_int(&u, in->received_ms);
	sp__bind_str(&u, in->organization);
	sp__bind_str(&u, in->report_id);
	sp__bind_str(&u, in->contact);
	sp__bind_int(&u, in->start_ms);
	sp__bind_int(&u, in->end_ms);
	sp__bind_str(&u, in->dkim);
	sp__bind_int(&u, in->trusted);
	sp__bind_str(&u, in->type);
	sp__bind_str(&u, in->domain);
	sp__bind_str(&u, in->policy);
	sp__bind_int(&u, (int64_t)in->successful);
	sp__bind_int(&u, (int64_t)in->failed);
	sp__bind_str(&u, in->failures);
	sp__bind_str(&u, in->oddities);
	return sp__run(&u);
}

int sp__tls_in_add(struct sp_store *store, const struct sp_store_tls_in *in,
                   bool *known_out, bool *first_out)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	bool failed_before = false;
	int ret = is_known(s, in, known_out);

	*first_out = false;
	if (ret || *known_out) {
		return ret;
	}
	ret = has_failures(s, in->domain, &failed_before);
	if (ret == 0 && in->trusted) {
		ret = replace_unverified(s, in);
	}
	ret = ret ? ret : add_in(s, in);
	*first_out =
		ret == 0 && in->trusted && in->failed > 0 && !failed_before;
	return ret;
}

int sp__tls_in_alerts(struct sp_store *store, int64_t since_ms,
                      uint64_t *count_out)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_TLS_IN_ALERTS);

	*count_out = 0;
	sp__bind_int(&u, since_ms);
	while (sp__row(&u)) {
		*count_out = (uint64_t)sp__int(&u, 0, 0, INT64_MAX);
	}
	return sp__end(&u);
}

int sp__tls_in_told(struct sp_store *store, struct sp_str domain, bool by_alert)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_TLS_IN_TOLD);

	sp__bind_int(&u, by_alert ? 2 : 1);
	sp__bind_str(&u, domain);
	return sp__run(&u);
}

static void read_in(struct sp__use *u, struct sp_store_tls_in *in)
{
	*in = (struct sp_store_tls_in){
		.received_ms = sp__int(u, 0, 0, INT64_MAX),
		.organization = sp__str(u, 1, SP_STORE_TLS_URI_MAX),
		.report_id = sp__str(u, 2, SP_STORE_TLS_URI_MAX),
		.contact = sp__str(u, 3, SP_STORE_TLS_URI_MAX),
		.start_ms = sp__int(u, 4, 0, INT64_MAX),
		.end_ms = sp__int(u, 5, 0, INT64_MAX),
		.dkim = sp__str(u, 6, SP_STORE_TLS_URI_MAX),
		.trusted = sp__bool(u, 7),
		.type = sp__str(u, 8, SP_STORE_TLS_URI_MAX),
		.domain = sp__str(u, 9, SP_STORE_TLS_URI_MAX),
		.policy = sp__str(u, 10, SP_STORE_TLS_LIST_MAX),
		.successful = (uint64_t)sp__int(u, 11, 0, INT64_MAX),
		.failed = (uint64_t)sp__int(u, 12, 0, INT64_MAX),
		.failures = sp__str(u, 13, SP_STORE_TLS_DETAILS_MAX),
		.oddities = sp__str(u, 14, SP_STORE_TLS_LIST_MAX),
	};
}

int sp__tls_ins(struct sp_store *store, int64_t from_ms, int64_t to_ms,
                struct sp_str domain, sp_store_tls_in_fn *fn, void *arg)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_TLS_INS);
	struct sp_store_tls_in in;
	int stop = 0;
	int ret;

	sp__bind_int(&u, from_ms);
	sp__bind_int(&u, to_ms);
	sp__bind_str(&u, domain);
	while (stop == 0 && sp__row(&u)) {
		read_in(&u, &in);
		if (!u.error) {
			stop = fn(arg, &in);
		}
	}
	ret = sp__end(&u);
	return ret ? ret : stop;
}

int sp__tls_untold(struct sp_store *store, size_t max, sp_store_tls_in_fn *fn,
                   void *arg)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_TLS_IN_UNTOLD);
	struct sp_store_tls_in in;
	int stop = 0;
	int ret;

	sp__bind_int(&u, (int64_t)max);
	while (stop == 0 && sp__row(&u)) {
		read_in(&u, &in);
		if (!u.error) {
			stop = fn(arg, &in);
		}
	}
	ret = sp__end(&u);
	return ret ? ret : stop;
}

int sp__tls_purge(struct sp_store *store, int64_t before_day)
{
	static const struct {
		enum sp__sql sql;
		int64_t unit;
	} steps[] = {{SP__SQL_TLS_POLICY_PURGE, 1},
	             {SP__SQL_TLS_COUNT_PURGE, 1},
	             {SP__SQL_TLS_OUT_PURGE, 1},
	             {SP__SQL_TLS_IN_PURGE, SP_STORE_DAY_MS}};
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < sizeof(steps) / sizeof(*steps);
	     i++) {
		struct sp__use u = sp__use(sp__sqlite_of(store), steps[i].sql);

		sp__bind_int(&u, before_day * steps[i].unit);
		ret = sp__run(&u);
	}
	return ret;
}
