/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_POLICY_JUDGE_H
#define SP_POLICY_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "policy/filter.h"
#include "policy/mxplan.h"
#include "policy/verdict.h"
#include "wire/key.h"

/*
 * From what a session saw to a verdict: mail-flow section 4, the second
 * table. Pure. deliver/ collects the facts, asks here at each point where a
 * session could go on or must stop, and does what it is told.
 */

/* Filled by net/tls after a handshake (whether it succeeded or not). */
struct sp_tls_facts {
	bool handshake_ok;
	struct sp_str error;    /* of the handshake or STARTTLS: evidence */
	struct sp_str protocol; /* "TLSv1.3" */
	struct sp_str cipher;
	bool resumed;
	bool dane_active;  /* at least one usable record given */
	bool dane_matched; /* a record matched the chain, and (usage
	                    * 2) chain, dates and name are good */
	int matched_usage; /* of the record; -1: none */
	int matched_selector;
	int matched_matching;
	int matched_depth;
	struct sp_str matched_record; /* presentation form */
	/* Why verification failed, from X509_V_ERR_*: */
	enum sp_verify_error {
		SP_VERIFY_OK,
		SP_VERIFY_NO_MATCH,        /* no record matches */
		SP_VERIFY_TA_NOT_IN_CHAIN, /* usage 2 only published */
		SP_VERIFY_EXPIRED,
		SP_VERIFY_NOT_YET_VALID,
		SP_VERIFY_NAME,
		SP_VERIFY_CHAIN, /* any other chain trouble */
	} verify_error;
	struct sp_str verify_text;
	/* The leaf certificate: */
	struct sp_str cert_sha256; /* hex */
	struct sp_str cert_subject;
	struct sp_str cert_names; /* DNS-IDs, comma separated */
	struct sp_str cert_issuer;
	enum sp_key_kind key;
	struct sp_str key_text; /* "RSA 2048" */
	int64_t not_before_ms;  /* wall */
	int64_t not_after_ms;
	bool cert_name_matches; /* any reference name or the host name */
	/* By public authorities and the host's own name as a DNS-ID, where
	 * MTA-STS watches (RFC 8461 4.2): */
	bool pki_checked;
	enum sp_pki_error {
		SP_PKI_OK,
		SP_PKI_UNTRUSTED,
		SP_PKI_NOT_YET_VALID,
		SP_PKI_EXPIRED,
		SP_PKI_NAME,
	} pki_error; /* of several the first */
	struct sp_str pki_text;
	bool other_key_asked; /* two handshakes were made, for each kind of
	                       * key one: a third would bring nothing */
};

enum sp_session_event {
	SP_SESSION_NO_STARTTLS,      /* EHLO offers none */
	SP_SESSION_STARTTLS_REFUSED, /* 4xx, 5xx */
	SP_SESSION_STARTTLS_GARBAGE, /* bytes behind the 220, no SMTP reply */
	SP_SESSION_HANDSHAKE_DONE,   /* facts.handshake_ok says how */
	SP_SESSION_NO_REQUIRETLS,    /* a message needs it, and EHLO inside TLS
	                              * offers none */
	SP_SESSION_STARTTLS_SILENT,  /* no answer in time, or closed: this
	                              * connection is of no use any more */
};

enum sp_judgement {
	SP_JUDGE_PROCEED,     /* go on in this session as it is */
	SP_JUDGE_CLEAR_RETRY, /* once more, new connection, no STARTTLS */
	SP_JUDGE_FAIL,        /* host fails with the verdict */
	SP_JUDGE_OTHER_KEY,   /* once more, new connection, STARTTLS asking
	                       * for result.other_key only; should that bring
	                       * nothing, judge these facts again with
	                       * other_key_asked */
};

struct sp_judge_conf {
	enum sp_profile profile;
	struct sp_filter filter;
	int64_t now_ms; /* wall */
};

struct sp_judge_result {
	enum sp_judgement judgement;
	struct sp_verdict verdict; /* with FAIL and OTHER_KEY; also set with
	                            * PROCEED when the log-only filter waived
	                            * it */
	enum sp_key_kind other_key;
	bool waived;        /* "would have blocked" */
	bool authenticated; /* by DANE, MX secure, or by enforced MTA-STS */
	/* What the trace and interface.md call it: */
	const char *security;  /* "dane" "half-dane" "sts" "tls" "clear" */
	struct sp_str warning; /* e.g. certificate expired, usage 3 */
	/* What MTA-STS finds wrong with the session where it watches
	 * (host->sts_watched), also where nothing comes of it; else class
	 * DELIVERED. */
	struct sp_verdict sts;
};

/* host must not be one to skip. facts may be null but with HANDSHAKE_DONE.
 * The verdict's host is set, its address is left to the caller. The filter
 * is applied at the end. */
struct sp_judge_result sp_judge(const struct sp_judge_conf *conf,
                                const struct sp_plan_host *host,
                                enum sp_session_event event,
                                const struct sp_tls_facts *facts,
                                struct sp_arena *arena);

/* Must the session never carry mail in clear text? (A filter may waive it:
 * sp_filter_clear_allowed.) */
bool sp_rule_requires_tls(enum sp_rule rule);
/* Lowest TLS version for the rule: 0x0303 where TLS is mandatory, else 0. */
int sp_rule_tls_min(enum sp_rule rule);

#endif
