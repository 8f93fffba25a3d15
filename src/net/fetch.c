/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl's multi interface on our loop; the only file that knows curl.
 *
 *   START ─▶ TRY address ──answer──▶ done
 *              ▲    │ no TLS session came about, and there is time left
 *              └────┴──no address left──▶ failed
 *
 * The name is never given to curl's resolver: each try connects to one
 * literal address (CONNECT_TO), while SNI, Host and verification keep the
 * name of the URL. When curl opens the socket, the address is looked at
 * again: it must be the one of this try and pass the guard.
 *
 * Verification is curl's and, because curl falls back to the common name
 * where a certificate has no DNS-ID, OpenSSL's own check of the name in
 * addition, which does not (RFC 8461 3.3).
 *
 * curl may not be called from its callbacks, so these only note things; what
 * is over is collected after each call into curl from the loop.
 */
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/time.h"
#include "net/fetch.h"
#include "wire/dns.h"

#define CONNECT_MS       10000 /* one address of several; TLS included */
#define SLOW_BYTES       16L   /* a second, over */
#define SLOW_S           30L   /* so many seconds */
#define HEADER_MAX       (64u * 1024)
#define CA_CACHE_S       3600L /* the bundle is read again after that */
#define CONNECTIONS_KEPT 1L    /* none is: see FORBID_REUSE */

struct sp_fetcher {
	struct sp_loop *loop;
	CURLM *multi;
	char *ca_bundle;       /* owned */
	struct sp_guard guard; /* a copy */
	struct sp_cidr *allow; /* owned: its list */
	struct sp_timer *timer;
	struct sp_deferred *hopeless;
	struct sp_map fetches; /* by id */
	struct sp_list failed; /* struct fetch: nothing to connect to */
	struct sp_list socks;
	uint64_t last_id;
};

struct fetch {
	struct sp_list node; /* in failed, or alone */
	struct sp_fetcher *fetcher;
	uint64_t id;
	CURL *easy;
	struct curl_slist *connect_to; /* of this try */
	struct curl_slist *headers;
	char *host; /* owned */
	struct sp_addr addrs[SP_FETCH_ADDRS_MAX];
	size_t addr_count;
	size_t next;         /* address to try; the current one is before it */
	int64_t deadline_ms; /* monotonic */
	struct sp_buf body;
	char *post; /* owned */
	size_t header_bytes;
	bool cut;       /* the answer went over a limit */
	bool under_way; /* in multi */
	char error[CURL_ERROR_SIZE];
	char why[SP_FETCH_WHY_MAX];
	sp_fetch_fn *fn;
	void *arg;
};

struct sock {
	struct sp_list node;
	struct sp_fetcher *fetcher;
	curl_socket_t fd;
	struct sp_watch *watch;
};

/* ---- URLs ---- */

static int bad_url(char *why, const char *text)
{
	snprintf(why, SP_FETCH_WHY_MAX, "not a URL we ask: %s", text);
	return SP_ESYNTAX;
}

static char *url_part(CURLU *url, CURLUPart part, struct sp_arena *arena)
{
	char *text = NULL;
	char *copy = NULL;

	if (curl_url_get(url, part, &text,
	                 part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) ==
	    CURLUE_OK) {
		copy = sp_arena_cstr(arena, sp_str_from(text));
	}
	curl_free(text);
	return copy;
}

static bool is_address(struct sp_str host)
{
	struct sp_addr addr;

	return sp_addr_parse(host, 0, &addr) == 0 ||
	       sp_str_find(host, ':') < host.len ||
	       sp_str_find(host, '[') < host.len;
}

/* Of two labels or more, and nothing that somebody takes for an address: no
 * top-level domain begins with a digit. */
static bool is_name(struct sp_str host)
{
	struct sp_str rest = host;
	struct sp_str label;
	size_t labels = 0;
	bool is_number = true;

	while (sp_str_cut(&rest, '.', &label)) {
		is_number = !label.len || sp_ascii_is_digit(label.ptr[0]);
		labels++;
	}
	return sp_dns_name_valid(host) && host.len <= SP_FETCH_HOST_MAX &&
	       labels > 1 && !is_number;
}

static int read_url(CURLU *url, struct sp_arena *arena,
                    struct sp_fetch_url *out, char *why)
{
	const char *scheme = url_part(url, CURLUPART_SCHEME, arena);
	const char *host = url_part(url, CURLUPART_HOST, arena);
	const char *port = url_part(url, CURLUPART_PORT, arena);
	uint64_t number;

