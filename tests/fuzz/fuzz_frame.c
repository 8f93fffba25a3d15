/* SPDX-License-Identifier: Apache-2.0 */
/* layer: ipc */
/*
 * A frame from another role: header, then the payload by the table of its
 * type. What decodes is written again as the same bytes.
 */
#include <string.h>

#include "base/assert.h"
#include "ipc/channel.h"
#include "ipc/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

union any {
	struct sp_msg_link link;
	struct sp_msg_submit submit;
	struct sp_msg_body_chunk chunk;
	struct sp_msg_submit_done done;
	struct sp_msg_job job;
	struct sp_msg_outcome outcome;
	struct sp_msg_hello hello;
	struct sp_msg_answer answer;
	struct sp_msg_fetch fetch;
	struct sp_msg_fetched fetched;
	struct sp_msg_sts sts;
	struct sp_msg_command command;
};

static const struct sp_pack_field *const FIELDS[UINT8_MAX + 1] = {
	[SP_MSG_LINK] = SP_MSG_LINK_FIELDS,
	[SP_MSG_RELOAD] = SP_MSG_RELOAD_FIELDS,
	[SP_MSG_SUBMIT] = SP_MSG_SUBMIT_FIELDS,
	[SP_MSG_SUBMIT_PULL] = SP_MSG_SESSION_FIELDS,
	[SP_MSG_SUBMIT_DONE] = SP_MSG_SUBMIT_DONE_FIELDS,
	[SP_MSG_SUBMIT_ABORT] = SP_MSG_SESSION_FIELDS,
	[SP_MSG_BODY_CHUNK] = SP_MSG_BODY_CHUNK_FIELDS,
	[SP_MSG_JOB] = SP_MSG_JOB_FIELDS,
	[SP_MSG_BODY_PULL] = SP_MSG_BODY_PULL_FIELDS,
	[SP_MSG_OUTCOME] = SP_MSG_OUTCOME_FIELDS,
	[SP_MSG_SETTLED] = SP_MSG_ATTEMPT_FIELDS,
	[SP_MSG_HELLO] = SP_MSG_HELLO_FIELDS,
	[SP_MSG_STS_KEEP] = SP_MSG_STS_FIELDS,
	[SP_MSG_ASK] = SP_MSG_ASK_FIELDS,
	[SP_MSG_ASK_CANCEL] = SP_MSG_ASK_CANCEL_FIELDS,
	[SP_MSG_ANSWER] = SP_MSG_ANSWER_FIELDS,
	[SP_MSG_FETCH] = SP_MSG_FETCH_FIELDS,
	[SP_MSG_FETCH_CANCEL] = SP_MSG_FETCH_CANCEL_FIELDS,
	[SP_MSG_FETCHED] = SP_MSG_FETCHED_FIELDS,
	[SP_MSG_COMMAND] = SP_MSG_COMMAND_FIELDS,
	[SP_MSG_COMMAND_REPLY] = SP_MSG_COMMAND_FIELDS,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_frame_head head;
	struct sp_arena arena;
	struct sp_str payload;
	union any msg;

	if (size < SP_FRAME_HEAD || sp_frame_head_decode(data, &head) != 0) {
		return 0;
	}
	SP_ASSERT(head.length <= SP_FRAME_MAX);
	payload = sp_str_slice(data + SP_FRAME_HEAD, size - SP_FRAME_HEAD);
	if (head.type > UINT8_MAX || !FIELDS[head.type]) {
		return 0;
	}
	memset(&msg, 0, sizeof(msg));
	sp_arena_init(&arena);
	if (sp_unpack(FIELDS[head.type], payload, false, &arena, &msg) == 0) {
		struct sp_buf again;

		sp_buf_init(&again, SP_FRAME_MAX);
		SP_ASSERT(sp_pack(FIELDS[head.type], &msg, &again) == 0);
		SP_ASSERT(sp_str_eq(sp_buf_str(&again), payload));
		sp_buf_fini(&again);
	}
	sp_arena_fini(&arena);
	return 0;
}
