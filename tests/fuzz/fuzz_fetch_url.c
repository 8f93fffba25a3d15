/* SPDX-License-Identifier: Apache-2.0 */
/* layer: net */
/* A URL that a stranger has written: whatever is taken is https, to a name of
 * at least two labels, and means the same when it is read again. */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "net/fetch.h"
#include "wire/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct sp_fetch_url *url, struct sp_arena *arena)
{
	char why[SP_FETCH_WHY_MAX];
	struct sp_fetch_url again;
	struct sp_addr addr;

	SP_ASSERT(strncmp(url->text, "https://", 8) == 0);
	SP_ASSERT(url->port > 0);
	SP_ASSERT(sp_dns_name_valid(url->host));
	SP_ASSERT(url->host.len <= SP_FETCH_HOST_MAX);
	SP_ASSERT(sp_str_find(url->host, '.') < url->host.len);
	SP_ASSERT(sp_addr_parse(url->host, 0, &addr) != 0);
	if (strlen(url->text) <= SP_FETCH_URL_MAX) {
		SP_ASSERT(sp_fetch_url_parse(sp_str_from(url->text), arena,
		                             &again, why) == 0);
		SP_ASSERT(sp_str_eq(url->host, again.host));
		SP_ASSERT(url->port == again.port);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[SP_FETCH_WHY_MAX] = "";
	struct sp_fetch_url url = {0};
	struct sp_arena arena;

	sp_arena_init(&arena);
	if (sp_fetch_url_parse(sp_str_slice(data, size), &arena, &url, why) ==
	    0) {
		check(&url, &arena);
	} else {
		SP_ASSERT(*why != '\0');
	}
	sp_arena_fini(&arena);
	return 0;
}