	out->text = url_part(url, CURLUPART_URL, arena);
	if (!scheme || strcmp(scheme, "https") != 0) {
		return bad_url(why, "expected https");
	}
	if (url_part(url, CURLUPART_USER, arena) ||
	    url_part(url, CURLUPART_PASSWORD, arena)) {
		return bad_url(why, "a user or a password in it");
	}
	if (!host || is_address(sp_str_from(host))) {
		return bad_url(why, "expected the name of a host");
	}
	out->host = sp_dns_name_canonical(sp_str_from(host), arena);
	if (!is_name(out->host)) {
		return bad_url(why, "its host is not a name");
	}
	if (!out->text || !port ||
	    sp_str_u64(sp_str_from(port), 65535, &number) || number == 0) {
		return bad_url(why, "its port");
	}
	out->port = (uint16_t)number;
	return 0;
}

int sp_fetch_url_parse(struct sp_str text, struct sp_arena *arena,
                       struct sp_fetch_url *url_out, char *why_out)
{
	CURLU *url;
	CURLUcode code;
	int r;

	if (text.len > SP_FETCH_URL_MAX) {
		return bad_url(why_out, "too long");
	}
	if (sp_str_find(text, '\0') < text.len) {
		return bad_url(why_out, "a NUL in it");
	}
	url = curl_url();
	SP_ASSERT(url);
	code = curl_url_set(url, CURLUPART_URL, sp_arena_cstr(arena, text), 0);
	if (code == CURLUE_OK) {
		code = curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
	}
	r = code == CURLUE_OK ? read_url(url, arena, url_out, why_out)
	                      : bad_url(why_out, curl_url_strerror(code));
	curl_url_cleanup(url);
	return r;
}

/* ---- the end of a request ---- */

static void fetch_free(struct fetch *f)
{
	sp_map_remove(&f->fetcher->fetches, sp_map_key_u64(&f->id));
	sp_list_remove(&f->node);
	if (f->under_way) {
		curl_multi_remove_handle(f->fetcher->multi, f->easy);
	}
	curl_easy_cleanup(f->easy);
	curl_slist_free_all(f->connect_to);
	curl_slist_free_all(f->headers);
	sp_buf_fini(&f->body);
	sp_free(f->host);
	sp_free(f->post);
	sp_free(f);
}

/* Takes it off first: fn may start and cancel others, and this one. */
static void finish(struct fetch *f, enum sp_fetch_status status)
{
	struct sp_fetch_result result = {.status = status};
	const char *type = NULL;
	long code = 0;

	sp_map_remove(&f->fetcher->fetches, sp_map_key_u64(&f->id));
	if (f->next > 0) {
		result.addr = f->addrs[f->next - 1];
	}
	if (status == SP_FETCH_ANSWERED) {
		curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &code);
		curl_easy_getinfo(f->easy, CURLINFO_CONTENT_TYPE, &type);
		result.code = (unsigned)code;
		result.type =
			sp_str_sub(sp_str_from(type), 0, SP_FETCH_TYPE_MAX);
		result.body = sp_buf_str(&f->body);
	} else {
		result.why = sp_str_from(f->why);
	}
	f->fn(f->arg, &result);
	fetch_free(f);
}

static void on_hopeless(void *arg)
{
	struct sp_fetcher *fetcher = arg;
	struct sp_list *node;

	while ((node = sp_list_first(&fetcher->failed))) {
		finish(SP_CONTAINER(node, struct fetch, node), SP_FETCH_FAILED);
	}
}

/* ---- one try ---- */

/* "mta-sts.example.net at [2001:db8::1]:443: Connection refused" */
static void explain(struct fetch *f, const char *what)
{
	char escaped[200];
	char addr[SP_ADDR_TEXT] = "";

	sp_log_escape(sp_str_from(what), escaped, sizeof(escaped));
	if (f->next > 0) {
		sp_addr_text_port(&f->addrs[f->next - 1], addr);
	}
	snprintf(f->why, sizeof(f->why), "%s%s%s: %s", f->host,
	         *addr ? " at " : "", addr, escaped);
}

static bool from_sockaddr(const struct sockaddr *from, struct sp_addr *out)
{
	*out = (struct sp_addr){0};
	if (from->sa_family == AF_INET) {
		struct sockaddr_in v4;

		memcpy(&v4, from, sizeof(v4));
		out->family = 4;
		out->port = ntohs(v4.sin_port);
		memcpy(out->bytes, &v4.sin_addr, 4);
	} else if (from->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;

		memcpy(&v6, from, sizeof(v6));
		out->family = 6;
		out->port = ntohs(v6.sin6_port);
		memcpy(out->bytes, &v6.sin6_addr, 16);
	}
	return out->family != 0;
}

