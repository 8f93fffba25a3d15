/* SPDX-License-Identifier: Apache-2.0 */
/* Header of a frame and names of the messages: pure, so that a fuzzer can
 * drive them. */
#include <string.h>

#include "base/err.h"
#include "ipc/channel.h"
#include "ipc/msg.h"

static void put_u32(uint8_t *out, uint32_t v)
{
	for (int i = 0; i < 4; i++) {
		out[i] = (uint8_t)(v >> (8 * i));
	}
}

static uint32_t get_u32(const uint8_t *in)
{
	uint32_t v = 0;

	for (int i = 3; i >= 0; i--) {
		v = (v << 8) | in[i];
	}
	return v;
}

void sp_frame_head_encode(const struct sp_frame_head *head,
                          uint8_t out[SP_FRAME_HEAD])
{
	put_u32(out, head->length);
	put_u32(out + 4, head->type);
}

int sp_frame_head_decode(const uint8_t in[SP_FRAME_HEAD],
                         struct sp_frame_head *head_out)
{
	uint32_t type = get_u32(in + 4);

	head_out->length = get_u32(in);
	head_out->type = (uint16_t)type;
	if (type > UINT16_MAX ||
	    strcmp(sp_msg_name((uint16_t)type), "?") == 0) {
		return SP_ESYNTAX;
	}
	return head_out->length > SP_FRAME_MAX ? SP_ELIMIT : 0;
}

const char *sp_msg_name(uint16_t type)
{
	static const struct {
		uint16_t number;
		const char *name;
	} NAMES[] = {
#define SP_X(name, number) {number, #name},
		SP_MSGS(SP_X)
#undef SP_X
	};

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		if (NAMES[i].number == type) {
			return NAMES[i].name;
		}
	}
	return "?";
}

const char *sp_role_name(enum sp_role role)
{
	static const char *const NAMES[SP_ROLE_COUNT] = {
		"parent", "receive", "queue", "resolve", "transport",
		"sign",   "console", "fetch", "report",
	};

	return role < SP_ROLE_COUNT ? NAMES[role] : "?";
}
