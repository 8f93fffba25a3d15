/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_TLS_H
#define SP_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "wire/key.h"
#include "wire/tlsa.h"

/*
 * TLS over OpenSSL 3, which no other layer names. Certificates are matched
 * against TLSA records by libssl's own DANE code (SSL_dane_*, with
 * DANE_FLAG_NO_DANE_EE_NAMECHECKS; RFC 7671, 7672), never by ours. The
 * handshake is not broken off by a failed verification: what was seen is
 * reported, and policy/judge decides. The error queue is cleared before
 * every TLS call.
 */

/* What a client asks of a handshake. All borrowed for the call. */
struct sp_tls_client {
	struct sp_str sni;             /* empty: none */
	int version_min;               /* 0x0303: TLS 1.2; 0: library's */
	bool anonymous_ok;             /* aNULL suites offered: only where no
	                                * certificate is checked; not with
	                                * records or key (-EINVAL) */
	const struct sp_tlsa *records; /* usable ones, after digest agility;
	                                * none: DANE inactive */
	size_t record_count;
	const struct sp_str *reference_ids; /* usage 2 (RFC 7672 3.2.3): at
	                                     * least one, or -EINVAL */
	size_t reference_id_count;
	enum sp_key_kind key;       /* of the certificate asked for: its
	                             * algorithms are offered first */
	bool key_only;              /* and no others */
	enum sp_key_algorithm only; /* more narrowly, in place of key: with
	                             * anonymous_ok -EINVAL */
	struct sp_str host_name;    /* MX host, for cert_name_matches */
	struct sp_str pki_name;     /* verify also by sp_tls_roots, for this
	                             * DNS-ID; empty: not */
	struct sp_str session_key;  /* resume under this key: host, address,
	                             * port, policy digest; empty: never */
};

/* What was seen; the same fields as struct sp_tls_facts of policy/judge.h,
 * which the caller fills from it (net does not see policy). Strings live in
 * the arena given. */
/* Where several things are wrong: no match, then chain, not yet valid,
 * expired, name. OK if and only if dane_matched; without records it is CHAIN
 * ("not checked"): ask dane_active first. */
enum sp_tls_verify {
	SP_TLS_VERIFY_OK,
	SP_TLS_VERIFY_NO_MATCH,
	SP_TLS_VERIFY_TA_NOT_IN_CHAIN,
	SP_TLS_VERIFY_EXPIRED,
	SP_TLS_VERIFY_NOT_YET_VALID,
	SP_TLS_VERIFY_NAME,
	SP_TLS_VERIFY_CHAIN,
};

/* By public authorities; where several things are wrong, in this order. */
enum sp_tls_pki {
	SP_TLS_PKI_OK,
	SP_TLS_PKI_UNTRUSTED,
	SP_TLS_PKI_NOT_YET_VALID,
	SP_TLS_PKI_EXPIRED,
	SP_TLS_PKI_NAME,
};

struct sp_tls_seen {
	bool handshake_ok;
	struct sp_str error;
	struct sp_str protocol;
	struct sp_str cipher;
	bool resumed;
	bool dane_active;
	bool dane_matched; /* usage 2: and chain, dates, name are good */
	int matched_usage; /* -1: none; set also where dates or name failed */
	int matched_selector;
	int matched_matching;
	int matched_depth;
	struct sp_str matched_record;
	enum sp_tls_verify verify;
	struct sp_str verify_text;
	struct sp_str cert_sha256;
	struct sp_str cert_subject;
	struct sp_str cert_names;
	struct sp_str cert_issuer;
	enum sp_key_kind key;   /* of the leaf certificate */
	struct sp_str key_text; /* "RSA 2048", "ECDSA 256" */
	int64_t not_before_ms;
	int64_t not_after_ms;
	bool cert_name_matches;
	bool pki_checked; /* pki_name was given, and a certificate came */
	enum sp_tls_pki pki;
	struct sp_str pki_text;
};

/* Once per process that uses TLS, also makes it ignore SIGPIPE. Teardown
 * drops the sessions kept for resumption; all streams are freed before. */
int sp_tls_setup(void);
void sp_tls_teardown(void);
/* The roots that pki_name is verified by: a PEM file; empty: the system's.
 * Before it is called, and after an error, nothing is trusted; the roots of an
 * earlier call stay then. */
