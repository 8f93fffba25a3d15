/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_TLSRPT_H
#define SP_WIRE_TLSRPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "wire/json.h"

/*
 * A TLS report (RFC 8460 4.4) as a value, written strictly and read
 * leniently: what others send is rarely quite as the RFC has it, and one odd
 * member never loses the rest. Everything odd is named. Pure.
 */

/* Result types, RFC 8460 4.3. */
#define SP_TLSRPT_RESULTS(X)                                                   \
	X(STARTTLS_NOT_SUPPORTED, "starttls-not-supported")                    \
	X(CERTIFICATE_HOST_MISMATCH, "certificate-host-mismatch")              \
	X(CERTIFICATE_EXPIRED, "certificate-expired")                          \
	X(CERTIFICATE_NOT_TRUSTED, "certificate-not-trusted")                  \
	X(VALIDATION_FAILURE, "validation-failure")                            \
	X(TLSA_INVALID, "tlsa-invalid")                                        \
	X(DNSSEC_INVALID, "dnssec-invalid")                                    \
	X(DANE_REQUIRED, "dane-required")                                      \
	X(STS_POLICY_FETCH_ERROR, "sts-policy-fetch-error")                    \
	X(STS_POLICY_INVALID, "sts-policy-invalid")                            \
	X(STS_WEBPKI_INVALID, "sts-webpki-invalid")

bool sp_tlsrpt_is_result(struct sp_str text);

#define SP_TLSRPT_TLSA "tlsa" /* policy types, RFC 8460 4.4 */
#define SP_TLSRPT_STS  "sts"
#define SP_TLSRPT_NONE "no-policy-found"

/* Limits of the reader. Texts beyond are cut, members beyond are left out,
 * counts beyond are lowered, and each is named as an oddity: no sum of
 * counts of one report exceeds 64 bits. */
#define SP_TLSRPT_TEXT_MAX     1024
#define SP_TLSRPT_STRINGS_MAX  1000 /* of policy-string and mx-host */
#define SP_TLSRPT_POLICIES_MAX 1000
#define SP_TLSRPT_FAILURES_MAX 100000 /* of all policies together */
#define SP_TLSRPT_ODDITIES_MAX 50
#define SP_TLSRPT_COUNT_MAX    UINT64_C(1000000000000)
#define SP_TLSRPT_READ_WHY_MAX 300
extern const struct sp_json_limits
	SP_TLSRPT_JSON_LIMITS; /* 16 MiB, 32 deep, a million values */

struct sp_tlsrpt_failure {
	struct sp_str result_type;
	struct sp_str sending_ip;
	struct sp_str mx_host;
	struct sp_str mx_helo;
	struct sp_str receiving_ip;
	struct sp_str additional; /* a URI */
	struct sp_str reason;     /* failure-reason-code: code or text */
	uint64_t count;
};

struct sp_tlsrpt_policy {
	struct sp_str type;
	struct sp_str domain;
	struct sp_str *strings;
	size_t string_count;
	struct sp_str *mx_hosts;
	size_t mx_host_count;
	uint64_t successful;
	uint64_t failed;
	struct sp_tlsrpt_failure *failures;
	size_t failure_count;
};

struct sp_tlsrpt_report {
	struct sp_str organization;
	struct sp_str contact;
	struct sp_str report_id;
	int64_t start_ms; /* wall; 0: not said, or not understood */
	int64_t end_ms;
	struct sp_tlsrpt_policy *policies;
	size_t policy_count;
	struct sp_str *oddities; /* of the reader: one line each, ASCII */
	size_t oddity_count;
};

/* One report. All of it lives in the arena. 0; SP_ELIMIT: too long, too deep,
 * too many values; SP_ESYNTAX: no JSON, or nothing of a report in it; with one
 * line of reason in why_out (SP_TLSRPT_READ_WHY_MAX bytes; may be null). */
int sp_tlsrpt_read(struct sp_str text, struct sp_arena *arena,
                   struct sp_tlsrpt_report *report_out, char *why_out);

/* The same for what a reporter sends: gzip (SP_GZIP_LIMITS_REPORT) or plain
 * JSON, whichever it is. */
int sp_tlsrpt_read_packed(struct sp_str bytes, struct sp_arena *arena,
                          struct sp_tlsrpt_report *report_out, char *why_out);

/* As RFC 8460 4.4 has it; owned by the caller. Empty texts and lists are left
 * out where the RFC lets them be. */
struct sp_json *sp_tlsrpt_json(const struct sp_tlsrpt_report *report);
/* As the command shows it: all members, always. */
struct sp_json *sp_tlsrpt_view(const struct sp_tlsrpt_report *report);

#endif
