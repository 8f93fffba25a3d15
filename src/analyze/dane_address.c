/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   FIRST, as delivery ──TLS came up──▶ RSA ──▶ ECDSA ──▶ Ed25519 ──▶ done
 *        └────no TLS, or no session at all───────────────────────────▲
 *
 * An algorithm that is known already is not asked for: the key that was shown
 * first, the one that delivery itself asked for when that did not match, and
 * what it then learnt to be missing. So there is one connection for each key,
 * one after the other, and one for each algorithm that turns out to be
 * missing.
 *
 * A key that fails while the address passes is a warning with the record that
 * is missing: a sender with another taste gets that key.
 */
#include "analyze/dane_address.h"
#include "analyze/probe.h"
#include "base/mem.h"
#include "base/time.h"
#include "deliver/evidence.h"
#include "deliver/route.h"
#include "net/socket.h"

#define PROBES_MAX SP_KEY_ALGORITHM_COUNT

struct late { /* a step that waits for its verdict */
	struct sp_step *step;
	struct sp_verdict verdict;
};

struct sp_dane_address {
	struct sp_dane_address_ask ask;
	struct sp_arena arena;
	char address[SP_ADDR_TEXT];
	struct sp_step *step;
	struct sp_probe *probes[PROBES_MAX]; /* owned; kept for what they saw */
	size_t probe_count;
	enum sp_key_algorithm asked; /* of the last probe */
	unsigned known;              /* bits of algorithms */
	struct sp_json *present;     /* in the step's evidence; borrowed */
	struct sp_json *absent;
	struct sp_json *untold; /* null: none */
	struct sp_matrix matrices[SP_DANE_ADDRESS_KEYS_MAX];
	size_t matrix_count;
	struct late late[SP_DANE_ADDRESS_KEYS_MAX];
	size_t late_count;
	struct sp_verdict verdict;
	bool failed_here; /* no way out to it from this machine */
	sp_dane_address_fn *fn;
	void *arg;
};

static bool failed(const struct sp_verdict *v)
{
	return v->class != SP_VERDICT_DELIVERED;
}

static bool under_dane(const struct sp_plan_host *host)
{
	return host->rule == SP_RULE_DANE || host->rule == SP_RULE_HALF_DANE;
}

static enum sp_profile profile_of(const struct sp_dane_address *a)
{
	return sp_route_judge(a->ask.check->conf).profile;
}

static bool is_known(const struct sp_dane_address *a,
                     enum sp_key_algorithm algorithm)
{
	return (a->known & 1u << algorithm) != 0;
}

static void note_known(struct sp_dane_address *a,
                       enum sp_key_algorithm algorithm)
{
	a->known |= 1u << algorithm;
}

static void note_absent(struct sp_dane_address *a,
                        enum sp_key_algorithm algorithm)
{
	if (!is_known(a, algorithm)) {
		note_known(a, algorithm);
		sp_json_add_cstr(a->absent, sp_key_algorithm_text(algorithm));
	}
}

/* Asked for, and nothing learnt: the session did not come so far. */
static void note_untold(struct sp_dane_address *a,
                        const struct sp_probe_result *r)
{
	struct sp_json *row = sp_json_object();
	char line[1024];

	note_known(a, a->asked);
	sp_verdict_line(&r->verdict, line, sizeof(line));
	sp_json_set_cstr(row, "algorithm", sp_key_algorithm_text(a->asked));
	sp_json_set_cstr(row, "why", line);
	if (!a->untold) {
		a->untold = sp_json_array();
		sp_json_set(sp_step_evidence(a->step), "algorithms_untold",
		            a->untold);
	}
	sp_json_add(a->untold, row);
}

static void end_late(struct sp_dane_address *a, struct sp_step *step,
                     const struct sp_verdict *verdict)
{
	a->late[a->late_count++] = (struct late){step, *verdict};
}

/* ---- a key ---- */

static bool is_mismatch(const struct sp_verdict *v)
{
	return v->cause == SP_CAUSE_TLSA_MISMATCH ||
	       v->cause == SP_CAUSE_TA_NOT_IN_CHAIN;
}

static void end_key(struct sp_dane_address *a, struct sp_step *step,
                    const struct sp_matrix *m, const struct sp_verdict *v)
{
	const struct sp_plan_host *host = a->ask.host;
	bool unmatched = is_mismatch(v) && m->row_count > 0;

	if (unmatched) {
		sp_json_set_str(sp_step_evidence(step), "would_match",
		                sp_matrix_line(host->tlsa_owner,
		                               &m->rows[0].record, &a->arena));
	}
	if (!failed(v)) {
		sp_step_finish(step);
	} else if (failed(&a->verdict)) {
		end_late(a, step, v);
	} else if (unmatched) {
		sp_step_advice(step, SP_ADVICE_TLSA_KEY_MISSING,
		               sp_matrix_line(host->tlsa_owner,
		                              &m->rows[0].record, &a->arena));
		sp_step_finish(step);
	} else {
		sp_step_cause(step, v);
		sp_step_end(step, SP_STEP_WARN);
	}
}

