/* SPDX-License-Identifier: Apache-2.0 */
/* layer: net */
/*
 * The first byte picks type, state and kind of look, the rest is a packet.
 * The question in the packet is the one that was asked, so that the records
 * behind it are read. What comes out must be fit to be sent to other roles.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "net/resolver_evidence.h"
#include "net/resolver_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sp_str question_of(struct sp_str packet, struct sp_arena *arena)
{
	struct sp_str name = SP_STR("d.test");
	size_t len;

	if (packet.len > 12) {
		(void)sp__dns_name_read(sp_str_sub(packet, 12, packet.len),
		                        arena, &name, &len);
	}
	return name;
}

static void make_answer(struct sp_str name, enum sp_dns_type type,
                        struct sp_str packet, unsigned choice)
{
	const struct sp__dns_limits limits = {
		.records_max = choice & 1 ? 3 : SP_DNS_RECORDS_MAX,
		.aliases_max = choice & 1 ? 2 : SP_DNS_ALIASES_MAX,
	};
	const struct sp__dns_reply reply = {
		.rcode = 0,
		.security = choice & 2 ? SP__DNS_SEC_SECURE : SP__DNS_SEC_NONE,
		.packet = packet,
	};
	struct sp_dns_answer *a =
		sp__dns_answer_make(name, type, &reply, &limits);

	if (sp_dns_answer_check(a)) {
		abort();
	}
	sp_dns_answer_free(&a);
}

/* The same packet to every question: the look has to end all the same. */
static void look(struct sp_str name, enum sp_dns_type type,
                 struct sp_str packet, struct sp_str why)
{
	struct sp__evidence *e = sp__evidence_new(name, type, why);
	const struct sp__finding *finding;
	unsigned asked = 0;

	while (sp__evidence_next(e, &name, &type)) {
		if (++asked > SP__EVIDENCE_QUESTIONS_MAX ||
		    !sp_dns_name_valid(name)) {
			abort();
		}
		sp__evidence_answer(e, packet, INT64_C(1790000000000));
	}
	finding = sp__evidence_finding(e);
	if (finding && !finding->scenario) {
		abort();
	}
	sp__evidence_free(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum sp_dns_type types[] = {
		SP_DNS_TYPE_A,   SP_DNS_TYPE_NS,     SP_DNS_TYPE_CNAME,
		SP_DNS_TYPE_MX,  SP_DNS_TYPE_TXT,    SP_DNS_TYPE_AAAA,
		SP_DNS_TYPE_DS,  SP_DNS_TYPE_DNSKEY, SP_DNS_TYPE_TLSA,
		SP_DNS_TYPE_SOA, SP_DNS_TYPE_DNAME,
	};
	struct sp_str packet;
	struct sp_arena arena;
	struct sp_str name;
	enum sp_dns_type type;

	if (size == 0) {
		return 0;
	}
	sp_arena_init(&arena);
	packet = sp_str_slice(data + 1, size - 1);
	name = question_of(packet, &arena);
	type = types[(data[0] & 15) % 11];
	make_answer(name, type, packet, data[0] >> 4);
	look(name, type, packet, SP_STR(""));
	look(name, type, packet, SP_STR("bad for key d.test. while"));
	(void)sp__finding_of_bogus(packet);
	(void)sp__finding_of_failure(data[0], packet);
	sp_arena_fini(&arena);
	return 0;
}
