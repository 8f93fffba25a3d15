/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CONF_SCHEMA_H
#define SP_CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"

/*
 * Private to conf/: one row per key. A section is a list of rows and knows
 * where its struct lies; titled sections (listen, stub, dkim, route) are
 * arrays in their parent.
 */

enum sp_conf_type {
	SP_CONF_TEXT,
	SP_CONF_HOST,    /* a domain name */
	SP_CONF_MAILBOX, /* an address, or "" */
	SP_CONF_FILE,    /* must be readable, or "" */
	SP_CONF_WORD,    /* one of words, separated by blanks */
	SP_CONF_BOOL,
	SP_CONF_NUMBER,    /* min to max */
	SP_CONF_TIME,      /* milliseconds, min to max */
	SP_CONF_SIZE,      /* bytes, min to max */
	SP_CONF_STEPS,     /* list of times */
	SP_CONF_TEXTS,     /* list */
	SP_CONF_FILES,     /* list, each readable */
	SP_CONF_ADDRESSES, /* list of address:port */
	SP_CONF_NETWORKS,  /* list of address/bits */
	SP_CONF_NEXT_HOP,  /* [host]:port, [host], domain:port, domain, "" */
};

struct sp_conf_key {
	const char *name;
	enum sp_conf_type type;
	size_t offset; /* in the section's struct */
	int64_t min;
	int64_t max;
	const char *words;    /* for SP_CONF_WORD */
	const char *fallback; /* default, as it would be written in the file
	                       * without quotes; lists separated by blanks */
	const char *doc;      /* one or two sentences, for the manual */
};

struct sp_conf_section {
	const char *name; /* "" for the top level */
	bool titled;
	size_t offset;       /* of the struct, or of the array pointer */
	size_t count_offset; /* titled: of the count */
	size_t size;         /* titled: of one element */
	const struct sp_conf_key *keys; /* up to name == NULL */
	const char *doc;
};

/* The top level first; "resolver.stub" is the section inside resolver. */
extern const struct sp_conf_section SP_CONF_SECTIONS[];
extern const size_t SP_CONF_SECTION_COUNT;

const struct sp_conf_section *sp_conf_section_find(const char *name);
const struct sp_conf_key *sp_conf_key_find(const struct sp_conf_section *sec,
                                           const char *name);

/* Check one value (of a list: one item). 0, or SP_ECONFIG with "expected
 * ..." in why (SP_CONF_WHY bytes). */
int sp_conf_check(const struct sp_conf_key *key, const char *value,
                  bool look_at_files, char *why);
bool sp_conf_is_list(enum sp_conf_type type);
const char *sp_conf_type_text(enum sp_conf_type type);

/* Store checked values into the struct at base. */
void sp_conf_store(const struct sp_conf_key *key, const char *const *values,
                   size_t count, struct sp_arena *arena, void *base);

#endif
