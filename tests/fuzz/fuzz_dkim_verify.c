/* SPDX-License-Identifier: Apache-2.0 */
/* layer: role */
/*
 * A whole message with signatures of anybody's making goes through the
 * library: it ends without a fault, whatever is in it, and nothing passes
 * that has no key.
 */
#include "base/assert.h"
#include "base/err.h"
#include "role/dkim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FIELDS_MAX 64
#define RECORD                                                                 \
	"v=DKIM1; k=ed25519; "                                                 \
	"p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

static void judge(struct sp_dkim_verifier *v, struct sp_str body, bool keys)
{
	for (size_t i = 0; keys && i < sp_dkim_verifier_count(v); i++) {
		SP_ASSERT(*sp_dkim_verifier_owner(v, i));
		sp_dkim_verifier_key(v, i, SP_STR(RECORD));
	}
	sp_dkim_verifier_feed(v, sp_str_sub(body, 0, body.len / 2));
	sp_dkim_verifier_feed(v, sp_str_sub(body, body.len / 2, body.len));
	if (sp_dkim_verifier_finish(v)) {
		return;
	}
	for (size_t i = 0; i < sp_dkim_verifier_count(v); i++) {
		const struct sp_dkim_seen *seen = sp_dkim_verifier_seen(v, i);

		SP_ASSERT(seen->passed || seen->why);
		SP_ASSERT(!seen->passed || keys);
		(void)sp_dkim_verifier_covers(v, i, "from");
	}
}

static void verify(struct sp_dkim_lib *lib, struct sp_str text, bool keys)
{
	struct sp_header_field fields[FIELDS_MAX];
	struct sp_dkim_verifier *v;
	size_t count = 0;
	char why[200];

	while (count < FIELDS_MAX &&
	       sp_header_field_next(&text, true, &fields[count]) ==
	               SP_HEADER_FIELD_FOUND) {
		count++;
	}
	if (sp_dkim_verifier_new(lib, fields, count, &v, why, sizeof(why)) ==
	    0) {
		judge(v, text, keys);
	}
	sp_dkim_verifier_free(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_dkim_lib *lib = sp_dkim_lib_new();

	SP_ASSERT(lib);
	verify(lib, sp_str_slice(data, size), true);
	verify(lib, sp_str_slice(data, size), false);
	sp_dkim_lib_free(&lib);
	return 0;
}