static bool same_addr(const struct sp_addr *a, const struct sp_addr *b)
{
	return a->family == b->family && a->port == b->port &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* The last look at where we go. */
static curl_socket_t on_open(void *arg, curlsocktype purpose,
                             struct curl_sockaddr *to)
{
	struct fetch *f = arg;
	struct sp_addr addr;

	if (purpose != CURLSOCKTYPE_IPCXN || !from_sockaddr(&to->addr, &addr) ||
	    !same_addr(&addr, &f->addrs[f->next - 1]) ||
	    sp_guard_refuses(&f->fetcher->guard, &addr)) {
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
	struct fetch *f = arg;

	(void)data;
	f->header_bytes += size * count;
	f->cut = f->header_bytes > HEADER_MAX;
	return f->cut ? 0 : size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct fetch *f = arg;

	f->cut = sp_buf_append(&f->body, data, size * count) != 0;
	return f->cut ? 0 : size * count;
}

static CURLcode on_tls(CURL *easy, void *tls, void *arg)
{
	const struct fetch *f = arg;
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(tls);

	(void)easy;
	X509_VERIFY_PARAM_set_hostflags(
		param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
			       X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, f->host, 0) == 1
	               ? CURLE_OK
	               : CURLE_OUT_OF_MEMORY;
}

static void set_times(struct fetch *f, int64_t left_ms)
{
	int64_t connect_ms = left_ms;

	if (f->next < f->addr_count) { /* leave time for the others */
		connect_ms =
			left_ms / 2 < CONNECT_MS ? left_ms / 2 + 1 : CONNECT_MS;
	}
	curl_easy_setopt(f->easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
	curl_easy_setopt(f->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
}

/* The next address that may be connected to; false: there is none left. */
static bool try_next(struct fetch *f)
{
	int64_t left_ms = f->deadline_ms - sp_time_mono_ms();
	char to[SP_ADDR_TEXT + 2] = "::"; /* any name and port become */
	const char *what = NULL;

	while (left_ms > 0 && f->next < f->addr_count) {
		const struct sp_addr *addr = &f->addrs[f->next++];

		what = sp_guard_refuses(&f->fetcher->guard, addr);
		if (what) {
			char line[100];

			snprintf(line, sizeof(line),
			         "not connected to, the address is %s", what);
			explain(f, line);
			continue;
		}
		sp_addr_text_port(addr, to + 2);
		curl_slist_free_all(f->connect_to);
		f->connect_to = curl_slist_append(NULL, to);
		SP_ASSERT(f->connect_to);
		curl_easy_setopt(f->easy, CURLOPT_CONNECT_TO, f->connect_to);
		set_times(f, left_ms);
		f->error[0] = '\0';
		f->header_bytes = 0;
		f->under_way = true;
		SP_ASSERT(curl_multi_add_handle(f->fetcher->multi, f->easy) ==
		          CURLM_OK);
		return true;
	}
	return false;
}

static bool is_about_certificate(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION ||
	       code == CURLE_SSL_ISSUER_ERROR ||
	       code == CURLE_SSL_INVALIDCERTSTATUS;
}

/* Whether the answer says something although it was not read to its end. */
static bool is_refusal(const struct fetch *f)
{
	long code = 0;

	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &code);
	return code >= 300;
}

/* What had not come when the time was over. libcurl has several texts. */
static const char *awaited(const struct fetch *f)
{
	curl_off_t connect_us = 0;
	curl_off_t tls_us = 0;

	curl_easy_getinfo(f->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
	curl_easy_getinfo(f->easy, CURLINFO_APPCONNECT_TIME_T, &tls_us);
	return connect_us == 0 ? "timed out without a connection"
	       : tls_us == 0   ? "timed out in the TLS handshake"
	                       : "timed out before the end of its answer";
}

static const char *reason(const struct fetch *f, CURLcode code)
{
	if (code == CURLE_OPERATION_TIMEDOUT) {
		return awaited(f);
	}
	return *f->error ? f->error : curl_easy_strerror(code);
}

static void on_done(struct fetch *f, CURLcode code)
{
	curl_off_t tls_us = 0;

	curl_multi_remove_handle(f->fetcher->multi, f->easy);
	f->under_way = false;
	curl_easy_getinfo(f->easy, CURLINFO_APPCONNECT_TIME_T, &tls_us);
	if (code == CURLE_OK || (f->cut && is_refusal(f))) {
		finish(f, SP_FETCH_ANSWERED);
		return;
	}
	if (f->cut || code == CURLE_FILESIZE_EXCEEDED) {
		explain(f, f->header_bytes > HEADER_MAX
		                   ? "the header of its answer is too large"
		                   : "its answer is too large");
		finish(f, SP_FETCH_FAILED);
		return;
	}
	explain(f, reason(f, code));
	if (is_about_certificate(code)) {
		finish(f, SP_FETCH_WEBPKI);
	} else if (tls_us > 0 || !try_next(f)) {
		finish(f, SP_FETCH_FAILED);
	}
}

/* ---- curl and the loop ---- */

static void collect(struct sp_fetcher *fetcher)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(fetcher->multi, &left))) {
		CURLcode code = msg->data.result;
		struct fetch *f = NULL;

		if (msg->msg == CURLMSG_DONE) {
			curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
			                  (char **)&f);
			on_done(f, code); /* msg is gone behind this */
		}
	}
}

