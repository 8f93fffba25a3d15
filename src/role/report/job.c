/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One report, from its day's counts to its addresses:
 *
 *   start ──rows in the store──────────────┐
 *     │ none                               │ those that wait
 *     ▼                                    ▼
 *   TXT of _smtp._tls.<domain> ──rua──▶ NOTE (all as waiting) ──▶ SEND one
 *     │ no record: noted, end              by one: mail by the queue, in the
 *     │ no answer: again later             commit that notes it; https by
 *     ▼                                    fetch, then noted
 *   end ◀── all sent or dropped ───────────┘
 *
 * What can't be sent is tried again, with growing pauses, until a day after
 * the end of its own (RFC 8460 4.1 and 5), and then dropped with a line in the
 * log. An address at which the reports of three days failed is left out until
 * the oldest of them is a week ago.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/time.h"
#include "net/fetch.h"
#include "role/report/report.h"
#include "wire/address.h"
#include "wire/gzip.h"
#include "wire/tlsrpt_mail.h"

#define RETRY_MS        INT64_C(900000) /* doubled at each try, and */
#define RETRY_MAX_MS    INT64_C(14400000)
#define AGAIN_MS        5000 /* the queue could not note it */
#define JSON_MAX        ((size_t)8 * 1024 * 1024)
#define PACKED_MAX      ((size_t)600 * 1024)
#define ANSWER_MAX      4096 /* of an https receiver */
#define POST_TIMEOUT_MS 60000
#define DEAD_DAYS       7
#define DEAD_TIMES      3

static void step(struct job *job);

struct job *job_new(struct report *role, int64_t day, struct sp_str domain,
                    bool recipient, int64_t due_ms)
{
	struct job *job = SP_NEW(struct job);

	job->role = role;
	sp_arena_init(&job->arena);
	job->day = day;
	job->domain = sp_arena_str(&job->arena, domain);
	job->recipient = recipient;
	job->due_ms = due_ms;
	sp_list_init(&job->node);
	report_enter(job);
	return job;
}

static void forget_ask(struct job *job)
{
	if (job->asked) {
		(void)sp_map_remove(&job->role->asked,
		                    sp_map_key_u64(&job->asked));
		job->asked = 0;
	}
}

void job_free(struct job **pointer)
{
	struct job *job = *pointer;
	struct sp_lookup *lookup = sp_lookup_role_borrow(job->role->lookup);

	*pointer = NULL;
	if (job->lookup) {
		lookup->cancel(lookup, job->lookup);
	}
	forget_ask(job);
	job->role->running -= job->running;
	report_remove(job);
	sp_arena_fini(&job->arena);
	sp_free(job);
}

/* ---- the end of a start ---- */

static bool is_over(const struct job *job)
{
	return sp_time_wall_ms() >= (job->day + 2) * SP_STORE_DAY_MS;
}

static void end(struct job *job)
{
	struct report *role = job->role;

	job_free(&job);
	report_wake(role);
}

/* Another start, later; what is known of it is read from the store then. */
static void rest(struct job *job, int64_t due_ms)
{
	forget_ask(job);
	job->role->running -= job->running;
	job->running = false;
	report_set_tried(job, true);
	job->due_ms = due_ms;
	report_queue(job);
	report_wake(job->role);
}

static uint64_t ask_id(struct job *job)
{
	struct report *role = job->role;

	job->asked = ++role->last_id;
	(void)sp_map_set(&role->asked, sp_map_key_u64(&job->asked), job);
	return job->asked;
}

/* ---- notes in the store ---- */

static void note(struct job *job, struct sp_msg_tls_report *msg)
{
	msg->id = ask_id(job);
	msg->day = job->day;
	msg->domain = job->domain;
	msg->report_id = job->report_id;
	if (!job->role->queue ||
	    !sp_role_send(job->role->queue, SP_MSG_TLS_REPORT,
	                  SP_MSG_TLS_REPORT_FIELDS, msg)) {
		rest(job, sp_time_wall_ms() + AGAIN_MS);
	}
}

static void note_target(struct job *job, enum sp_store_tls_out_state state,
                        struct sp_str why)
{
	const struct target *t = &job->targets[job->at];
	struct sp_msg_tls_report msg = {
		.uri = t->uri,
		.state = state,
		.tries = t->tries,
		.next_ms = state == SP_STORE_TLS_OUT_WAITING ? t->next_ms : 0,
		.why = sp_str_sub(why, 0, SP_MSG_REASON_MAX),
	};

