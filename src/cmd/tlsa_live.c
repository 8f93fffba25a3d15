/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates of a running mail host, one address after another:
 *
 *   ADDRESSES ─▶ connect ─▶ greeting, EHLO, STARTTLS ─▶ handshake ─▶ QUIT
 *                   ▲                  │ failed              │ failed   │
 *                   ├──── next address ◀─────────────────────┘          │
 *                   └──── next algorithm, or next address ◀─────────────┘
 *
 * The first connection takes what the host prefers; then it is asked for a key
 * of each other algorithm, and to have none is no failure. Nothing is
 * authenticated here: what the host shows is printed.
 */
#include <stdio.h>

#include "base/err.h"
#include "cmd/dns.h"
#include "cmd/tlsa.h"
#include "net/stream.h"
#include "smtp/client.h"
#include "wire/address.h"

#define ADDRESSES_MAX 32
#define WAIT_MS       30000 /* for each step */

struct live {
	struct sp_loop *loop;
	const struct sp_conf *conf;
	struct sp_arena *arena;
	struct sp_str host; /* SNI; empty for a bare address */
	uint16_t port;
	struct sp_addr addresses[ADDRESSES_MAX];
	size_t address_count;
	size_t at;
	size_t questions;           /* not answered yet */
	enum sp_key_algorithm only; /* asked for; ANY: the first connection */
	unsigned known;             /* bits of algorithms, of this address */
	bool shown;                 /* of this connection: it is over */
	struct sp_stream *stream;
	struct sp_smtp_client *client;
	struct sp_tlsa_live *found;
};

static void dial(struct live *l);

static void hang_up(struct live *l)
{
	sp_smtp_client_free(&l->client);
	sp_stream_free(&l->stream);
}

static void next_address(struct live *l)
{
	hang_up(l);
	l->at++;
	l->only = SP_KEY_ALGORITHM_ANY;
	l->known = 0;
	dial(l);
}

/* The next one that this address was not asked for and has not shown. */
static void next_algorithm(struct live *l)
{
	enum sp_key_algorithm next = SP_KEY_ALGORITHM_RSA;

	while (next < SP_KEY_ALGORITHM_OTHER && (l->known & 1u << next)) {
		next++;
	}
	if (next == SP_KEY_ALGORITHM_OTHER) {
		next_address(l);
		return;
	}
	hang_up(l);
	l->known |= 1u << next;
	l->only = next;
	dial(l);
}

static void failed(struct live *l, struct sp_str why)
{
	char text[SP_ADDR_TEXT];

	if (l->only != SP_KEY_ALGORITHM_ANY) {
		next_algorithm(l);
		return;
	}
	sp_addr_text_port(&l->addresses[l->at], text);
	sp_cmd_fail(0, "%s: " SP_STR_FMT, text, SP_STR_ARG(why));
	next_address(l);
}

static void failed_reply(struct live *l, const char *what,
                         const struct sp_reply *reply)
{
	failed(l, sp_str_from(sp_arena_printf(l->arena, "%s: %u " SP_STR_FMT,
	                                      what, reply->code,
	                                      SP_STR_ARG(reply->text))));
}

static void start_tls(struct live *l)
{
	const struct sp_tls_client params = {.sni = l->host, .only = l->only};
	int err = sp_stream_start_tls_client(l->stream, &params);

	if (err) {
		failed(l, sp_str_from(sp_strerror(err)));
	}
}

/* False once the session is over here. */
static bool on_event(struct live *l, const struct sp_smtp_client_event *event)
{
	switch (event->type) {
	case SP_SMTP_CLIENT_READY:
		if (sp_smtp_client_starttls(l->client)) {
			failed(l, SP_STR("STARTTLS is not offered"));
			return false;
		}
		return true;
	case SP_SMTP_CLIENT_STARTTLS_READY:
		start_tls(l);
		return false;
	case SP_SMTP_CLIENT_GREETING_REFUSED:
	case SP_SMTP_CLIENT_EHLO_REFUSED:
	case SP_SMTP_CLIENT_STARTTLS_REFUSED:
	case SP_SMTP_CLIENT_CLOSED:
		failed_reply(l, "refused", &event->reply);
		return false;
	case SP_SMTP_CLIENT_PROTOCOL_ERROR:
		failed(l, sp_str_from(event->why));
		return false;
	case SP_SMTP_CLIENT_STARTTLS_GARBAGE:
		failed(l, SP_STR("more bytes behind the answer to STARTTLS"));
		return false;
	case SP_SMTP_CLIENT_RCPT:
	case SP_SMTP_CLIENT_WANT_BODY:
	case SP_SMTP_CLIENT_MESSAGE_DONE:
	case SP_SMTP_CLIENT_RESET_DONE:
	case SP_SMTP_CLIENT_QUIT_DONE:
		break;
	}
	return true;
}

static void on_data(struct live *l)
{
	struct sp_buf *in = sp_stream_in(l->stream);
	struct sp_str bytes = sp_buf_str(in);
	struct sp_str rest = bytes;
	struct sp_smtp_client_event event;
	struct sp_buf *out;

	sp_smtp_client_feed(l->client, &rest);
	sp_buf_consume(in, bytes.len - rest.len);
	while (sp_smtp_client_next(l->client, &event)) {
		if (!on_event(l, &event)) {
			return;
		}
	}
	out = sp_smtp_client_output(l->client);
	if (sp_buf_append_str(sp_stream_out(l->stream), sp_buf_str(out))) {
		failed(l, SP_STR("too much to say"));
		return;
	}
	sp_buf_consume(out, sp_buf_len(out));
	sp_stream_flush(l->stream);
}

