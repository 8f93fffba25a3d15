/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_FILTER_H
#define SP_CMD_FILTER_H

#include "cmd/cmd.h"
#include "wire/json.h"

/* The filters of `trace` and `queue`: from options to what the server reads
 * (role/filter.h). */

#define SP_FILTER_OPTIONS                                                      \
	{"id", 0, "ID", "queue id"},                                           \
		{"message-id", 0, "ID", "Message-ID of the header"},           \
		{"sender", 0, "ADDRESS", "envelope sender"},                   \
		{"recipient", 0, "ADDRESS", "envelope recipient"},             \
		{"domain", 0, "DOMAIN", "domain of the recipient"},            \
		{"status", 0, "STATUS",                                        \
	         "pending, delivered, failed, expanded; a,b: either"},         \
		{"code", 0, "CODE", "enhanced status code, such as 4.7.323"},  \
		{"scenario", 0, "NAME", "scenario, such as tlsa-mismatch"},    \
		{"from", 0, "TIME",                                            \
	         "received since: RFC 3339, a date, or 2h: so long ago"},      \
		{"to", 0, "TIME", "received before"},                          \
		{"size-min", 0, "SIZE", "at least so large, such as 10MiB"},   \
		{"size-max", 0, "SIZE", "at most so large"},                   \
	{                                                                      \
		"limit", 0, "NUMBER", "at most so many"                        \
	}

/* The options as a JSON object, freed by the caller. 0 or SP_EXIT_USAGE,
 * said. */
int sp_cmd_filter(const struct sp_args *args, struct sp_json **filter_out);

/* What a bare word may mean, as keys of the filter, likeliest first, null at
 * the end: an id, an address, a Message-ID, a domain. */
const char *const *sp_cmd_filter_word(const char *word);

#endif