	note(job, &msg);
}

void job_noted(struct job *job, bool done)
{
	if (!done) {
		rest(job, sp_time_wall_ms() + AGAIN_MS);
		return;
	}
	job->asked = 0;
	if (job->target_count == 0) {
		end(job); /* no record */
		return;
	}
	if (!job->noted) {
		job->noted = ++job->at == job->target_count;
		job->at = job->noted ? 0 : job->at;
	} else {
		job->targets[job->at++].settled = true;
	}
	step(job);
}

static void log_target(const struct job *job, enum sp_log_level level,
                       const char *event, struct sp_str why)
{
	const struct target *t = &job->targets[job->at];

	sp_log(&job->role->ctx->log, level, event,
	       SP_F_STR("domain", job->domain), SP_F_STR("uri", t->uri),
	       SP_F_STR("report", job->report_id), SP_F_INT("tries", t->tries),
	       SP_F_STR("why", why));
}

static void target_failed(struct job *job, struct sp_str why)
{
	struct target *t = &job->targets[job->at];
	int64_t pause_ms = RETRY_MS << (t->tries < 5 ? t->tries : 5);

	t->tries++;
	job->role->failed++;
	if (is_over(job)) {
		log_target(job, SP_LOG_WARN, "report.dropped", why);
		note_target(job, SP_STORE_TLS_OUT_DROPPED, why);
		return;
	}
	log_target(job, SP_LOG_INFO, "report.deferred", why);
	t->next_ms = sp_time_wall_ms() +
	             (pause_ms < RETRY_MAX_MS ? pause_ms : RETRY_MAX_MS);
	note_target(job, SP_STORE_TLS_OUT_WAITING, why);
}

static void target_sent(struct job *job)
{
	job->targets[job->at].tries++;
	job->role->sent++;
	log_target(job, SP_LOG_INFO, "report.sent", SP_STR(""));
	note_target(job, SP_STORE_TLS_OUT_SENT, SP_STR(""));
}

/* ---- the report ---- */

static int build(struct job *job)
{
	struct sp_store *store = report_store(job->role);
	struct sp_tlsrpt_report report;
	struct sp_buf text, packed;
	struct sp_json *json;
	int ret = store ? build_report(store, job->role->ctx->conf, job->day,
	                               job->domain, &job->arena, &report)
	                : SP_EBUSY;

	if (ret) {
		return ret;
	}
	job->report_id = report.report_id;
	json = sp_tlsrpt_json(&report);
	sp_buf_init(&text, JSON_MAX);
	sp_buf_init(&packed, PACKED_MAX);
	ret = sp_json_write(json, &text);
	ret = ret ? ret : sp_gzip_pack(sp_buf_str(&text), &packed);
	job->json = sp_arena_str(&job->arena, sp_buf_str(&text));
	job->packed = sp_arena_str(&job->arena, sp_buf_str(&packed));
	sp_json_free(&json);
	sp_buf_fini(&text);
	sp_buf_fini(&packed);
	return ret;
}

static struct sp_str file_name(struct job *job, const char *extension)
{
	struct sp_buf name;
	struct sp_str text;

	sp_buf_init(&name, 1000);
	(void)sp_tlsrpt_file_name(sp_conf_submitter(job->role->ctx->conf),
	                          job->domain, job->day * SP_STORE_DAY_MS,
	                          (job->day + 1) * SP_STORE_DAY_MS - 1000,
	                          extension, &name);
	text = sp_str_from(sp_arena_cstr(&job->arena, sp_buf_str(&name)));
	sp_buf_fini(&name);
	return text;
}

/* ---- ways to send it ---- */

