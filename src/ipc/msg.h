/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_IPC_MSG_H
#define SP_IPC_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "wire/envelope.h"
#include "wire/pack.h"

/*
 * What roles say to each other: one struct and one field table per frame.
 * Strings are borrowed (from the frame, or the sender's memory). A receiver
 * decodes into an arena with sp_unpack and trusts nothing.
 *
 *   receive   -> queue      SUBMIT, BODY_CHUNK, SUBMIT_ABORT
 *   queue     -> receive    SUBMIT_PULL, SUBMIT_DONE
 *   queue     -> transport  JOB, BODY_CHUNK, SETTLED, FORGET (failed addresses)
 *   transport -> queue      HELLO, BODY_PULL, OUTCOME
 *   transport -> resolve    ASK, ASK_CANCEL
 *   resolve   -> transport  ANSWER
 *   transport -> queue      STS_KEEP
 *   queue, transport -> fetch   FETCH, FETCH_CANCEL
 *   fetch     -> queue, transport   FETCHED
 *   fetch     -> resolve    ASK, ASK_CANCEL (answered as to transport)
 *   queue     -> sign       SIGN, BODY_CHUNK
 *   sign      -> queue      BODY_PULL, SIGNED
 *   report    -> queue      TLS_REPORT
 *   queue     -> report     TLS_REPORT_DONE
 *   report    -> resolve    ASK, ASK_CANCEL
 *   report    -> fetch      FETCH, FETCH_CANCEL
 *   console   -> any role   COMMAND
 *   any role  -> console    COMMAND_REPLY
 *   parent    -> any role   LINK (with a descriptor), RELOAD, STOP
 *   parent    -> transport  ALONE (in a stop: queue does not come back)
 *   `sealpost survey` -> its workers    SURVEY
 *   its workers -> `sealpost survey`    SURVEY_ROW
 *   any role  -> parent     READY, STOPPED, LINK (one that broke)
 */

/* Name, number. Numbers are never reused. */
#define SP_MSGS(X)                                                             \
	X(LINK, 1)                                                             \
	X(RELOAD, 2)                                                           \
	X(STOP, 3)                                                             \
	X(ALONE, 6)                                                            \
	X(READY, 4)                                                            \
	X(STOPPED, 5)                                                          \
	X(SUBMIT, 10)                                                          \
	X(SUBMIT_PULL, 11)                                                     \
	X(SUBMIT_DONE, 12)                                                     \
	X(SUBMIT_ABORT, 13)                                                    \
	X(BODY_CHUNK, 14)                                                      \
	X(JOB, 20)                                                             \
	X(BODY_PULL, 21)                                                       \
	X(OUTCOME, 22)                                                         \
	X(SETTLED, 23)                                                         \
	X(HELLO, 24)                                                           \
	X(FORGET, 25)                                                          \
	X(STS_KEEP, 26)                                                        \
	X(ASK, 30)                                                             \
	X(ASK_CANCEL, 31)                                                      \
	X(ANSWER, 32)                                                          \
	X(SIGN, 50)                                                            \
	X(SIGNED, 51)                                                          \
	X(FETCH, 33)                                                           \
	X(FETCH_CANCEL, 34)                                                    \
	X(FETCHED, 35)                                                         \
	X(TLS_REPORT, 52)                                                      \
	X(TLS_REPORT_DONE, 53)                                                 \
	X(COMMAND, 40)                                                         \
	X(COMMAND_REPLY, 41)                                                   \
	X(SURVEY, 60)                                                          \
	X(SURVEY_ROW, 61)

enum sp_msg {
#define SP_X(name, number) SP_MSG_##name = number,
	SP_MSGS(SP_X)
#undef SP_X
};

/* The name, for logs; "?" for an unknown number. */
const char *sp_msg_name(uint16_t type);

