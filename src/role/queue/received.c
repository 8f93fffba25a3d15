/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS reports that others send us: each policy becomes a row, once. The first
 * that tells of failures under a policy of a domain is an alert, in the log
 * and by mail to the postmaster. What comes after it is told in a digest: a
 * day after the first row that was not told of, all of them. So there is at
 * most one in that time, and none where there is nothing new. What was told
 * stands in the rows, in the commit that enqueues the mail, so that no
 * restart tells it twice.
 *
 * Whoever signs his mail can report about any name: alerts have a limit, and
 * what is over it stands in the digest.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/time.h"
#include "policy/worker.h"
#include "role/queue/queue.h"
#include "store/tls_report.h"
#include "wire/address.h"

#define ALERTS_MAX  10 /* mails in a day */
#define MAIL_MAX    60000
#define WORD_MAX    100  /* bytes shown of a name */
#define LINES_MAX   100  /* of a digest */
#define ROWS_MAX    1000 /* read for one */
#define DETAILS_MAX ((size_t)1024 * 1024)

/* ---- words ---- */

/* What of it can stand in a header or a line of text. */
static const char *printable(struct sp_str text, struct sp_arena *arena)
{
	char *out = sp_arena_cstr(arena, sp_str_sub(text, 0, WORD_MAX));

	for (char *at = out; *at; at++) {
		*at = *at >= ' ' && *at <= '~' ? *at : '?';
	}
	return out;
}

static void write_head(const struct sp_conf *conf, const char *id,
                       int64_t now_ms, const char *subject, struct sp_buf *out)
{
	char date[SP_TIME_TEXT];

	sp_time_rfc5322(now_ms, date);
	(void)sp_buf_printf(
		out,
		"From: <%s>\r\nTo: <%s>\r\nDate: %s\r\n"
		"Message-ID: <%s@%s>\r\nSubject: %s\r\n"
		"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=us-ascii\r\n\r\n",
		conf->postmaster, conf->postmaster, date, id, conf->hostname,
		subject);
}

/* text: what stands below the header. */
static int tell_postmaster(struct sp_queue *q, struct sp_arena *arena,
                           int64_t now_ms, const char *subject,
                           struct sp_str text)
{
	const struct sp_conf *conf = q->ctx->conf;
	struct sp_envelope_rcpt rcpt = {
		.address = sp_str_from(conf->postmaster),
		.notify = SP_NOTIFY_NEVER,
	};
	struct sp_envelope envelope = {
		.received_ms = now_ms, .rcpts = &rcpt, .rcpt_count = 1};
	struct sp_store_incoming msg = {.envelope = &envelope,
	                                .due_ms = now_ms,
	                                .expires_ms = now_ms + conf->expire_ms,
	                                .complete = true};
	struct sp_str domain = rcpt.address;
	struct sp_str local;
	char id[SP_ID_LEN + 1];
	unsigned worker;
	struct sp_buf body;
	int ret;

	(void)sp_str_cut(&domain, '@', &local);
	if (sp_domain_to_ascii(domain, arena, &rcpt.domain)) {
		return 0; /* a postmaster without a domain reads the log */
	}
	sp_id_new(now_ms, id);
	sp_buf_init(&body, MAIL_MAX + 4096);
	write_head(conf, id, now_ms, subject, &body);
	(void)sp_buf_append_str(&body, text);
	worker = sp_worker_of(rcpt.domain, q->ctx->worker_count);
	msg.id = sp_str_from(id);
	msg.workers = &worker;
	msg.body = sp_buf_str(&body);
	msg.to_sign = sp_queue_wants_signature(q, msg.body, true);
	ret = sp_store_enqueue(q->store, &msg);
	sp_buf_fini(&body);
	return ret == SP_ELIMIT ? 0 : ret;
}

/* ---- the first of a domain ---- */

static int alert(struct sp_queue *q, const struct sp_store_tls_in *in,
                 struct sp_arena *arena)
{
	int64_t now_ms = sp_time_wall_ms();
	const char *domain = printable(in->domain, arena);
	const char *subject = sp_arena_printf(
		arena, "TLS failures are reported for %s", domain);
	const char *text = sp_arena_printf(
		arena,
		"For the first time a TLS report tells of failures under a "
		"policy of\r\n%s.\r\n\r\n"
		"Reporter: %s\r\nPolicy: %s\r\nFailed sessions: %llu\r\n"
		"Successful sessions: %llu\r\n\r\n"
		"sealpost report show --received %s\r\n"
		"shows all of it. There is no further mail for each "
		"report.\r\n",
		domain, printable(in->organization, arena),
		printable(in->type, arena), (unsigned long long)in->failed,
		(unsigned long long)in->successful, domain);
	uint64_t alerts = 0;
	int ret;

