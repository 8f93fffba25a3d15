/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One value of the configuration: is it what its row asks for, and into the
 * struct with it. A type is a row of TYPES: what people are told to write,
 * whether it is a list, its checker and its setter.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/err.h"
#include "base/time.h"
#include "conf/conf_schema.h"
#include "wire/address.h"

static int expected(char *why, const char *value, const char *what)
{
	char shown[128];

	snprintf(shown, sizeof(shown), "%s", value);
	snprintf(why, SP_CONF_WHY, "'%s': expected %s", shown, what);
	return SP_ECONFIG;
}

static int check_text(const struct sp_conf_key *key, const char *value,
                      char *why)
{
	(void)key;
	return sp_str_any(sp_str_from(value), sp_ascii_is_control)
	               ? expected(why, "", "text without control bytes")
	               : 0;
}

static int check_host(const struct sp_conf_key *key, const char *value,
                      char *why)
{
	struct sp_arena arena;
	struct sp_str ascii;
	int r;

	(void)key;
	if (!*value) {
		return 0;
	}
	sp_arena_init(&arena);
	r = sp_domain_to_ascii(sp_str_from(value), &arena, &ascii);
	sp_arena_fini(&arena);
	return r ? expected(why, value, "a host name") : 0;
}

static int check_mailbox(const struct sp_conf_key *key, const char *value,
                         char *why)
{
	struct sp_address address;

	(void)key;
	if (!*value) {
		return 0;
	}
	return sp_address_parse(sp_str_from(value), &address)
	               ? expected(why, value, "a mail address")
	               : 0;
}

static int check_word(const struct sp_conf_key *key, const char *value,
                      char *why)
{
	struct sp_str words = sp_str_from(key->words);
	struct sp_str word;
	char text[160];

	while (sp_str_cut(&words, ' ', &word)) {
		if (sp_str_eq(word, sp_str_from(value))) {
			return 0;
		}
	}
	snprintf(text, sizeof(text), "one of: %s", key->words);
	return expected(why, value, text);
}

static int read_bool(const char *value, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} WORDS[] = {{"true", true},   {"yes", true}, {"on", true},
	             {"false", false}, {"no", false}, {"off", false}};

	for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
		if (strcmp(WORDS[i].word, value) == 0) {
			*out = WORDS[i].value;
			return 0;
		}
	}
	return SP_ESYNTAX;
}

static int check_bool(const struct sp_conf_key *key, const char *value,
                      char *why)
{
	bool b;

	(void)key;
	return read_bool(value, &b) ? expected(why, value, "true or false") : 0;
}

static int in_range(const struct sp_conf_key *key, int64_t number)
{
	return number < key->min || number > key->max ? SP_ELIMIT : 0;
}

static int read_number(const char *value, int64_t *out)
{
	uint64_t number;
	int r = sp_str_u64(sp_str_from(value), INT64_MAX, &number);

	*out = r ? 0 : (int64_t)number;
	return r;
}

static int read_size(const char *value, int64_t *out)
{
	uint64_t number;
	int r = sp_size_parse(sp_str_from(value), &number);

	*out = r ? 0 : (int64_t)number;
	return r;
}

static int read_time(const char *value, int64_t *out)
{
	return sp_duration_parse(sp_str_from(value), out);
}

static int check_number(const struct sp_conf_key *key, const char *value,
                        char *why)
{
	int64_t n;
	char text[96];

	if (!read_number(value, &n) && !in_range(key, n)) {
		return 0;
	}
	snprintf(text, sizeof(text), "a number from %lld to %lld",
	         (long long)key->min, (long long)key->max);
	return expected(why, value, text);
}

static int check_size(const struct sp_conf_key *key, const char *value,
                      char *why)
{
	int64_t n;
	char text[96];

	if (!read_size(value, &n) && !in_range(key, n)) {
		return 0;
	}
	snprintf(text, sizeof(text),
	         "a size such as 10MiB, from %lld to %lld bytes",
	         (long long)key->min, (long long)key->max);
	return expected(why, value, text);
}

