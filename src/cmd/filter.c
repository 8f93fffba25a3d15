/* SPDX-License-Identifier: Apache-2.0 */
/* One row per option; the values are checked here, so that a slip is a usage
 * error and not the server's. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/time.h"
#include "cmd/filter.h"
#include "role/filter.h"

static int add_text(struct sp_json *filter, const char *key, struct sp_str text)
{
	sp_json_set_str(filter, key, text);
	return text.len ? 0 : SP_ESYNTAX;
}

/* "pending" or "pending,failed". */
static int add_list(struct sp_json *filter, const char *key, struct sp_str text)
{
	struct sp_json *list = sp_json_array();
	struct sp_str one;

	while (sp_str_cut(&text, ',', &one)) {
		sp_json_add_str(list, sp_str_trim(one));
	}
	sp_json_set(filter, key, list);
	return sp_json_len(list) ? 0 : SP_ESYNTAX;
}

/* RFC 3339, a bare date, or a duration back from now. */
static int add_time(struct sp_json *filter, const char *key, struct sp_str text)
{
	char day[SP_TIME_TEXT];
	int64_t time_ms;

	snprintf(day, sizeof(day), "%.*sT00:00:00Z",
	         (int)(text.len < 11 ? text.len : 11), text.ptr);
	if (sp_time_parse(text, &time_ms) &&
	    sp_time_parse(sp_str_from(day), &time_ms)) {
		if (sp_duration_parse(text, &time_ms)) {
			return SP_ESYNTAX;
		}
		time_ms = sp_time_wall_ms() - time_ms;
	}
	sp_json_set_time(filter, key, time_ms);
	return 0;
}

static int add_size(struct sp_json *filter, const char *key, struct sp_str text)
{
	uint64_t size_bytes;
	int err = sp_size_parse(text, &size_bytes);

	if (!err) {
		sp_json_set_int(filter, key, (int64_t)size_bytes);
	}
	return err;
}

static int add_count(struct sp_json *filter, const char *key,
                     struct sp_str text)
{
	uint64_t count;
	int err = sp_str_u64(text, 1000000, &count);

	if (!err) {
		sp_json_set_int(filter, key, (int64_t)count);
	}
	return err || count == 0 ? SP_ESYNTAX : 0;
}

static const struct {
	const char *option;
	const char *key;
	int (*add)(struct sp_json *filter, const char *key, struct sp_str text);
	const char *expected;
} ROWS[] = {
	{"id", "id", add_text, "a queue id"},
	{"message-id", "message_id", add_text, "a Message-ID"},
	{"sender", "sender", add_text, "an address"},
	{"recipient", "recipient", add_text, "an address"},
	{"domain", "domain", add_text, "a domain"},
	{"status", "status", add_list, "pending, delivered, failed, expanded"},
	{"code", "code", add_text, "a code such as 4.7.323"},
	{"scenario", "scenario", add_text, "a name such as tlsa-mismatch"},
	{"from", "from", add_time, "a time such as 2026-11-23T10:00:00Z or 2h"},
	{"to", "to", add_time, "a time such as 2026-11-23T10:00:00Z or 2h"},
	{"size-min", "size_min", add_size, "a size such as 10MiB"},
	{"size-max", "size_max", add_size, "a size such as 10MiB"},
	{"limit", "limit", add_count, "a number from 1 to 1000000"},
};

int sp_cmd_filter(const struct sp_args *args, struct sp_json **filter_out)
{
	struct sp_json *filter = sp_json_object();
	struct sp_store_filter ignored;
	char why[256];
	int status = 0;

	for (size_t i = 0; !status && i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		const char *value = sp_args_get(args, ROWS[i].option);

		if (value &&
		    ROWS[i].add(filter, ROWS[i].key, sp_str_from(value))) {
			status = sp_cmd_fail(
				SP_EXIT_USAGE, "--%s: %s: expected %s",
				ROWS[i].option, value, ROWS[i].expected);
		}
	}
	if (!status && sp_filter_read(filter, &ignored, why, sizeof(why))) {
		status = sp_cmd_fail(SP_EXIT_USAGE, "%s", why);
	}
	if (status) {
		sp_json_free(&filter);
	}
	*filter_out = filter;
	return status;
}

const char *const *sp_cmd_filter_word(const char *word)
{
	static const char *const MESSAGE_ID[] = {"message_id", NULL};
	static const char *const ADDRESS[] = {"recipient", "sender", NULL};
	static const char *const DOMAIN[] = {"domain", NULL};
	static const char *const ID[] = {"id", NULL};

	if (word[0] == '<') {
		return MESSAGE_ID;
	}
	if (strchr(word, '@')) {
		return ADDRESS;
	}
	return strchr(word, '.') ? DOMAIN : ID;
}