/* Where the records stand, or would. */
static struct sp_str owner_of(struct sp_dane_address *a)
{
	const struct sp_plan_host *host = a->ask.host;

	if (host->tlsa_owner.len) {
		return host->tlsa_owner;
	}
	return sp_str_from(sp_arena_printf(&a->arena, "_%u._tcp." SP_STR_FMT,
	                                   a->ask.check->route->plan.port,
	                                   SP_STR_ARG(host->name)));
}

static void put_key(struct sp_dane_address *a, struct sp_step *step,
                    const struct sp_tls_facts *tls, const struct sp_matrix *m,
                    bool cut)
{
	struct sp_json *e = sp_step_evidence(step);

	sp_json_set_str(e, "host", a->ask.host->name);
	sp_json_set_cstr(e, "address", a->address);
	sp_json_set_cstr(e, "algorithm",
	                 sp_key_algorithm_text(m->rows[0].cert.algorithm));
	sp_json_set_str(e, "protocol", tls->protocol);
	sp_json_set_str(e, "cipher", tls->cipher);
	sp_json_set_text(e, "matched", tls->matched_record);
	sp_json_set(e, "certificates",
	            sp_matrix_json(m, owner_of(a), &a->arena));
	if (cut) {
		sp_json_set_bool(e, "certificates_cut", true);
	}
}

static void grow_key(struct sp_dane_address *a, const struct sp_tls_facts *tls,
                     const struct sp_tls_chain *chain)
{
	const struct sp_plan_host *host = a->ask.host;
	struct sp_matrix *m = &a->matrices[a->matrix_count];
	enum sp_key_algorithm algorithm;
	struct sp_verdict verdict;
	struct sp_step *step;

	if (chain->count == 0 || a->matrix_count == SP_DANE_ADDRESS_KEYS_MAX) {
		return;
	}
	sp_matrix_make(chain, host->tlsa, host->tlsa_count, &a->arena, m);
	algorithm = m->rows[0].cert.algorithm;
	if (is_known(a, algorithm)) {
		return; /* shown again, whatever was asked for */
	}
	a->matrix_count++;
	note_known(a, algorithm);
	sp_json_add_cstr(a->present, sp_key_algorithm_text(algorithm));
	step = sp_step_begin(a->step, "dane.address.key",
	                     "Certificate with key " SP_STR_FMT,
	                     SP_STR_ARG(m->rows[0].cert.key_text));
	put_key(a, step, tls, m, chain->cut);
	verdict = sp_probe_judge(profile_of(a), host, tls, &a->arena);
	verdict.address = a->verdict.address;
	end_key(a, step, m, &verdict);
}

/* ---- both profiles ---- */

static void put_verdict(struct sp_json *e, const char *key,
                        const struct sp_verdict *v)
{
	char line[1024];

	if (failed(v)) {
		sp_verdict_line(v, line, sizeof(line));
		sp_json_set_cstr(e, key, line);
	} else {
		sp_json_set_cstr(e, key, "passes");
	}
}

static void grow_exchange(struct sp_dane_address *a,
                          const struct sp_probe_result *r)
{
	bool differs = failed(&r->exchange) && !failed(&r->rfc);
	struct sp_step *step;
	struct sp_json *e;

	if (!under_dane(a->ask.host) || !r->facts->tls_facts.handshake_ok) {
		return;
	}
	step = sp_step_begin(a->step, "dane.address.exchange", "%s",
	                     differs ? "RFC 7672 lets mail pass, profile "
	                               "exchange holds it back"
	                             : "RFC 7672 and profile exchange agree");
	e = sp_step_evidence(step);
	put_verdict(e, "rfc", &r->rfc);
	put_verdict(e, "exchange", &r->exchange);
	if (differs && !failed(&a->verdict)) {
		sp_step_cause(step, &r->exchange);
		sp_step_end(step, SP_STEP_WARN);
	} else {
		sp_step_end(step,
		            failed(&r->exchange) ? SP_STEP_SKIP : SP_STEP_PASS);
	}
}

/* ---- the probes ---- */

static void on_probe(void *arg);

static void probe(struct sp_dane_address *a, enum sp_key_algorithm only)
{
	const struct sp_check_ask *check = a->ask.check;
	const struct sp_probe_ask ask = {
		.loop = check->loop,
		.conf = check->conf,
		.domain = check->target,
		.port = check->route->plan.port,
		.host = a->ask.host,
		.address = a->ask.address,
		.only = only,
	};

	a->asked = only;
	a->probes[a->probe_count++] = sp_probe_new(&ask, on_probe, a);
}

/* Delivery asked for the other kind of key and got none. */
static void note_other_kind(struct sp_dane_address *a,
                            const struct sp_dial_facts *facts)
{
	if (facts->other_tls.error.len == 0) {
		return; /* no handshake: nothing is known */
	}
	if (facts->tls_facts.key == SP_KEY_EC) {
		note_absent(a, SP_KEY_ALGORITHM_RSA);
	} else {
		note_absent(a, SP_KEY_ALGORITHM_ECDSA);
		note_absent(a, SP_KEY_ALGORITHM_ED25519);
	}
}

