/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_BASE_SIPHASH_H
#define SP_BASE_SIPHASH_H

#include <stdint.h>

#include "base/str.h"

/* SipHash-2-4 (Aumasson and Bernstein, 2012) of s under a 128-bit key. */
uint64_t sp_siphash(const uint64_t key[2], struct sp_str s);

#endif