int sp_tls_roots(const char *file, char *why_out, size_t why_cap);

/* A server's certificate chain and key from PEM text (the parent reads the
 * files before privileges go). why_out gets one line. */
struct sp_tls_server;
int sp_tls_server_new(struct sp_str certificate_pem, struct sp_str key_pem,
                      struct sp_tls_server **server_out, char *why_out,
                      size_t why_cap);
/* A second certificate and key, of another algorithm: the client's offer
 * decides which one it sees. After an error the server is only to be freed. */
int sp_tls_server_add(struct sp_tls_server *server,
                      struct sp_str certificate_pem, struct sp_str key_pem,
                      char *why_out, size_t why_cap);
void sp_tls_server_free(struct sp_tls_server **server);

/* Does a Full record's association data parse (certificate or SPKI DER,
 * whole)? Pure; for sp_plan_conf.full_parses. */
bool sp_tls_full_parses(const struct sp_tlsa *tlsa);

/* TLSA record for a certificate or key (private or public, without a pass
 * phrase), PEM or DER: `sealpost tlsa make`. Of several certificates in a PEM
 * text the first; selector 0 needs a certificate. */
int sp_tls_tlsa_make(struct sp_str pem_or_der, uint8_t usage, uint8_t selector,
                     uint8_t matching, struct sp_arena *arena,
                     struct sp_tlsa *tlsa_out, char *why_out, size_t why_cap);

/* `sealpost tlsa verify`: the presented chain (PEM, leaf first) against
 * records and reference names at a wall time, by the same function of libssl
 * and the same settings that a session has. */
int sp_tls_verify_chain(struct sp_str chain_pem,
                        const struct sp_tls_client *params, int64_t at_ms,
                        struct sp_arena *arena, struct sp_tls_seen *seen_out,
                        char *why_out, size_t why_cap);

/* The certificates that a server presented, leaf first, each in DER. */
#define SP_TLS_CHAIN_MAX       10
#define SP_TLS_CHAIN_BYTES_MAX 65536 /* of all together */

struct sp_tls_chain {
	const struct sp_str *der;
	size_t count;
	bool cut; /* there were more */
};

/* What a certificate says of itself; text is escaped and cut. Strings live in
 * the arena. SP_ESYNTAX: that is no certificate. */
struct sp_tls_certificate {
	struct sp_str sha256; /* hex */
	struct sp_str subject;
	struct sp_str issuer;
	struct sp_str names; /* DNS-IDs, comma separated */
	enum sp_key_algorithm algorithm;
	struct sp_str key_text; /* "RSA 2048" */
	int64_t not_before_ms;  /* wall */
	int64_t not_after_ms;
};
int sp_tls_certificate_read(struct sp_str der, struct sp_arena *arena,
                            struct sp_tls_certificate *out);

/* The record that this certificate (DER, nothing else) would match. SP_ESYNTAX:
 * no certificate; SP_ELIMIT: too long for a Full record; -EINVAL: selector or
 * matching type unknown. */
int sp_tls_tlsa_of(struct sp_str der, uint8_t usage, uint8_t selector,
                   uint8_t matching, struct sp_arena *arena,
                   struct sp_tlsa *tlsa_out);

/* A certificate in DER as PEM, in the arena; anything else as it is. */
struct sp_str sp_tls_as_pem(struct sp_str pem_or_der, struct sp_arena *arena);

/* Of which certificate a record of usage 0 or 2 is: the first that may issue
 * others (RFC 5280 4.2.1.9), as DER in the arena. In PEM text, or one in DER.
 * SP_ENOTFOUND: none there may; SP_ESYNTAX: there is no certificate. */
int sp_tls_issuer_read(struct sp_str pem_or_der, struct sp_arena *arena,
                       struct sp_str *der_out);
/* Among those that a server presented behind its own. SP_ENOTFOUND. */
int sp_tls_issuer_sent(const struct sp_tls_chain *chain,
                       struct sp_str *der_out);

/* Does the association data of the record fit this certificate? For tables
 * that people read: usage, depth, chain, dates and names are not looked at,
 * and no session is ever authenticated by it. False also of what can't be
 * compared. */
bool sp_tls_tlsa_fits(const struct sp_tlsa *record, struct sp_str der);

/* "OpenSSL 3.0.22 ..." for --version. */
const char *sp_tls_version(void);

#endif
