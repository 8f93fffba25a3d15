/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlsa make: records, and the lines of the zone file where they belong. Of a
 * file it is one; of a host one for each certificate that it shows, the one
 * that its first address prefers first.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/time.h"
#include "cmd/dns.h"
#include "cmd/text.h"
#include "cmd/tlsa.h"
#include "net/tls.h"
#include "wire/address.h"
#include "wire/json.h"

#define FILE_MAX_BYTES 1048576

struct make {
	struct sp_arena arena;
	struct sp_buf file;
	const char *live_host; /* asked for its certificates */
	struct sp_tlsa_live live;
	uint64_t usage, selector, matching, port;
	struct sp_tlsa records[SP_TLSA_LIVE_MAX]; /* each once */
	size_t count;
	struct sp_json *owners; /* list of "_25._tcp.name" */
};

static int read_numbers(const struct sp_args *args, struct make *m)
{
	int status = sp_tlsa_number(args, "usage", 3, 3, &m->usage);

	if (!status) {
		status = sp_tlsa_number(args, "selector", 1, 1, &m->selector);
	}
	if (!status) {
		status = sp_tlsa_number(args, "matching", 2, 1, &m->matching);
	}
	if (!status) {
		status = sp_tlsa_port(args, &m->port);
	}
	return status;
}

/* ---- from a certificate or key to a record ---- */

/* Usage 0 and 2 are of one who issues, 1 and 3 of the host itself. */
static bool is_of_issuer(const struct make *m)
{
	return m->usage == SP_TLSA_PKIX_TA || m->usage == SP_TLSA_DANE_TA;
}

static bool is_known(const struct make *m, const struct sp_tlsa *record)
{
	for (size_t i = 0; i < m->count; i++) {
		if (sp_tlsa_cmp(&m->records[i], record) == 0) {
			return true;
		}
	}
	return false;
}

static int add_record(struct make *m, struct sp_str material, const char *from)
{
	struct sp_tlsa record;
	char why[512];

	if (sp_tls_tlsa_make(material, (uint8_t)m->usage, (uint8_t)m->selector,
	                     (uint8_t)m->matching, &m->arena, &record, why,
	                     sizeof(why))) {
		return sp_cmd_fail(SP_EXIT_DATA, "%s: %s", from, why);
	}
	if (!is_known(m, &record)) {
		m->records[m->count++] = record;
	}
	return 0;
}

static int of_file(struct make *m, const char *name)
{
	struct sp_str material = sp_buf_str(&m->file);
	struct sp_str issuer;
	int err = is_of_issuer(m)
	                  ? sp_tls_issuer_read(material, &m->arena, &issuer)
	                  : SP_ESYNTAX;

	if (err == SP_ENOTFOUND) {
		return sp_cmd_fail(SP_EXIT_DATA,
		                   "%s: usage %u is of a certificate that "
		                   "issues others, and this does not",
		                   name, (unsigned)m->usage);
	}
	return add_record(m, err ? material : issuer, name);
}

static int of_host(struct make *m)
{
	int status = 0;

	for (size_t i = 0; i < m->live.count && !status; i++) {
		const struct sp_tls_chain *chain = &m->live.chains[i];
		struct sp_str der = chain->der[0];

		if (!is_of_issuer(m) || !sp_tls_issuer_sent(chain, &der)) {
			status = add_record(m, der, m->live_host);
		}
	}
	return status || m->count
	               ? status
	               : sp_cmd_fail(SP_EXIT_NO,
	                             "%s: usage %u is of a certificate that "
	                             "issues others, and none is sent",
	                             m->live_host, (unsigned)m->usage);
}

/* A file, or else a host. */
static int read_material(struct sp_cmd_ctx *ctx, struct make *m)
{
	const char *word = ctx->words[1];
	bool is_file = strcmp(word, "-") == 0 || strchr(word, '/') ||
	               access(word, F_OK) == 0;
	int status;

	if (is_file) {
		status = sp_cmd_read_file(word, FILE_MAX_BYTES, &m->file);
		return status ? status : of_file(m, word);
	}
	m->live_host = word;
	status = sp_cmd_conf(ctx);
	if (!status) {
		status = sp_tlsa_live(ctx->conf, word, (uint16_t)m->port,
		                      &m->arena, &m->live);
	}
	return status ? status : of_host(m);
}