static int check_time(const struct sp_conf_key *key, const char *value,
                      char *why)
{
	int64_t n;
	char low[SP_TIME_TEXT];
	char high[SP_TIME_TEXT];
	char text[160];

	if (!read_time(value, &n) && !in_range(key, n)) {
		return 0;
	}
	sp_duration_format(key->min, low);
	sp_duration_format(key->max, high);
	snprintf(text, sizeof(text), "a time such as 15m, from %s to %s", low,
	         high);
	return expected(why, value, text);
}

static bool is_ip(const char *text)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, text, bytes) == 1 ||
	       inet_pton(AF_INET6, text, bytes) == 1;
}

static int check_address(const struct sp_conf_key *key, const char *value,
                         char *why)
{
	static const char WHAT[] = "address:port, such as 127.0.0.1:587";
	struct sp_str text = sp_str_from(value);
	struct sp_str host;
	char copy[64];
	uint64_t port;
	const char *colon = strrchr(value, ':');

	(void)key;
	if (!colon || sp_str_u64(sp_str_from(colon + 1), 65535, &port) ||
	    !port) {
		return expected(why, value, WHAT);
	}
	host = sp_str_sub(text, 0, (size_t)(colon - value));
	if (host.len > 2 && host.ptr[0] == '[' &&
	    host.ptr[host.len - 1] == ']') {
		host = sp_str_sub(host, 1, host.len - 2);
	}
	if (host.len >= sizeof(copy)) {
		return expected(why, value, WHAT);
	}
	snprintf(copy, sizeof(copy), SP_STR_FMT, SP_STR_ARG(host));
	return is_ip(copy) ? 0 : expected(why, value, WHAT);
}

static int check_network(const struct sp_conf_key *key, const char *value,
                         char *why)
{
	static const char WHAT[] = "a network, such as 192.0.2.0/24";
	char copy[64];
	uint64_t bits = 0;
	const char *slash = strchr(value, '/');
	size_t len = slash ? (size_t)(slash - value) : strlen(value);

	(void)key;
	if (len >= sizeof(copy)) {
		return expected(why, value, WHAT);
	}
	snprintf(copy, sizeof(copy), "%.*s", (int)len, value);
	if (slash && sp_str_u64(sp_str_from(slash + 1),
	                        strchr(copy, ':') ? 128 : 32, &bits)) {
		return expected(why, value, WHAT);
	}
	return is_ip(copy) ? 0 : expected(why, value, WHAT);
}

/* "[host]:port", "[host]", "domain:port", "domain". */
static int check_next_hop(const struct sp_conf_key *key, const char *value,
                          char *why)
{
	static const char WHAT[] = "[host], [host]:port, domain or domain:port";
	struct sp_str text = sp_str_from(value);
	bool fixed = *value == '[';
	size_t end = sp_str_find(text, fixed ? ']' : ':');
	struct sp_str host = sp_str_sub(text, fixed, end - fixed);
	struct sp_str rest = sp_str_sub(text, end + fixed, text.len);
	char name[SP_ADDRESS_DOMAIN_MAX + 1];
	uint64_t port = 1;

	if (!*value) {
		return 0;
	}
	if ((fixed && end == text.len) || host.len == 0 ||
	    host.len >= sizeof(name)) {
		return expected(why, value, WHAT);
	}
	if (rest.len > 0 &&
	    (rest.ptr[0] != ':' ||
	     sp_str_u64(sp_str_sub(rest, 1, rest.len), 65535, &port) ||
	     !port)) {
		return expected(why, value, WHAT);
	}
	snprintf(name, sizeof(name), SP_STR_FMT, SP_STR_ARG(host));
	if (fixed && sp_domain_is_literal(host)) {
		return 0;
	}
	return sp_domain_is_literal(host) || check_host(key, name, why)
	               ? expected(why, value, WHAT)
	               : 0;
}

#define FIELD(type) (*(type *)at)

static void set_text(const char *value, struct sp_arena *arena, void *at)
{
	FIELD(const char *) = sp_arena_cstr(arena, sp_str_from(value));
}

