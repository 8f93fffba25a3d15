/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_ENVELOPE_H
#define SP_WIRE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "wire/pack.h"

/*
 * The envelope of a message, as receive hands it to queue, as the store
 * keeps it, and as transport gets it back. Strings are borrowed or live in
 * the arena of whoever decoded it.
 */

#define SP_ENVELOPE_RCPT_MAX                                                   \
	1000                           /* per transaction (RFC 5321 4.5.3.1.8  \
	                                * asks for at least 100) */
#define SP_ENVELOPE_ENVID_MAX      100 /* RFC 3461 4.4 */
#define SP_ENVELOPE_ORCPT_MAX      500 /* RFC 3461 4.2 */
#define SP_ENVELOPE_MESSAGE_ID_MAX 998 /* RFC 5322 2.1.1 */

/* RFC 3461 4.1 NOTIFY as bits; 0 means not given. */
enum sp_notify {
	SP_NOTIFY_NEVER = 1,
	SP_NOTIFY_SUCCESS = 2,
	SP_NOTIFY_FAILURE = 4,
	SP_NOTIFY_DELAY = 8,
};

enum sp_ret {
	SP_RET_UNSET,
	SP_RET_FULL,
	SP_RET_HDRS
};

struct sp_envelope_rcpt {
	struct sp_str address; /* as given, without brackets */
	struct sp_str domain;  /* lower-case A-labels: the key of scheduling */
	struct sp_str orcpt;   /* "rfc822;x@y" decoded, or empty */
	uint8_t notify;        /* bits of enum sp_notify */
};

struct sp_envelope {
	struct sp_str sender; /* empty: null sender */
	struct sp_str envid;  /* decoded, or empty */
	enum sp_ret ret;
	bool smtputf8;  /* MAIL had SMTPUTF8, and the header makes use of it;
	                 * addresses tell for themselves */
	bool body_8bit; /* BODY=8BITMIME given, or 8-bit bytes seen */
	bool requiretls;
	struct sp_str client; /* address of the submitting client */
	struct sp_str helo;
	struct sp_str message_id; /* of the header, with brackets, or empty */
	int64_t received_ms;      /* wall */
	bool tls_optional;        /* header: "TLS-Required: No" (RFC 8689 3) */
	struct sp_envelope_rcpt *rcpts;
	size_t rcpt_count;
};

/* The mark of a TLS report of ours: nobody has submitted it, and this stands
 * for the HELO. A report is never counted for reports. */
#define SP_ENVELOPE_TLS_REPORT SP_STR("tls-report")
bool sp_envelope_is_tls_report(const struct sp_envelope *envelope);

extern const struct sp_pack_field SP_ENVELOPE_RCPT_FIELDS[];
extern const struct sp_pack_field SP_ENVELOPE_FIELDS[];

#endif