static void send_mail(struct job *job, const struct sp_tlsrpt_rua *rua)
{
	const struct sp_conf *conf = job->role->ctx->conf;
	struct target *t = &job->targets[job->at];
	struct sp_msg_tls_report msg = {
		.uri = t->uri,
		.state = SP_STORE_TLS_OUT_QUEUED,
		.tries = t->tries + 1,
		.to = rua->address,
	};
	struct sp_tlsrpt_mail mail = {
		.from = sp_str_from(conf->report.from),
		.to = rua->address,
		.submitter = sp_conf_submitter(conf),
		.domain = job->domain,
		.report_id = job->report_id,
		.file = file_name(job, ".json.gz"),
		.packed = job->packed,
		.now_ms = sp_time_wall_ms(),
	};
	char id[SP_ID_LEN + 1];
	struct sp_buf body;

	sp_id_new(mail.now_ms, id);
	mail.message_id = sp_str_from(
		sp_arena_printf(&job->arena, "%s@%s", id, conf->hostname));
	msg.queue_id = sp_arena_str(&job->arena, sp_str_from(id));
	(void)sp_str_cut(&mail.to, '@', &msg.to_domain);
	msg.to_domain = mail.to;
	mail.to = rua->address;
	sp_buf_init(&body, SP_MSG_TLS_REPORT_MAX);
	if (sp_tlsrpt_mail_write(&mail, &body)) {
		target_failed(job, SP_STR("can't be written as a mail"));
	} else {
		msg.body = sp_buf_str(&body);
		job->role->sent++;
		log_target(job, SP_LOG_INFO, "report.queued", msg.queue_id);
		note(job, &msg);
	}
	sp_buf_fini(&body);
}

static void send_post(struct job *job, const struct sp_tlsrpt_rua *rua)
{
	const struct sp_msg_fetch msg = {
		.id = ask_id(job),
		.url = rua->uri,
		.post = true,
		.post_type = SP_STR("application/tlsrpt+gzip"),
		.body = job->packed,
		.body_max = ANSWER_MAX,
		.timeout_ms = POST_TIMEOUT_MS,
	};

	if (!job->role->fetch || !sp_role_send(job->role->fetch, SP_MSG_FETCH,
	                                       SP_MSG_FETCH_FIELDS, &msg)) {
		rest(job, sp_time_wall_ms() + AGAIN_MS);
	}
}

void job_fetched(struct job *job, const struct sp_msg_fetched *msg)
{
	char why[64];

	job->asked = 0;
	if (msg->status == SP_FETCH_ANSWERED && msg->code >= 200 &&
	    msg->code < 300) {
		target_sent(job);
	} else if (msg->status == SP_FETCH_ANSWERED) {
		(void)snprintf(why, sizeof(why), "answered with status %u",
		               msg->code);
		target_failed(job, sp_str_from(why));
	} else {
		target_failed(job, msg->why);
	}
}

/* The name can't hold a slash: domains are in A-labels. */
static void write_file(struct job *job)
{
	const char *directory = job->role->ctx->conf->report.directory;
	struct sp_str name = file_name(job, ".json");
	char *path = sp_arena_printf(&job->arena, "%s/" SP_STR_FMT, directory,
	                             SP_STR_ARG(name));
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	bool good = fd >= 0;
	size_t done = 0;
	int err = errno;

	while (good && done < job->json.len) {
		ssize_t n =
			write(fd, job->json.ptr + done, job->json.len - done);

		good = n > 0;
		err = errno;
		done += good ? (size_t)n : 0;
	}
	if (fd >= 0) {
		close(fd);
	}
	if (good) {
		target_sent(job);
	} else {
		target_failed(job, sp_str_from(sp_strerror(-err)));
	}
}

/* ---- addresses that are dead, or have it already ---- */

struct looking {
	struct job *job;
	struct sp_str uri;
	bool alive;
	bool failed;      /* the mail looked at */
	unsigned dead;    /* days */
	int64_t dead_day; /* the last of them */
};

static int on_message(void *arg, const struct sp_store_row *row)
{
	struct looking *l = arg;

	l->alive |= row->state == SP_STORE_DELIVERED;
	l->failed |= row->state == SP_STORE_FAILED;
	return 0;
}

static int on_past(void *arg, const struct sp_store_tls_out *o)
{
	struct looking *l = arg;
	struct sp_store_filter filter = {.id = o->queue_id, .limit = 1};
	int ret = 0;

	l->alive |= o->state == SP_STORE_TLS_OUT_SENT;
	l->failed = o->state == SP_STORE_TLS_OUT_DROPPED && o->tries > 0;
	if (o->state == SP_STORE_TLS_OUT_QUEUED) {
		ret = sp_store_search(report_store(l->job->role), &filter,
		                      on_message, l);
	}
	if (l->failed && o->day != l->dead_day) {
		l->dead++; /* an address of many domains has one bad day */
		l->dead_day = o->day;
	}
	return ret ? ret : l->alive; /* enough is known */
}