static void set_bool(const char *value, struct sp_arena *arena, void *at)
{
	(void)arena;
	(void)read_bool(value, &FIELD(bool)); /* was checked */
}

static void set_number(const char *value, struct sp_arena *arena, void *at)
{
	(void)arena;
	(void)read_number(value, &FIELD(int64_t)); /* was checked */
}

static void set_time(const char *value, struct sp_arena *arena, void *at)
{
	(void)arena;
	(void)read_time(value, &FIELD(int64_t)); /* was checked */
}

static void set_size(const char *value, struct sp_arena *arena, void *at)
{
	(void)arena;
	(void)read_size(value, &FIELD(int64_t)); /* was checked */
}

static const struct type_row {
	const char *text; /* what the manual calls it */
	bool list;
	bool file;
	int (*check)(const struct sp_conf_key *key, const char *value,
	             char *why);
	void (*set)(const char *value, struct sp_arena *arena, void *at);
} TYPES[] = {
	[SP_CONF_TEXT] = {"text", false, false, check_text, set_text},
	[SP_CONF_HOST] = {"host name", false, false, check_host, set_text},
	[SP_CONF_MAILBOX] = {"address", false, false, check_mailbox, set_text},
	[SP_CONF_FILE] = {"file", false, true, check_text, set_text},
	[SP_CONF_WORD] = {"word", false, false, check_word, set_text},
	[SP_CONF_BOOL] = {"true or false", false, false, check_bool, set_bool},
	[SP_CONF_NUMBER] = {"number", false, false, check_number, set_number},
	[SP_CONF_TIME] = {"time", false, false, check_time, set_time},
	[SP_CONF_SIZE] = {"size", false, false, check_size, set_size},
	[SP_CONF_STEPS] = {"list of times", true, false, check_time, NULL},
	[SP_CONF_TEXTS] = {"list", true, false, check_text, NULL},
	[SP_CONF_FILES] = {"list of files", true, true, check_text, NULL},
	[SP_CONF_ADDRESSES] = {"list of address:port", true, false,
                               check_address, NULL},
	[SP_CONF_NETWORKS] = {"list of networks", true, false, check_network,
                              NULL},
	[SP_CONF_NEXT_HOP] = {"next hop", false, false, check_next_hop,
                              set_text},
};

bool sp_conf_is_list(enum sp_conf_type type)
{
	return TYPES[type].list;
}

const char *sp_conf_type_text(enum sp_conf_type type)
{
	return TYPES[type].text;
}

int sp_conf_check(const struct sp_conf_key *key, const char *value,
                  bool look_at_files, char *why)
{
	const struct type_row *row = &TYPES[key->type];
	int r = row->check(key, value, why);

	if (!r && row->file && look_at_files && *value &&
	    access(value, R_OK) != 0) {
		return expected(why, value, "a file that can be read");
	}
	return r;
}

static void store_strings(const char *const *values, size_t count,
                          struct sp_arena *arena, struct sp_conf_strings *out)
{
	out->items = sp_arena_array(arena, count + 1, sizeof(*out->items));
	out->count = 0;
	for (size_t i = 0; i < count; i++) {
		if (*values[i]) { /* x = "" is the empty list */
			out->items[out->count++] =
				sp_arena_cstr(arena, sp_str_from(values[i]));
		}
	}
}

static void store_steps(const char *const *values, size_t count,
                        struct sp_conf_steps *out)
{
	out->count = 0;
	for (size_t i = 0; i < count && i < SP_CONF_STEPS_MAX; i++) {
		set_time(values[i], NULL, &out->steps_ms[out->count++]);
	}
}

void sp_conf_store(const struct sp_conf_key *key, const char *const *values,
                   size_t count, struct sp_arena *arena, void *base)
{
	void *at = (char *)base + key->offset;

	if (key->type == SP_CONF_STEPS) {
		store_steps(values, count, at);
	} else if (TYPES[key->type].list) {
		store_strings(values, count, arena, at);
	} else {
		TYPES[key->type].set(values[0], arena, at);
	}
}
