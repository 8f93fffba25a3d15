/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   RESOLVING (A and AAAA side by side) ──both answered──▶ FETCHING ──▶ done
 *        │ no address, time is over, or not a URL we ask
 *        └──▶ failed
 *
 * Answers that do not validate give no addresses. Whether they are secure
 * does not matter: the certificate decides.
 */
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "deliver/download.h"

struct question {
	struct sp_download *of;
	enum sp_dns_type type;
	uint64_t id;                  /* 0: not open */
	struct sp_dns_answer *answer; /* owned */
};

struct sp_download {
	struct sp_download_ask ask; /* its strings are in the arena */
	struct sp_arena arena;
	struct sp_fetch_url url;
	const char *post_type;
	struct question questions[2]; /* the first is preferred */
	int64_t deadline_ms;          /* monotonic */
	struct sp_timer *timer;
	struct sp_deferred *failed;
	char why[SP_FETCH_WHY_MAX];
	uint64_t fetch_id; /* 0: none */
	sp_fetch_fn *fn;
	void *arg;
};

static void fail(struct sp_download *d)
{
	const struct sp_fetch_result result = {
		.status = SP_FETCH_FAILED,
		.why = sp_str_from(d->why),
	};

	d->fn(d->arg, &result);
}

static void on_failed(void *arg)
{
	fail(arg);
}

static void on_fetched(void *arg, const struct sp_fetch_result *result)
{
	struct sp_download *d = arg;

	d->fetch_id = 0;
	d->fn(d->arg, result);
}

/* ---- addresses ---- */

static struct sp_addr addr_of(const struct sp_dns_answer *answer, size_t i)
{
	struct sp_addr addr = {
		.family = answer->type == SP_DNS_TYPE_A ? 4 : 6,
	};

	memcpy(addr.bytes, answer->records[i].address,
	       addr.family == 4 ? 4 : 16);
	return addr;
}

static size_t record_count(const struct sp_dns_answer *answer)
{
	return answer && answer->result == SP_DNS_RECORDS ? answer->record_count
	                                                  : 0;
}

/* The families by turns, so that one that does not work costs one try. */
static size_t list_addrs(const struct sp_download *d, struct sp_addr *addrs)
{
	size_t count = 0;
	bool more = true;

	for (size_t i = 0; more; i++) {
		more = false;
		for (size_t k = 0; k < 2; k++) {
			const struct sp_dns_answer *answer =
				d->questions[k].answer;

			if (i < record_count(answer) &&
			    count < SP_FETCH_ADDRS_MAX) {
				addrs[count++] = addr_of(answer, i);
				more = true;
			}
		}
	}
	return count;
}

static const char *say(const struct sp_dns_answer *answer)
{
	if (!answer) {
		return "no answer in time";
	}
	return answer->result == SP_DNS_NONE
	               ? sp_dnssec_text(answer->dnssec)
	               : sp_dns_result_text(answer->result);
}

static void explain(struct sp_download *d)
{
	const struct sp_dns_answer *one = d->questions[0].answer;
	const struct sp_dns_answer *two = d->questions[1].answer;
	struct sp_str why = one && one->why.len ? one->why : SP_STR("");

	why = !why.len && two ? two->why : why;
	snprintf(d->why, sizeof(d->why),
	         "%.*s: no address (AAAA: %s, A: %s)%s%.*s",
	         (int)d->url.host.len, d->url.host.ptr, say(one), say(two),
	         why.len ? ": " : "", why.len < 200 ? (int)why.len : 200,
	         why.len ? why.ptr : "");
}

static void connect_now(struct sp_download *d)
{
	struct sp_addr addrs[SP_FETCH_ADDRS_MAX];
	struct sp_fetch_ask ask = {
		.url = &d->url,
		.addrs = addrs,
		.addr_count = list_addrs(d, addrs),
		.head = d->ask.head,
		.post = d->ask.post,
		.post_type = d->post_type,
		.body = d->ask.body,
		.body_max = d->ask.body_max,
		.timeout_ms = d->deadline_ms - sp_time_mono_ms(),
	};

	sp_timer_stop(d->timer);
	if (ask.addr_count == 0) {
		explain(d);
		fail(d);
		return;
	}
	d->fetch_id = sp_fetch_start(d->ask.fetcher, &ask, on_fetched, d);
}

