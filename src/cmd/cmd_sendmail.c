/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sendmail(8) as other programs expect it: the options that matter are
 * obeyed, those about queueing, filters and old transports are taken and
 * have no effect. Exit statuses of sysexits(3).
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/message.h"
#include "cmd/send.h"
#include "cmd/submit.h"
#include "wire/envelope.h"

#define EX_UNAVAILABLE 69 /* the server refused it */

static const char OPTIONS[] = "A:B:C:F:GIL:N:O:R:UV:X:b:c:d:e:f:h:imno:p:q::"
			      "r:stv";

enum mode {
	DELIVER,
	SMTP,
	LIST,
	NOTHING
};

struct sendmail {
	const char *config;
	const char *from;
	const char *name;
	bool dot_is_text; /* -i */
	bool from_header; /* -t */
	enum mode mode;
	uint8_t notify;
	enum sp_ret ret;
	const char *envid;
	struct sp_conf *conf;
	struct sp_arena arena;
	struct sp_envelope_rcpt *rcpts; /* SP_ENVELOPE_RCPT_MAX */
	size_t rcpt_count;
	int status;
};

/* ---- options ---- */

static int read_mode(struct sendmail *m, const char *arg)
{
	switch (arg[0]) {
	case 'm':
		m->mode = DELIVER;
		return 0;
	case 's':
		m->mode = SMTP;
		return 0;
	case 'p':
		m->mode = LIST;
		return 0;
	case 'i': /* newaliases: there is nothing to rebuild */
		m->mode = NOTHING;
		return 0;
	default:
		return sp_cmd_fail(SP_EXIT_USAGE, "-b%s: not supported", arg);
	}
}

/* "never", "success,failure,delay" (RFC 3461 4.1). */
static int read_notify(struct sendmail *m, const char *arg)
{
	static const struct {
		const char *word;
		uint8_t bit;
	} WORDS[] = {{"never", SP_NOTIFY_NEVER},
	             {"success", SP_NOTIFY_SUCCESS},
	             {"failure", SP_NOTIFY_FAILURE},
	             {"delay", SP_NOTIFY_DELAY}};
	struct sp_str text = sp_str_from(arg);
	struct sp_str word;

	while (sp_str_cut(&text, ',', &word)) {
		uint8_t bit = 0;

		for (size_t i = 0; i < 4; i++) {
			if (sp_str_eq_nocase(word,
			                     sp_str_from(WORDS[i].word))) {
				bit = WORDS[i].bit;
			}
		}
		if (!bit) {
			return sp_cmd_fail(SP_EXIT_USAGE, "-N %s: not known",
			                   arg);
		}
		m->notify |= bit;
	}
	return 0;
}

static int read_option(struct sendmail *m, int opt)
{
	switch (opt) {
	case 'f':
	case 'r':
		m->from = optarg;
		return 0;
	case 'F':
		m->name = optarg;
		return 0;
	case 'C':
		m->config = optarg;
		return 0;
	case 't':
		m->from_header = true;
		return 0;
	case 'i':
		m->dot_is_text = true;
		return 0;
	case 'o':
		m->dot_is_text |= strcmp(optarg, "i") == 0;
		return 0;
	case 'b':
		return read_mode(m, optarg);
	case 'N':
		return read_notify(m, optarg);
	case 'R':
		m->ret = optarg[0] == 'h' || optarg[0] == 'H' ? SP_RET_HDRS
		                                              : SP_RET_FULL;
		return 0;
	case 'V':
		m->envid = optarg;
		return 0;
	case '?':
		return SP_EXIT_USAGE; /* said by getopt */
	default:
		return 0; /* taken, without effect */
	}
}

/* ---- recipients ---- */

static void add_recipient(void *arg, struct sp_str address)
{
	struct sendmail *m = arg;
	struct sp_str full = sp_send_qualify(m->conf, address, &m->arena);

	if (m->rcpt_count == SP_ENVELOPE_RCPT_MAX) {
		if (!m->status) {
			m->status = sp_cmd_fail(SP_EXIT_USAGE,
			                        "more than %d recipients",
			                        SP_ENVELOPE_RCPT_MAX);
		}
		return;
	}
	for (size_t i = 0; i < m->rcpt_count; i++) {
		if (sp_str_eq(m->rcpts[i].address, full)) {
			return;
		}
	}
	if (sp_send_check(full)) {
		m->status = SP_EXIT_DATA;
		return;
	}
	m->rcpts[m->rcpt_count++] = (struct sp_envelope_rcpt){
		.address = full,
		.notify = m->notify,
	};
}

static struct sp_str sender_of(struct sendmail *m)
{
	struct sp_str found = {0};
	struct sp_str text = sp_str_from(m->from);

