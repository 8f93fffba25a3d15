/* SPDX-License-Identifier: Apache-2.0 */
/* dkim make: a key in a new file, its record, its lines of configuration. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "cmd/dkim.h"
#include "cmd/dns.h"
#include "cmd/text.h"
#include "wire/json.h"

#define DIRECTORY  "/etc/sealpost/dkim"
#define TXT_STRING 255 /* RFC 1035 3.3.14 */

struct make {
	struct sp_arena arena;
	struct sp_str domain;
	const char *selector;
	enum sp_dkim_key_type type;
	uint64_t bits;
	struct sp_str service;
	const char *path;
	struct sp_str pem;
	struct sp_str record;
};

/* ---- options ---- */

static int read_type(const struct sp_args *args, struct make *m)
{
	const char *type = sp_args_get(args, "type");
	const char *bits = sp_args_get(args, "bits");

	m->type = SP_DKIM_KEY_RSA;
	m->bits = 2048;
	if (type && strcmp(type, "ed25519") == 0) {
		m->type = SP_DKIM_KEY_ED25519;
	} else if (type && strcmp(type, "rsa") != 0) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "--type: %s: expected rsa or ed25519", type);
	}
	if (bits && m->type != SP_DKIM_KEY_RSA) {
		return sp_cmd_fail(SP_EXIT_USAGE, "--bits: for rsa only");
	}
	if (bits &&
	    (sp_str_u64(sp_str_from(bits), SP_DKIM_RSA_BITS_MAX, &m->bits) ||
	     m->bits < SP_DKIM_RSA_BITS_MIN)) {
		return sp_cmd_fail(SP_EXIT_USAGE,
		                   "--bits: %s: expected %d to %d", bits,
		                   SP_DKIM_RSA_BITS_MIN, SP_DKIM_RSA_BITS_MAX);
	}
	return 0;
}

static int read_selector(const struct sp_args *args, struct make *m)
{
	const char *given = sp_args_get(args, "selector");
	struct sp_str ascii;

	m->selector = given ? given : "s1";
	if (sp_cmd_domain(m->selector, &m->arena, &ascii)) {
		return SP_EXIT_USAGE;
	}
	m->selector = sp_arena_cstr(&m->arena, ascii);
	return 0;
}

static int read_options(const struct sp_cmd_ctx *ctx, struct make *m)
{
	const char *path = sp_args_get(ctx->args, "key");
	int status = sp_cmd_domain(ctx->words[1], &m->arena, &m->domain);

	status = status ? status : read_selector(ctx->args, m);
	status = status ? status : read_type(ctx->args, m);
	if (!status && !sp_cmd_dkim_service(ctx->args, &m->service)) {
		status = SP_EXIT_USAGE;
	}
	m->path = path ? path
	               : sp_arena_printf(&m->arena,
	                                 DIRECTORY "/" SP_STR_FMT ".%s.key",
	                                 SP_STR_ARG(m->domain), m->selector);
	return status;
}

/* ---- the file ---- */

static int write_all(int fd, struct sp_str bytes)
{
	while (bytes.len) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);

		if (n < 0 && errno != EINTR) {
			return -errno;
		}
		bytes = sp_str_sub(bytes, n > 0 ? (size_t)n : 0, bytes.len);
	}
	return fsync(fd) ? -errno : 0;
}

/* A key that is there is never written over: it may be in use. */
static int write_key(struct make *m, bool default_place)
{
	int fd;
	int err;

	if (default_place) {
		(void)mkdir(DIRECTORY, 0700); /* the open says what is wrong */
	}
	fd = open(m->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	          0600);
	if (fd < 0) {
		return sp_cmd_fail(
			SP_EXIT_IO, "%s: %s%s", m->path, strerror(errno),
			default_place ? "; --key names another place" : "");
	}
	err = write_all(fd, m->pem);
	if (close(fd) && !err) {
		err = -errno;
	}
	if (err) {
		(void)unlink(m->path);
		return sp_cmd_fail(SP_EXIT_IO, "%s: %s", m->path,
		                   sp_strerror(err));
	}
	return 0;
}

static int make_key(struct make *m)
{
	struct sp_dkim_key *key = NULL;
	struct sp_str public;
	char why[200];
	int err = sp_dkim_key_make(m->type, (unsigned)m->bits, &m->arena,
	                           &m->pem);

	if (!err) {
		err = sp_dkim_key_load(m->pem, &key, why, sizeof(why));
	}
	if (!err) {
		err = sp_dkim_key_public(key, &m->arena, &public);
	}
	sp_dkim_key_free(&key);
	if (err) {
		return sp_cmd_fail(SP_EXIT_IO, "the key can't be made");
	}
	m->record =
		sp_dkim_record_format(m->type, public, m->service, &m->arena);
	return 0;
}