	sp_log(&q->ctx->log, SP_LOG_WARN, "report.first_failure",
	       SP_F_STR("domain", in->domain),
	       SP_F_STR("organization", in->organization),
	       SP_F_INT("failed", in->failed));
	ret = sp_store_tls_in_alerts(q->store, now_ms - SP_STORE_DAY_MS,
	                             &alerts);
	if (ret || (alerts >= ALERTS_MAX && q->ctx->conf->report.digest_ms)) {
		return ret;
	}
	ret = sp_store_tls_in_told(q->store, in->domain, true);
	return ret || alerts >= ALERTS_MAX
	               ? ret
	               : tell_postmaster(q, arena, now_ms, subject,
	                                 sp_str_from(text));
}

/* ---- the digest ---- */

struct line {
	struct sp_str domain, reporter, type;
	uint64_t count;
};

struct digest {
	struct sp_arena *arena;
	struct sp_map by_name; /* -> struct line */
	struct line lines[LINES_MAX];
	size_t line_count;
	size_t rows, details;
	bool cut;
};

static void add_line(struct digest *d, const char *domain, const char *reporter,
                     const char *type, uint64_t count)
{
	struct sp_str name = sp_str_from(sp_arena_printf(
		d->arena, "%s\n%s\n%s", domain, reporter, type));
	struct line *line = sp_map_find(&d->by_name, name);

	if (!line && d->line_count == LINES_MAX) {
		d->cut = true;
		return;
	}
	if (!line) {
		line = &d->lines[d->line_count++];
		*line = (struct line){sp_str_from(domain),
		                      sp_str_from(reporter), sp_str_from(type),
		                      0};
		(void)sp_map_set(&d->by_name, name, line);
	}
	line->count += count;
}

static uint64_t count_of(const struct sp_json *obj, const char *key)
{
	int64_t count = sp_json_get_int(obj, key, 0);

	return count > 0 ? (uint64_t)count : 0;
}

/* Failures by type; what they leave of the sum has none. */
static void add_row(struct digest *d, const struct sp_store_tls_in *in)
{
	static const struct sp_json_limits limits = {SP_STORE_TLS_DETAILS_MAX,
	                                             8, 100000};
	const char *domain = printable(in->domain, d->arena);
	struct sp_str signer = in->dkim;
	struct sp_json *failures = NULL;
	const char *reporter;
	uint64_t rest = in->failed;

	if (sp_str_starts_nocase(signer, SP_STR("pass "))) {
		signer = sp_str_sub(signer, 5, signer.len);
	}
	reporter = sp_arena_printf(d->arena, "%s (%s)",
	                           printable(in->organization, d->arena),
	                           printable(signer, d->arena));
	d->details += in->failures.len;
	if (d->details <= DETAILS_MAX) {
		(void)sp_json_parse(in->failures, &limits, &failures, NULL, 0);
	}
	for (size_t i = 0; failures && rest && i < sp_json_len(failures); i++) {
		const struct sp_json *f = sp_json_at(failures, i);
		uint64_t count = count_of(f, "count");

		count = count < rest ? count : rest;
		rest -= count;
		add_line(d, domain, reporter,
		         printable(sp_json_get_str(f, "result_type"), d->arena),
		         count);
	}
	if (rest) {
		add_line(d, domain, reporter, "type not told", rest);
	}
	sp_json_free(&failures);
}

static int on_untold(void *arg, const struct sp_store_tls_in *in)
{
	struct digest *d = arg;

	d->rows++;
	d->cut |= d->rows == ROWS_MAX;
	add_row(d, in);
	return 0;
}

static int by_words(const void *a, const void *b)
{
	const struct line *x = a;
	const struct line *y = b;
	int order = sp_str_cmp(x->domain, y->domain);

	order = order ? order : sp_str_cmp(x->reporter, y->reporter);
	return order ? order : sp_str_cmp(x->type, y->type);
}

static void write_digest(struct digest *d, struct sp_buf *out)
{
	struct sp_str domain = {NULL, 0};

	qsort(d->lines, d->line_count, sizeof(*d->lines), by_words);
	(void)sp_buf_append_cstr(
		out, "TLS reports of others tell of these failures. Sessions, "
		     "result, reporter\r\n(and who signed the report):\r\n");
	for (size_t i = 0; i < d->line_count; i++) {
		const struct line *line = &d->lines[i];

		if (i == 0 || !sp_str_eq(domain, line->domain)) {
			domain = line->domain;
			(void)sp_buf_printf(out, "\r\n" SP_STR_FMT "\r\n",
			                    SP_STR_ARG(domain));
		}
		(void)sp_buf_printf(
			out, "    %llu " SP_STR_FMT ", " SP_STR_FMT "\r\n",
			(unsigned long long)line->count, SP_STR_ARG(line->type),
			SP_STR_ARG(line->reporter));
	}
	(void)sp_buf_printf(out,
	                    "\r\n%s"
	                    "sealpost report list --received\r\nshows all of "
	                    "them.\r\n",
	                    d->cut ? "There are more.\r\n" : "");
}

