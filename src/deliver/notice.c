/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates are checked when they are read, so that writing a report can't
 * fail for a word in one. Values are one line or several; each line of a
 * value begins in the column of its placeholder, and prose is wrapped there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/time.h"
#include "deliver/notice.h"
#include "policy/cause.h"

#define WIDTH      72
#define VALUE_MAX  (64u * 1024)
#define RCPTS_MAX  50 /* named in a group; the status part has all */
#define INDENT_MAX 40

/* What a failure and a delay say of each recipient in the same words. */
#define WHAT_WHO_STEPS                                                         \
	"What happened:\n"                                                     \
	"\n"                                                                   \
	"    {meaning}\n"                                                      \
	"\n"                                                                   \
	"    {reply}\n"                                                        \
	"    code {code}, scenario {scenario}\n"                               \
	"    attempts: {attempts}, the last {last_attempt}\n"                  \
	"\n"                                                                   \
	"Who has to act:\n"                                                    \
	"\n"                                                                   \
	"    {who}\n"                                                          \
	"\n"                                                                   \
	"What has to be done:\n"                                               \
	"\n"                                                                   \
	"    {steps}\n"                                                        \
	"\n"                                                                   \
	"Evidence:\n"                                                          \
	"\n"                                                                   \
	"    {evidence}\n"                                                     \
	"\n"

static const char FAILED[] =
	"Subject: Your message could not be delivered\n"
	"\n"
	"This is the mail server {hostname}. Your message could not be\n"
	"delivered to the recipients below, and will not be tried again.\n"
	"\n"
	"{each}\n"
	"Recipient:\n"
	"\n"
	"    {recipients}\n"
	"\n" WHAT_WHO_STEPS "{end}\n"
	"What you can do: check the address; pass this whole report on to\n"
	"whoever has to act; give them time; then send your message again.\n"
	"\n"
	"Your message {message_id}\n"
	"came here {arrived} and was queued as {queue_id}.\n"
	"Questions about this server: {postmaster}\n";

static const char DELAYED[] =
	"Subject: Your message is delayed\n"
	"\n"
	"This is the mail server {hostname}. Your message has not yet been\n"
	"delivered to the recipients below. It is tried again by itself: you\n"
	"need not send it again, and will hear if it fails for good.\n"
	"\n"
	"{each}\n"
	"Recipient (tried until {retry_until}):\n"
	"\n"
	"    {recipients}\n"
	"\n" WHAT_WHO_STEPS "{end}\n"
	"Your message {message_id}\n"
	"came here {arrived} and was queued as {queue_id}.\n"
	"Questions about this server: {postmaster}\n";

static const char RELAYED[] =
	"Subject: Your message was passed on\n"
	"\n"
	"This is the mail server {hostname}. You asked to be told of the\n"
	"delivery of your message. It was passed on for the recipients below\n"
	"to a mail server that does not send such notices, so that this is\n"
	"the last you hear of it unless it fails there.\n"
	"\n"
	"{each}\n"
	"Recipient:\n"
	"\n"
	"    {recipients}\n"
	"\n"
	"Passed on {last_attempt} to {host} [{address}], which answered:\n"
	"\n"
	"    {reply}\n"
	"\n"
	"{end}\n"
	"Your message {message_id}\n"
	"came here {arrived} and was queued as {queue_id}.\n"
	"Questions about this server: {postmaster}\n";

static const struct {
	const char *file, *text;
} BUILT_IN[SP_NOTICE_KINDS] = {
	[SP_NOTICE_FAILED] = {"failed.txt", FAILED},
	[SP_NOTICE_RELAYED] = {"delivered.txt", RELAYED},
	[SP_NOTICE_DELAYED] = {"delayed.txt", DELAYED},
};

/* ---- values ---- */

struct values {
	const struct sp_notice *notice;
	const struct sp_notice_group *group; /* null outside of {each} */
	const struct sp_notice_rcpt *rcpt;   /* first of the group */
	const struct sp_cause *cause;
	struct sp_buf *out;
};

static void put_text(const struct values *v, const char *text)
{
	(void)sp_buf_append_cstr(v->out, text);
}

