/* SPDX-License-Identifier: Apache-2.0 */
/* layer: wire */
/*
 * A policy is read as a policy or refused with one line of reason; what is
 * read keeps its limits, and each host that it names is covered by it. The
 * same bytes are read as TXT records, one a line.
 */
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "wire/mta_sts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORDS_MAX 8

static void check_why(const char *why)
{
	SP_ASSERT(why[0]);
	for (; *why; why++) {
		SP_ASSERT(*why >= ' ' && *why <= '~');
	}
}

static void check_mx(const struct sp_sts_policy *p, struct sp_str mx)
{
	char host[300];

	SP_ASSERT(mx.len > 0 && mx.len < 256 && mx.ptr[mx.len - 1] != '.');
	memcpy(host, mx.ptr, mx.len);
	if (host[0] == '*') {
		SP_ASSERT(mx.len > 2 && host[1] == '.');
		host[0] = 'x';
	}
	SP_ASSERT(!memchr(host, '*', mx.len));
	SP_ASSERT(sp_sts_policy_covers(p, sp_str_slice(host, mx.len)));
}

static void check_policy(struct sp_str body)
{
	char why[SP_STS_WHY_MAX] = "";
	struct sp_sts_policy p;
	struct sp_arena arena;

	sp_arena_init(&arena);
	if (sp_sts_policy_parse(body, &arena, &p, why) == 0) {
		SP_ASSERT(p.max_age_s <= SP_STS_MAX_AGE_MAX);
		SP_ASSERT(p.mx_count <= SP_STS_MX_MAX);
		SP_ASSERT(p.mx_count > 0 || p.mode == SP_STS_NONE);
		for (size_t i = 0; i < p.mx_count; i++) {
			check_mx(&p, p.mx[i]);
		}
		(void)sp_sts_policy_covers(&p, body);
	} else {
		check_why(why);
	}
	sp_arena_fini(&arena);
}

static void check_txt(struct sp_str text)
{
	struct sp_str records[RECORDS_MAX];
	char why[SP_STS_WHY_MAX] = "";
	struct sp_str id;
	size_t count = 0;

	while (count < RECORDS_MAX &&
	       sp_str_cut(&text, '\n', &records[count])) {
		count++;
	}
	if (sp_sts_txt_parse(records, count, &id, why) == 0) {
		SP_ASSERT(id.len > 0 && id.len <= SP_STS_ID_MAX);
	} else {
		check_why(why);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_policy(sp_str_slice(data, size));
	check_txt(sp_str_slice(data, size));
	return 0;
}
