/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_DIAL_PRIVATE_H
#define SP_DELIVER_DIAL_PRIVATE_H

#include "deliver/dial.h"
#include "deliver/dial_facts.h"
#include "net/stream.h"

/*
 * What the files of the dial share, and nobody else sees:
 *   dial.c        the public functions, the two machines' events, the bytes
 *   dial_rule.c   what the judge says, and every end of a session
 */

#define SP__DIAL_EVENTS_MAX 4

enum sp__dial_state {
	SP__DIAL_CONNECT,
	SP__DIAL_SESSION,
	SP__DIAL_HANDSHAKE,
	SP__DIAL_READY,
	SP__DIAL_SENDING,
	SP__DIAL_ENDED,
};

struct sp_dial {
	struct sp_dial_conf conf;
	struct sp_arena arena;
	const struct sp_plan_host *host; /* borrowed; null from READY on */
	struct sp_plan_address address;
	struct sp_str host_name;
	struct sp_str key;
	enum sp__dial_state state;
	bool clear_only;            /* after a clear retry */
	enum sp_key_kind other_key; /* asked for in this connection, only */
	struct sp_stream *stream;
	struct sp_smtp_client *client;
	struct sp_deferred *turn;
	struct sp_list linger_node;
	bool lingers;
	bool tls_up;   /* of this connection */
	bool quitting; /* QUIT was said, the end is awaited */
	bool anew;     /* then: dial once more */
	const struct sp_smtp_transaction *transaction;
	const struct sp_smtp_result *result;
	struct sp_str body; /* rest of the current chunk */
	bool body_last;
	bool body_wanted;
	bool body_told; /* WANT_BODY was told for it */
	enum sp_smtp_stage timed_stage;
	enum sp_cause_id lost; /* why the session broke */
	struct sp_verdict verdict;
	struct sp_dial_facts facts;
	int64_t mark_ms; /* monotonic, of the last step */
	enum sp_dial_event events[SP__DIAL_EVENTS_MAX];
	size_t event_count;
	bool *freed; /* set when freed while events are told */
	sp_dial_fn *fn;
	void *arg;
};

/* dial.c */
void sp__dial_connect(struct sp_dial *d);

/* dial_rule.c */
#define SP__DIAL_LINGER_MS 5000 /* for QUIT to leave */
bool sp__dial_say_quit(struct sp_dial *d);
void sp__dial_tell(struct sp_dial *d, enum sp_dial_event event);
bool sp__dial_next_event(struct sp_dial *d, enum sp_dial_event *event_out);
void sp__dial_end(struct sp_dial *d);
/* The cause is the session's end; reason may be null. */
void sp__dial_fail(struct sp_dial *d, enum sp_cause_id cause,
                   const char *reason);
void sp__dial_fail_reply(struct sp_dial *d, const struct sp_reply *reply);
bool sp__dial_clear_allowed(const struct sp_dial *d);
void sp__dial_clear_retry(struct sp_dial *d);
void sp__dial_ask_other_key(struct sp_dial *d);
/* With FAIL all is done: the dial ends, or dials anew. */
enum sp_judgement sp__dial_judge(struct sp_dial *d, enum sp_session_event event,
                                 const struct sp_tls_facts *facts);
void sp__dial_judge_broken(struct sp_dial *d, enum sp_session_event event,
                           const struct sp_tls_facts *facts);
void sp__dial_judge_silence(struct sp_dial *d, const char *what);
void sp__dial_lose(struct sp_dial *d, enum sp_cause_id cause, const char *why);

#endif