static void on_first(struct sp_dane_address *a, const struct sp_probe_result *r)
{
	const struct sp_dial_facts *facts = r->facts;
	struct sp_json *e = sp_step_evidence(a->step);

	a->verdict = r->verdict;
	a->failed_here = facts->failed_here;
	sp_json_set(e, "session",
	            sp_evidence_try(a->ask.host, facts,
	                            r->ready ? NULL : &a->verdict, false));
	sp_json_set_text(e, "greeting", facts->greeting);
	if (facts->tls_facts.handshake_ok) {
		grow_key(a, &facts->tls_facts, &facts->chain);
	}
	if (facts->other_key && facts->other_tls.handshake_ok) {
		grow_key(a, &facts->other_tls, &facts->other_chain);
	} else if (facts->other_key) {
		note_other_kind(a, facts);
	}
	grow_exchange(a, r);
}

/* A server may show what it has instead: not the key that was asked for. */
static void on_alone(struct sp_dane_address *a, const struct sp_probe_result *r)
{
	const struct sp_dial_facts *facts = r->facts;

	if (facts->tls_facts.handshake_ok) {
		grow_key(a, &facts->tls_facts, &facts->chain);
	}
	if (facts->handshake_tried) {
		note_absent(a, a->asked);
	} else if (!is_known(a, a->asked)) {
		note_untold(a, r);
	}
}

static bool next_algorithm(const struct sp_dane_address *a,
                           enum sp_key_algorithm *algorithm_out)
{
	static const enum sp_key_algorithm all[] = {
		SP_KEY_ALGORITHM_RSA,
		SP_KEY_ALGORITHM_ECDSA,
		SP_KEY_ALGORITHM_ED25519,
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!is_known(a, all[i])) {
			*algorithm_out = all[i];
			return true;
		}
	}
	return false;
}

static void on_probe(void *arg)
{
	struct sp_dane_address *a = arg;
	const struct sp_probe_result *r =
		sp_probe_result(a->probes[a->probe_count - 1]);
	enum sp_key_algorithm next;

	if (a->probe_count == 1) {
		on_first(a, r);
	} else {
		on_alone(a, r);
	}
	if (a->matrix_count > 0 && a->probe_count < PROBES_MAX &&
	    next_algorithm(a, &next)) {
		probe(a, next);
	} else {
		a->fn(a->arg);
	}
}

/* ---- its life ---- */

struct sp_dane_address *
sp_dane_address_new(const struct sp_dane_address_ask *ask,
                    sp_dane_address_fn *fn, void *arg)
{
	struct sp_dane_address *a = SP_NEW(struct sp_dane_address);
	struct sp_addr addr = {.family = ask->address->family};
	struct sp_json *e;

	a->ask = *ask;
	a->fn = fn;
	a->arg = arg;
	sp_arena_init(&a->arena);
	for (size_t i = 0; i < sizeof(addr.bytes); i++) {
		addr.bytes[i] = ask->address->bytes[i];
	}
	sp_addr_text(&addr, a->address);
	a->step = sp_step_begin(ask->parent, "dane.address",
	                        SP_STR_FMT " [%s]:%u",
	                        SP_STR_ARG(ask->host->name), a->address,
	                        ask->check->route->plan.port);
	e = sp_step_evidence(a->step);
	a->present = sp_json_array();
	a->absent = sp_json_array();
	sp_json_set(e, "algorithms", a->present);
	sp_json_set(e, "algorithms_absent", a->absent);
	probe(a, SP_KEY_ALGORITHM_ANY);
	return a;
}

void sp_dane_address_free(struct sp_dane_address **address)
{
	struct sp_dane_address *a = *address;

	if (!a) {
		return;
	}
	for (size_t i = 0; i < a->probe_count; i++) {
		sp_probe_free(&a->probes[i]);
	}
	sp_arena_fini(&a->arena);
	SP_FREE(address);
}

const struct sp_verdict *
sp_dane_address_verdict(const struct sp_dane_address *address)
{
	return &address->verdict;
}

const struct sp_json *sp_dane_address_try(const struct sp_dane_address *address)
{
	return sp_json_get(sp_step_evidence(address->step), "session");
}

const struct sp_matrix *
sp_dane_address_matrices(const struct sp_dane_address *address,
                         size_t *count_out)
{
	*count_out = address->matrix_count;
	return address->matrices;
}

void sp_dane_address_end(struct sp_dane_address *a, enum sp_step_verdict level)
{
	for (size_t i = 0; i < a->late_count; i++) {
		sp_step_cause(a->late[i].step, &a->late[i].verdict);
		sp_step_end(a->late[i].step, level);
	}
	if (!failed(&a->verdict)) {
		sp_step_finish(a->step);
	} else if (a->failed_here && level == SP_STEP_WARN) {
		sp_json_set_cstr(sp_step_evidence(a->step), "note",
		                 "no way to this address from here");
		sp_step_end(a->step, SP_STEP_SKIP);
	} else {
		sp_step_cause(a->step, &a->verdict);
		sp_step_end(a->step, level);
	}
}