static void on_timer(void *arg)
{
	struct sp_fetcher *fetcher = arg;
	int running;

	curl_multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0,
	                         &running);
	collect(fetcher);
}

static int on_set_timer(CURLM *multi, long delay_ms, void *arg)
{
	struct sp_fetcher *fetcher = arg;

	(void)multi;
	if (delay_ms < 0) {
		sp_timer_stop(fetcher->timer);
	} else {
		sp_timer_set(fetcher->timer, delay_ms);
	}
	return 0;
}

static void on_ready(void *arg, int flags)
{
	struct sock *sock = arg;
	struct sp_fetcher *fetcher = sock->fetcher;
	int mask = (flags & SP_IO_READ ? CURL_CSELECT_IN : 0) |
	           (flags & SP_IO_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(fetcher->multi, sock->fd, mask, &running);
	collect(fetcher); /* sock may be gone */
}

static void sock_free(struct sock *sock)
{
	sp_list_remove(&sock->node);
	sp_watch_free(&sock->watch);
	sp_free(sock);
}

static struct sock *sock_new(struct sp_fetcher *fetcher, curl_socket_t fd)
{
	struct sock *sock = SP_NEW(struct sock);

	sock->fetcher = fetcher;
	sock->fd = fd;
	sock->watch = sp_watch_new(fetcher->loop, fd, on_ready, sock);
	sp_list_append(&fetcher->socks, &sock->node);
	curl_multi_assign(fetcher->multi, fd, sock);
	return sock;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
                     void *of_socket)
{
	struct sock *sock = of_socket;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (sock) {
			sock_free(sock);
		}
		return 0;
	}
	sock = sock ? sock : sock_new(arg, fd);
	sp_watch_set(sock->watch,
	             (what & CURL_POLL_IN ? SP_IO_READ : 0) |
	                     (what & CURL_POLL_OUT ? SP_IO_WRITE : 0));
	return 0;
}

/* ---- requests ---- */

static void set_security(struct fetch *f)
{
	CURL *easy = f->easy;
	const char *bundle = f->fetcher->ca_bundle;

	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_UNRESTRICTED_AUTH, 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION,
	                 (long)CURL_SSLVERSION_TLSv1_2);
	if (*bundle) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, bundle);
	}
	/* the bundle only: curl keeps what it has read then */
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, f);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, f);
}

static void set_transfer(struct fetch *f, const struct sp_fetch_ask *ask)
{
	CURL *easy = f->easy;

	curl_easy_setopt(easy, CURLOPT_URL, ask->url->text);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, f);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, f->error);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
	                 (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "Sealpost/" SP_VERSION);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, SLOW_S);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, f);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
}

static void add_header(struct fetch *f, const char *line)
{
	struct curl_slist *list = curl_slist_append(f->headers, line);

	SP_ASSERT(list);
	f->headers = list;
}

static void set_post(struct fetch *f, const struct sp_fetch_ask *ask)
{
	char line[200];

	snprintf(line, sizeof(line), "Content-Type: %s", ask->post_type);
	add_header(f, line);
	add_header(f, "Expect:"); /* no waiting for 100 */
	f->post = sp_str_dup(ask->body);
	curl_easy_setopt(f->easy, CURLOPT_POST, 1L);
	curl_easy_setopt(f->easy, CURLOPT_POSTFIELDSIZE_LARGE,
	                 (curl_off_t)ask->body.len);
	curl_easy_setopt(f->easy, CURLOPT_POSTFIELDS, f->post);
	curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->headers);
}