static void put_time(const struct values *v, int64_t time_ms)
{
	char text[SP_TIME_TEXT];

	if (time_ms > 0) {
		sp_time_rfc5322(time_ms, text);
		put_text(v, text);
	} else {
		put_text(v, "never");
	}
}

static void put_hostname(const struct values *v)
{
	put_text(v, v->notice->hostname);
}

static void put_postmaster(const struct values *v)
{
	if (*v->notice->postmaster) {
		put_text(v, v->notice->postmaster);
	} else {
		(void)sp_buf_printf(v->out, "postmaster@%s",
		                    v->notice->hostname);
	}
}

/* An address may be UTF-8; controls it has none, it was parsed. */
static void put_address(const struct values *v, struct sp_str address)
{
	for (size_t i = 0; i < address.len; i++) {
		(void)sp_buf_append_char(v->out, sp_ascii_tame(address.ptr[i]));
	}
}

static void put_sender(const struct values *v)
{
	put_address(v, v->notice->sender);
}

static void put_message_id(const struct values *v)
{
	sp_notice_clean(v->out, v->notice->message_id);
}

static void put_arrived(const struct values *v)
{
	put_time(v, v->notice->received_ms);
}

static void put_queue_id(const struct values *v)
{
	sp_notice_clean(v->out, v->notice->id);
}

static void put_recipients(const struct values *v)
{
	for (size_t i = 0; i < v->group->count && i < RCPTS_MAX; i++) {
		put_text(v, i ? "\n" : "");
		put_address(v, v->group->rcpts[i]->address);
	}
	if (v->group->count > RCPTS_MAX) {
		(void)sp_buf_printf(v->out, "\nand %zu more",
		                    v->group->count - RCPTS_MAX);
	}
}

static void put_domain(const struct values *v)
{
	sp_notice_clean(v->out, v->rcpt->domain);
}

static void put_code(const struct values *v)
{
	sp_notice_clean(v->out, v->rcpt->code);
}

static void put_reply(const struct values *v)
{
	sp_notice_clean(v->out, v->rcpt->reply);
	if (v->cause->id == SP_CAUSE_REMOTE_REPLY &&
	    !sp_str_eq(v->rcpt->reply, v->rcpt->attempt_reply) &&
	    v->rcpt->attempt_reply.len) {
		put_text(v, "\nwhich was: ");
		sp_notice_clean(v->out, v->rcpt->attempt_reply);
	}
}

static void put_scenario(const struct values *v)
{
	sp_notice_clean(v->out, v->rcpt->cause);
}

static void put_attempts(const struct values *v)
{
	(void)sp_buf_printf(v->out, "%u", v->rcpt->attempts);
}

static void put_last_attempt(const struct values *v)
{
	put_time(v, v->rcpt->attempt_ms);
}

static void put_retry_until(const struct values *v)
{
	put_time(v, v->rcpt->expires_ms);
}

static struct sp_str of_try(const struct values *v, const char *key,
                            struct sp_str other)
{
	struct sp_str s = sp_json_get_str(v->group->try, key);

	return s.len ? s : other;
}

static void put_host(const struct values *v)
{
	sp_notice_clean(v->out, of_try(v, "host", v->rcpt->host));
}

static void put_host_address(const struct values *v)
{
	sp_notice_clean(v->out, of_try(v, "address", v->rcpt->host_address));
}

static void put_meaning(const struct values *v)
{
	put_text(v, *v->cause->meaning ? v->cause->meaning
	                               : "It has not been tried yet.");
}

static void put_who(const struct values *v)
{
	switch (v->cause->culprit) {
	case SP_CULPRIT_DESTINATION:
		put_text(v, "The administrator of ");
		put_domain(v);
		put_text(v, ". Use another way than the mail that does not "
		            "get through: the telephone, another address.");
		break;
	case SP_CULPRIT_SENDER:
		put_text(v, "You, the sender.");
		break;
	case SP_CULPRIT_NONE:
	case SP_CULPRIT_US:
		put_text(v, "The operator of this mail server, ");
		put_postmaster(v);
		put_text(v, ".");
		break;
	case SP_CULPRIT_NETWORK:
		put_text(v, "The administrator of ");
		put_domain(v);
		put_text(v, ", or the operator of this mail server (");
		put_postmaster(v);
		put_text(v, "): the fault can lie anywhere between them.");
		break;
	}
}

