/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one thing that the plan does not know is how long the records may be
 * cached: it is asked for each host, and then all is said.
 */
#include "analyze/check_preflight.h"
#include "analyze/matrix.h"
#include "analyze/part.h"
#include "analyze/preflight.h"
#include "base/mem.h"
#include "base/time.h"

struct sp_check_preflight {
	struct sp_part part;
	int *numbers; /* of the hosts' questions; arena */
	struct sp_preflight_new fresh;
	int64_t now_ms;
};

/* ---- what is to come ---- */

static void put_certificate(struct sp_check_preflight *c, struct sp_step *step,
                            const struct sp_tls_seen *seen)
{
	struct sp_json *e = sp_step_evidence(step);
	char from[SP_TIME_TEXT], to[SP_TIME_TEXT];

	sp_json_set_text(e, "subject", seen->cert_subject);
	sp_json_set_text(e, "names", seen->cert_names);
	sp_json_set_text(e, "issuer", seen->cert_issuer);
	sp_json_set_time(e, "not_before", seen->not_before_ms);
	sp_json_set_time(e, "not_after", seen->not_after_ms);
	if (c->now_ms >= seen->not_before_ms &&
	    c->now_ms < seen->not_after_ms) {
		return;
	}
	sp_time_rfc3339(seen->not_before_ms, from);
	sp_time_rfc3339(seen->not_after_ms, to);
	sp_step_advice(step, SP_ADVICE_PREFLIGHT_DATES,
	               sp_str_from(sp_arena_printf(&c->part.arena, "%s to %s",
	                                           from, to)));
}

/* False: it can't be read. */
static bool grow_material(struct sp_check_preflight *c)
{
	bool cert = c->fresh.cert_pem.len > 0;
	const struct sp_tls_client nothing = {0};
	struct sp_step *step =
		sp_step_begin(c->part.step, "preflight.material",
	                      cert ? "The new certificate" : "The new key");
	struct sp_tls_seen seen;
	struct sp_tlsa record;
	char why[512] = "";
	int err;

	err = sp_tls_tlsa_make(cert ? c->fresh.cert_pem : c->fresh.key_pem,
	                       SP_TLSA_DANE_EE, SP_TLSA_SPKI, SP_TLSA_SHA256,
	                       &c->part.arena, &record, why, sizeof(why));
	if (!err && cert) {
		err = sp_tls_verify_chain(c->fresh.cert_pem, &nothing,
		                          c->now_ms, &c->part.arena, &seen, why,
		                          sizeof(why));
	}
	if (err) {
		sp_step_advice(step, SP_ADVICE_PREFLIGHT_UNREADABLE,
		               sp_str_from(why));
	} else {
		sp_json_set_cstr(sp_step_evidence(step), "record",
		                 sp_tlsa_format(&record, &c->part.arena));
	}
	if (!err && cert) {
		put_certificate(c, step, &seen);
	}
	sp_step_finish(step);
	return err == 0;
}

/* ---- a host ---- */

static struct sp_str owner_of(struct sp_check_preflight *c,
                              const struct sp_plan_host *host)
{
	return host->tlsa_owner.len
	               ? host->tlsa_owner
	               : sp_str_from(sp_arena_printf(
				 &c->part.arena, "_%u._tcp." SP_STR_FMT,
				 (unsigned)c->part.ask->route->plan.port,
				 SP_STR_ARG(host->name)));
}

static void put_times(struct sp_check_preflight *c, struct sp_json *e,
                      size_t index)
{
	const struct sp_dns_answer *a =
		sp_questions_answer(c->part.questions, c->numbers[index]);

	if (sp_answer_has(a)) {
		sp_json_set_int(e, "ttl_s", a->ttl_s);
		sp_json_set_time(e, "safe_after_if_published_now",
		                 c->now_ms + 2000 * (int64_t)a->ttl_s);
	}
}

static void put_preflight(struct sp_check_preflight *c, struct sp_step *step,
                          struct sp_str owner, const struct sp_preflight *p)
{
	struct sp_json *e = sp_step_evidence(step);
	struct sp_json *remove = sp_json_array();

	sp_json_set_str(e, "record",
	                sp_matrix_line(owner, &p->add, &c->part.arena));
	sp_json_set_bool(e, "published", p->own);
	for (size_t i = 0; i < p->remove_count; i++) {
		sp_json_add_str(remove, sp_matrix_line(owner, &p->remove[i],
		                                       &c->part.arena));
	}
	sp_json_set(e, "other_records", remove);
}