enum sp_role {
	SP_ROLE_PARENT,
	SP_ROLE_RECEIVE,
	SP_ROLE_QUEUE,
	SP_ROLE_RESOLVE,
	SP_ROLE_TRANSPORT,
	SP_ROLE_SIGN,
	SP_ROLE_CONSOLE,
	SP_ROLE_FETCH,
	SP_ROLE_REPORT,
	SP_ROLE_COUNT,
};
const char *sp_role_name(enum sp_role role);

#define SP_BODY_INLINE_MAX   (64u * 1024) /* travels with SUBMIT and JOB */
#define SP_BODY_CHUNK_MAX    (256u * 1024)
#define SP_DETAIL_MAX        (256u * 1024) /* JSON evidence of one attempt */
#define SP_JOB_RCPT_MAX      100
#define SP_MSG_ID_MAX        32
#define SP_MSG_REASON_MAX    500
#define SP_HELLO_MAX         20000
#define SP_MSG_SIGNATURE_MAX 16384
#define SP_MSG_URL_MAX       2048
#define SP_MSG_POST_MAX      (1024u * 1024) /* body of a request */
#define SP_MSG_FETCHED_MAX   (1024u * 1024) /* body of an answer */
#define SP_MSG_STS_MAX       (64u * 1024)   /* body of a policy */

struct sp_msg_link {       /* descriptor: the receiver's end of a new pair */
	enum sp_role role; /* who is at the other end */
	uint32_t index;    /* which worker */
	uint32_t worker_count;
};

struct sp_msg_reload {
	struct sp_str config; /* text of the file, already found good */
};

/* A message from receive. The body is whole when complete, else the first
 * chunk; queue then pulls the others one by one. */
struct sp_msg_submit {
	uint64_t session;
	struct sp_str id; /* the queue id that its Received has; empty: any */
	struct sp_envelope envelope;
	bool complete;
	struct sp_str body;
};

struct sp_msg_body_chunk { /* receive -> queue, queue -> transport */
	uint64_t session;  /* or the attempt id */
	uint32_t seq;      /* from 0; chunk 0 is what SUBMIT carried */
	bool last;
	bool eight_bit; /* with last, to queue: bytes above 127 were among
	                 * these or earlier ones */
	struct sp_str data;
};

struct sp_msg_session { /* SUBMIT_PULL, SUBMIT_ABORT */
	uint64_t session;
};

struct sp_msg_submit_done {
	uint64_t session;
	bool accepted;    /* true only after the commit */
	struct sp_str id; /* queue id */
	uint32_t code;    /* with !accepted: 451, 452 ... */
	struct sp_str enhanced;
	struct sp_str text;
};

struct sp_msg_job_rcpt {
	uint64_t rcpt_id;
	struct sp_envelope_rcpt rcpt;
};

/* A cached policy of MTA-STS; an empty domain: none. */
struct sp_msg_sts {
	struct sp_str domain; /* policy domain */
	struct sp_str id;
	struct sp_str body;
	int64_t fetched_ms; /* wall */
	int64_t expires_ms;
};

/* One attempt for recipients of one message in one domain. */
struct sp_msg_job {
	uint64_t attempt_id; /* unique for ever; the lease */
	struct sp_str id;    /* queue id of the message */
	struct sp_str domain;
	uint32_t attempt; /* 1-based number of this attempt */
	uint64_t size_bytes;
	int64_t expires_ms;      /* wall */
	struct sp_str exception; /* why verdicts of TLS are waived; or empty */
	struct sp_envelope envelope; /* its rcpts are empty */
	struct sp_msg_job_rcpt *rcpts;
	size_t rcpt_count;
	struct sp_msg_sts sts; /* of the policy domain that mail for the domain
	                        * is under; none: nothing is cached */
	bool inline_body;
	struct sp_str body; /* whole when inline_body */
};

/* Unpacks a job into memory of its own: the body apart from the frame, which
 * is needed longer. Both are the caller's, whatever is returned. */