static bool is_dead(struct job *job, struct sp_str uri)
{
	struct looking l = {.job = job, .uri = uri, .dead_day = -1};
	struct sp_store *store = report_store(job->role);

	return store &&
	       sp_store_tls_outs_to(store, job->day - DEAD_DAYS, job->day - 1,
	                            uri, on_past, &l) == 0 &&
	       l.dead >= DEAD_TIMES && !l.alive;
}

struct covering {
	struct job *job;
	struct sp_str uri;
	bool covered;
};

static int on_recipient(void *arg, int64_t day,
                        const struct sp_store_tls_count *c)
{
	struct covering *cover = arg;
	enum sp_store_tls_out_state state = SP_STORE_TLS_OUT_DROPPED;
	int ret = sp_store_tls_out_find(report_store(cover->job->role), day,
	                                c->recipient, cover->uri, &state);

	cover->covered = ret == 0 && state != SP_STORE_TLS_OUT_DROPPED;
	return !cover->covered; /* one that was not told is enough */
}

/* The sessions with a host that only serves others were told to this address
 * already, in the reports about all of those. */
static bool is_covered(struct job *job, struct sp_str uri)
{
	struct covering cover = {.job = job, .uri = uri};
	struct sp_store *store = report_store(job->role);

	return !job->recipient && store &&
	       sp_store_tls_counts(store, job->day, job->day, job->domain,
	                           on_recipient, &cover) == 0 &&
	       cover.covered;
}

/* ---- the steps ---- */

static void send_target(struct job *job)
{
	struct sp_str uri = job->targets[job->at].uri;
	struct sp_tlsrpt_txt txt;
	struct sp_str record = sp_str_from(sp_arena_printf(
		&job->arena, "v=TLSRPTv1;rua=" SP_STR_FMT, SP_STR_ARG(uri)));

	if (sp_str_starts_nocase(uri, SP_STR("file:"))) {
		write_file(job);
	} else if (is_over(job) && !job->by_hand) {
		target_failed(job, SP_STR("a day of tries is over"));
	} else if (is_dead(job, uri)) {
		log_target(job, SP_LOG_WARN, "report.suppressed", SP_STR(""));
		note_target(job, SP_STORE_TLS_OUT_DROPPED,
		            SP_STR("suppressed: earlier reports failed"));
	} else if (sp_tlsrpt_txt_parse(&record, 1, &job->arena, &txt, NULL)) {
		note_target(job, SP_STORE_TLS_OUT_DROPPED,
		            SP_STR("not an address for reports"));
	} else if (txt.rua[0].scheme == SP_TLSRPT_MAILTO) {
		send_mail(job, &txt.rua[0]);
	} else {
		send_post(job, &txt.rua[0]);
	}
}

/* When the next of those that wait is due; -1: none waits. */
static int64_t next_due(const struct job *job)
{
	int64_t next_ms = -1;

	for (size_t i = 0; i < job->target_count; i++) {
		int64_t at_ms = job->targets[i].next_ms;

		if (at_ms && (next_ms < 0 || at_ms < next_ms)) {
			next_ms = at_ms;
		}
	}
	return next_ms;
}

static void step(struct job *job)
{
	int64_t next_ms;

	if (!job->noted) {
		note_target(job, SP_STORE_TLS_OUT_WAITING, SP_STR(""));
		return;
	}
	while (job->at < job->target_count && job->targets[job->at].settled) {
		job->at++;
	}
	if (job->at < job->target_count) {
		job->targets[job->at].next_ms = 0;
		send_target(job);
		return;
	}
	next_ms = next_due(job);
	if (next_ms < 0) {
		end(job);
	} else {
		rest(job, next_ms);
	}
}

static void note_no_record(struct job *job, const char *why)
{
	struct sp_msg_tls_report msg = {
		.state = SP_STORE_TLS_OUT_NONE,
		.why = sp_str_from(why),
	};

	note(job, &msg);
}

static void add_target(struct job *job, struct sp_str uri)
{
	job->targets[job->target_count++] = (struct target){
		.uri = sp_arena_str(&job->arena, uri),
		.next_ms = sp_time_wall_ms(),
	};
}