static int note_first(void *arg, const struct sp_store_tls_in *in)
{
	*(int64_t *)arg = in->received_ms;
	return 0;
}

int sp_queue_digest_next(struct sp_queue *q, int64_t *time_ms_out)
{
	int64_t first_ms = -1;
	int ret;

	*time_ms_out = -1;
	if (q->ctx->conf->report.digest_ms == 0) {
		return 0;
	}
	if (!q->untold_known) {
		ret = sp_store_tls_untold(q->store, 1, note_first, &first_ms);
		if (ret) {
			return ret;
		}
		q->untold_ms = first_ms;
		q->untold_known = true;
	}
	if (q->untold_ms >= 0) {
		*time_ms_out = q->untold_ms + q->ctx->conf->report.digest_ms;
	}
	return 0;
}

static int send_digest(struct sp_queue *q, int64_t now_ms)
{
	struct digest *d = sp_arena_alloc(&q->turn_arena, sizeof(*d));
	struct sp_buf text;
	int ret;

	d->arena = &q->turn_arena;
	sp_map_init(&d->by_name);
	sp_buf_init(&text, MAIL_MAX);
	ret = sp_store_tls_untold(q->store, ROWS_MAX, on_untold, d);
	if (ret == 0 && d->rows) {
		write_digest(d, &text);
		ret = tell_postmaster(q, &q->turn_arena, now_ms,
		                      "TLS failures that others reported",
		                      sp_buf_str(&text));
		ret = ret ? ret
		          : sp_store_tls_in_told(q->store, SP_STR(""), false);
	}
	sp_buf_fini(&text);
	sp_map_fini(&d->by_name);
	return ret;
}

int sp_queue_digest(struct sp_queue *q, int64_t now_ms)
{
	int64_t due_ms;
	int ret = sp_queue_digest_next(q, &due_ms);

	/* A row that came in this very turn is later than its time; one from
	 * long after it came before the clock was set back. */
	if (ret || due_ms < 0 ||
	    (now_ms < due_ms &&
	     due_ms - now_ms < 2 * q->ctx->conf->report.digest_ms)) {
		return ret;
	}
	q->untold_known = false;
	return send_digest(q, now_ms);
}

/* ---- taking in ---- */

/* Whoever signs his mail can report about any name. */
static bool is_ours(const struct sp_conf *conf, struct sp_str domain,
                    struct sp_arena *arena)
{
	struct sp_str ascii;

	return conf->report.domains.count == 0 ||
	       (sp_domain_to_ascii(domain, arena, &ascii) == 0 &&
	        sp_conf_report_is_ours(conf, ascii));
}

int sp_queue_report_import(struct sp_queue *q, struct sp_arena *arena,
                           const struct sp_json *command,
                           struct sp_json **reply_out)
{
	struct sp_store_tls_in in = {
		.received_ms = sp_time_wall_ms(),
		.organization = sp_json_get_str(command, "organization"),
		.report_id = sp_json_get_str(command, "report_id"),
		.contact = sp_json_get_str(command, "contact"),
		.start_ms = sp_json_get_int(command, "start_ms", 0),
		.end_ms = sp_json_get_int(command, "end_ms", 0),
		.dkim = sp_json_get_str(command, "dkim"),
		.trusted = sp_json_get_bool(command, "trusted"),
		.type = sp_json_get_str(command, "type"),
		.domain = sp_json_get_str(command, "domain"),
		.policy = sp_json_get_str(command, "policy"),
		.successful = count_of(command, "successful"),
		.failed = count_of(command, "failed"),
		.failures = sp_json_get_str(command, "failures"),
		.oddities = sp_json_get_str(command, "oddities"),
	};
	bool known = false;
	bool first = false;
	int ret;

	*reply_out = sp_json_object();
	if (!is_ours(q->ctx->conf, in.domain, arena)) {
		sp_json_set_bool(*reply_out, "ok", true);
		sp_json_set_bool(*reply_out, "foreign", true);
		return 0;
	}
	ret = sp_store_tls_in_add(q->store, &in, &known, &first);
	q->untold_known = false;
	if (ret == SP_ELIMIT) {
		/* No error: what comes behind it is none of its doing. */
		sp_json_set_bool(*reply_out, "ok", true);
		sp_json_set_bool(*reply_out, "refused", true);
		return 0;
	}
	if (ret == 0 && first) {
		ret = alert(q, &in, arena);
	}
	sp_json_set_bool(*reply_out, "ok", true);
	sp_json_set_bool(*reply_out, "known", known);
	sp_json_set_bool(*reply_out, "first", first);
	return ret;
}