int sp_msg_job_unpack(struct sp_str payload, struct sp_arena *arena,
                      char **frame_out, char **body_out,
                      struct sp_msg_job *job_out);

struct sp_msg_body_pull {
	uint64_t attempt_id;
	struct sp_str id;
	uint32_t seq; /* rows of the body, from 0 */
};

struct sp_msg_outcome_rcpt {
	uint64_t rcpt_id;
	uint8_t class;  /* enum sp_verdict_class */
	bool retry_now; /* stopped before it was tried: due at once, or soon
	                 * with the cause host-busy; the attempt does not
	                 * count */
	bool dsn;       /* delivered: the peer took over NOTIFY (RFC 3461) */
	struct sp_str cause;        /* scenario name; empty when delivered */
	struct sp_str code;         /* "4.7.323", "2.0.0" */
	struct sp_str reply;        /* the whole line: "450 4.7.323 tlsa-..." */
	struct sp_str expired_code; /* what it becomes at expiry: "5.7.323" */
	struct sp_str expired_reply;
};

enum sp_msg_destination { /* what the attempt says about all of it */
	SP_MSG_DESTINATION_UNKNOWN,
	SP_MSG_DESTINATION_REACHED,
	SP_MSG_DESTINATION_FAILED,
};

/* A finding for TLS reports: struct sp_count of deliver/count.h. */
struct sp_msg_count {
	struct sp_str type;
	struct sp_str domain;
	struct sp_str recipient;
	struct sp_str policy; /* lines */
	struct sp_str mx_hosts;
	struct sp_str result; /* empty: success */
	struct sp_str sending_ip;
	struct sp_str mx_host;
	struct sp_str mx_helo;
	struct sp_str receiving_ip;
	struct sp_str reason;
};
#define SP_MSG_COUNT_MAX      32
#define SP_MSG_COUNT_LIST_MAX 8192 /* bytes of lines */

struct sp_msg_outcome {
	uint64_t attempt_id;
	enum sp_msg_destination destination;
	struct sp_str id;
	struct sp_str security; /* "dane" "half-dane" "tls" "clear" or empty */
	struct sp_str host;
	struct sp_str address;
	struct sp_str detail; /* JSON object: evidence of the attempt */
	struct sp_msg_outcome_rcpt *rcpts;
	size_t rcpt_count;
	struct sp_msg_count *counts; /* sessions, for TLS reports */
	size_t count_count;
};

struct sp_msg_attempt { /* SETTLED: the outcome is committed or was known */
	uint64_t attempt_id;
};

/* First word of a transport worker on a new link to the queue: which
 * attempts it still holds, and how many jobs it takes at once. */
struct sp_msg_hello {
	uint32_t slots;
	struct sp_msg_attempt *held;
	size_t held_count;
};

struct sp_msg_ask {
	uint64_t id;
	struct sp_str name;
	uint32_t type;
	bool fresh; /* cached failures do not count */
	bool anew;  /* nor do cached answers */
};

struct sp_msg_ask_cancel {
	uint64_t id;
};

struct sp_msg_answer {
	uint64_t id;
	struct sp_str answer; /* sp_dns_answer_encode */
	bool validator_broken;
	struct sp_str self_test; /* why, when broken */
};

/* A request over HTTPS; the id is the asker's. The same GET that is under way
 * for somebody else is shared. */
struct sp_msg_fetch {
	uint64_t id;
	struct sp_str url;
	bool post;
	struct sp_str post_type; /* media type of the body */
	struct sp_str body;
	uint32_t body_max; /* bytes of the answer */
	uint32_t timeout_ms;
};

struct sp_msg_fetch_cancel {
	uint64_t id;
};

struct sp_msg_fetched {
	uint64_t id;
	uint8_t status; /* enum sp_fetch_status */
	uint32_t code;  /* of HTTP */
	struct sp_str type;
	struct sp_str body;
	struct sp_str why;     /* one line, where nothing was answered */
	struct sp_str address; /* and port, of the last try; may be empty */
};