static void on_answer(void *arg, struct sp_dns_answer *answer)
{
	struct question *q = arg;
	struct sp_download *d = q->of;

	q->id = 0;
	q->answer = answer;
	if (d->questions[0].answer && d->questions[1].answer) {
		connect_now(d);
	}
}

static void cancel_questions(struct sp_download *d)
{
	for (size_t i = 0; i < 2; i++) {
		struct question *q = &d->questions[i];

		if (q->id) {
			d->ask.lookup->cancel(d->ask.lookup, q->id);
			q->id = 0;
		}
	}
}

static void on_late(void *arg)
{
	struct sp_download *d = arg;

	cancel_questions(d);
	explain(d);
	fail(d);
}

static void ask_addresses(struct sp_download *d)
{
	for (size_t i = 0; i < 2; i++) {
		struct question *q = &d->questions[i];

		q->id = d->ask.lookup->ask(d->ask.lookup, d->url.host, q->type,
		                           false, on_answer, q);
	}
	sp_timer_set(d->timer, d->ask.timeout_ms);
}

/* ---- life ---- */

struct sp_download *sp_download_new(const struct sp_download_ask *ask,
                                    sp_fetch_fn *fn, void *arg)
{
	struct sp_download *d = SP_NEW(struct sp_download);

	sp_arena_init(&d->arena);
	d->ask = *ask;
	d->ask.url = sp_arena_str(&d->arena, ask->url);
	d->ask.body = sp_arena_str(&d->arena, ask->body);
	d->post_type = sp_arena_cstr(&d->arena, ask->post_type);
	d->questions[0] = (struct question){d, SP_DNS_TYPE_AAAA, 0, NULL};
	d->questions[1] = (struct question){d, SP_DNS_TYPE_A, 0, NULL};
	d->deadline_ms = sp_time_mono_ms() + ask->timeout_ms;
	d->timer = sp_timer_new(ask->loop, on_late, d);
	d->failed = sp_deferred_new(ask->loop, on_failed, d);
	d->fn = fn;
	d->arg = arg;
	if (sp_fetch_url_parse(d->ask.url, &d->arena, &d->url, d->why)) {
		d->url.host = SP_STR("");
		sp_deferred_call(d->failed);
	} else {
		ask_addresses(d);
	}
	return d;
}

void sp_download_free(struct sp_download **download)
{
	struct sp_download *d = *download;

	if (!d) {
		return;
	}
	*download = NULL;
	cancel_questions(d);
	if (d->fetch_id) {
		sp_fetch_cancel(d->ask.fetcher, d->fetch_id);
	}
	sp_dns_answer_free(&d->questions[0].answer);
	sp_dns_answer_free(&d->questions[1].answer);
	sp_timer_free(&d->timer);
	sp_deferred_free(&d->failed);
	sp_arena_fini(&d->arena);
	sp_free(d);
}

struct sp_fetcher *sp_fetcher_from_conf(struct sp_loop *loop,
                                        const struct sp_conf *conf)
{
	size_t count = conf->guard.allow.count;
	struct sp_cidr *allow = sp_calloc(count + 1, sizeof(*allow));
	struct sp_guard guard = {conf->guard.enabled, allow, 0};
	struct sp_fetcher *fetcher;

	for (size_t i = 0; i < count; i++) {
		if (sp_cidr_parse(sp_str_from(conf->guard.allow.items[i]),
		                  &allow[guard.allow_count]) == 0) {
			guard.allow_count++; /* checked by conf: always */
		}
	}
	fetcher = sp_fetcher_new(loop, conf->ca_bundle, &guard);
	sp_free(allow);
	return fetcher;
}
