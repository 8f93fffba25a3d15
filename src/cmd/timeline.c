/* SPDX-License-Identifier: Apache-2.0 */
/* The life of one message to one recipient, told for people. */
#include <string.h>

#include "cmd/plan_text.h"
#include "cmd/rows.h"
#include "cmd/text.h"

/* ---- the last reply ---- */

/* The newest event that names a host; null: none. */
static const struct sp_json *last_try(const struct sp_json *row)
{
	const struct sp_json *events = sp_json_get(row, "events");

	for (size_t i = sp_json_len(events); i > 0; i--) {
		const struct sp_json *event = sp_json_at(events, i - 1);

		if (sp_json_get_str(event, "host").len) {
			return event;
		}
	}
	return NULL;
}

/* The port of the event's address, from the newest try at it; where none is
 * told, the configured one. */
static int64_t port_of(const struct sp_json *event, int64_t configured)
{
	const struct sp_json *tries =
		sp_json_get(sp_json_get(event, "detail"), "tries");

	for (size_t i = sp_json_len(tries); i > 0; i--) {
		const struct sp_json *try = sp_json_at(tries, i - 1);

		if (sp_str_eq(sp_json_get_str(try, "address"),
		              sp_json_get_str(event, "address"))) {
			return sp_json_get_int(try, "port", configured);
		}
	}
	return configured;
}

static void append_address(struct sp_buf *out, struct sp_str address,
                           int64_t port)
{
	bool six = sp_str_find(address, ':') < address.len;

	(void)sp_buf_append_cstr(out, six ? " [LastAttemptedIP=["
	                                  : " [LastAttemptedIP=");
	sp_text_append(out, address);
	(void)sp_buf_printf(out, "%s:%lld]", six ? "]" : "", (long long)port);
}

void sp_rows_last_error(const struct sp_json *row, int64_t port,
                        struct sp_buf *out)
{
	const struct sp_json *try = last_try(row);
	struct sp_str reply = sp_json_get_str(row, "reply");
	struct sp_str host = sp_json_get_str(try, "host");
	struct sp_str address = sp_json_get_str(try, "address");
	struct sp_str scenario = sp_json_get_str(row, "scenario");

	if (!reply.len) {
		return;
	}
	sp_text_append(out, reply);
	if (host.len) {
		(void)sp_buf_append_cstr(out, " [LastAttemptedServerName=");
		sp_text_append(out, host);
		(void)sp_buf_append_char(out, ']');
	}
	if (address.len) {
		append_address(out, address, port_of(try, port));
	}
	if (scenario.len) {
		(void)sp_buf_append_cstr(out, " [Scenario=");
		sp_text_append(out, scenario);
		(void)sp_buf_append_char(out, ']');
	}
}

/* ---- an attempt ---- */

static void put_tls(FILE *f, const struct sp_json *tls)
{
	const struct sp_json *cert = sp_json_get(tls, "certificate");
	const struct sp_json *match = sp_json_get(tls, "match");

	sp_put(f, "      TLS failed: ", sp_json_get_str(tls, "error"), "\n");
	sp_put(f, "      ", sp_json_get_str(tls, "protocol"), "");
	sp_put(f, " ", sp_json_get_str(tls, "cipher"), "");
	fputs(sp_json_get_bool(tls, "resumed") ? " resumed\n" : "\n", f);
	sp_put(f, "      certificate sha256 ", sp_json_get_str(cert, "sha256"),
	       "\n");
	sp_put(f, "        key ", sp_json_get_str(cert, "key"), "\n");
	sp_put(f, "        names ", sp_json_get_str(cert, "names"), "\n");
	sp_put(f, "        issuer ", sp_json_get_str(cert, "issuer"), "\n");
	sp_put(f, "        valid ", sp_json_get_str(cert, "not_before"),
	       " to ");
	sp_put(f, "", sp_json_get_str(cert, "not_after"), "\n");
	sp_put(f, "      matched by ", sp_json_get_str(match, "record"), "");
	if (sp_json_is_object(match)) {
		fprintf(f, " at depth %lld\n",
		        (long long)sp_json_get_int(match, "depth", -1));
	}
	sp_put(f, "      verification: ", sp_json_get_str(tls, "verify"), "\n");
}

static void put_timings(FILE *f, const struct sp_json *timings)
{
	static const char *const KEYS[] = {"dns_ms",      "connect_ms",
	                                   "greeting_ms", "tls_ms",
	                                   "smtp_ms",     "total_ms"};
	const char *before = "      timings: ";

	for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
		int64_t ms = sp_json_get_int(timings, KEYS[i], -1);

		if (ms >= 0) {
			fprintf(f, "%s%.*s %lld ms", before,
			        (int)(strlen(KEYS[i]) - 3), KEYS[i],
			        (long long)ms);
			before = ", ";
		}
	}
	fputs(*before == ',' ? "\n" : "", f);
}

