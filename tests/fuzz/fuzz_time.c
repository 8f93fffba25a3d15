/* SPDX-License-Identifier: Apache-2.0 */
/* layer: base */
/*
 * Times, durations, sizes and hex, and what the log makes of any bytes. What
 * is read and written again must be what was read.
 */
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/str.h"
#include "base/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_time(struct sp_str s)
{
	char text[SP_TIME_TEXT];
	int64_t ms;
	int64_t again;

	if (sp_time_parse(s, &ms) < 0) {
		return;
	}
	sp_time_rfc5322(ms, text);
	sp_time_rfc3339(ms, text);
	/* An offset may lead into year -1 or 10000, which is not written. */
	if (text[0] != '-' && text[4] == '-') {
		SP_ASSERT(sp_time_parse(sp_str_from(text), &again) == 0);
		SP_ASSERT(again == ms);
	}
}

static void try_duration(struct sp_str s)
{
	char text[SP_TIME_TEXT];
	int64_t ms;
	int64_t again;

	if (sp_duration_parse(s, &ms) < 0) {
		return;
	}
	sp_duration_format(ms, text);
	SP_ASSERT(sp_duration_parse(sp_str_from(text), &again) == 0);
	SP_ASSERT(again == ms);
}

static void try_hex(struct sp_str s)
{
	uint8_t bytes[64];
	char text[2 * sizeof(bytes) + 1];
	size_t len;

	if (sp_str_unhex(s, bytes, sizeof(bytes), &len) < 0) {
		return;
	}
	sp_str_hex(bytes, len, text, sizeof(text));
	SP_ASSERT(sp_str_eq_nocase(s, sp_str_from(text)));
}

static void try_escape(struct sp_str s)
{
	char text[48];

	for (size_t cap = 1; cap <= sizeof(text); cap++) {
		sp_log_escape(s, text, cap);
		SP_ASSERT(strlen(text) < cap);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str s = sp_str_slice(data, size);
	uint64_t bytes;

	try_time(s);
	try_duration(s);
	try_hex(s);
	try_escape(s);
	(void)sp_size_parse(s, &bytes);
	return 0;
}