/* ---- its owners ---- */

static void add_owner(struct make *m, struct sp_str name)
{
	struct sp_str ascii;

	if (sp_str_find(name, '*') < name.len || sp_domain_is_literal(name) ||
	    sp_domain_to_ascii(name, &m->arena, &ascii)) {
		return; /* no name of a host */
	}
	sp_json_add_cstr(m->owners,
	                 sp_arena_printf(&m->arena, "_%u._tcp." SP_STR_FMT,
	                                 (unsigned)m->port, SP_STR_ARG(ascii)));
}

/* Names given, else the live host, else those in the certificate. */
static int find_owners(const struct sp_args *args, struct make *m)
{
	const struct sp_tls_client nothing = {0};
	struct sp_tls_seen seen;
	struct sp_str name;
	const char *given;
	char why[256];
	size_t at = 0;

	while ((given = sp_args_next(args, "name", &at))) {
		if (sp_cmd_domain(given, &m->arena, &name)) {
			return SP_EXIT_USAGE;
		}
		add_owner(m, name);
	}
	if (sp_json_len(m->owners)) {
		return 0;
	}
	if (m->live_host) {
		add_owner(m, sp_str_from(m->live_host));
	} else if (!sp_tls_verify_chain(sp_buf_str(&m->file), &nothing,
	                                sp_time_wall_ms(), &m->arena, &seen,
	                                why, sizeof(why))) {
		while (sp_str_cut(&seen.cert_names, ',', &name)) {
			add_owner(m, sp_str_trim(name));
		}
	} /* a key, or DER: no names are known */
	return 0;
}

/* ---- showing it ---- */

static struct sp_json *record_json(struct make *m, const struct sp_tlsa *record)
{
	struct sp_json *obj = sp_tlsa_json(record, sp_tlsa_check(record, true));

	sp_json_set_cstr(obj, "record", sp_tlsa_format(record, &m->arena));
	return obj;
}

static void put_json(struct make *m)
{
	struct sp_json *obj = record_json(m, &m->records[0]);
	struct sp_json *others = sp_json_array();

	for (size_t i = 1; i < m->count; i++) {
		sp_json_add(others, record_json(m, &m->records[i]));
	}
	sp_json_set(obj, "owners", sp_json_copy(m->owners));
	sp_json_set(obj, "others", others);
	sp_json_put(stdout, obj);
	sp_json_free(&obj);
}

static void put_text(struct make *m, const struct sp_tlsa *record)
{
	const char *text = sp_tlsa_format(record, &m->arena);

	puts(text);
	for (size_t i = 0; i < sp_json_len(m->owners); i++) {
		sp_text_put(stdout, sp_json_str(sp_json_at(m->owners, i)));
		printf(". IN TLSA %s\n", text);
	}
}

static void put(const struct sp_cmd_ctx *ctx, struct make *m)
{
	if (ctx->json) {
		put_json(m);
		return;
	}
	for (size_t i = 0; i < m->count; i++) {
		put_text(m, &m->records[i]);
	}
}

static int make(struct sp_cmd_ctx *ctx, struct make *m)
{
	int status = read_numbers(ctx->args, m);

	if (!status) {
		status = read_material(ctx, m);
	}
	if (!status) {
		status = find_owners(ctx->args, m);
	}
	if (!status) {
		put(ctx, m);
	}
	return status;
}

int sp_tlsa_make_run(struct sp_cmd_ctx *ctx)
{
	struct make *m = SP_NEW(struct make);
	int status = SP_EXIT_IO;

	m->owners = sp_json_array();
	sp_arena_init(&m->arena);
	if (sp_tls_setup()) {
		sp_cmd_fail(status, "TLS library: not usable");
	} else {
		status = make(ctx, m);
		sp_tls_teardown();
	}
	sp_json_free(&m->owners);
	sp_buf_fini(&m->file);
	sp_arena_fini(&m->arena);
	sp_free(m);
	return status;
}
