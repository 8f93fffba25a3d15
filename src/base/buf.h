/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_BASE_BUF_H
#define SP_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/*
 * Growing bytes with a mandatory maximum. Appending beyond the maximum
 * changes nothing, returns SP_ELIMIT and marks the buffer: later appends
 * fail too, so that a builder may check once at the end (sp_buf_error).
 * Consuming from the front is cheap.
 */
struct sp_buf {
	char *data; /* owned; the live bytes begin at data + start */
	size_t start;
	size_t end;
	size_t cap;
	size_t max; /* live bytes never exceed this */
	bool failed;
};

void sp_buf_init(struct sp_buf *b, size_t max);
void sp_buf_fini(struct sp_buf *b);
void sp_buf_reset(struct sp_buf *b); /* empty, error cleared, memory kept */
/* What is idle is small: an empty buffer frees its memory where it is more
 * than keep bytes. One with bytes or an error stays as it is. */
void sp_buf_give_back(struct sp_buf *b, size_t keep);

int sp_buf_append(struct sp_buf *b, const void *data, size_t len);
int sp_buf_append_str(struct sp_buf *b, struct sp_str s);
int sp_buf_append_cstr(struct sp_buf *b, const char *s);
int sp_buf_append_char(struct sp_buf *b, char c);
int sp_buf_printf(struct sp_buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Room for at least len bytes more, to be filled by the caller (recv, read)
 * and then counted with sp_buf_commit. Null when that exceeds the maximum. */
char *sp_buf_reserve(struct sp_buf *b, size_t len);
void sp_buf_commit(struct sp_buf *b, size_t len);

void sp_buf_consume(struct sp_buf *b, size_t len);  /* drop from the front */
void sp_buf_truncate(struct sp_buf *b, size_t len); /* drop from the end */

struct sp_str sp_buf_str(const struct sp_buf *b); /* the live bytes, borrowed */
size_t sp_buf_len(const struct sp_buf *b);
size_t sp_buf_room(const struct sp_buf *b); /* bytes left below the maximum */
int sp_buf_error(const struct sp_buf *b);   /* 0 or SP_ELIMIT */
/* NUL-terminated copy of the content, owned by the caller; resets b. */
char *sp_buf_take(struct sp_buf *b);

#endif
