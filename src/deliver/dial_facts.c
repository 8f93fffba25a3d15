/* SPDX-License-Identifier: Apache-2.0 */
/* Between the words of net, smtp and policy, which don't know each other. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "deliver/dial.h"
#include "deliver/dial_facts.h"
#include "policy/keys.h"

static char *append(char *at, struct sp_str s)
{
	if (s.len > 0) {
		memcpy(at, s.ptr, s.len);
	}
	return at + s.len;
}

/* Once for each message: without printf. */
char *sp_dial_make_key(const struct sp_plan_host *host,
                       const struct sp_plan_address *address, uint16_t port,
                       const struct sp_judge_conf *judge,
                       struct sp_arena *arena)
{
	const struct sp_filter *f = &judge->filter;
	unsigned char fixed[sizeof(address->bytes) + 8] = {
		[0] = address->family,     [1] = (unsigned char)(port >> 8),
		[2] = (unsigned char)port, [3] = (unsigned char)judge->profile,
		[4] = f->log_only,         [5] = f->exception,
		[6] = f->tls_optional,     [7] = f->requiretls,
	};
	char hex[2 * sizeof(fixed) + 1];
	char *key = sp_arena_alloc(arena, sizeof(hex) + host->name.len +
	                                          host->digest.len + 2);
	char *at = key;

	memcpy(fixed + 8, address->bytes, address->family == 4 ? 4 : 16);
	sp_str_hex(fixed, sizeof(fixed), hex, sizeof(hex));
	at = append(at, sp_str_from(hex));
	at = append(at, SP_STR("|"));
	at = append(at, host->name);
	at = append(at, SP_STR("|"));
	at = append(at, host->digest);
	*at = '\0';
	return key;
}

void sp_dial_tls_params(const struct sp_plan_host *host, struct sp_str key,
                        struct sp_arena *arena, struct sp_tls_client *out)
{
	bool dane =
		host->rule == SP_RULE_DANE || host->rule == SP_RULE_HALF_DANE;
	struct sp_tlsa *records =
		sp_arena_array(arena, host->tlsa_count + 1, sizeof(*records));
	size_t count = 0;

	for (size_t i = 0; dane && i < host->tlsa_count; i++) {
		if (host->tlsa[i].reason == SP_TLSA_USABLE) {
			records[count++] = host->tlsa[i].tlsa;
		}
	}
	*out = (struct sp_tls_client){
		.sni = host->sni,
		.version_min = sp_rule_tls_min(host->rule),
		.anonymous_ok = !dane && host->sts != SP_STS_ENFORCE,
		.records = records,
		.record_count = count,
		.reference_ids = host->reference_ids,
		.reference_id_count = host->reference_id_count,
		.key = dane ? sp_keys_first(host) : SP_KEY_ANY,
		.host_name = host->name,
		.pki_name = host->sts_watched ? host->name : (struct sp_str){0},
		.session_key = key,
	};
}

void sp_dial_tls_other_key(enum sp_key_kind kind, struct sp_tls_client *params)
{
	params->key = kind;
	params->key_only = true;
}

void sp_dial_tls_inspect(enum sp_key_algorithm only,
                         struct sp_tls_client *params)
{
	params->session_key = (struct sp_str){0};
	if (only != SP_KEY_ALGORITHM_ANY) {
		params->only = only;
		params->anonymous_ok = false;
	}
}

void sp_dial_tls_facts(const struct sp_tls_seen *seen,
                       struct sp_tls_facts *facts_out)
{
	static const enum sp_verify_error VERIFY[] = {
		[SP_TLS_VERIFY_OK] = SP_VERIFY_OK,
		[SP_TLS_VERIFY_NO_MATCH] = SP_VERIFY_NO_MATCH,
		[SP_TLS_VERIFY_TA_NOT_IN_CHAIN] = SP_VERIFY_TA_NOT_IN_CHAIN,
		[SP_TLS_VERIFY_EXPIRED] = SP_VERIFY_EXPIRED,
		[SP_TLS_VERIFY_NOT_YET_VALID] = SP_VERIFY_NOT_YET_VALID,
		[SP_TLS_VERIFY_NAME] = SP_VERIFY_NAME,
		[SP_TLS_VERIFY_CHAIN] = SP_VERIFY_CHAIN,
	};
	static const enum sp_pki_error PKI[] = {
		[SP_TLS_PKI_OK] = SP_PKI_OK,
		[SP_TLS_PKI_UNTRUSTED] = SP_PKI_UNTRUSTED,
		[SP_TLS_PKI_NOT_YET_VALID] = SP_PKI_NOT_YET_VALID,
		[SP_TLS_PKI_EXPIRED] = SP_PKI_EXPIRED,
		[SP_TLS_PKI_NAME] = SP_PKI_NAME,
	};

	*facts_out = (struct sp_tls_facts){
		.handshake_ok = seen->handshake_ok,
		.error = seen->error,
		.protocol = seen->protocol,
		.cipher = seen->cipher,
		.resumed = seen->resumed,
		.dane_active = seen->dane_active,
		.dane_matched = seen->dane_matched,
		.matched_usage = seen->matched_usage,
		.matched_selector = seen->matched_selector,
		.matched_matching = seen->matched_matching,
		.matched_depth = seen->matched_depth,
		.matched_record = seen->matched_record,
		.verify_error = VERIFY[seen->verify],
		.verify_text = seen->verify_text,
		.cert_sha256 = seen->cert_sha256,
		.cert_subject = seen->cert_subject,
		.cert_names = seen->cert_names,
		.cert_issuer = seen->cert_issuer,
		.key = seen->key,
		.key_text = seen->key_text,
		.not_before_ms = seen->not_before_ms,
		.not_after_ms = seen->not_after_ms,
		.cert_name_matches = seen->cert_name_matches,
		.pki_checked = seen->pki_checked,
		.pki_error = PKI[seen->pki],
		.pki_text = seen->pki_text,
	};
}

