/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of the verbs for TLS reports; see store.c. */
#include "base/assert.h"
#include "base/err.h"
#include "store/engine.h"
#include "store/tls_report.h"

static bool fit(const struct sp_str *texts, size_t count, size_t max)
{
	for (size_t i = 0; i < count; i++) {
		if (texts[i].len > max) {
			return false;
		}
	}
	return true;
}

const char *sp_store_tls_out_name(enum sp_store_tls_out_state state)
{
	static const char *const names[] = {
#define SP_X(name, text) text,
		SP_STORE_TLS_OUTS(SP_X)
#undef SP_X
	};

	return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state]
	                                                        : "?";
}

int sp_store_tls_count(struct sp_store *store, int64_t day,
                       const struct sp_store_tls_count *c)
{
	const struct sp_str texts[] = {
		c->type,         c->domain,  c->result,
		c->sending_ip,   c->mx_host, c->mx_helo,
		c->receiving_ip, c->reason,  c->recipient};
	const struct sp_str lists[] = {c->policy, c->mx_hosts};

	SP_ASSERT(store->mode == SP_STORE_WRITER && store->in_turn);
	if (!fit(texts, sizeof(texts) / sizeof(*texts),
	         SP_STORE_TLS_TEXT_MAX) ||
	    !fit(lists, 2, SP_STORE_TLS_LIST_MAX) || day < 0 ||
	    c->sessions > INT32_MAX) {
		return SP_ELIMIT;
	}
	return store->ops->tls_count(store, day, c);
}

int sp_store_tls_counts(struct sp_store *store, int64_t first_day,
                        int64_t last_day, struct sp_str domain,
                        sp_store_tls_count_fn *fn, void *arg)
{
	return store->ops->tls_counts(store, first_day, last_day, domain, fn,
	                              arg);
}

int sp_store_tls_out_set(struct sp_store *store,
                         const struct sp_store_tls_out *out)
{
	const struct sp_str texts[] = {out->domain, out->report_id,
	                               out->queue_id};

	SP_ASSERT(store->mode == SP_STORE_WRITER && store->in_turn);
	if (!fit(texts, 3, SP_STORE_TLS_TEXT_MAX) ||
	    out->uri.len > SP_STORE_TLS_URI_MAX ||
	    out->why.len > SP_STORE_TLS_WHY_MAX) {
		return SP_ELIMIT;
	}
	return store->ops->tls_out_set(store, out);
}

int sp_store_tls_out_find(struct sp_store *store, int64_t day,
                          struct sp_str domain, struct sp_str uri,
                          enum sp_store_tls_out_state *state_out)
{
	return store->ops->tls_out_find(store, day, domain, uri, state_out);
}

int sp_store_tls_outs(struct sp_store *store, int64_t first_day,
                      int64_t last_day, sp_store_tls_out_fn *fn, void *arg)
{
	return store->ops->tls_outs(store, first_day, last_day, fn, arg);
}

int sp_store_tls_outs_of(struct sp_store *store, int64_t day,
                         struct sp_str domain, sp_store_tls_out_fn *fn,
                         void *arg)
{
	return store->ops->tls_outs_of(store, day, domain, fn, arg);
}

int sp_store_tls_outs_to(struct sp_store *store, int64_t first_day,
                         int64_t last_day, struct sp_str uri,
                         sp_store_tls_out_fn *fn, void *arg)
{
	return store->ops->tls_outs_to(store, first_day, last_day, uri, fn,
	                               arg);
}

int sp_store_tls_in_add(struct sp_store *store,
                        const struct sp_store_tls_in *in, bool *known_out,
                        bool *first_out)
{
	const struct sp_str texts[] = {in->organization, in->report_id,
	                               in->contact,      in->dkim,
	                               in->type,         in->domain};
	const struct sp_str lists[] = {in->policy, in->oddities};

	SP_ASSERT(store->mode == SP_STORE_WRITER && store->in_turn);
	if (!fit(texts, sizeof(texts) / sizeof(*texts), SP_STORE_TLS_URI_MAX) ||
	    !fit(lists, 2, SP_STORE_TLS_LIST_MAX) ||
	    in->failures.len > SP_STORE_TLS_DETAILS_MAX ||
	    in->successful > INT64_MAX || in->failed > INT64_MAX ||
	    in->start_ms < 0 || in->end_ms < 0) {
		return SP_ELIMIT;
	}
	return store->ops->tls_in_add(store, in, known_out, first_out);
}

int sp_store_tls_ins(struct sp_store *store, int64_t from_ms, int64_t to_ms,
                     struct sp_str domain, sp_store_tls_in_fn *fn, void *arg)
{
	return store->ops->tls_ins(store, from_ms, to_ms, domain, fn, arg);
}

int sp_store_tls_untold(struct sp_store *store, size_t max,
                        sp_store_tls_in_fn *fn, void *arg)
{
	return store->ops->tls_untold(store, max, fn, arg);
}

int sp_store_tls_in_told(struct sp_store *store, struct sp_str domain,
                         bool by_alert)
{
	SP_ASSERT(store->mode == SP_STORE_WRITER && store->in_turn);
	return store->ops->tls_in_told(store, domain, by_alert);
}

int sp_store_tls_in_alerts(struct sp_store *store, int64_t since_ms,
                           uint64_t *count_out)
{
	return store->ops->tls_in_alerts(store, since_ms, count_out);
}

int sp_store_tls_purge(struct sp_store *store, int64_t before_day)
{
	SP_ASSERT(store->mode == SP_STORE_WRITER && store->in_turn);
	return store->ops->tls_purge(store, before_day);
}
