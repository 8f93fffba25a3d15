/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_MESSAGE_H
#define SP_CMD_MESSAGE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/mem.h"

/*
 * A message as it comes from standard input, made ready for submission. It is
 * whole in memory: several servers may have to be tried, and what it needs
 * (8BITMIME, recipients in its header) must be known before it is sent.
 */

/* Adds what local programs leave out: an empty line before a body that has
 * no header, a From field (name may be empty). An mbox "From " line goes.
 * in is read, out is initialised by the caller. 0 or SP_ELIMIT. */
int sp_message_complete(struct sp_str in, struct sp_str sender,
                        struct sp_str name, struct sp_buf *out);

/* Where a line of a single dot ends the message (sendmail without -i): the
 * part before it. */
struct sp_str sp_message_until_dot(struct sp_str in);

/* The addresses of To, Cc and Bcc, in order, without brackets, comments and
 * display names; each call of fn borrows one. Returns how many. */
size_t sp_message_recipients(struct sp_str message,
                             void (*fn)(void *arg, struct sp_str address),
                             void *arg);

/* The addresses of one address list (RFC 5322 3.4), groups flattened. */
size_t sp_message_addresses(struct sp_str list,
                            void (*fn)(void *arg, struct sp_str address),
                            void *arg);

/* The message without its Bcc fields. 0 or SP_ELIMIT. */
int sp_message_drop_bcc(struct sp_str in, struct sp_buf *out);

bool sp_message_is_8bit(struct sp_str message);

#endif