void sp_dial_read_tls(struct sp_stream *stream, struct sp_arena *arena,
                      struct sp_tls_facts *facts_out)
{
	struct sp_tls_seen seen;

	sp_stream_tls_facts(stream, arena, &seen);
	sp_dial_tls_facts(&seen, facts_out);
}

int64_t sp_dial_stage_timeout(const struct sp_conf *conf,
                              enum sp_smtp_stage stage)
{
	const int64_t timeouts_ms[SP_SMTP_STAGE_COUNT] = {
		[SP_SMTP_STAGE_GREETING] = conf->smtp.greeting_timeout_ms,
		[SP_SMTP_STAGE_EHLO] = conf->smtp.command_timeout_ms,
		[SP_SMTP_STAGE_STARTTLS] = conf->smtp.command_timeout_ms,
		[SP_SMTP_STAGE_TLS] = conf->smtp.command_timeout_ms,
		[SP_SMTP_STAGE_IDLE] = -1,
		[SP_SMTP_STAGE_MAIL] = conf->smtp.command_timeout_ms,
		[SP_SMTP_STAGE_RCPT] = conf->smtp.command_timeout_ms,
		[SP_SMTP_STAGE_DATA_INIT] = conf->smtp.data_init_timeout_ms,
		[SP_SMTP_STAGE_DATA_BLOCK] = conf->smtp.data_block_timeout_ms,
		[SP_SMTP_STAGE_DATA_DONE] = conf->smtp.data_done_timeout_ms,
		[SP_SMTP_STAGE_RSET] = conf->smtp.command_timeout_ms,
		[SP_SMTP_STAGE_QUIT] = conf->smtp.command_timeout_ms,
		[SP_SMTP_STAGE_CLOSED] = -1,
	};

	return timeouts_ms[stage];
}

static struct sp_json *history_json(const struct sp_smtp_history *history)
{
	struct sp_json *list = sp_json_array();

	for (size_t i = 0; i < sp_smtp_history_len(history); i++) {
		const struct sp_smtp_step *step =
			sp_smtp_history_at(history, i);
		char line[160];

		if (step->from) {
			snprintf(line, sizeof(line), "%s -> %s", step->from,
			         step->to);
		} else {
			snprintf(line, sizeof(line), "%s: %u %s", step->to,
			         step->code, step->text);
		}
		sp_json_add_cstr(list, line);
	}
	return list;
}

enum sp_cause_id sp_dial_connect_cause(int err)
{
	static const struct {
		int err;
		enum sp_cause_id cause;
	} CAUSES[] = {
		{-ECONNREFUSED, SP_CAUSE_CONNECTION_REFUSED},
		{-ETIMEDOUT, SP_CAUSE_CONNECTION_TIMEOUT},
		{-EMFILE, SP_CAUSE_LOCAL_RESOURCES},
		{-ENFILE, SP_CAUSE_LOCAL_RESOURCES},
		{-ENOBUFS, SP_CAUSE_LOCAL_RESOURCES},
	};

	for (size_t i = 0; i < sizeof(CAUSES) / sizeof(*CAUSES); i++) {
		if (CAUSES[i].err == err) {
			return CAUSES[i].cause;
		}
	}
	return SP_CAUSE_CONNECTION_FAILED;
}

bool sp_dial_connect_failed_here(int err)
{
	static const int HERE[] = {
		-ENETUNREACH, -ENETDOWN,     -EADDRNOTAVAIL,
		-EADDRINUSE,  -EAFNOSUPPORT, -EACCES,
		-EPERM,       -EINVAL,       -ENOMEM,
	};

	for (size_t i = 0; i < sizeof(HERE) / sizeof(*HERE); i++) {
		if (HERE[i] == err) {
			return true;
		}
	}
	return false;
}

void sp_dial_live_facts(struct sp_json *live, const struct sp_dial_facts *facts,
                        const struct sp_smtp_client *client)
{
	sp_json_set_cstr(live, "address", facts->address);
	sp_json_set_cstr(live, "security", facts->judgement.security);
	sp_json_set_bool(live, "tls", facts->tls);
	sp_json_set_int(live, "messages", (int64_t)facts->messages);
	if (client) {
		sp_json_set_cstr(
			live, "stage",
			sp_smtp_stage_name(sp_smtp_client_stage(client)));
		sp_json_set(live, "history",
		            history_json(sp_smtp_client_history(client)));
	}
}

bool sp_dial_was_mute(const struct sp_dial_facts *facts,
                      const struct sp_verdict *verdict)
{
	return facts->greeting_ms < 0 && !facts->failed_here &&
	       !facts->handshake_tried && !facts->clear_retry &&
	       verdict->cause != SP_CAUSE_REMOTE_REPLY &&
	       sp_cause_get(verdict->cause)->culprit != SP_CULPRIT_US;
}
