/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dkim check: for each key of a domain in the configuration, what a verifier
 * would make of the record at its name.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cmd/dkim.h"
#include "cmd/dns.h"
#include "cmd/plan_text.h"
#include "cmd/text.h"
#include "wire/json.h"

/* Word of JSON, text; only the first is good. */
#define STATES(X)                                                              \
	X(MATCHES, "matches", "the record is that of the key")                 \
	X(MISSING, "missing", "there is no record")                            \
	X(DIFFERENT, "different", "the record has another key")                \
	X(REVOKED, "revoked", "the record says that the key is revoked")       \
	X(SEVERAL, "several", "there is more than one record")                 \
	X(INVALID, "invalid", "the record can't be read")                      \
	X(UNUSABLE, "unusable", "the record doesn't allow such signatures")    \
	X(FAILED, "failed", "the DNS gave no answer that one could trust")     \
	X(UNREADABLE, "unreadable", "the private key can't be read")

enum state {
#define X_ENUM(name, word, text) STATE_##name,
	STATES(X_ENUM)
#undef X_ENUM
};

static const struct {
	const char *word, *text;
} TEXTS[] = {
#define X_TEXT(name, word, text) {word, text},
	STATES(X_TEXT)
#undef X_TEXT
};

struct check {
	struct sp_arena arena;
	struct sp_cmd_dns dns;
	struct sp_str domain;
	struct sp_str service;
	struct sp_dns_answer *answer; /* of the question in hand; owned */
	struct sp_json *keys;
	bool all_good;
};

struct one {
	const char *selector, *path;
	const char *owner;
	struct sp_dkim_key *key; /* null: unreadable */
	enum state state;
	struct sp_dkim_record record;
	char why[512];
};

/* ---- asking ---- */

static void on_answer(void *arg, struct sp_dns_answer *answer)
{
	struct check *c = arg;

	c->answer = answer;
	sp_loop_stop(c->dns.loop);
}

static void ask(struct check *c, const char *owner)
{
	struct sp_lookup *lookup = &c->dns.direct.lookup;

	sp_dns_answer_free(&c->answer);
	(void)lookup->ask(lookup, sp_str_from(owner), SP_DNS_TYPE_TXT, false,
	                  on_answer, c);
	(void)sp_loop_run(c->dns.loop); /* no answer: said as failed */
}

/* ---- judging ---- */

static enum state compare(struct check *c, struct one *o)
{
	const struct sp_dns_answer *a = c->answer;
	const struct sp_dkim_record *r = &o->record;

	if (sp_dkim_record_parse(a->records[0].data, &c->arena, &o->record,
	                         o->why)) {
		return STATE_INVALID;
	}
	if (r->key.len == 0) {
		return STATE_REVOKED;
	}
	if (!sp_dkim_key_matches(o->key, r)) {
		return STATE_DIFFERENT;
	}
	if (r->no_sha256 || !sp_dkim_record_serves(r, c->service)) {
		(void)snprintf(o->why, sizeof(o->why),
		               r->no_sha256 ? "h= is without sha256"
		                            : "s= is without " SP_STR_FMT,
		               SP_STR_ARG(c->service));
		return STATE_UNUSABLE;
	}
	return STATE_MATCHES;
}

static enum state judge(struct check *c, struct one *o)
{
	const struct sp_dns_answer *a = c->answer;

	if (!a || a->dnssec == SP_DNSSEC_BOGUS ||
	    a->dnssec == SP_DNSSEC_FAILED) {
		(void)snprintf(o->why, sizeof(o->why), SP_STR_FMT,
		               SP_STR_ARG(a ? a->why : SP_STR("no answer")));
		return STATE_FAILED;
	}
	if (a->record_count == 0) {
		return STATE_MISSING;
	}
	/* RFC 6376 3.6.2.2: what comes of several is undefined. */
	return a->record_count > 1 ? STATE_SEVERAL : compare(c, o);
}

/* ---- showing ---- */

static struct sp_json *one_json(const struct check *c, const struct one *o)
{
	struct sp_json *obj = sp_json_object();

