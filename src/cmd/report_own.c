/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates are read from the files that the configuration names, as
 * the server would read them at a start; the TLSA records are asked for in the
 * DNS now; and whether they fit is libssl's word, as in a session (RFC 7672
 * 3.1). What was there when the failure was reported may have been another.
 */
#include "base/err.h"
#include "base/map.h"
#include "base/time.h"
#include "cmd/dns.h"
#include "cmd/report_own.h"
#include "net/tls.h"
#include "wire/address.h"

#define FILE_MAX_BYTES 1048576
#define CHAINS_MAX     64 /* of all listeners */
#define HOSTS_MAX      20 /* that the DNS is asked for */
#define PORT           25 /* where others deliver */

struct chain {
	const char *listener, *file;
	struct sp_str pem; /* empty: it can't be read */
	const char *error;
	struct sp_tls_seen seen; /* without a host and records */
};

struct own {
	struct sp_cmd_ctx *ctx;
	struct sp_arena arena;
	struct sp_cmd_dns dns;
	bool dns_up;
	struct chain chains[CHAINS_MAX];
	size_t chain_count;
	struct sp_map hosts; /* host -> struct sp_json, owned; null: not ours */
	size_t asked;
	struct sp_dns_answer *answer; /* of the question at hand */
};

/* ---- the listeners ---- */

static int verify(struct own *own, const struct chain *chain,
                  const struct sp_tls_client *params,
                  struct sp_tls_seen *seen_out, char *why, size_t why_cap)
{
	return sp_tls_verify_chain(chain->pem, params, sp_time_wall_ms(),
	                           &own->arena, seen_out, why, why_cap);
}

static void add_chain(struct own *own, const char *listener, const char *file)
{
	static const struct sp_tls_client nothing = {0};
	struct chain *chain = &own->chains[own->chain_count++];
	struct sp_buf text;
	char why[256];

	*chain = (struct chain){.listener = listener, .file = file};
	if (sp_cmd_read_file(file, FILE_MAX_BYTES, &text)) {
		chain->error = "can't be read";
	} else {
		chain->pem = sp_arena_str(&own->arena, sp_buf_str(&text));
		if (verify(own, chain, &nothing, &chain->seen, why,
		           sizeof(why))) {
			chain->pem = SP_STR("");
			chain->error =
				sp_arena_cstr(&own->arena, sp_str_from(why));
		}
	}
	sp_buf_fini(&text);
}

static void read_listeners(struct own *own)
{
	const struct sp_conf *conf = own->ctx->conf;

	for (size_t i = 0; i < conf->listen_count; i++) {
		const struct sp_conf_listen *l = &conf->listen[i];

		for (size_t k = 0; k < l->certificate.count; k++) {
			if (own->chain_count < CHAINS_MAX) {
				add_chain(own, l->name,
				          l->certificate.items[k]);
			}
		}
	}
}

/* ---- the DNS ---- */

static void on_answer(void *arg, struct sp_dns_answer *answer)
{
	struct own *own = arg;

	own->answer = answer;
	sp_loop_stop(own->dns.loop);
}

/* The answer is in own->answer; null: there is no resolver. */
static void ask_tlsa(struct own *own, struct sp_str owner)
{
	struct sp_lookup *lookup = &own->dns.direct.lookup;

	if (!own->dns_up) {
		own->dns_up = true;
		if (sp_cmd_dns_init(&own->dns, own->ctx->conf)) {
			return;
		}
	}
	if (own->dns.resolver && own->asked++ < HOSTS_MAX &&
	    sp_dns_name_valid(owner)) {
		(void)lookup->ask(lookup, owner, SP_DNS_TYPE_TLSA, true,
		                  on_answer, own);
		(void)sp_loop_run(own->dns.loop);
	}
}

static bool is_secure(const struct own *own)
{
	return own->answer && own->answer->dnssec == SP_DNSSEC_SECURE &&
	       own->answer->result == SP_DNS_RECORDS &&
	       !own->dns.direct.lookup.validator_broken;
}

