/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses beyond ASCII (RFC 6531). A peer with SMTPUTF8 gets them as they
 * were given. Without it the domain is said in A-labels, which is the same
 * domain; a local part can't be said at all: its recipient is left out, and a
 * sender like that stops the message. SMTPUTF8 is asked for only where
 * something needs it (3.1, item 6).
 */
#include "smtp/client_private.h"
#include "wire/address.h"

static bool is_beyond_ascii(const struct sp_smtp_transaction *tx)
{
	bool ascii = sp_str_is_ascii(tx->sender);

	for (size_t i = 0; ascii && i < tx->rcpt_count; i++) {
		ascii = sp_str_is_ascii(tx->rcpts[i].address);
	}
	return !ascii;
}

static void take_as_given(struct sp_smtp_client *c)
{
	c->sender = c->tx.sender;
	for (size_t i = 0; i < c->tx.rcpt_count; i++) {
		c->paths[i] = c->tx.rcpts[i].address;
	}
}

static void take_ascii(struct sp_smtp_client *c)
{
	bool any = false;

	if (sp_address_to_ascii(c->tx.sender, &c->arena, &c->sender)) {
		c->result.need = SP_SMTP_NEED_SMTPUTF8;
	}
	for (size_t i = 0; i < c->tx.rcpt_count; i++) {
		if (sp_address_to_ascii(c->tx.rcpts[i].address, &c->arena,
		                        &c->paths[i])) {
			c->result.rcpts[i].need = SP_SMTP_NEED_SMTPUTF8;
		} else {
			any = true;
		}
	}
	if (!any) {
		c->result.need = SP_SMTP_NEED_SMTPUTF8;
	}
}

void sp__smtp_address(struct sp_smtp_client *c)
{
	bool beyond = is_beyond_ascii(&c->tx);
	bool offered = (c->caps.set & SP_SMTP_CAP_SMTPUTF8) != 0;

	c->utf8 = offered && (c->tx.smtputf8 || beyond);
	c->paths =
		sp_arena_array(&c->arena, c->tx.rcpt_count, sizeof(*c->paths));
	if (beyond && !offered && c->result.need == SP_SMTP_NEED_NONE) {
		take_ascii(c);
	} else {
		take_as_given(c);
	}
}
