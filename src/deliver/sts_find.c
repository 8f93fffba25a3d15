/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   TXT ──a new id──▶ FETCH ──▶ TELL ──the turn's end──▶ DONE
 *    └──anything else────────────▲
 *
 * What the cache holds is looked at when the answer to TXT is there: another
 * message may have fetched the policy meanwhile.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "deliver/sts_find.h"

enum stage {
	TXT,
	FETCH,
	TELL,
	DONE,
};

struct sp_sts_find {
	struct sp_arena arena;
	enum stage stage;
	struct sp_lookup *lookup;
	struct sp_sts_source *source;
	struct sp_str domain;
	struct sp_sts_row row; /* copied; body null: none */
	struct sp_sts_facts facts;
	struct sp_sts_kept kept;
	struct sp_sts_kept got;
	struct sp_sts_choice choice;
	uint32_t ttl_s;    /* of a good answer to TXT */
	uint64_t question; /* of the lookup, in TXT */
	uint64_t fetch;    /* of the source, in FETCH */
	bool unready;
	struct sp_deferred *tell;
	sp_sts_find_fn *fn;
	void *arg;
};

static void copy_row(struct sp_sts_find *f, const struct sp_sts_row *row)
{
	f->row = *row;
	f->row.id = sp_arena_str(&f->arena, row->id);
	f->row.body = sp_arena_str(&f->arena, row->body);
}

/* The row from the store, or a newer one of this process. One that does not
 * parse is none: it was parsed before it was kept. */
static void read_cache(struct sp_sts_find *f)
{
	const struct sp_sts_row *newer =
		f->source->find ? f->source->find(f->source, f->domain) : NULL;

	if (newer &&
	    (!f->row.body.ptr || newer->fetched_ms > f->row.fetched_ms)) {
		copy_row(f, newer);
	}
	if (!f->row.body.ptr || sp_sts_policy_parse(f->row.body, &f->arena,
	                                            &f->kept.policy, NULL)) {
		return;
	}
	f->kept.id = f->row.id;
	f->kept.fetched_ms = f->row.fetched_ms;
	f->kept.expires_ms = f->row.expires_ms;
	f->facts.kept = &f->kept;
}

static void conclude(struct sp_sts_find *f)
{
	f->stage = TELL;
	f->choice = sp_sts_choose(&f->facts, &f->arena);
	sp_deferred_call(f->tell);
}

static void on_tell(void *arg)
{
	struct sp_sts_find *f = arg;

	f->stage = DONE;
	f->fn(f->arg); /* may free f */
}

/* --- the fetch --- */

static void fetch_failed(struct sp_sts_find *f, enum sp_cause_id trouble,
                         struct sp_str why)
{
	f->facts.trouble = trouble;
	f->facts.why = sp_arena_str(&f->arena, why);
}

static void take_policy(struct sp_sts_find *f, struct sp_str body)
{
	struct sp_sts_policy policy;
	char why[SP_STS_WHY_MAX] = "";
	struct sp_sts_row row;

	if (sp_sts_policy_parse(body, &f->arena, &policy, why)) {
		fetch_failed(f, SP_CAUSE_STS_POLICY_INVALID, sp_str_from(why));
		return;
	}
	f->got = sp_sts_new_row(&policy, f->facts.id, f->facts.now_ms);
	f->facts.got = &f->got;
	row = (struct sp_sts_row){
		.domain = f->domain,
		.id = f->got.id,
		.body = body,
		.fetched_ms = f->got.fetched_ms,
		.expires_ms = f->got.expires_ms,
	};
	if (f->source->keep) {
		f->source->keep(f->source, &row);
	}
}

static void on_fetched(void *arg, const struct sp_sts_fetched *fetched)
{
	struct sp_sts_find *f = arg;

	f->fetch = 0;
	f->facts.now_ms = sp_time_wall_ms();
	switch (fetched->status) {
	case SP_STS_FETCHED:
		take_policy(f, fetched->body);
		break;
	case SP_STS_FETCH_WEBPKI:
		fetch_failed(f, SP_CAUSE_STS_WEBPKI_INVALID, fetched->why);
		break;
	case SP_STS_FETCH_FAILED:
	case SP_STS_FETCH_BACKOFF:
		fetch_failed(f, SP_CAUSE_STS_POLICY_FETCH_ERROR, fetched->why);
		break;
	}
	conclude(f);
}

/* --- the TXT record --- */

static void read_records(struct sp_sts_find *f,
                         const struct sp_dns_answer *answer)
{
	struct sp_str *records = sp_arena_array(&f->arena, answer->record_count,
	                                        sizeof(*records));
	char why[SP_STS_WHY_MAX] = "";
	struct sp_str id;
	int r;

	for (size_t i = 0; i < answer->record_count; i++) {
		records[i] = answer->records[i].data;
	}
	r = sp_sts_txt_parse(records, answer->record_count, &id, why);
	if (r == 0) {
		f->facts.txt = SP_STS_TXT_ID;
		f->facts.id = sp_arena_str(&f->arena, id);
	} else if (r == SP_ENOTFOUND) {
		f->facts.txt = SP_STS_TXT_NONE;
	} else {
		f->facts.txt = SP_STS_TXT_MALFORMED;
		f->facts.txt_why = sp_arena_str(&f->arena, sp_str_from(why));
	}
}