static void dns_failed(struct job *job)
{
	int64_t pause_ms = RETRY_MS << (job->failures < 4 ? job->failures : 4);

	job->failures++;
	if (is_over(job)) {
		note_no_record(job, "the DNS gave no answer for a day");
	} else {
		rest(job, sp_time_wall_ms() + pause_ms);
	}
}

static void on_txt(void *arg, struct sp_dns_answer *answer)
{
	struct job *job = arg;
	struct sp_str *records;
	char why[SP_TLSRPT_WHY_MAX] = "";
	struct sp_tlsrpt_txt txt;

	job->lookup = 0;
	if (answer->dnssec == SP_DNSSEC_BOGUS ||
	    answer->dnssec == SP_DNSSEC_FAILED) {
		sp_dns_answer_free(&answer);
		dns_failed(job);
		return;
	}
	records = sp_arena_array(&job->arena, answer->record_count,
	                         sizeof(*records));
	for (size_t i = 0; i < answer->record_count; i++) {
		records[i] = sp_arena_str(&job->arena, answer->records[i].data);
	}
	if (sp_tlsrpt_txt_parse(records, answer->record_count, &job->arena,
	                        &txt, why) == 0) {
		for (size_t i = 0; i < txt.rua_count; i++) {
			if (!is_covered(job, txt.rua[i].uri)) {
				add_target(job, txt.rua[i].uri);
			}
		}
	}
	sp_dns_answer_free(&answer);
	if (job->target_count) {
		step(job);
	} else {
		note_no_record(job, *why ? why : "told in other reports");
	}
}

static void ask_txt(struct job *job)
{
	struct sp_lookup *lookup = sp_lookup_role_borrow(job->role->lookup);
	char name[300];

	(void)snprintf(name, sizeof(name), "_smtp._tls." SP_STR_FMT,
	               SP_STR_ARG(job->domain));
	job->lookup = lookup->ask(lookup, sp_str_from(name), SP_DNS_TYPE_TXT,
	                          job->failures > 0, on_txt, job);
}

/* ---- where an earlier start has left it ---- */

struct resuming {
	struct job *job;
	bool any;
};

static int on_row(void *arg, const struct sp_store_tls_out *o)
{
	struct resuming *r = arg;
	struct job *job = r->job;
	struct target *t;

	r->any = true;
	if (o->state == SP_STORE_TLS_OUT_WAITING &&
	    job->target_count < SP_TLSRPT_RUA_MAX) {
		add_target(job, o->uri);
		t = &job->targets[job->target_count - 1];
		t->tries = o->tries;
		t->next_ms = o->next_ms;
		t->settled = o->next_ms > sp_time_wall_ms();
	}
	return 0;
}

static void begin(struct job *job)
{
	const char *directory = job->role->ctx->conf->report.directory;

	if (*directory) {
		add_target(job, sp_str_from(sp_arena_printf(
					&job->arena, "file:" SP_STR_FMT,
					SP_STR_ARG(file_name(job, ".json")))));
		step(job);
	} else if (is_over(job) && !job->by_hand) {
		note_no_record(job, "its day was over before it was sent");
	} else {
		ask_txt(job);
	}
}

void job_start(struct job *job)
{
	struct sp_store *store = report_store(job->role);
	struct resuming r = {.job = job};
	int ret = SP_EBUSY;

	job->running = true;
	job->role->running++;
	report_queue(job);
	job->target_count = job->at = 0;
	job->noted = false;
	if (store) {
		ret = sp_store_tls_outs_of(store, job->day, job->domain, on_row,
		                           &r);
	}
	if (ret == 0 && r.any && job->target_count == 0) {
		end(job); /* all of it was told */
		return;
	}
	ret = ret ? ret : build(job);
	if (ret == SP_ENOTFOUND || ret == SP_ELIMIT) {
		sp_log(&job->role->ctx->log, SP_LOG_ERROR, "report.not_built",
		       SP_F_STR("domain", job->domain), SP_F_ERR(ret));
		end(job);
	} else if (ret) {
		rest(job, sp_time_wall_ms() + AGAIN_MS);
	} else if (job->target_count) {
		job->noted = true;
		step(job);
	} else {
		begin(job);
	}
}