static void put_steps(const struct values *v)
{
	struct sp_str rest = sp_str_from(v->cause->action);
	struct sp_str step;
	unsigned number = 1;

	while (sp_str_cut(&rest, '\n', &step)) {
		(void)sp_buf_printf(v->out, "%s%u. " SP_STR_FMT,
		                    number > 1 ? "\n" : "", number,
		                    SP_STR_ARG(step));
		number++;
	}
	if (number == 1) {
		put_text(v, "Nothing.");
	}
}

static void put_evidence(const struct values *v)
{
	sp_notice_evidence(v->group, v->out);
}

static const struct placeholder {
	const char *name;
	void (*put)(const struct values *v);
	bool of_group; /* only between {each} and {end} */
	bool prose;    /* wrapped */
} PLACEHOLDERS[] = {
	{"hostname", put_hostname, false, false},
	{"postmaster", put_postmaster, false, false},
	{"sender", put_sender, false, false},
	{"message_id", put_message_id, false, false},
	{"arrived", put_arrived, false, false},
	{"queue_id", put_queue_id, false, false},
	{"recipients", put_recipients, true, false},
	{"domain", put_domain, true, false},
	{"code", put_code, true, false},
	{"reply", put_reply, true, false},
	{"scenario", put_scenario, true, false},
	{"attempts", put_attempts, true, false},
	{"last_attempt", put_last_attempt, true, false},
	{"retry_until", put_retry_until, true, false},
	{"host", put_host, true, false},
	{"address", put_host_address, true, false},
	{"meaning", put_meaning, true, true},
	{"who", put_who, true, true},
	{"steps", put_steps, true, true},
	{"evidence", put_evidence, true, false},
};

static const struct placeholder *find(struct sp_str name)
{
	size_t count = sizeof(PLACEHOLDERS) / sizeof(PLACEHOLDERS[0]);

	for (size_t i = 0; i < count; i++) {
		if (sp_str_eq(name, sp_str_from(PLACEHOLDERS[i].name))) {
			return &PLACEHOLDERS[i];
		}
	}
	return NULL;
}

/* ---- lines ---- */

static void new_line(struct sp_buf *out, size_t indent)
{
	(void)sp_buf_printf(out, "\n%*s", (int)indent, "");
}

static void put_prose(struct sp_buf *out, struct sp_str text, size_t indent)
{
	struct sp_str word;
	size_t column = 0;

	while (sp_str_cut(&text, ' ', &word)) {
		if (column > 0 && indent + column + 1 + word.len > WIDTH) {
			new_line(out, indent);
			column = 0;
		}
		if (column > 0) {
			(void)sp_buf_append_char(out, ' ');
		}
		(void)sp_buf_append_str(out, word);
		column += (column > 0) + word.len;
	}
}

static void put_value(struct sp_buf *out, struct sp_str value, size_t indent,
                      bool prose)
{
	struct sp_str line;
	bool first = true;

	if (indent > INDENT_MAX) {
		indent = INDENT_MAX;
	}
	while (sp_str_cut(&value, '\n', &line)) {
		if (!first) {
			new_line(out, indent);
		}
		first = false;
		if (prose) {
			put_prose(out, line, indent);
		} else {
			(void)sp_buf_append_str(out, line);
		}
	}
}

/* The next piece of a template's line: text, or a placeholder. */
struct piece {
	struct sp_str text;
	struct sp_str name; /* with is_name */
	bool is_name;
};

