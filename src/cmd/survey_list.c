/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line that is longer than any domain is not kept: of it the beginning is
 * shown, and what follows is passed over up to its end.
 *
 * The names that were met are an open table of hashes. The lowest bit of an
 * entry is no part of the hash: it stands for "done before".
 */
#include <string.h>

#include "base/buf.h"
#include "base/rand.h"
#include "base/siphash.h"
#include "cmd/survey_list.h"
#include "cmd/text.h"
#include "wire/address.h"

#define LINE_MAX_BYTES 4096 /* a domain in UTF-8 is shorter */
#define SHOWN_BYTES    100  /* of a line that is no domain */

struct sp_survey_list {
	struct sp_buf buf;
	bool begun;     /* a byte order mark may not come any more */
	bool over_long; /* inside a line that was told already */
	bool ended;
	uint64_t at;
};

struct sp_survey_list *sp_survey_list_new(void)
{
	struct sp_survey_list *list = SP_NEW(struct sp_survey_list);

	sp_buf_init(&list->buf, SP_SURVEY_FEED_MAX + LINE_MAX_BYTES);
	return list;
}

void sp_survey_list_free(struct sp_survey_list **list)
{
	struct sp_survey_list *l = *list;

	if (!l) {
		return;
	}
	*list = NULL;
	sp_buf_fini(&l->buf);
	sp_free(l);
}

void sp_survey_list_feed(struct sp_survey_list *l, struct sp_str bytes)
{
	static const char MARK[] = "\xef\xbb\xbf";

	(void)sp_buf_append_str(&l->buf, bytes);
	if (!l->begun && l->at == 0 &&
	    sp_buf_len(&l->buf) >= sizeof(MARK) - 1) {
		l->begun = true;
		if (memcmp(sp_buf_str(&l->buf).ptr, MARK, sizeof(MARK) - 1) ==
		    0) {
			sp_buf_consume(&l->buf, sizeof(MARK) - 1);
		}
	}
}

void sp_survey_list_end(struct sp_survey_list *l)
{
	l->ended = true;
}

uint64_t sp_survey_list_at(const struct sp_survey_list *l)
{
	return l->at;
}

static struct sp_str show(struct sp_str text, struct sp_arena *arena)
{
	struct sp_str shown = sp_str_sub(text, 0, SHOWN_BYTES);
	struct sp_buf safe;

	sp_buf_init(&safe, SHOWN_BYTES * 4);
	sp_text_append(&safe, shown);
	shown = sp_arena_str(arena, sp_buf_str(&safe));
	sp_buf_fini(&safe);
	return shown;
}

static struct sp_survey_line read_domain(struct sp_str text,
                                         struct sp_arena *arena)
{
	struct sp_survey_line line = {0};

	if (text.len > LINE_MAX_BYTES) {
		line.error = "a line of more than 4096 bytes";
	} else if (sp_domain_is_literal(text)) {
		line.error = "an address, expected a domain name";
	} else if (sp_domain_to_ascii(text, arena, &line.domain) ||
	           !line.domain.len) {
		line.error = "not a domain name";
	}
	if (line.error) {
		line.domain = show(text, arena);
	}
	return line;
}

/* The next line without its end; false: it is not all there. An over-long
 * one is cut here, behind LINE_MAX_BYTES. */
static bool take_line(struct sp_survey_list *l, struct sp_str *line_out)
{
	struct sp_str bytes = sp_buf_str(&l->buf);
	size_t end = sp_str_find(bytes, '\n');

	if (end == bytes.len && !(l->ended && bytes.len > 0) &&
	    end <= LINE_MAX_BYTES) {
		return false;
	}
	*line_out = sp_str_sub(bytes, 0, end);
	return true;
}

static bool is_ended(const struct sp_survey_list *l, struct sp_str line)
{
	return line.len < sp_buf_len(&l->buf);
}

bool sp_survey_list_next(struct sp_survey_list *l, struct sp_arena *arena,
                         struct sp_survey_line *line_out)
{
	struct sp_str line;

	while (take_line(l, &line)) {
		bool ended = is_ended(l, line);
		bool told = l->over_long;
		struct sp_str text = line;
		struct sp_str word;

		(void)sp_str_cut(&text, '#', &word);
		if (word.len && word.ptr[word.len - 1] == '\r') {
			word.len--;
		}
		word = sp_str_trim(word);
		if (word.len && !told) {
			*line_out = read_domain(word, arena);
		}
		l->over_long = !ended && !l->ended;
		l->at += line.len + ended;
		sp_buf_consume(&l->buf, line.len + ended);
		if (word.len && !told) {
			return true;
		}
	}
	return false;
}

/* --- names that were met --- */

#define FIRST_SLOTS 1024

struct sp_survey_seen {
	uint64_t key[2];
	uint64_t *slots; /* owned; 0: free */
	size_t slot_count;
	size_t count;
};

struct sp_survey_seen *sp_survey_seen_new(void)
{
	struct sp_survey_seen *seen = SP_NEW(struct sp_survey_seen);

	sp_rand_bytes(seen->key, sizeof(seen->key));
	seen->slot_count = FIRST_SLOTS;
	seen->slots = sp_calloc(seen->slot_count, sizeof(*seen->slots));
	return seen;
}

void sp_survey_seen_free(struct sp_survey_seen **seen)
{
	struct sp_survey_seen *s = *seen;

	if (!s) {
		return;
	}
	*seen = NULL;
	sp_free(s->slots);
	sp_free(s);
}

/* Its slot, or the free one where it belongs. */
static uint64_t *find_slot(struct sp_survey_seen *s, uint64_t hash)
{
	size_t i = (size_t)(hash >> 1) & (s->slot_count - 1);

	while (s->slots[i] && (s->slots[i] | 1) != (hash | 1)) {
		i = (i + 1) & (s->slot_count - 1);
	}
	return &s->slots[i];
}

static void grow(struct sp_survey_seen *s)
{
	uint64_t *old = s->slots;
	size_t old_count = s->slot_count;

	s->slot_count *= 2;
	s->slots = sp_calloc(s->slot_count, sizeof(*s->slots));
	for (size_t i = 0; i < old_count; i++) {
		if (old[i]) {
			*find_slot(s, old[i]) = old[i];
		}
	}
	sp_free(old);
}

static uint64_t *slot_of(struct sp_survey_seen *s, struct sp_str name,
                         uint64_t *hash_out)
{
	uint64_t hash = sp_siphash(s->key, name) & ~(uint64_t)1;

	*hash_out = hash ? hash : 2;
	if (s->count >= s->slot_count - s->slot_count / 4) {
		grow(s);
	}
	return find_slot(s, *hash_out);
}

void sp_survey_seen_before(struct sp_survey_seen *s, struct sp_str name)
{
	uint64_t hash;
	uint64_t *slot = slot_of(s, name, &hash);

	s->count += *slot == 0;
	*slot = hash | 1;
}

enum sp_survey_met sp_survey_seen_meet(struct sp_survey_seen *s,
                                       struct sp_str name)
{
	uint64_t hash;
	uint64_t *slot = slot_of(s, name, &hash);
	uint64_t was = *slot;

	s->count += was == 0;
	*slot = hash;
	if (!was) {
		return SP_SURVEY_NEW;
	}
	return was & 1 ? SP_SURVEY_DONE_BEFORE : SP_SURVEY_AGAIN;
}
