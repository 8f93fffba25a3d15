/* SPDX-License-Identifier: Apache-2.0 */
/* layer: net */
/*
 * Address and network text of any bytes: what is read is written and read
 * back as the same value, and a network holds its own address.
 */
#include <string.h>

#include "base/assert.h"
#include "net/socket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_addr(const struct sp_addr *addr)
{
	char text[SP_ADDR_TEXT];
	struct sp_addr again;

	sp_addr_text_port(addr, text);
	SP_ASSERT(sp_addr_parse(sp_str_from(text), 0, &again) == 0);
	SP_ASSERT(again.family == addr->family && again.port == addr->port);
	SP_ASSERT(again.scope == addr->scope);
	SP_ASSERT(memcmp(again.bytes, addr->bytes, 16) == 0);
	sp_addr_text(addr, text);
	SP_ASSERT(sp_addr_parse(sp_str_from(text), addr->port, &again) == 0);
	SP_ASSERT(memcmp(again.bytes, addr->bytes, 16) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str text = sp_str_slice(data, size);
	struct sp_addr addr;
	struct sp_cidr cidr;

	if (sp_addr_parse(text, 25, &addr) == 0)
		check_addr(&addr);
	if (sp_cidr_parse(text, &cidr) == 0) {
		static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

		SP_ASSERT(cidr.bits <= (cidr.addr.family == 4 ? 32u : 128u));
		/* ::ffff:0:0/96 and wider hold IPv4 only as far as they are
		 * written so. */
		if (cidr.addr.family == 4 || cidr.bits >= 96 ||
		    memcmp(cidr.addr.bytes, mapped, 12) != 0)
			SP_ASSERT(sp_cidr_contains(&cidr, &cidr.addr));
	}
	return 0;
}
