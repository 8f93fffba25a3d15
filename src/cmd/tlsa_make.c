/* SPDX-License-Identifier: Apache-2.0 */
/* tlsa make: a record, and the lines of the zone file where it belongs. */
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
	struct sp_str material; /* PEM or DER */
	const char *live_host;  /* asked for its certificate */
	uint64_t usage, selector, matching, port;
	struct sp_tlsa tlsa;
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

/* A file, or else a host. */
static int read_material(struct sp_cmd_ctx *ctx, struct make *m)
{
	const char *word = ctx->words[1];
	bool is_file = strcmp(word, "-") == 0 || strchr(word, '/') ||
	               access(word, F_OK) == 0;
	int status;

	if (is_file) {
		status = sp_cmd_read_file(word, FILE_MAX_BYTES, &m->file);
		m->material = sp_buf_str(&m->file);
		return status;
	}
	m->live_host = word;
	status = sp_cmd_conf(ctx);
	return status ? status
	              : sp_tlsa_live(ctx->conf, word, (uint16_t)m->port,
	                             &m->arena, &m->material);
}

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
	} else if (!sp_tls_verify_chain(m->material, &nothing,
	                                sp_time_wall_ms(), &m->arena, &seen,
	                                why, sizeof(why))) {
		while (sp_str_cut(&seen.cert_names, ',', &name)) {
			add_owner(m, sp_str_trim(name));
		}
	} /* a key, or DER: no names are known */
	return 0;
}

static void put(const struct sp_cmd_ctx *ctx, struct make *m)
{
	const char *text = sp_tlsa_format(&m->tlsa, &m->arena);
	struct sp_json *obj;

	if (ctx->json) {
		obj = sp_tlsa_json(&m->tlsa, sp_tlsa_check(&m->tlsa, true));
		sp_json_set_cstr(obj, "record", text);
		sp_json_set(obj, "owners", sp_json_copy(m->owners));
		sp_json_put(stdout, obj);
		sp_json_free(&obj);
		return;
	}
	puts(text);
	for (size_t i = 0; i < sp_json_len(m->owners); i++) {
		sp_text_put(stdout, sp_json_str(sp_json_at(m->owners, i)));
		printf(". IN TLSA %s\n", text);
	}
}

static int make(struct sp_cmd_ctx *ctx, struct make *m)
{
	char why[512];
	int status = read_numbers(ctx->args, m);

	if (!status) {
		status = read_material(ctx, m);
	}
	if (status) {
		return status;
	}
	if (sp_tls_tlsa_make(m->material, (uint8_t)m->usage,
	                     (uint8_t)m->selector, (uint8_t)m->matching,
	                     &m->arena, &m->tlsa, why, sizeof(why))) {
		return sp_cmd_fail(SP_EXIT_DATA, "%s: %s", ctx->words[1], why);
	}
	status = find_owners(ctx->args, m);
	if (!status) {
		put(ctx, m);
	}
	return status;
}

int sp_tlsa_make_run(struct sp_cmd_ctx *ctx)
{
	struct make m = {.owners = sp_json_array()};
	int status = SP_EXIT_IO;

	sp_arena_init(&m.arena);
	if (sp_tls_setup()) {
		sp_cmd_fail(status, "TLS library: not usable");
	} else {
		status = make(ctx, &m);
		sp_tls_teardown();
	}
	sp_json_free(&m.owners);
	sp_buf_fini(&m.file);
	sp_arena_fini(&m.arena);
	return status;
}
