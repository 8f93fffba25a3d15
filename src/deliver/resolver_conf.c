/* SPDX-License-Identifier: Apache-2.0 */
/* From configuration words to the resolver's slices. */
#include "base/mem.h"
#include "deliver/resolver_conf.h"

static struct sp_str *slices(const struct sp_conf_strings *list,
                             struct sp_arena *arena)
{
	struct sp_str *out = sp_arena_array(arena, list->count, sizeof(*out));

	for (size_t i = 0; i < list->count; i++) {
		out[i] = sp_str_from(list->items[i]);
	}
	return out;
}

int sp_resolver_from_conf(struct sp_loop *loop, const struct sp_conf *conf,
                          struct sp_resolver **resolver_out, char *why_out,
                          size_t why_cap)
{
	struct sp_arena arena = {0};
	struct sp_resolver_stub *stubs = sp_arena_array(
		&arena, conf->resolver.stub_count, sizeof(*stubs));
	const struct sp_resolver_conf rc = {
		.trust_anchor = conf->resolver.trust_anchor,
		.root_hints = conf->resolver.root_hints,
		.forward = slices(&conf->resolver.forward, &arena),
		.forward_count = conf->resolver.forward.count,
		.stubs = stubs,
		.stub_count = conf->resolver.stub_count,
		.self_test_bad = sp_str_from(conf->resolver.self_test_bad),
		.deadline_ms = conf->resolver.timeout_ms,
		/* an attempt asks for MX and an MTA-STS record at once */
		.questions = 2 * (size_t)conf->smtp.max_connections,
		.records_max = SP_DNS_RECORDS_MAX,
		.aliases_max = (size_t)conf->resolver.aliases_max,
	};
	int r;

	for (size_t i = 0; i < rc.stub_count; i++) {
		const struct sp_conf_stub *stub = &conf->resolver.stub[i];

		stubs[i] = (struct sp_resolver_stub){
			.zone = sp_str_from(stub->name),
			.addresses = slices(&stub->address, &arena),
			.address_count = stub->address.count,
		};
	}
	r = sp_resolver_new(loop, &rc, resolver_out, why_out, why_cap);
	sp_arena_fini(&arena);
	return r;
}
