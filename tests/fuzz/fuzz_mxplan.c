/* layer: policy */
/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan against a resolver that says whatever the input says: any state
 * with any data, also answers that contradict themselves. Whatever comes,
 * the plan ends, and the invariants of mail-flow section 3 hold.
 *
 * Input: one byte of settings, one of limits, then the answers' bytes; when
 * they run out every further answer is "failed". An answer is a function of
 * its question: the second run of the same world, with DANE off, must meet
 * the same MX hosts.
 */
#include <stdint.h>

#include "unit/policy/plan_world.h"

struct input {
	const uint8_t *data;
	size_t size;
	size_t at; /* of the answer being made */
};

static uint8_t take(struct input *in)
{
	return in->at < in->size ? in->data[in->at++] : 0xff;
}

/* Names are few, so that they meet each other; some are traps. */
static const char *const names[] = {
	"mx1.d.test", "mx2.d.test", "real.d.test", "d.test",
	"192.0.2.7",  ".",          "mx3.u.test",  "self.d.test",
};

static struct sp_str pick_name(struct input *in)
{
	return sp_str_from(names[take(in) % 8]);
}

static void make_tlsa(struct input *in, struct sp_arena *arena,
                      struct sp_dns_record *r)
{
	uint8_t shape = take(in), len_choice = take(in);
	static const size_t lens[] = {32, 64, 0, 20};
	size_t len = lens[len_choice % 4];
	char *data = sp_arena_alloc(arena, len + 1);

	memset(data, 'a' + (len_choice >> 6), len);
	r->tlsa.usage = shape & 3;
	r->tlsa.selector = (uint8_t)((shape >> 2) % 3);
	r->tlsa.matching = (uint8_t)((shape >> 4) % 4);
	r->tlsa.data = sp_str_slice(data, len);
}

static void make_record(struct input *in, struct sp_dns_answer *a,
                        struct sp_dns_record *r)
{
	if (a->type == SP_DNS_TYPE_MX) {
		r->preference = take(in) % 3;
		r->name = pick_name(in);
	} else if (a->type == SP_DNS_TYPE_TLSA) {
		make_tlsa(in, &a->arena, r);
	} else if (a->type == SP_DNS_TYPE_CNAME ||
	           a->type == SP_DNS_TYPE_DNAME) {
		r->name = pick_name(in);
	} else {
		uint8_t last = take(in);

		memset(r->address, a->type == SP_DNS_TYPE_A ? 10 : 0x20, 15);
		r->address[3] = last;
		r->address[15] = last;
		if (last == 0) {
			memset(r->address, 0, sizeof(r->address));
		}
	}
}

static void make_aliases(struct input *in, struct sp_dns_answer *a, size_t n)
{
	struct sp_str owner = a->name;

	a->aliases = sp_arena_array(&a->arena, n, sizeof(*a->aliases));
	a->alias_count = n;
	for (size_t i = 0; i < n; i++) {
		uint8_t how;

		a->aliases[i].owner = owner;
		a->aliases[i].target = pick_name(in);
		how = take(in);
		a->aliases[i].dnssec = (enum sp_dnssec)(how % 4);
		if ((how & 4) != 0 && sp_str_find(owner, '.') > 0) {
			a->aliases[i].dname = sp_str_sub(
				owner, sp_str_find(owner, '.') + 1, owner.len);
		}
		owner = a->aliases[i].target;
	}
	a->canonical = owner;
}

/* Where in the input the answer to a question stands. */
static size_t place(const struct input *in, struct sp_str name,
                    enum sp_dns_type type)
{
	uint32_t h = 17u * (uint32_t)type;

	for (size_t i = 0; i < name.len; i++) {
		h = h * 31u + (uint8_t)name.ptr[i];
	}
	return in->size > 2 ? 2 + (size_t)(h % 64) * 8 % (in->size - 2) : 2;
}

static struct sp_dns_answer *answer(void *arg, struct sp_str name,
                                    enum sp_dns_type type)
{
	struct input *in = arg;
	struct sp_dns_answer *a = sp_dns_answer_new(name, type);
	uint8_t head, more;

	in->at = place(in, name, type);
	head = take(in);
	more = take(in);
	a->dnssec = (enum sp_dnssec)(head & 3);
	a->result = (enum sp_dns_result)((head >> 2) & 3);
	a->rcode = (head & 0x70) == 0x70 ? more & 15 : 0;
	a->scenario = (head & 0x80) != 0 ? SP_STR("rrsig-expired")
	                                 : SP_STR("dns-servfail");
	a->cut = (more & 0x80) != 0;
	a->ttl_s = more;
	a->record_count = more & 3;
	if (a->record_count > 0) {
		a->records = sp_arena_array(&a->arena, a->record_count,
		                            sizeof(*a->records));
	}
	for (size_t i = 0; i < a->record_count; i++) {
		make_record(in, a, &a->records[i]);
	}
	if ((more >> 2 & 3) > 1) {
		make_aliases(in, a, (more >> 2 & 3) - 1u);
	}
	return a;
}

static bool is_self(void *arg, struct sp_str host)
{
	(void)arg;
	return sp_str_eq(host, SP_STR("self.d.test")) ||
	       sp_str_eq(host, SP_STR("10.10.10.5"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pw_log log;
	struct input in = {data, size, 0};
	uint8_t flags = take(&in), limits = take(&in);
	struct sp_plan_conf conf = {
		.dane = (enum sp_dane_mode)((flags & 3) % 3),
		.insecure_mx = (enum sp_insecure_mx)((flags >> 2 & 3) % 3),
		.port = 25,
		.is_self = (flags & 0x10) != 0 ? is_self : NULL,
		.validator_broken = (flags & 0xe0) == 0xe0,
		.hosts_max = 1u + (limits & 3),
		.addresses_max = 1u + (limits >> 2 & 3),
		.tlsa_max = 1u + (limits >> 4 & 3),
	};
	struct sp_plan *plan, *without;

	if ((flags & 0xe0) == 0xc0) {
		conf.fixed_next_hop = SP_STR("[mx1.d.test]");
	}
	plan = pw_run(&conf, "d.test", limits, answer, &in, &log);
	pw_check_all(&log, &conf, plan);
	if (!conf.validator_broken) {
		conf.dane = SP_DANE_OFF;
		without = pw_run(&conf, "d.test", limits, answer, &in, &log);
		pw_check_order(plan, without);
		sp_plan_free(&without);
	}
	sp_plan_free(&plan);
	return 0;
}
