/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits are those of the RFCs that define the values: addresses RFC
 * 5321 4.5.3.1, ENVID and ORCPT RFC 3461 4.2 and 4.4, and for the Message-ID
 * the line limit of RFC 5322 2.1.1.
 */
#include "wire/address.h"
#include "wire/envelope.h"

#define CLIENT_MAX 128 /* address, interface and port as text */
#define HELO_MAX   255

const struct sp_pack_field SP_ENVELOPE_RCPT_FIELDS[] = {
	SP_PACK_LIM(STR, struct sp_envelope_rcpt, address, SP_ADDRESS_MAX),
	SP_PACK_LIM(STR, struct sp_envelope_rcpt, domain,
                    SP_ADDRESS_DOMAIN_MAX),
	SP_PACK_LIM(STR, struct sp_envelope_rcpt, orcpt, SP_ENVELOPE_ORCPT_MAX),
	SP_PACK(U8, struct sp_envelope_rcpt, notify),
	SP_PACK_END,
};

const struct sp_pack_field SP_ENVELOPE_FIELDS[] = {
	SP_PACK_LIM(STR, struct sp_envelope, sender, SP_ADDRESS_MAX),
	SP_PACK_LIM(STR, struct sp_envelope, envid, SP_ENVELOPE_ENVID_MAX),
	SP_PACK_LIM(ENUM, struct sp_envelope, ret, SP_RET_HDRS),
	SP_PACK(BOOL, struct sp_envelope, smtputf8),
	SP_PACK(BOOL, struct sp_envelope, body_8bit),
	SP_PACK(BOOL, struct sp_envelope, requiretls),
	SP_PACK(BOOL, struct sp_envelope, tls_optional),
	SP_PACK_LIM(STR, struct sp_envelope, client, CLIENT_MAX),
	SP_PACK_LIM(STR, struct sp_envelope, helo, HELO_MAX),
	SP_PACK_LIM(STR, struct sp_envelope, message_id,
                    SP_ENVELOPE_MESSAGE_ID_MAX),
	SP_PACK(I64, struct sp_envelope, received_ms),
	SP_PACK_ARR(struct sp_envelope, rcpts, rcpt_count,
                    SP_ENVELOPE_RCPT_FIELDS, SP_ENVELOPE_RCPT_MAX),
	SP_PACK_END,
};

bool sp_envelope_is_tls_report(const struct sp_envelope *envelope)
{
	return envelope->client.len == 0 &&
	       sp_str_eq(envelope->helo, SP_ENVELOPE_TLS_REPORT);
}