/* A message that waits for its DKIM signature. The body is whole when
 * inline_body; else sign pulls it from chunk 0, the ask in place of an
 * attempt. An empty chunk that is not the last: the message has gone, and
 * the ask with it. */
struct sp_msg_sign {
	uint64_t ask;
	struct sp_str id; /* queue id */
	bool inline_body;
	struct sp_str body;
};

enum sp_msg_signed_result {
	SP_MSG_SIGNED_YES,
	SP_MSG_SIGNED_NO,     /* not to be signed, or it can't ever be */
	SP_MSG_SIGNED_FAILED, /* not now */
};

#define SP_MSG_SIGN_NO_KEY "no key for the domain" /* why, with NO */

struct sp_msg_signed {
	uint64_t ask;
	struct sp_str id;
	enum sp_msg_signed_result result;
	struct sp_str header; /* whole DKIM-Signature fields */
	struct sp_str domain; /* d= */
	struct sp_str why;    /* NO, FAILED */
};

/* What became of a TLS report to one address (store/tls_report.h), and the
 * mail that carries it: both in one commit. */
struct sp_msg_tls_report {
	uint64_t id;
	int64_t day;
	struct sp_str domain;
	struct sp_str uri;
	uint32_t state;
	struct sp_str report_id;
	uint32_t tries;
	int64_t next_ms;
	struct sp_str why;
	struct sp_str queue_id;  /* of the mail; empty: none */
	struct sp_str to;        /* address */
	struct sp_str to_domain; /* lower-case A-labels */
	struct sp_str body;
};

struct sp_msg_tls_report_done {
	uint64_t id;
	bool done; /* committed; else ask again later */
};

#define SP_MSG_TLS_REPORT_MAX (1024u * 1024) /* bytes of the mail */

/* Console's questions to roles, as JSON: {"verb": ..., ...}. */
struct sp_msg_command {
	uint64_t id;
	struct sp_str json;
};

extern const struct sp_pack_field SP_MSG_LINK_FIELDS[];
extern const struct sp_pack_field SP_MSG_RELOAD_FIELDS[];
extern const struct sp_pack_field SP_MSG_SUBMIT_FIELDS[];
extern const struct sp_pack_field SP_MSG_BODY_CHUNK_FIELDS[];
extern const struct sp_pack_field SP_MSG_SESSION_FIELDS[];
extern const struct sp_pack_field SP_MSG_SUBMIT_DONE_FIELDS[];
extern const struct sp_pack_field SP_MSG_JOB_FIELDS[];
extern const struct sp_pack_field SP_MSG_BODY_PULL_FIELDS[];
extern const struct sp_pack_field SP_MSG_OUTCOME_FIELDS[];
extern const struct sp_pack_field SP_MSG_ATTEMPT_FIELDS[];
extern const struct sp_pack_field SP_MSG_HELLO_FIELDS[];
extern const struct sp_pack_field SP_MSG_ASK_FIELDS[];
extern const struct sp_pack_field SP_MSG_ASK_CANCEL_FIELDS[];
extern const struct sp_pack_field SP_MSG_ANSWER_FIELDS[];
extern const struct sp_pack_field SP_MSG_STS_FIELDS[];
extern const struct sp_pack_field SP_MSG_FETCH_FIELDS[];
extern const struct sp_pack_field SP_MSG_FETCH_CANCEL_FIELDS[];
extern const struct sp_pack_field SP_MSG_FETCHED_FIELDS[];
extern const struct sp_pack_field SP_MSG_SIGN_FIELDS[];
extern const struct sp_pack_field SP_MSG_SIGNED_FIELDS[];
extern const struct sp_pack_field SP_MSG_TLS_REPORT_FIELDS[];
extern const struct sp_pack_field SP_MSG_TLS_REPORT_DONE_FIELDS[];
extern const struct sp_pack_field SP_MSG_COMMAND_FIELDS[];

#endif
