/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reply to EHLO offers (RFC 5321 4.1.1.1), and what a message needs
 * of it. Both are tables. Keywords we don't know are not kept.
 */
#include "smtp/client_private.h"

static const struct {
	const char *keyword;
	enum sp_smtp_cap cap;
} CAPS[] = {
	{"STARTTLS", SP_SMTP_CAP_STARTTLS},
	{"PIPELINING", SP_SMTP_CAP_PIPELINING},
	{"SIZE", SP_SMTP_CAP_SIZE},
	{"8BITMIME", SP_SMTP_CAP_8BITMIME},
	{"SMTPUTF8", SP_SMTP_CAP_SMTPUTF8},
	{"DSN", SP_SMTP_CAP_DSN},
	{"CHUNKING", SP_SMTP_CAP_CHUNKING},
	{"REQUIRETLS", SP_SMTP_CAP_REQUIRETLS},
	{"ENHANCEDSTATUSCODES", SP_SMTP_CAP_ENHANCEDSTATUSCODES},
};

static void parse_line(struct sp_str line, struct sp_smtp_caps *caps)
{
	struct sp_str keyword;

	(void)sp_str_cut(&line, ' ', &keyword);
	for (size_t i = 0; i < sizeof(CAPS) / sizeof(CAPS[0]); i++) {
		if (sp_str_eq_nocase(keyword, sp_str_from(CAPS[i].keyword))) {
			caps->set |= (unsigned)CAPS[i].cap;
			if (CAPS[i].cap == SP_SMTP_CAP_SIZE) {
				/* RFC 1870 3: at most 20 digits; nonsense
				 * is no limit */
				uint64_t size = 0;
				(void)sp_str_u64(sp_str_trim(line), UINT64_MAX,
				                 &size);
				caps->size_max_bytes = size;
			}
			return;
		}
	}
}

void sp__smtp_caps_parse(struct sp_str text, struct sp_smtp_caps *caps_out,
                         struct sp_str *host_out)
{
	struct sp_str line;

	*caps_out = (struct sp_smtp_caps){0};
	(void)sp_str_cut(&text, '\n', &line);
	(void)sp_str_cut(&line, ' ', host_out);
	while (sp_str_cut(&text, '\n', &line)) {
		parse_line(sp_str_trim(line), caps_out);
	}
}

static bool too_large(const struct sp_smtp_caps *caps,
                      const struct sp_smtp_transaction *tx)
{
	return caps->size_max_bytes > 0 &&
	       tx->size_bytes > caps->size_max_bytes;
}

/* Most lasting obstacle first: its cause is what the sender is told. */
static const struct {
	enum sp_smtp_need need;
	enum sp_smtp_cap cap;
	const char *name;
} NEEDS[] = {
	{SP_SMTP_NEED_REQUIRETLS, SP_SMTP_CAP_REQUIRETLS, "requiretls"},
	{SP_SMTP_NEED_SMTPUTF8, SP_SMTP_CAP_SMTPUTF8, "smtputf8"},
	{SP_SMTP_NEED_8BITMIME, SP_SMTP_CAP_8BITMIME, "8bitmime"},
	{SP_SMTP_NEED_SIZE, SP_SMTP_CAP_SIZE, "size"},
};

static bool wanted(enum sp_smtp_need need, const struct sp_smtp_transaction *tx)
{
	switch (need) {
	case SP_SMTP_NEED_REQUIRETLS:
		return tx->requiretls && tx->sender.len > 0;
	case SP_SMTP_NEED_SMTPUTF8:
		return tx->smtputf8;
	case SP_SMTP_NEED_8BITMIME:
		return tx->body_8bit;
	case SP_SMTP_NEED_SIZE:
	case SP_SMTP_NEED_NONE:
		break;
	}
	return false;
}

enum sp_smtp_need
sp_smtp_need_check(const struct sp_smtp_caps *caps,
                   const struct sp_smtp_transaction *transaction)
{
	for (size_t i = 0; i < sizeof(NEEDS) / sizeof(NEEDS[0]); i++) {
		bool lacks = (caps->set & (unsigned)NEEDS[i].cap) == 0;
		if (lacks && wanted(NEEDS[i].need, transaction)) {
			return NEEDS[i].need;
		}
	}
	return too_large(caps, transaction) ? SP_SMTP_NEED_SIZE
	                                    : SP_SMTP_NEED_NONE;
}

const char *sp_smtp_need_name(enum sp_smtp_need need)
{
	for (size_t i = 0; i < sizeof(NEEDS) / sizeof(NEEDS[0]); i++) {
		if (NEEDS[i].need == need) {
			return NEEDS[i].name;
		}
	}
	return "none";
}
