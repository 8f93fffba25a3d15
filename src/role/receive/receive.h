/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_RECEIVE_RECEIVE_H
#define SP_ROLE_RECEIVE_RECEIVE_H

#include "base/list.h"
#include "base/map.h"
#include "net/socket.h"
#include "net/stream.h"
#include "role/role.h"
#include "smtp/server.h"
#include "wire/json.h"

/* Private to the receive role: listeners and sessions. */

struct receive {
	struct sp_role_ctx *ctx;
	struct sp_role_link *queue; /* null while it is away */
	struct listener *listeners;
	size_t listener_count;
	struct sp_list sessions; /* struct session */
	struct sp_map by_id;     /* submission → session */
	struct sp_map clients;   /* address → struct client */
	size_t session_count;
	uint64_t last_session;
	uint64_t last_submission;
	struct sp_timer *rested; /* then listeners are watched again */
	uint64_t accepted;       /* messages */
	uint64_t refused;        /* messages */
	uint64_t connections;
};

struct listener {
	struct receive *role;
	const struct sp_conf_listen *conf; /* the latest, for new sessions;
	                                    * sockets and certificates stay
	                                    * those of the start */
	struct sp_watch *watch;
	int fd;                    /* borrowed */
	struct sp_tls_server *tls; /* null: no STARTTLS; shared by the
	                            * addresses of one section */
	bool owns_tls;
};

/* How many sessions one address has. */
struct client {
	size_t sessions;
	char address[SP_ADDR_TEXT];
};

/* A connection was accepted; the session lives until its stream ends. */
void session_new(struct listener *listener, int fd, const struct sp_addr *peer);
void session_free_all(struct receive *role);
/* Idle ones end now, others after their message. */
void session_stop_all(struct receive *role);
/* The queue has gone: whoever waits for it gets 451. */
void session_queue_down(struct receive *role);
int session_on_pull(struct receive *role, struct sp_str payload);
int session_on_done(struct receive *role, struct sp_str payload);
struct sp_json *session_live(struct receive *role);

#endif