/* 1: a piece; 0: the end; SP_ESYNTAX: a brace that is not closed. */
static int next_piece(struct sp_str *line, struct piece *out)
{
	size_t brace = sp_str_find(*line, '{');

	*out = (struct piece){.text = sp_str_sub(*line, 0, brace)};
	if (line->len == 0) {
		return 0;
	}
	if (brace == 0 && line->len > 1 && line->ptr[1] == '{') {
		out->text = sp_str_sub(*line, 0, 1);
		*line = sp_str_sub(*line, 2, line->len);
	} else if (brace == 0) {
		size_t end = sp_str_find(*line, '}');

		if (end == line->len) {
			return SP_ESYNTAX;
		}
		out->is_name = true;
		out->name = sp_str_sub(*line, 1, end - 1);
		*line = sp_str_sub(*line, end + 1, line->len);
	} else {
		*line = sp_str_sub(*line, brace, line->len);
	}
	return 1;
}

static void put_line(struct sp_buf *out, const struct values *base,
                     struct sp_str line)
{
	size_t begin = sp_buf_len(out);
	bool had_name = false;
	struct piece piece;
	struct sp_buf value;
	struct values v = *base;
	struct sp_str whole;

	sp_buf_init(&value, VALUE_MAX);
	v.out = &value;
	while (next_piece(&line, &piece) > 0) {
		const struct placeholder *p =
			piece.is_name ? find(piece.name) : NULL;

		if (!p) {
			(void)sp_buf_append_str(out, piece.text);
			continue;
		}
		sp_buf_reset(&value);
		p->put(&v);
		had_name = true;
		put_value(out, sp_buf_str(&value), sp_buf_len(out) - begin,
		          p->prose);
	}
	sp_buf_fini(&value);
	whole = sp_buf_str(out);
	whole = sp_str_trim(sp_str_sub(whole, begin, whole.len));
	if (had_name && whole.len == 0) {
		sp_buf_truncate(out, sp_buf_len(out) - begin);
	} else {
		(void)sp_buf_append_char(out, '\n');
	}
}

static bool is_mark(struct sp_str line, const char *mark)
{
	return sp_str_eq(sp_str_trim(line), sp_str_from(mark));
}

static void put_groups(struct sp_buf *out, const struct sp_notice *n,
                       struct sp_str block)
{
	for (size_t i = 0; i < n->group_count; i++) {
		const struct sp_notice_group *g = &n->groups[i];
		struct sp_str rest = block;
		struct sp_str line;
		const struct values v = {
			.notice = n,
			.group = g,
			.rcpt = g->rcpts[0],
			.cause =
				sp_cause_get(sp_cause_find(g->rcpts[0]->cause)),
		};

		while (sp_str_cut(&rest, '\n', &line) &&
		       !is_mark(line, "{end}")) {
			put_line(out, &v, line);
		}
	}
}

static bool cut_subject(struct sp_str *text, struct sp_str *subject_out)
{
	static const struct sp_str field = {"Subject: ", 9};
	struct sp_str rest = *text;

	if (!sp_str_starts_nocase(rest, field)) {
		return false;
	}
	(void)sp_str_cut(&rest, '\n', subject_out);
	*subject_out = sp_str_sub(*subject_out, field.len, subject_out->len);
	if (rest.len > 0 && rest.ptr[0] == '\n') {
		rest = sp_str_sub(rest, 1, rest.len);
	}
	*text = rest;
	return true;
}

void sp_notice_write(const struct sp_notices *notices,
                     const struct sp_notice *notice, struct sp_str *subject_out,
                     struct sp_buf *out)
{
	enum sp_notice_kind kind = notice->kind;
	struct sp_str built_in = sp_str_from(BUILT_IN[kind].text);
	struct sp_str text = notices->text[kind]
	                             ? sp_str_from(notices->text[kind])
	                             : built_in;
	const struct values v = {.notice = notice};
	struct sp_str line;
	bool inside = false;

	if (!cut_subject(&text, subject_out)) {
		(void)cut_subject(&built_in, subject_out);
	}
	while (sp_str_cut(&text, '\n', &line)) {
		if (is_mark(line, "{each}")) {
			put_groups(out, notice, text);
			inside = true;
		} else if (is_mark(line, "{end}")) {
			inside = false;
		} else if (!inside) {
			put_line(out, &v, line);
		}
	}
}