	if (!m->from) {
		return sp_send_me(m->conf, &m->arena);
	}
	if (text.len >= 2 && text.ptr[0] == '<' &&
	    text.ptr[text.len - 1] == '>') {
		text = sp_str_sub(text, 1, text.len - 2);
	}
	found = sp_send_qualify(m->conf, text, &m->arena);
	if (found.len && sp_send_check(found)) {
		m->status = SP_EXIT_DATA;
	}
	return found;
}

/* ---- modes ---- */

static int submit(struct sendmail *m, struct sp_str text)
{
	struct sp_submission sub = {
		.conf = m->conf,
		.sender = sender_of(m),
		.rcpts = m->rcpts,
		.rcpt_count = m->rcpt_count,
		.ret = m->ret,
		.envid = sp_str_from(m->envid),
		.refused_status = EX_UNAVAILABLE,
	};
	struct sp_str name = sp_str_from(m->name);
	char id[SP_SUBMIT_ID_MAX];
	struct sp_buf whole;
	int status = m->status;

	sp_buf_init(&whole, text.len + name.len * 2 + 4096);
	if (!status && sp_message_complete(text, sub.sender, name, &whole)) {
		status = sp_cmd_fail(SP_EXIT_DATA, "message: too large");
	}
	if (!status) {
		sub.body = sp_buf_str(&whole);
		status = sp_submit(&sub, id);
	}
	sp_buf_fini(&whole);
	return status;
}

static int deliver_text(struct sendmail *m, struct sp_str text)
{
	struct sp_buf open;
	int status;

	if (!m->dot_is_text) {
		text = sp_message_until_dot(text);
	}
	sp_buf_init(&open, text.len + 1);
	if (m->from_header) {
		sp_message_recipients(text, add_recipient, m);
		(void)sp_message_drop_bcc(text, &open); /* never grows */
		text = sp_buf_str(&open);
	}
	if (m->status) {
		status = m->status;
	} else if (m->rcpt_count == 0) {
		status = sp_cmd_fail(SP_EXIT_USAGE, "no recipients");
	} else {
		status = submit(m, text);
	}
	sp_buf_fini(&open);
	return status;
}

static int deliver(struct sendmail *m, char **words)
{
	struct sp_buf text;
	int status;

	m->rcpts = sp_arena_array(&m->arena, SP_ENVELOPE_RCPT_MAX,
	                          sizeof(*m->rcpts));
	for (; *words; words++) {
		sp_message_addresses(sp_str_from(*words), add_recipient, m);
	}
	status = sp_cmd_read_file("-", SP_SEND_MAX(m->conf), &text);
	if (!status) {
		status = deliver_text(m, sp_buf_str(&text));
	}
	sp_buf_fini(&text);
	return status;
}

/* One direction: false at its end. */
static bool carry(int from, int to)
{
	char bytes[16384];
	ssize_t n = read(from, bytes, sizeof(bytes));
	ssize_t done = 0;

	while (n > 0 && done < n) {
		ssize_t w = write(to, bytes + done, (size_t)(n - done));

		if (w > 0) {
			done += w;
		} else if (w < 0 && errno == EAGAIN) {
			struct pollfd p = {.fd = to, .events = POLLOUT};

			(void)poll(&p, 1, -1);
		} else if (errno != EINTR) {
			return false;
		}
	}
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* -bs: SMTP on standard input and output is the server's own. */
static int relay(struct sendmail *m)
{
	size_t at = 0;
	int status;
	int fd = sp_submit_connect(m->conf, &at, &status);
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN},
	                      {.fd = STDIN_FILENO, .events = POLLIN}};

	if (fd < 0) {
		return status;
	}
	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR) {
			break;
		}
		if (p[0].revents && !carry(fd, STDOUT_FILENO)) {
			break;
		}
		if (p[1].revents && !carry(STDIN_FILENO, fd)) {
			(void)shutdown(fd, SHUT_WR);
			p[1].fd = -1;
		}
	}
	close(fd);
	return 0;
}

static int run(struct sendmail *m, char **words)
{
	int status = sp_cmd_conf_load(m->config, &m->conf);

	if (status) {
		return status;
	}
	sp_arena_init(&m->arena);
	status = m->mode == SMTP ? relay(m) : deliver(m, words);
	sp_arena_fini(&m->arena);
	sp_conf_free(&m->conf);
	return status;
}

int sp_cmd_sendmail(int argc, char **argv)
{
	const char *list[] = {argv[0], "queue", "list", NULL, NULL};
	struct sendmail m = {.mode = DELIVER};
	int opt;

	sp_log_setup(SP_LOG_ERROR, false);
	while ((opt = getopt(argc, argv, OPTIONS)) != -1) {
		int status = read_option(&m, opt);

		if (status) {
			return status;
		}
	}
	if (m.mode == NOTHING) {
		return 0;
	}
	if (m.mode == LIST) {
		list[3] = "--config";
		list[4] = m.config;
		opt = sp_cmd_main(m.config ? 5 : 3, list);
		return opt == SP_EXIT_NO ? 0 : opt; /* an empty queue */
	}
	return run(&m, argv + optind);
}