static void read_answer(struct sp_sts_find *f,
                        const struct sp_dns_answer *answer)
{
	if (answer->dnssec > SP_DNSSEC_INSECURE) {
		f->facts.txt = SP_STS_TXT_FAILED;
		f->facts.txt_why = sp_str_from(sp_arena_printf(
			&f->arena, "%s%s" SP_STR_FMT,
			sp_dnssec_text(answer->dnssec),
			answer->why.len ? ": " : "", SP_STR_ARG(answer->why)));
	} else if (answer->result == SP_DNS_RECORDS) {
		read_records(f, answer);
	} else {
		f->facts.txt = SP_STS_TXT_NONE;
	}
}

static void decide(struct sp_sts_find *f)
{
	f->facts.now_ms = sp_time_wall_ms();
	read_cache(f);
	if (sp_sts_wants_fetch(&f->facts)) {
		f->stage = FETCH;
		f->fetch =
			f->source->fetch(f->source, f->domain, on_fetched, f);
	} else {
		conclude(f);
	}
}

static void on_answer(void *arg, struct sp_dns_answer *answer)
{
	struct sp_sts_find *f = arg;

	f->question = 0;
	f->ttl_s = answer->dnssec <= SP_DNSSEC_INSECURE ? answer->ttl_s : 0;
	read_answer(f, answer);
	sp_dns_answer_free(&answer);
	decide(f);
}

static void ask_txt(struct sp_sts_find *f, const struct sp_sts_find_ask *ask)
{
	struct sp_str owner = sp_str_from(sp_arena_printf(
		&f->arena, "_mta-sts." SP_STR_FMT, SP_STR_ARG(f->domain)));

	if (!sp_dns_name_valid(owner)) { /* too long to exist */
		f->facts.txt = SP_STS_TXT_NONE;
		decide(f);
	} else if (ask->anew && f->lookup->ask_anew) {
		f->question = f->lookup->ask_anew(
			f->lookup, owner, SP_DNS_TYPE_TXT, on_answer, f);
	} else {
		f->question =
			f->lookup->ask(f->lookup, owner, SP_DNS_TYPE_TXT,
		                       ask->fresh || ask->anew, on_answer, f);
	}
}

/* --- in and out --- */

void sp_sts_find_end(struct sp_sts_find *f, bool fetch_too, const char *why)
{
	if (f->stage == TXT) {
		f->lookup->cancel(f->lookup, f->question);
		f->question = 0;
		f->facts.txt = SP_STS_TXT_FAILED;
		f->facts.txt_why = sp_arena_str(&f->arena, sp_str_from(why));
		decide(f);
	} else if (f->stage == FETCH && fetch_too) {
		f->unready = !f->facts.kept;
		if (f->unready) {
			f->source->leave(f->source, f->fetch);
		} else {
			f->source->cancel(f->source, f->fetch);
		}
		f->fetch = 0;
		fetch_failed(f, SP_CAUSE_STS_POLICY_FETCH_ERROR,
		             sp_str_from(why));
		conclude(f);
	}
}

struct sp_sts_find *sp_sts_find_new(const struct sp_sts_find_ask *ask,
                                    sp_sts_find_fn *fn, void *arg)
{
	struct sp_sts_find *f = SP_NEW(struct sp_sts_find);

	sp_arena_init(&f->arena);
	f->lookup = ask->lookup;
	f->source = ask->source;
	f->domain = sp_arena_str(&f->arena, ask->domain);
	f->fn = fn;
	f->arg = arg;
	f->tell = sp_deferred_new(ask->loop, on_tell, f);
	if (ask->row) {
		copy_row(f, ask->row);
	}
	ask_txt(f, ask);
	return f;
}

void sp_sts_find_free(struct sp_sts_find **find)
{
	struct sp_sts_find *f = *find;

	if (!f) {
		return;
	}
	*find = NULL;
	if (f->question) {
		f->lookup->cancel(f->lookup, f->question);
	}
	if (f->fetch) {
		f->source->cancel(f->source, f->fetch);
	}
	sp_deferred_free(&f->tell);
	sp_arena_fini(&f->arena);
	sp_free(f);
}

bool sp_sts_find_done(const struct sp_sts_find *f)
{
	return f->stage == DONE;
}

bool sp_sts_find_unready(const struct sp_sts_find *f)
{
	return f->unready;
}

uint32_t sp_sts_find_ttl_s(const struct sp_sts_find *f)
{
	return f->choice.trouble == SP_CAUSE_NONE ? f->ttl_s : 0;
}

const struct sp_sts_choice *sp_sts_find_choice(const struct sp_sts_find *f)
{
	return &f->choice;
}