	sp_json_set_cstr(obj, "selector", o->selector);
	sp_json_set_cstr(obj, "key", o->path);
	sp_json_set_cstr(
		obj, "type",
		o->key ? sp_dkim_key_type_text(sp_dkim_key_type(o->key))
		       : NULL);
	sp_json_set_cstr(obj, "owner", o->owner);
	sp_json_set_cstr(obj, "state", TEXTS[o->state].word);
	sp_json_set_cstr(obj, "dnssec",
	                 c->answer ? sp_dnssec_text(c->answer->dnssec) : NULL);
	sp_json_set_bool(obj, "testing", o->record.testing);
	sp_json_set_text(obj, "services", o->record.services);
	sp_json_set_cstr(obj, "why", *o->why ? o->why : NULL);
	return obj;
}

static void put_one(const struct check *c, const struct one *o)
{
	printf("%s.  ", o->owner);
	fputs(TEXTS[o->state].text, stdout);
	sp_put(stdout, ": ", sp_str_from(o->why), "");
	if (c->answer && o->state != STATE_FAILED) {
		printf(" (DNSSEC: %s)", sp_dnssec_text(c->answer->dnssec));
	}
	putchar('\n');
	if (o->record.testing) {
		puts("    it says t=y, testing: verifiers may take the "
		     "signatures for none");
	}
}

/* ---- all of them ---- */

static void check_one(struct sp_cmd_ctx *ctx, struct check *c, struct one *o)
{
	o->owner = sp_arena_printf(&c->arena, "%s._domainkey." SP_STR_FMT,
	                           o->selector, SP_STR_ARG(c->domain));
	if (sp_cmd_dkim_key(o->path, &o->key, o->why, sizeof(o->why))) {
		o->state = STATE_UNREADABLE;
		sp_dns_answer_free(&c->answer);
	} else {
		ask(c, o->owner);
		o->state = judge(c, o);
	}
	c->all_good = c->all_good && o->state == STATE_MATCHES;
	sp_json_add(c->keys, one_json(c, o));
	if (!ctx->json) {
		put_one(c, o);
	}
	sp_dkim_key_free(&o->key);
}

static int check_all(struct sp_cmd_ctx *ctx, struct check *c,
                     const struct sp_conf_dkim *conf)
{
	struct sp_json *obj;

	for (size_t i = 0; i < conf->key.count; i++) {
		struct one o = {
			.selector = conf->selector.items[i],
			.path = conf->key.items[i],
		};

		check_one(ctx, c, &o);
	}
	if (ctx->json) {
		obj = sp_json_object();
		sp_json_set_str(obj, "domain", c->domain);
		sp_json_set_bool(obj, "good", c->all_good);
		sp_json_set(obj, "keys", sp_json_copy(c->keys));
		sp_json_put(stdout, obj);
		sp_json_free(&obj);
	}
	return c->all_good ? SP_EXIT_OK : SP_EXIT_NO;
}

static int check(struct sp_cmd_ctx *ctx, struct check *c)
{
	const struct sp_conf_dkim *conf;
	int status = sp_cmd_domain(ctx->words[1], &c->arena, &c->domain);

	if (!status && !sp_cmd_dkim_service(ctx->args, &c->service)) {
		status = SP_EXIT_USAGE;
	}
	c->service = c->service.len ? c->service : SP_STR("email");
	status = status ? status : sp_cmd_conf(ctx);
	if (status) {
		return status;
	}
	conf = sp_conf_dkim_find(ctx->conf, c->domain);
	if (!conf) {
		return sp_cmd_fail(SP_EXIT_CONF,
		                   "dkim check: %s has no keys in the "
		                   "configuration",
		                   ctx->words[1]);
	}
	status = sp_cmd_dns_init(&c->dns, ctx->conf);
	status = status ? status : check_all(ctx, c, conf);
	sp_dns_answer_free(&c->answer);
	sp_cmd_dns_fini(&c->dns);
	return status;
}

int sp_cmd_dkim_check(struct sp_cmd_ctx *ctx)
{
	struct check c = {.keys = sp_json_array(), .all_good = true};
	int status;

	sp_arena_init(&c.arena);
	status = check(ctx, &c);
	sp_json_free(&c.keys);
	sp_arena_fini(&c.arena);
	return status;
}