static void note_shown(struct live *l, const struct sp_tls_chain *chain)
{
	struct sp_tls_certificate cert;

	l->shown = true;
	if (!sp_tls_certificate_read(chain->der[0], l->arena, &cert)) {
		l->known |= 1u << cert.algorithm;
	}
	if (l->found->count < SP_TLSA_LIVE_MAX) {
		l->found->chains[l->found->count++] = *chain;
	}
}

static void on_tls_up(struct live *l)
{
	struct sp_tls_chain chain;

	sp_stream_tls_chain(l->stream, l->arena, &chain);
	if (chain.count == 0) {
		failed(l, SP_STR("no certificate was sent"));
		return;
	}
	note_shown(l, &chain);
	/* RFC 5321 4.1.1.10, though the answer is of no interest. */
	(void)sp_buf_append_cstr(sp_stream_out(l->stream), "QUIT\r\n");
	sp_stream_flush(l->stream);
	sp_stream_close_after_flush(l->stream);
	sp_stream_timeout(l->stream, 1000);
}

static void on_stream(void *arg, enum sp_stream_event event)
{
	struct live *l = arg;
	bool over = l->shown;

	switch (event) {
	case SP_STREAM_CONNECTED:
		sp_stream_timeout(l->stream, WAIT_MS);
		break;
	case SP_STREAM_TLS_UP:
		on_tls_up(l);
		break;
	case SP_STREAM_DATA:
		if (!over) {
			on_data(l);
		}
		break;
	case SP_STREAM_DRAINED:
		break;
	case SP_STREAM_EOF:
	case SP_STREAM_ERROR:
	case SP_STREAM_TIMEOUT:
	case SP_STREAM_TLS_FAILED:
		if (over) {
			next_algorithm(l);
		} else if (event == SP_STREAM_EOF) {
			failed(l, SP_STR("connection closed"));
		} else if (event == SP_STREAM_TIMEOUT) {
			failed(l, SP_STR("timed out"));
		} else {
			failed(l, sp_str_from(sp_stream_error_text(l->stream)));
		}
		break;
	}
}

static void dial(struct live *l)
{
	const struct sp_smtp_client_conf conf = {
		.hostname = sp_str_from(l->conf->hostname),
	};

	l->shown = false;
	if (l->at == l->address_count) {
		sp_loop_stop(l->loop);
		return;
	}
	l->client = sp_smtp_client_new(&conf);
	l->stream = sp_stream_connect(l->loop, &l->addresses[l->at], NULL,
	                              on_stream, l);
	sp_stream_timeout(l->stream, WAIT_MS);
}

/* ---- addresses ---- */

static void on_answer(void *arg, struct sp_dns_answer *answer)
{
	struct live *l = arg;

	for (size_t i = 0;
	     i < answer->record_count && l->address_count < ADDRESSES_MAX;
	     i++) {
		struct sp_addr *addr = &l->addresses[l->address_count++];

		addr->family = answer->type == SP_DNS_TYPE_A ? 4 : 6;
		addr->port = l->port;
		for (size_t k = 0; k < sizeof(addr->bytes); k++) {
			addr->bytes[k] = answer->records[i].address[k];
		}
	}
	if (answer->dnssec == SP_DNSSEC_BOGUS ||
	    answer->dnssec == SP_DNSSEC_FAILED) {
		sp_cmd_fail(0, SP_STR_FMT ": address: %s: " SP_STR_FMT,
		            SP_STR_ARG(answer->name),
		            sp_dnssec_text(answer->dnssec),
		            SP_STR_ARG(answer->why));
	}
	sp_dns_answer_free(&answer);
	if (--l->questions == 0) {
		if (!l->address_count) {
			sp_cmd_fail(0, SP_STR_FMT ": no address",
			            SP_STR_ARG(l->host));
		}
		dial(l);
	}
}

static int by_name(struct live *l, const char *host)
{
	struct sp_cmd_dns dns;
	int status = sp_cmd_domain(host, l->arena, &l->host);

	if (status) {
		return status;
	}
	status = sp_cmd_dns_init(&dns, l->conf);
	if (!status) {
		l->loop = dns.loop;
		l->questions = 2;
		(void)sp_resolver_ask(dns.resolver, l->host, SP_DNS_TYPE_A,
		                      false, on_answer, l);
		(void)sp_resolver_ask(dns.resolver, l->host, SP_DNS_TYPE_AAAA,
		                      false, on_answer, l);
		(void)sp_loop_run(l->loop); /* nothing found: said below */
		hang_up(l);
	}
	sp_cmd_dns_fini(&dns);
	return status;
}

static void by_address(struct live *l)
{
	l->loop = sp_loop_new();
	l->address_count = 1;
	dial(l);
	(void)sp_loop_run(l->loop);
	hang_up(l);
	sp_loop_free(&l->loop);
}

int sp_tlsa_live(const struct sp_conf *conf, const char *host, uint16_t port,
                 struct sp_arena *arena, struct sp_tlsa_live *live_out)
{
	struct live l = {
		.conf = conf, .arena = arena, .port = port, .found = live_out};
	struct sp_str text = sp_str_from(host);
	int status = 0;

	if (text.len > 2 && text.ptr[0] == '[' &&
	    text.ptr[text.len - 1] == ']') {
		text = sp_str_sub(text, 1, text.len - 2);
	}
	if (sp_domain_is_literal(text) &&
	    !sp_addr_parse(text, port, &l.addresses[0])) {
		by_address(&l);
	} else {
		status = by_name(&l, host);
	}
	return status || live_out->count
	               ? status
	               : sp_cmd_fail(SP_EXIT_NO, "%s: no certificate to be had",
	                             host);
}
