/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_GZIP_H
#define SP_WIRE_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * gzip (RFC 1952) over zlib, which only this part names. Pure; any bytes are
 * legal input. What comes out is bounded before the first byte is unpacked:
 * by a size and by its ratio to what went in.
 */

struct sp_gzip_limits {
	size_t in_max;  /* packed bytes */
	size_t out_max; /* unpacked bytes */
	size_t ratio_max;
};
extern const struct sp_gzip_limits
	SP_GZIP_LIMITS_REPORT; /* 10 MiB, 16 MiB, 100: a TLS report */

#define SP_GZIP_WHY_MAX 100

/* Does it begin like gzip? */
bool sp_gzip_is(struct sp_str bytes);

/* Unpacks all members, one behind the other (RFC 1952 2.2), and appends them
 * to out, whose own maximum holds too. What follows the last member and does
 * not begin like another one is left alone and counted in surplus_out (may
 * be null). 0, SP_ESYNTAX (no gzip, damaged, cut off) or SP_ELIMIT, with one
 * line of reason in why_out (may be null); then out is as it was. */
int sp_gzip_unpack(struct sp_str bytes, const struct sp_gzip_limits *limits,
                   struct sp_buf *out, size_t *surplus_out, char *why_out);

/* One member, without name and time, so that equal bytes give equal bytes.
 * 0, or SP_ELIMIT with out as it was. */
int sp_gzip_pack(struct sp_str bytes, struct sp_buf *out);

#endif