/* ---- reading and checking ---- */

static const char *check_line(struct sp_str line, bool inside,
                              struct sp_str *at_out)
{
	struct piece piece;
	int ret;

	while ((ret = next_piece(&line, &piece)) > 0) {
		const struct placeholder *p =
			piece.is_name ? find(piece.name) : NULL;

		*at_out = piece.name;
		if (piece.is_name && !p) {
			return "no such placeholder";
		}
		if (p && p->of_group && !inside) {
			return "only between {each} and {end}";
		}
	}
	*at_out = SP_STR("{");
	return ret < 0 ? "brace is not closed" : NULL;
}

static const char *check_mark(struct sp_str line, bool *inside)
{
	bool each = is_mark(line, "{each}");

	if (each == *inside) {
		return each ? "{each} inside of {each}"
		            : "{end} without {each}";
	}
	*inside = each;
	return NULL;
}

static int check(struct sp_str text, const char *path, char *why_out,
                 size_t why_cap)
{
	const char *wrong = NULL;
	struct sp_str line;
	bool inside = false;
	unsigned number = 0;

	while (!wrong && sp_str_cut(&text, '\n', &line)) {
		struct sp_str at = line;

		number++;
		if (is_mark(line, "{each}") || is_mark(line, "{end}")) {
			wrong = check_mark(line, &inside);
		} else {
			wrong = check_line(line, inside, &at);
		}
		if (wrong) {
			(void)snprintf(why_out, why_cap, "%s:%u: '%.*s': %s",
			               path, number,
			               (int)(at.len < 40 ? at.len : 40), at.ptr,
			               wrong);
			return SP_ECONFIG;
		}
	}
	if (inside) {
		(void)snprintf(why_out, why_cap, "%s: {each} without {end}",
		               path);
	}
	return inside ? SP_ECONFIG : 0;
}

/* The file's text, to be freed; SP_ENOTFOUND: no such file. */
static int read_file(const char *path, char **text_out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text;
	size_t len = 0;
	ssize_t got = 1;

	if (fd < 0) {
		return errno == ENOENT ? SP_ENOTFOUND : -errno;
	}
	text = sp_alloc(SP_NOTICE_BYTES_MAX + 1);
	while (got > 0 && len < SP_NOTICE_BYTES_MAX) {
		got = read(fd, text + len, SP_NOTICE_BYTES_MAX - len);
		len += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	text[len] = '\0';
	if (got != 0 || memchr(text, '\0', len)) {
		sp_free(text);
		return got < 0 ? -EIO : SP_ELIMIT;
	}
	*text_out = text;
	return 0;
}

static int load_one(const char *directory, const char *file, char **text_out,
                    char *why_out, size_t why_cap)
{
	char path[4096];
	int ret;

	if (snprintf(path, sizeof(path), "%s/%s", directory, file) >=
	    (int)sizeof(path)) {
		(void)snprintf(why_out, why_cap, "notice directory: too long");
		return SP_ECONFIG;
	}
	ret = read_file(path, text_out);
	if (ret == SP_ENOTFOUND) {
		return 0;
	}
	if (ret) {
		(void)snprintf(why_out, why_cap, "%s: %s", path,
		               sp_strerror(ret));
		return ret;
	}
	return check(sp_str_from(*text_out), path, why_out, why_cap);
}

int sp_notices_load(const char *directory, struct sp_notices *notices,
                    char *why_out, size_t why_cap)
{
	struct sp_notices fresh = {{NULL}};
	int ret = 0;

	for (size_t i = 0; ret == 0 && *directory && i < SP_NOTICE_KINDS; i++) {
		ret = load_one(directory, BUILT_IN[i].file, &fresh.text[i],
		               why_out, why_cap);
	}
	if (ret) {
		sp_notices_fini(&fresh);
		return ret;
	}
	sp_notices_fini(notices);
	*notices = fresh;
	return 0;
}

void sp_notices_fini(struct sp_notices *notices)
{
	for (size_t i = 0; i < SP_NOTICE_KINDS; i++) {
		SP_FREE(&notices->text[i]);
	}
}