uint64_t sp_fetch_start(struct sp_fetcher *fetcher,
                        const struct sp_fetch_ask *ask, sp_fetch_fn *fn,
                        void *arg)
{
	struct fetch *f = SP_NEW(struct fetch);

	sp_list_init(&f->node);
	f->fetcher = fetcher;
	f->id = ++fetcher->last_id;
	f->host = sp_str_dup(ask->url->host);
	f->addr_count = ask->addr_count < SP_FETCH_ADDRS_MAX
	                        ? ask->addr_count
	                        : SP_FETCH_ADDRS_MAX;
	for (size_t i = 0; i < f->addr_count; i++) {
		f->addrs[i] = ask->addrs[i];
		f->addrs[i].port = ask->url->port;
		f->addrs[i].scope = 0;
	}
	f->deadline_ms = sp_time_mono_ms() + ask->timeout_ms;
	sp_buf_init(&f->body, ask->body_max);
	f->fn = fn;
	f->arg = arg;
	f->easy = curl_easy_init();
	SP_ASSERT(f->easy);
	set_transfer(f, ask);
	set_security(f);
	if (ask->head) {
		curl_easy_setopt(f->easy, CURLOPT_NOBODY, 1L);
	} else if (ask->post) {
		set_post(f, ask);
	}
	sp_map_set(&fetcher->fetches, sp_map_key_u64(&f->id), f);
	explain(f, "no address to connect to");
	if (!try_next(f)) {
		sp_list_append(&fetcher->failed, &f->node);
		sp_deferred_call(fetcher->hopeless);
	}
	return f->id;
}

void sp_fetch_cancel(struct sp_fetcher *fetcher, uint64_t id)
{
	struct fetch *f = sp_map_find(&fetcher->fetches, sp_map_key_u64(&id));

	if (f) {
		fetch_free(f);
	}
}

/* ---- life ---- */

static void copy_guard(struct sp_fetcher *fetcher, const struct sp_guard *guard)
{
	size_t count = guard->allow_count;

	fetcher->allow = sp_calloc(count + 1, sizeof(*fetcher->allow));
	for (size_t i = 0; i < count; i++) {
		fetcher->allow[i] = guard->allow[i];
	}
	fetcher->guard =
		(struct sp_guard){guard->enabled, fetcher->allow, count};
}

struct sp_fetcher *sp_fetcher_new(struct sp_loop *loop, const char *ca_bundle,
                                  const struct sp_guard *guard)
{
	struct sp_fetcher *fetcher = SP_NEW(struct sp_fetcher);

	SP_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes by write(2) */
	fetcher->loop = loop;
	fetcher->ca_bundle = sp_strdup(ca_bundle);
	copy_guard(fetcher, guard);
	fetcher->timer = sp_timer_new(loop, on_timer, fetcher);
	fetcher->hopeless = sp_deferred_new(loop, on_hopeless, fetcher);
	sp_map_init(&fetcher->fetches);
	sp_list_init(&fetcher->failed);
	sp_list_init(&fetcher->socks);
	fetcher->multi = curl_multi_init();
	SP_ASSERT(fetcher->multi);
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, on_set_timer);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_PIPELINING,
	                  (long)CURLPIPE_NOTHING);
	curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS,
	                  CONNECTIONS_KEPT);
	return fetcher;
}

void sp_fetcher_free(struct sp_fetcher **fetcher_at)
{
	struct sp_fetcher *fetcher = *fetcher_at;
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	if (!fetcher) {
		return;
	}
	*fetcher_at = NULL;
	while (sp_map_next(&fetcher->fetches, &it, &key, &value)) {
		fetch_free(value);
		it = (struct sp_map_iter){0};
	}
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, NULL);
	SP_LIST_FOREACH_SAFE (node, next, &fetcher->socks) {
		sock_free(SP_CONTAINER(node, struct sock, node));
	}
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, NULL);
	curl_multi_cleanup(fetcher->multi);
	sp_timer_free(&fetcher->timer);
	sp_deferred_free(&fetcher->hopeless);
	sp_map_fini(&fetcher->fetches);
	sp_free(fetcher->ca_bundle);
	sp_free(fetcher->allow);
	sp_free(fetcher);
	curl_global_cleanup();
}