static void put_try(FILE *f, const struct sp_json *try)
{
	sp_put(f, "    tried ", sp_json_get_str(try, "host"), "");
	sp_put(f, " ", sp_json_get_str(try, "address"), "");
	sp_put(f, " under rule ", sp_json_get_str(try, "rule"), "");
	sp_put(f, ": ", sp_json_get_str(try, "security"), "");
	fputs(sp_json_get_bool(try, "reused") ? ", connection reused\n" : "\n",
	      f);
	if (sp_json_is_object(sp_json_get(try, "tls"))) {
		put_tls(f, sp_json_get(try, "tls"));
	}
	if (sp_json_is_object(sp_json_get(try, "other_key_tls"))) {
		fputs("      the other handshake, for a key of another kind:\n",
		      f);
		put_tls(f, sp_json_get(try, "other_key_tls"));
	}
	sp_put(f, "      ", sp_json_get_str(try, "reply"), "\n");
	sp_put(f, "      evidence: ", sp_json_get_str(try, "evidence"), "\n");
	sp_put(f, "      warning: ", sp_json_get_str(try, "warning"), "\n");
	sp_put(f, "      log-only, would have been: ",
	       sp_json_get_str(try, "would_have_blocked"), "\n");
	put_timings(f, sp_json_get(try, "timings"));
}

/* Deferred by what another message met. */
static void put_untried(FILE *f, const struct sp_json *failed)
{
	char time[24];

	if (sp_json_is_object(failed)) {
		sp_put(f, "    not tried itself: failed for ",
		       sp_json_get_str(failed, "probe"), "");
		sp_put(f, " at ",
		       sp_text_time(sp_json_get_str(failed, "time"), time),
		       "\n");
	}
}

/* Whether the message got its signature. */
static void put_dkim(FILE *f, const struct sp_json *dkim)
{
	if (!sp_json_is_object(dkim)) {
		return;
	}
	if (sp_json_get_bool(dkim, "signed")) {
		sp_put(f, "    DKIM: signed for ",
		       sp_json_get_str(dkim, "domain"), "");
		fprintf(f, ", signatures: %lld\n",
		        (long long)sp_json_get_int(dkim, "signatures", 1));
	} else {
		sp_put(f, "    DKIM: not signed, ",
		       sp_json_get_str(dkim, "why"), "\n");
	}
}

static void put_event(FILE *f, const struct sp_json *event)
{
	const struct sp_json *detail = sp_json_get(event, "detail");
	const struct sp_json *plan = sp_json_get(detail, "plan");
	const struct sp_json *tries = sp_json_get(detail, "tries");
	int64_t attempt = sp_json_get_int(event, "attempt", 0);
	char time[24];

	sp_put(f, "  ", sp_text_time(sp_json_get_str(event, "time"), time),
	       "  ");
	sp_text_put(f, sp_json_get_str(event, "event"));
	if (attempt > 0) {
		fprintf(f, ", attempt %lld", (long long)attempt);
	}
	sp_put(f, ", ", sp_json_get_str(event, "security"), "");
	sp_put(f, ", ", sp_json_get_str(event, "host"), "");
	sp_put(f, " ", sp_json_get_str(event, "address"), "");
	fputc('\n', f);
	sp_put(f, "    ", sp_json_get_str(event, "reply"), "\n");
	sp_put(f, "    scenario ", sp_json_get_str(event, "scenario"), "\n");
	put_untried(f, sp_json_get(detail, "destination_failed"));
	sp_put(f, "    the sender was told, by ",
	       sp_json_get_str(sp_json_get(detail, "report"), "id"), "\n");
	put_dkim(f, sp_json_get(detail, "dkim"));
	if (plan) {
		sp_plan_put(f, plan, 4);
	}
	sp_put(f, "    evidence was too large, missing are: ",
	       sp_json_get_str(detail, "cut"), "\n");
	for (size_t i = 0; i < sp_json_len(tries); i++) {
		put_try(f, sp_json_at(tries, i));
	}
}

/* ---- the whole ---- */

static void put_fact(FILE *f, const struct sp_json *row, const char *title,
                     const char *key)
{
	char line[32];

	snprintf(line, sizeof(line), "%-13s", title);
	sp_put(f, line, sp_json_get_str(row, key), "\n");
}

void sp_rows_timeline(FILE *f, const struct sp_json *row, int64_t port)
{
	const struct sp_json *events = sp_json_get(row, "events");
	struct sp_buf error;

	put_fact(f, row, "id", "id");
	put_fact(f, row, "Message-ID", "message_id");
	fputs("sender       ", f);
	sp_text_put(f, sp_json_get_str(row, "sender").len
	                       ? sp_json_get_str(row, "sender")
	                       : SP_STR("<>"));
	fputc('\n', f);
	put_fact(f, row, "recipient", "recipient");
	put_fact(f, row, "client", "client");
	fprintf(f, "size         %lld bytes\n",
	        (long long)sp_json_get_int(row, "size", 0));
	put_fact(f, row, "received", "received");
	put_fact(f, row, "status", "status");
	put_fact(f, row, "waits for", "waits_for");
	put_fact(f, row, "security", "security");
	put_fact(f, row, "next attempt", "next_attempt");
	put_fact(f, row, "expires", "expires");
	sp_buf_init(&error, SP_TEXT_MAX);
	sp_rows_last_error(row, port, &error);
	sp_put(f, "last reply   ", sp_buf_str(&error), "\n");
	sp_buf_fini(&error);
	for (size_t i = 0; i < sp_json_len(events); i++) {
		put_event(f, sp_json_at(events, i));
	}
}
