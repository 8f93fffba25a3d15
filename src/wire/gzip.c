/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few bytes of gzip can become a thousand times as many. So the most that
 * may come out is known before unpacking begins, and it comes out in pieces:
 * memory grows with what is there, never with what is announced.
 */
#include <stdio.h>
#include <zlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "wire/gzip.h"

#define GZIP_WINDOW (15 + 16) /* 32 KiB, and the frame of RFC 1952 */
#define PIECE       ((size_t)32 * 1024)
#define MEM_LEVEL   8

const struct sp_gzip_limits SP_GZIP_LIMITS_REPORT = {
	.in_max = (size_t)10 * 1024 * 1024,
	.out_max = (size_t)16 * 1024 * 1024,
	.ratio_max = 100,
};

static void *take(void *arg, uInt count, uInt size)
{
	(void)arg;
	return sp_calloc(count, size);
}

static void give(void *arg, void *block)
{
	(void)arg;
	sp_free(block);
}

bool sp_gzip_is(struct sp_str bytes)
{
	return bytes.len >= 2 && bytes.ptr[0] == '\x1f' &&
	       bytes.ptr[1] == '\x8b';
}

static int refuse(char *why_out, int err, const char *why)
{
	if (why_out) {
		(void)snprintf(why_out, SP_GZIP_WHY_MAX, "%s", why);
	}
	return err;
}

/* ---- unpacking ---- */

struct unpacking {
	z_stream z;
	struct sp_buf *out;
	size_t room; /* bytes that may still come out */
	char *why;
};

/* One piece of output; more is there until zlib says its stream's end. */
static int step(struct unpacking *u, bool *ended_out)
{
	size_t before = u->room < PIECE ? u->room : PIECE;
	char *at = before ? sp_buf_reserve(u->out, before) : NULL;
	char spare[1]; /* full, but perhaps only the frame's end is to come */
	int r;

	u->z.next_out = (Bytef *)(at ? at : spare);
	u->z.avail_out = at ? (uInt)before : sizeof(spare);
	before = u->z.avail_out;
	r = inflate(&u->z, Z_NO_FLUSH);
	before -= u->z.avail_out;
	if (before && !at) {
		return refuse(u->why, SP_ELIMIT, "unpacks to too much");
	}
	if (at) {
		sp_buf_commit(u->out, before);
		u->room -= before;
	}
	*ended_out = r == Z_STREAM_END;
	if (r == Z_OK || r == Z_STREAM_END) {
		return 0;
	}
	return refuse(u->why, SP_ESYNTAX,
	              r == Z_BUF_ERROR ? "gzip data is cut off"
	                               : "gzip data is damaged");
}

static int unpack_member(struct unpacking *u)
{
	bool ended = false;
	int err = 0;

	while (!err && !ended) {
		err = step(u, &ended);
	}
	return err;
}

static int unpack_all(struct unpacking *u)
{
	int err = unpack_member(u);

	while (!err && sp_gzip_is(sp_str_slice(u->z.next_in, u->z.avail_in))) {
		int r = inflateReset(&u->z);

		SP_ASSERT(r == Z_OK);
		err = unpack_member(u);
	}
	return err;
}

int sp_gzip_unpack(struct sp_str bytes, const struct sp_gzip_limits *limits,
                   struct sp_buf *out, size_t *surplus_out, char *why_out)
{
	struct unpacking u = {.out = out, .why = why_out};
	size_t before = sp_buf_len(out);
	int err;

	if (surplus_out) {
		*surplus_out = 0;
	}
	if (bytes.len > limits->in_max || bytes.len > UINT32_MAX) {
		return refuse(why_out, SP_ELIMIT, "too long");
	}
	if (!sp_gzip_is(bytes)) {
		return refuse(why_out, SP_ESYNTAX, "not gzip");
	}
	u.room = limits->out_max;
	if (bytes.len < u.room / limits->ratio_max) {
		u.room = bytes.len * limits->ratio_max;
	}
	if (sp_buf_room(out) < u.room) {
		u.room = sp_buf_room(out);
	}
	u.z = (z_stream){
		.zalloc = take,
		.zfree = give,
		.next_in = (z_const Bytef *)(uintptr_t)bytes.ptr,
		.avail_in = (uInt)bytes.len,
	};
	err = inflateInit2(&u.z, GZIP_WINDOW);
	SP_ASSERT(err == Z_OK);
	err = unpack_all(&u);
	if (surplus_out && !err) {
		*surplus_out = u.z.avail_in;
	}
	(void)inflateEnd(&u.z);
	if (err) {
		sp_buf_truncate(out, sp_buf_len(out) - before);
	}
	return err;
}

/* ---- packing ---- */

static int pack_pieces(z_stream *z, struct sp_buf *out)
{
	int r = Z_OK;

	while (r == Z_OK) {
		size_t size =
			sp_buf_room(out) < PIECE ? sp_buf_room(out) : PIECE;
		char *at = size ? sp_buf_reserve(out, size) : NULL;

		if (!at) {
			return SP_ELIMIT;
		}
		z->next_out = (Bytef *)at;
		z->avail_out = (uInt)size;
		r = deflate(z, Z_FINISH);
		sp_buf_commit(out, size - z->avail_out);
	}
	SP_ASSERT(r == Z_STREAM_END || r == Z_BUF_ERROR);
	return r == Z_STREAM_END ? 0 : SP_ELIMIT;
}

int sp_gzip_pack(struct sp_str bytes, struct sp_buf *out)
{
	z_stream z = {
		.zalloc = take,
		.zfree = give,
		.next_in = (z_const Bytef *)(uintptr_t)bytes.ptr,
	};
	size_t before = sp_buf_len(out);
	int err;

	if (bytes.len > UINT32_MAX) {
		return SP_ELIMIT;
	}
	z.avail_in = (uInt)bytes.len;
	err = deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW,
	                   MEM_LEVEL, Z_DEFAULT_STRATEGY);
	SP_ASSERT(err == Z_OK);
	err = pack_pieces(&z, out);
	(void)deflateEnd(&z);
	if (err) {
		sp_buf_truncate(out, sp_buf_len(out) - before);
	}
	return err;
}