/* ---- printing ---- */

static const char *owner_of(struct make *m)
{
	return sp_arena_printf(&m->arena, "%s._domainkey." SP_STR_FMT,
	                       m->selector, SP_STR_ARG(m->domain));
}

static void add_list(struct sp_buf *out, const struct sp_conf_strings *old,
                     const char *item)
{
	size_t count = old ? old->count : 0;

	(void)sp_buf_append_cstr(out, count ? "{" : ""); /* sticky */
	for (size_t i = 0; i < count; i++) {
		(void)sp_buf_printf(out, "\"%s\", ", old->items[i]);
	}
	(void)sp_buf_printf(out, "\"%s\"%s", item, count ? "}" : "");
}

/* The section as it is to be: with the keys that the domain has already. */
static const char *section(struct make *m, const struct sp_conf *conf)
{
	const struct sp_conf_dkim *old = sp_conf_dkim_find(conf, m->domain);
	char whole[PATH_MAX];
	struct sp_buf out;
	const char *text;

	sp_buf_init(&out, SP_CONF_BYTES_MAX);
	(void)sp_buf_printf(&out, "dkim \"" SP_STR_FMT "\" { selector = ",
	                    SP_STR_ARG(m->domain));
	add_list(&out, old ? &old->selector : NULL, m->selector);
	(void)sp_buf_append_cstr(&out, "  key = ");
	add_list(&out, old ? &old->key : NULL,
	         realpath(m->path, whole) ? whole : m->path);
	(void)sp_buf_append_cstr(&out, " }");
	text = sp_arena_cstr(&m->arena, sp_buf_str(&out));
	sp_buf_fini(&out);
	return text;
}

static void put_text(struct make *m, const char *conf)
{
	printf("%s. IN TXT (", owner_of(m));
	for (size_t at = 0; at < m->record.len; at += TXT_STRING) {
		printf("%s \"" SP_STR_FMT "\"", at ? "\n       " : "",
		       SP_STR_ARG(sp_str_sub(m->record, at, TXT_STRING)));
	}
	printf(" )\n\n%s\n", conf);
}

static void put_json(struct make *m, const char *conf)
{
	struct sp_json *obj = sp_json_object();

	sp_json_set_str(obj, "domain", m->domain);
	sp_json_set_cstr(obj, "selector", m->selector);
	sp_json_set_cstr(obj, "type", sp_dkim_key_type_text(m->type));
	if (m->type == SP_DKIM_KEY_RSA) {
		sp_json_set_int(obj, "bits", (int64_t)m->bits);
	} else {
		sp_json_set_null(obj, "bits");
	}
	sp_json_set_cstr(obj, "key", m->path);
	sp_json_set_cstr(obj, "owner", owner_of(m));
	sp_json_set_str(obj, "record", m->record);
	sp_json_set_cstr(obj, "configuration", conf);
	sp_json_put(stdout, obj);
	sp_json_free(&obj);
}

/* A selector names one key. */
static int check_selector(const struct sp_conf *conf, const struct make *m)
{
	const struct sp_conf_dkim *old = sp_conf_dkim_find(conf, m->domain);

	for (size_t i = 0; old && i < old->selector.count; i++) {
		if (sp_str_eq_nocase(sp_str_from(old->selector.items[i]),
		                     sp_str_from(m->selector))) {
			return sp_cmd_fail(SP_EXIT_USAGE,
			                   "--selector: %s: is in use for "
			                   "another key",
			                   m->selector);
		}
	}
	return 0;
}

static int make(struct sp_cmd_ctx *ctx, struct make *m)
{
	int status = read_options(ctx, m);

	status = status ? status : sp_cmd_conf(ctx);
	status = status ? status : check_selector(ctx->conf, m);
	status = status ? status : make_key(m);
	status = status ? status : write_key(m, !sp_args_has(ctx->args, "key"));
	if (!status) {
		(ctx->json ? put_json : put_text)(m, section(m, ctx->conf));
	}
	return status;
}

int sp_cmd_dkim_make(struct sp_cmd_ctx *ctx)
{
	struct make m = {.type = SP_DKIM_KEY_RSA};
	int status;

	sp_arena_init(&m.arena);
	status = make(ctx, &m);
	sp_arena_fini(&m.arena);
	return status;
}
