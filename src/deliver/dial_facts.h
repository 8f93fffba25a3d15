/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_DIAL_FACTS_H
#define SP_DELIVER_DIAL_FACTS_H

#include "conf/conf.h"
#include "deliver/dial.h"
#include "net/stream.h"
#include "net/tls.h"
#include "policy/judge.h"
#include "policy/mxplan.h"
#include "smtp/client.h"
#include "wire/json.h"

/* Private to deliver/: between the words of net, smtp and policy. */

/* What the handshake with this host asks for. Arrays live in the arena. */
void sp_dial_tls_params(const struct sp_plan_host *host, struct sp_str key,
                        struct sp_arena *arena, struct sp_tls_client *out);
/* The same, of a server whose other key did not match. */
void sp_dial_tls_other_key(enum sp_key_kind kind, struct sp_tls_client *params);

/* The same for one who wants to see all of a certificate's handshake, and of
 * one algorithm only, if one is named. */
void sp_dial_tls_inspect(enum sp_key_algorithm only,
                         struct sp_tls_client *params);

/* What net saw, in the words of policy. */
void sp_dial_read_tls(struct sp_stream *stream, struct sp_arena *arena,
                      struct sp_tls_facts *facts_out);
void sp_dial_tls_facts(const struct sp_tls_seen *seen,
                       struct sp_tls_facts *facts_out);

/* The configured timeout of a stage; -1: none. */
int64_t sp_dial_stage_timeout(const struct sp_conf *conf,
                              enum sp_smtp_stage stage);

/* The cause of a connection that did not come about. */
enum sp_cause_id sp_dial_connect_cause(int err);

/* Nothing has left this machine: that says nothing about the address. */
bool sp_dial_connect_failed_here(int err);

/* For sp_dial_live; client may be null. */
void sp_dial_live_facts(struct sp_json *live, const struct sp_dial_facts *facts,
                        const struct sp_smtp_client *client);

/* Not even a greeting came: nobody else would have fared better. */
bool sp_dial_was_mute(const struct sp_dial_facts *facts,
                      const struct sp_verdict *verdict);

#endif
