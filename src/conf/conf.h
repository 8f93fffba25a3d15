/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CONF_CONF_H
#define SP_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

/*
 * The configuration: one constant struct, handed to whoever needs it; there
 * are no global settings. conf_schema.c holds the one table of keys, from
 * which the parser, `sealpost lint config` and the manual are made. Times
 * are milliseconds, sizes bytes. Strings are NUL-terminated and belong to
 * the configuration; a text that was left out is "".
 */

#define SP_CONF_BYTES_MAX     (1024u * 1024) /* of the file */
#define SP_CONF_WHY           512            /* room for one line of reason */
#define SP_CONF_STEPS_MAX     64
#define SP_CONF_DKIM_KEYS_MAX 8 /* of one domain */

struct sp_conf_strings {
	const char **items;
	size_t count;
};

struct sp_conf_steps { /* retry = {"15m", "15m", "1h"} */
	int64_t steps_ms[SP_CONF_STEPS_MAX];
	size_t count;
};

struct sp_conf_listen {
	const char *name;
	struct sp_conf_strings address;     /* "127.0.0.1:587" each */
	struct sp_conf_strings accept_from; /* networks */
	struct sp_conf_strings certificate; /* files */
	struct sp_conf_strings key;
	bool inbound;
};

struct sp_conf_stub {
	const char *name;               /* zone */
	struct sp_conf_strings address; /* "addr@port" */
};

struct sp_conf_dkim {
	const char *name;                /* domain, lower-case A-labels */
	struct sp_conf_strings selector; /* one for each key */
	struct sp_conf_strings key;      /* files */
};

struct sp_conf_route {
	const char *name;     /* recipient domain; "*": every other */
	const char *next_hop; /* "[host]:port", "domain", or "" */
	const char *dane;     /* opportunistic, mandatory, off */
	bool mta_sts;
	struct sp_conf_steps retry; /* count 0: the general one */
	int64_t expire_ms;          /* 0: the general one */
};

struct sp_conf {
	struct sp_arena arena; /* owns all that follows */
	const char *file;      /* name for messages */
	struct sp_str text;    /* the file's text, for a reload by the roles */

	const char *hostname;
	const char *postmaster;
	const char *store;
	const char *control;
	const char *user;
	bool user_given; /* false: the default stands */
	bool enforce;
	bool deliver;
	int64_t workers; /* 0: one per core */
	const char *ca_bundle;
	const char *log_level;
	bool log_json;
	struct sp_conf_steps retry;
	int64_t expire_ms;
	int64_t delay_notice_ms;
	int64_t trace_keep_ms;

	struct {
		bool enabled;
		struct sp_conf_strings allow;
	} guard; /* address_guard */

	struct {
		int64_t port;
		const char *source4;
		const char *source6;
		int64_t max_connections;
		int64_t max_per_host;
		int64_t host_pause_ms;
		int64_t max_per_domain; /* jobs at one time */
		int64_t domain_pause_ms;
		int64_t messages_per_connection;
		int64_t connect_timeout_ms;
		int64_t greeting_timeout_ms; /* RFC 5321 4.5.3.2.1 */
		int64_t command_timeout_ms;  /* EHLO, STARTTLS, MAIL, RCPT */
		int64_t data_init_timeout_ms;
		int64_t data_block_timeout_ms;
		int64_t data_done_timeout_ms;
		int64_t attempt_timeout_ms; /* the whole attempt */
		int64_t plan_timeout_ms;    /* its DNS */
		int64_t patience_ms;        /* when all places are taken */
		int64_t idle_timeout_ms;    /* of a connection kept for reuse */
		int64_t hosts_max;
		int64_t addresses_max;
	} smtp;

	struct {
		int64_t size_max_bytes;
		int64_t rcpt_max;
		int64_t sessions_max;
		int64_t sessions_per_client;
		int64_t errors_max;
		int64_t received_max;
		int64_t line_max_bytes;
		int64_t idle_timeout_ms;
		int64_t data_timeout_ms;
		int64_t session_timeout_ms;
	} receive;

	struct {
		const char *profile;     /* rfc, exchange */
		const char *insecure_mx; /* dane, encrypt, may */
		int64_t records_max;
	} dane;

	struct {
		const char *trust_anchor;
		const char *root_hints;
		struct sp_conf_strings forward;
		struct sp_conf_stub *stub;
		size_t stub_count;
		const char *self_test_bad;
		int64_t timeout_ms;
		int64_t aliases_max;
	} resolver;

	struct {
		int64_t port;
		int64_t timeout_ms;  /* for a policy, DNS included */
		int64_t back_off_ms; /* after a failed fetch */
	} sts;

	struct {
		bool count;
		const char *organization; /* never empty, as the next two */
		const char *contact;
		const char *from;
		int64_t spread_ms;
		const char *directory;
		int64_t digest_ms;              /* 0: none */
		struct sp_conf_strings domains; /* ours; lower-case A-labels */
	} report;

	struct {
		const char *directory;
		int64_t original_max_bytes;
	} notice;

	struct {
		const char *address;
	} console;

	struct sp_conf_listen *listen;
	size_t listen_count;
	struct sp_conf_dkim *dkim;
	size_t dkim_count;
	struct sp_conf_route *route;
	size_t route_count;
};

/* Read and check a file. With a null path: built-in defaults. The files that
 * it names (certificates, keys, anchors) must be readable. 0, or
 * SP_ECONFIG / a negated errno with one line "file:line: what: expected" in
 * why_out (SP_CONF_WHY bytes). */
int sp_conf_load(const char *path, struct sp_conf **conf_out, char *why_out);

/* The same from text; the files it names are not looked at. name stands in
 * messages. */
int sp_conf_parse(struct sp_str text, const char *name,
                  struct sp_conf **conf_out, char *why_out);

void sp_conf_free(struct sp_conf **conf);

/* What is no error and seldom meant: mailed TLS reports without a DKIM key.
 * True: one line in why_out (SP_CONF_WHY bytes). */
bool sp_conf_warning(const struct sp_conf *conf, char *why_out);

/* Are TLS reports of others about this domain (lower-case A-labels) taken in?
 * One of report.domains, or a name below one; all where none is set. */
bool sp_conf_report_is_ours(const struct sp_conf *conf, struct sp_str domain);

/* Who sends TLS reports: the domain of report.contact (RFC 8460 5.3). */
struct sp_str sp_conf_submitter(const struct sp_conf *conf);

/* The route for a recipient domain: its own, else "*", else null. */
const struct sp_conf_route *sp_conf_route_find(const struct sp_conf *conf,
                                               struct sp_str domain);

/* The keys for a domain (lower-case A-labels), or null. */
const struct sp_conf_dkim *sp_conf_dkim_find(const struct sp_conf *conf,
                                             struct sp_str domain);

/* Where the command line finds the control socket when nothing is said. */
#define SP_CONF_DEFAULT_PATH "/etc/sealpost/sealpost.conf"

#endif
