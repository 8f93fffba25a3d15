/* SPDX-License-Identifier: Apache-2.0 */
/* layer: wire */
/*
 * Whatever comes in, no more comes out than the limits say, and nothing when
 * it is refused; what is packed comes back.
 */
#include <stdint.h>

#include "base/assert.h"
#include "base/err.h"
#include "wire/gzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_unpack(struct sp_str bytes, size_t out_max, size_t ratio_max)
{
	struct sp_gzip_limits limits = {100000, out_max, ratio_max};
	struct sp_buf out;
	size_t surplus;
	int err;

	sp_buf_init(&out, 200000);
	err = sp_gzip_unpack(bytes, &limits, &out, &surplus, NULL);
	SP_ASSERT(err == 0 || err == SP_ESYNTAX || err == SP_ELIMIT);
	SP_ASSERT(sp_buf_len(&out) <= out_max);
	SP_ASSERT(sp_buf_len(&out) <= bytes.len * ratio_max);
	SP_ASSERT(err == 0 || sp_buf_len(&out) == 0);
	SP_ASSERT(surplus <= bytes.len);
	sp_buf_fini(&out);
}

static void check_pack(struct sp_str bytes)
{
	struct sp_buf packed;
	struct sp_buf back;
	size_t surplus;

	sp_buf_init(&packed, 2 * bytes.len + 100);
	sp_buf_init(&back, bytes.len + 1);
	SP_ASSERT(sp_gzip_pack(bytes, &packed) == 0);
	SP_ASSERT(sp_gzip_is(sp_buf_str(&packed)));
	(void)sp_buf_append_cstr(&packed, "x");
	SP_ASSERT(sp_gzip_unpack(
			  sp_buf_str(&packed),
			  &(struct sp_gzip_limits){SIZE_MAX, SIZE_MAX, 2000},
			  &back, &surplus, NULL) == 0);
	SP_ASSERT(surplus == 1);
	SP_ASSERT(sp_str_eq(sp_buf_str(&back), bytes));
	sp_buf_fini(&packed);
	sp_buf_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str bytes = sp_str_slice(data, size);

	check_unpack(bytes, 150000, 1000);
	check_unpack(bytes, 7, 1000);
	check_unpack(bytes, 150000, 1);
	check_pack(bytes);
	return 0;
}
