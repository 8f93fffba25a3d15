/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of results. errno texts come from glibc's constant table, so that
 * the result lives for ever and does not depend on the locale or a thread.
 */
#include <stddef.h>
#include <string.h>

#include "base/err.h"

static const char *const texts[] = {
#define SP_ERR(name, text) [SP_##name - SP_EBASE] = (text),
#include "base/err.def"
#undef SP_ERR
};

#define TEXT_COUNT ((int)(sizeof(texts) / sizeof(texts[0])))

const char *sp_strerror(int err)
{
	if (err >= 0) {
		return "success";
	}
	if (err > -4096) {
		const char *text = strerrordesc_np(-err);
		return text ? text : "unknown system error";
	}
	if (err > SP_EBASE && err < SP_EBASE + TEXT_COUNT) {
		return texts[err - SP_EBASE];
	}
	return "unknown error";
}