/* Usage 2: names, dates and chain count (RFC 7672 3.2.3). */
static void grow_issuer(struct sp_check_preflight *c, struct sp_step *parent,
                        struct sp_str owner, const struct sp_preflight *p)
{
	struct sp_step *step;

	if (p->issuer == SP_PREFLIGHT_ISSUER_UNKNOWN) {
		return;
	}
	step = sp_step_begin(parent, "preflight.issuer",
	                     p->issuer_published
	                             ? "By the published records of issuers"
	                             : "By a record of its issuer, if there "
	                               "was one");
	if (p->issuer == SP_PREFLIGHT_ISSUER_ABSENT) {
		sp_json_set_cstr(sp_step_evidence(step), "note",
		                 "the file has no issuer's certificate: usage "
		                 "2 is not possible");
		sp_step_end(step, SP_STEP_SKIP);
		return;
	}
	sp_json_set_str(sp_step_evidence(step), "record",
	                sp_matrix_line(owner, &p->issuer_of, &c->part.arena));
	sp_json_set_bool(sp_step_evidence(step), "passes",
	                 p->issuer == SP_PREFLIGHT_ISSUER_PASSES);
	sp_step_cause(step, &p->issuer_verdict);
	sp_step_end(step, p->issuer == SP_PREFLIGHT_ISSUER_PASSES ? SP_STEP_PASS
	                  : p->issuer_published                   ? SP_STEP_WARN
	                                        : SP_STEP_SKIP);
}

static void grow_host(struct sp_check_preflight *c, size_t index)
{
	const struct sp_plan_host *host = &c->part.ask->plan->hosts[index];
	struct sp_str owner = owner_of(c, host);
	struct sp_step *step = sp_step_begin(c->part.step, "preflight.host",
	                                     "The change at " SP_STR_FMT,
	                                     SP_STR_ARG(host->name));
	struct sp_preflight p;
	char why[512];

	sp_json_set_str(sp_step_evidence(step), "host", host->name);
	if (host->rule == SP_RULE_SKIP ||
	    sp_preflight_look(
		    &c->fresh, host, sp_route_judge(c->part.ask->conf).profile,
		    c->now_ms, &c->part.arena, &p, why, sizeof(why))) {
		sp_json_set_cstr(sp_step_evidence(step), "note",
		                 "this host is not used, see the plan");
		sp_step_end(step, SP_STEP_SKIP);
		return;
	}
	put_preflight(c, step, owner, &p);
	put_times(c, sp_step_evidence(step), index);
	grow_issuer(c, step, owner, &p);
	if (sp_preflight_advice(&p) == SP_ADVICE_NONE) {
		sp_step_cause(step, &p.verdict);
	} else {
		sp_step_advice(step, sp_preflight_advice(&p),
		               sp_matrix_line(owner, &p.add, &c->part.arena));
	}
	sp_step_finish(step);
}

/* ---- its life ---- */

static void on_answers(void *arg)
{
	struct sp_check_preflight *c = arg;

	c->now_ms = sp_time_wall_ms();
	if (grow_material(c)) {
		for (size_t i = 0; i < c->part.ask->plan->host_count; i++) {
			grow_host(c, i);
		}
	}
	sp_part_end(&c->part);
}

struct sp_check_preflight *
sp_check_preflight_new(const struct sp_check_ask *ask, struct sp_step *parent,
                       sp_check_fn *fn, void *arg)
{
	struct sp_check_preflight *c = SP_NEW(struct sp_check_preflight);
	const struct sp_plan *plan = ask->plan;

	c->fresh =
		(struct sp_preflight_new){ask->new_cert_pem, ask->new_key_pem};
	sp_part_init(&c->part, ask,
	             sp_step_begin(parent, "preflight",
	                           "Before a change of certificate"),
	             fn, arg);
	c->numbers = sp_arena_array(&c->part.arena, plan->host_count + 1,
	                            sizeof(*c->numbers));
	for (size_t i = 0; i < plan->host_count; i++) {
		struct sp_str owner = owner_of(c, &plan->hosts[i]);

		c->numbers[i] =
			sp_dns_name_valid(owner) && !plan->hosts[i].literal
				? sp_questions_add(c->part.questions, owner,
		                                   SP_DNS_TYPE_TLSA)
				: -1;
	}
	sp_questions_go(c->part.questions, on_answers, c);
	return c;
}

void sp_check_preflight_free(struct sp_check_preflight **part)
{
	if (*part) {
		sp_part_fini(&(*part)->part);
		SP_FREE(part);
	}
}
