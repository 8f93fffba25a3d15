/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_WIRE_UTF8_H
#define SP_WIRE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* UTF-8 as RFC 3629 has it: shortest form, no surrogates, at most U+10FFFF. */

/* Bytes of the character at the start of s, 1 to 4; 0: none, or s is empty. */
size_t sp_utf8_len(struct sp_str s);

bool sp_utf8_valid(struct sp_str s);

#endif