static struct sp_json *tlsa_json(struct own *own, struct sp_str owner)
{
	struct sp_json *obj = sp_json_object();
	struct sp_json *records = sp_json_array();
	const struct sp_dns_answer *a = own->answer;

	for (size_t i = 0; a && i < a->record_count; i++) {
		sp_json_add_cstr(records, sp_tlsa_format(&a->records[i].tlsa,
		                                         &own->arena));
	}
	sp_json_set_str(obj, "owner", owner);
	sp_json_set_cstr(obj, "dnssec", a ? sp_dnssec_text(a->dnssec) : NULL);
	sp_json_set(obj, "records", records);
	return obj;
}

/* Those that a sender would use. */
static size_t usable_records(struct own *own, struct sp_tlsa **records_out)
{
	const struct sp_dns_answer *a = own->answer;
	size_t count = 0;

	*records_out = sp_arena_array(&own->arena, a ? a->record_count : 0,
	                              sizeof(**records_out));
	for (size_t i = 0; a && is_secure(own) && i < a->record_count; i++) {
		const struct sp_tlsa *t = &a->records[i].tlsa;
		bool parses =
			t->matching != SP_TLSA_FULL || sp_tls_full_parses(t);

		if (sp_tlsa_check(t, parses) == SP_TLSA_USABLE) {
			(*records_out)[count++] = *t;
		}
	}
	return count;
}

/* ---- a host ---- */

static void set_record(struct own *own, const struct chain *chain,
                       struct sp_json *obj)
{
	struct sp_tlsa record;
	char why[256];

	sp_json_set_null(obj, "record");
	if (sp_tls_tlsa_make(chain->pem, 3, 1, 1, &own->arena, &record, why,
	                     sizeof(why)) == 0) {
		sp_json_set_cstr(obj, "record",
		                 sp_tlsa_format(&record, &own->arena));
	}
}

static struct sp_json *names_json(struct sp_str names)
{
	struct sp_json *list = sp_json_array();
	struct sp_str name;

	while (sp_str_cut(&names, ',', &name)) {
		sp_json_add_str(list, sp_str_trim(name));
	}
	return list;
}

static void set_seen(struct own *own, const struct chain *chain,
                     struct sp_str host, struct sp_json *obj)
{
	struct sp_tls_client params = {
		.reference_ids = &host,
		.reference_id_count = 1,
		.host_name = host,
	};
	int64_t now_ms = sp_time_wall_ms();
	struct sp_tls_seen seen = chain->seen;
	struct sp_tlsa *records;
	char why[256];

	params.record_count = usable_records(own, &records);
	params.records = records;
	(void)verify(own, chain, &params, &seen, why, sizeof(why));
	sp_json_set(obj, "names", names_json(seen.cert_names));
	sp_json_set_time(obj, "not_before", seen.not_before_ms);
	sp_json_set_time(obj, "not_after", seen.not_after_ms);
	sp_json_set_bool(obj, "valid_now",
	                 seen.not_before_ms <= now_ms &&
	                         now_ms < seen.not_after_ms);
	sp_json_set_bool(obj, "covers_host", seen.cert_name_matches);
	sp_json_set_text(obj, "sha256", seen.cert_sha256);
	set_record(own, chain, obj);
	if (params.record_count) {
		sp_json_set_bool(obj, "tlsa_matches", seen.dane_matched);
	} else {
		sp_json_set_null(obj, "tlsa_matches");
	}
}

static struct sp_json *chain_json(struct own *own, const struct chain *chain,
                                  struct sp_str host)
{
	struct sp_json *obj = sp_json_object();

	sp_json_set_cstr(obj, "listener", chain->listener);
	sp_json_set_cstr(obj, "file", chain->file);
	sp_json_set_cstr(obj, "error", chain->error);
	if (!chain->error) {
		set_seen(own, chain, host, obj);
	}
	return obj;
}

static bool covers(struct own *own, const struct chain *chain,
                   struct sp_str host)
{
	const struct sp_tls_client params = {.host_name = host};
	struct sp_tls_seen seen = {0};
	char why[256];

