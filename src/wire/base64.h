/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_BASE64_H
#define SP_WIRE_BASE64_H

#include "base/mem.h"
#include "base/str.h"

/* Base64 (RFC 4648 4). Pure. */

/* Without line breaks, NUL-terminated behind its end, in the arena. */
struct sp_str sp_base64_encode(struct sp_str bytes, struct sp_arena *arena);

/* Blanks and line breaks between the characters are passed over (RFC 2045
 * 6.8, RFC 6376 3.2); everything else must be in its place, padding too. The
 * caller has limited the text. 0 or SP_ESYNTAX. */
int sp_base64_decode(struct sp_str text, struct sp_arena *arena,
                     struct sp_str *bytes_out);

#endif
