/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_CONSOLE_CONSOLE_H
#define SP_ROLE_CONSOLE_CONSOLE_H

#include "base/list.h"
#include "base/map.h"
#include "net/stream.h"
#include "role/role.h"
#include "store/store.h"
#include "wire/json.h"

/*
 * Private to the console role. A client of the control socket sends one line
 * of JSON, {"verb": "...", "filter": {...}, "detail": bool}, and gets lines
 * back: {"row": ...} for each result, then {"done": {...}} or
 * {"error": "..."}; then the connection ends.
 */

#define CLIENTS_MAX 64
#define REPLY_MAX   (64u * 1024 * 1024)
#define REPLIES_MAX (2u * REPLY_MAX)   /* of all clients together */
#define REPLY_SMALL (1u * 1024 * 1024) /* everybody may have so much */

/* How long a reply may become, in bytes, beside those that hold so much. */
size_t console_room(size_t held);

struct console {
	struct sp_role_ctx *ctx;
	struct sp_store *store; /* reader; null until it can be opened */
	struct sp_watch *listener;
	struct sp_list clients; /* struct client */
	size_t client_count;
	struct sp_map asked; /* command id → struct client */
	uint64_t last_id;
};

struct client {
	struct sp_list node;
	struct console *role;
	struct sp_stream *stream;
	struct sp_buf reply; /* what does not fit the stream yet */
	bool squeezed;       /* other replies have left it little room */
	bool answered;
	/* A question to other roles: */
	struct sp_json *collected; /* object by role, or list */
	size_t open_questions;
	struct sp_timer *patience;
	bool is_sessions;
};

/* What the client asked for, from the store: rows and done. */
void look_rows(struct client *client, const struct sp_json *ask);

/* The exceptions of destinations that hold now. */
void look_exceptions(struct client *client);

/* The cached MTA-STS policy of a domain, or null. */
void look_sts(struct client *client, const struct sp_json *ask);

/* The destinations that fail just now, a list; null where the store can't be
 * read. */
struct sp_json *look_failing(struct console *role);

/* Append a line to the reply; take is freed. */
void client_row(struct client *client, struct sp_json *take);
void client_done(struct client *client, struct sp_json *take);
void client_error(struct client *client, const char *why);

/* The reader, opened when needed; null after client_error. */
struct sp_store *console_store(struct client *client);

#endif