	return !chain->error &&
	       verify(own, chain, &params, &seen, why, sizeof(why)) == 0 &&
	       seen.cert_name_matches;
}

static bool is_ours(struct own *own, struct sp_str host)
{
	bool ours =
		sp_str_eq_nocase(host, sp_str_from(own->ctx->conf->hostname));

	for (size_t i = 0; !ours && i < own->chain_count; i++) {
		ours = covers(own, &own->chains[i], host);
	}
	return ours;
}

static struct sp_json *host_json(struct own *own, struct sp_str host)
{
	struct sp_json *obj = sp_json_object();
	struct sp_json *certificates = sp_json_array();
	struct sp_str owner = sp_str_from(sp_arena_printf(
		&own->arena, "_%u._tcp." SP_STR_FMT, PORT, SP_STR_ARG(host)));

	ask_tlsa(own, owner);
	for (size_t i = 0; i < own->chain_count; i++) {
		sp_json_add(certificates,
		            chain_json(own, &own->chains[i], host));
	}
	sp_json_set_str(obj, "host", host);
	sp_json_set(obj, "certificates", certificates);
	sp_json_set(obj, "tlsa", tlsa_json(own, owner));
	sp_dns_answer_free(&own->answer);
	return obj;
}

/* ---- the rows ---- */

static struct sp_json *find_host(struct own *own, struct sp_str text)
{
	struct sp_json *found;
	struct sp_str host;

	if (sp_domain_to_ascii(text, &own->arena, &host) || !host.len ||
	    sp_domain_is_literal(host)) {
		return NULL;
	}
	found = sp_map_find(&own->hosts, host);
	if (!found) {
		found = is_ours(own, host) ? host_json(own, host)
		                           : sp_json_object();
		(void)sp_map_set(&own->hosts, host, found);
	}
	return sp_json_get(found, "host") ? found : NULL;
}

/* Our hosts of the failures, each once. */
static struct sp_json *own_json(struct own *own, const struct sp_json *failures)
{
	struct sp_json *list = sp_json_array();
	struct sp_map named;

	sp_map_init(&named);
	for (size_t i = 0; i < sp_json_len(failures); i++) {
		struct sp_json *found = find_host(
			own, sp_json_get_str(sp_json_at(failures, i),
		                             "receiving_mx_hostname"));
		struct sp_str host =
			found ? sp_json_get_str(found, "host") : SP_STR("");

		if (host.len && !sp_map_find(&named, host)) {
			(void)sp_map_set(&named, host, found);
			sp_json_add(list, sp_json_copy(found));
		}
	}
	sp_map_fini(&named);
	return list;
}

static void own_fini(struct own *own)
{
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	while (sp_map_next(&own->hosts, &it, &key, &value)) {
		struct sp_json *found = value;

		sp_json_free(&found);
	}
	sp_map_fini(&own->hosts);
	if (own->dns_up) {
		sp_cmd_dns_fini(&own->dns);
	}
	sp_arena_fini(&own->arena);
}

static void fill(struct own *own, const struct sp_json *rows,
                 struct sp_json *out)
{
	for (size_t i = 0; i < sp_json_len(rows); i++) {
		const struct sp_json *row = sp_json_at(rows, i);
		struct sp_json *copy = sp_json_copy(row);

		sp_json_set(copy, "own",
		            own_json(own, sp_json_get(row, "failures")));
		sp_json_add(out, copy);
	}
}

int sp_report_own(struct sp_cmd_ctx *ctx, const struct sp_json *rows,
                  struct sp_json **rows_out)
{
	struct own *own;
	int status = sp_cmd_conf(ctx);

	*rows_out = sp_json_array();
	if (status) {
		return status;
	}
	if (sp_tls_setup()) {
		return sp_cmd_fail(SP_EXIT_IO, "TLS library: not usable");
	}
	own = SP_NEW(struct own);
	own->ctx = ctx;
	sp_arena_init(&own->arena);
	sp_map_init(&own->hosts);
	read_listeners(own);
	fill(own, rows, *rows_out);
	own_fini(own);
	sp_free(own);
	sp_tls_teardown();
	return 0;
}
