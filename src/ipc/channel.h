/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_IPC_CHANNEL_H
#define SP_IPC_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "net/loop.h"
#include "wire/pack.h"

/*
 * One end of a socket pair between two roles: typed, bounded frames, never a
 * blocking write. A frame is 8 bytes of header (length of the payload, type,
 * reserved; little-endian) and the payload. A descriptor may travel with a
 * frame (SCM_RIGHTS). A frame that is malformed, of unknown type, or over
 * the limit ends the channel: the other side is broken or hostile.
 */

#define SP_FRAME_MAX  (2048u * 1024) /* payload bytes */
#define SP_FRAME_HEAD 8
/* Bytes waiting to be written before the channel counts as broken. Requests
 * are limited by credits long before that. */
#define SP_CHANNEL_OUT_MAX (256u * 1024 * 1024)

struct sp_frame_head {
	uint32_t length;
	uint16_t type;
};

/* Pure: the header of a frame. 0, SP_ELIMIT (length), SP_ESYNTAX. */
void sp_frame_head_encode(const struct sp_frame_head *head,
                          uint8_t out[SP_FRAME_HEAD]);
int sp_frame_head_decode(const uint8_t in[SP_FRAME_HEAD],
                         struct sp_frame_head *head_out);

struct sp_channel;

/* A whole frame; fd is -1 or a descriptor that is now the callee's. The
 * payload is borrowed for the call. A negative result ends the channel. */
typedef int sp_channel_frame_fn(void *arg, uint16_t type, struct sp_str payload,
                                int fd);
/* The channel has ended (EOF, error, bad frame); free it now or later. */
typedef void sp_channel_closed_fn(void *arg, int err);

/* Takes over the descriptor. */
struct sp_channel *sp_channel_new(struct sp_loop *loop, int fd,
                                  sp_channel_frame_fn *on_frame,
                                  sp_channel_closed_fn *on_closed, void *arg);
void sp_channel_free(struct sp_channel **channel);

/* Queue a frame; it is written when the socket takes it. Frames of one turn
 * of the loop leave in one system call where possible. Bytes over a limit
 * are a programmer mistake and abort. A closed channel drops it. fd: -1, or
 * duplicated and sent along. */
void sp_channel_send(struct sp_channel *channel, uint16_t type,
                     const struct sp_pack_field *fields, const void *obj);
void sp_channel_send_raw(struct sp_channel *channel, uint16_t type,
                         struct sp_str payload, int fd);
size_t sp_channel_waiting(const struct sp_channel *channel); /* bytes */
/* Write what can be written now, without the loop (before exit). */
int sp_channel_drain(struct sp_channel *channel, int64_t timeout_ms);

#endif
