/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions to resume. A resumed session shows no certificate, so what was
 * verified when it was made is stored beside it: a session without its facts
 * would be either unverified or taken on trust.
 *
 * - The key is a digest over the caller's key (host, address, port, policy)
 *   and over everything that the handshake is asked for. A change of one
 *   TLSA record, name or version is another key: nothing is ever resumed
 *   under a policy other than its own.
 * - Only sessions are stored that were verified, or that had nothing to be
 *   verified by.
 * - An entry dies by age (an hour after the last handshake that showed
 *   certificates, however often it was resumed since), by the end of the
 *   certificates it was verified by (usage 2, public authorities), or as the
 *   least recently used of too many. A session of TLS 1.3 is used once
 *   (RFC 8446 C.4).
 * - Entries are kept as bytes, without the peer's certificate: nobody looks
 *   at it any more, and to parse it would be half the cost of a handshake
 *   that is resumed.
 */
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/time.h"
#include "net/tls_conn.h"

#define ENTRIES_MAX       4096
#define SESSION_BYTES_MAX 16384
#define AGE_MAX_MS        ((int64_t)3600 * 1000)
#define PARAMS_BYTES_MAX  (4 * 1024 * 1024)

struct entry {
	struct sp_list node; /* in cache.lru, newest first */
	uint8_t key[SP__TLS_KEY];
	int64_t verified_mono_ms; /* the handshake with certificates */
	int64_t valid_until_ms;   /* wall; 0: certificates do not matter */
	unsigned char *der;       /* owned by sp_alloc */
	size_t der_len;
	struct sp_arena arena; /* of seen */
	struct sp_tls_seen seen;
};

static struct {
	bool ready;
	struct sp_map entries; /* key -> struct entry */
	struct sp_list lru;
	size_t count;
} cache;

static struct sp_str key_of(const uint8_t key[SP__TLS_KEY])
{
	return sp_str_slice(key, SP__TLS_KEY);
}

static void drop(struct entry *entry)
{
	sp_map_remove(&cache.entries, key_of(entry->key));
	sp_list_remove(&entry->node);
	cache.count--;
	sp_arena_fini(&entry->arena);
	sp_free(entry->der);
	sp_free(entry);
}

/* --- store --- */

int64_t sp__tls_chain_end_ms(const STACK_OF(X509) * chain)
{
	int64_t end_ms = INT64_MAX;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		struct tm tm;
		const ASN1_TIME *end =
			X509_get0_notAfter(sk_X509_value(chain, i));
		int64_t ms = 0;

		if (ASN1_TIME_to_tm(end, &tm) == 1) {
			ms = (int64_t)timegm(&tm) * 1000;
		}
		if (ms < end_ms) {
			end_ms = ms;
		}
	}
	return end_ms;
}

static bool worth_storing(const struct sp_tls_conn *conn, SSL_SESSION *session)
{
	return cache.ready && conn->caching &&
	       SSL_SESSION_is_resumable(session) &&
	       (conn->seen.dane_matched || !conn->seen.dane_active) &&
	       (conn->params.pki_name.len == 0 ||
	        (conn->seen.pki_checked && conn->seen.pki == SP_TLS_PKI_OK));
}

/* 0: no certificate matters to what was verified. */
static int64_t valid_until_ms(const struct sp_tls_conn *conn)
{
	int64_t pki_ms = conn->pki.end_ms, dane_ms = 0;

	if (conn->seen.matched_usage == SP_TLSA_DANE_TA) {
		dane_ms = sp__tls_chain_end_ms(
			SSL_get0_verified_chain(conn->ssl));
	}
	if (pki_ms == 0 || (dane_ms != 0 && dane_ms < pki_ms)) {
		return dane_ms;
	}
	return pki_ms;
}

/* Where the certificate stands in the fields of a session: peer [3] EXPLICIT
 * (SSL_SESSION_ASN1, since SSLeay). Empty: none is there. */
static struct sp_str find_peer(struct sp_str fields)
{
	const unsigned char *p = (const unsigned char *)fields.ptr;
	const unsigned char *end = p + fields.len;

	while (p < end) {
		const unsigned char *start = p;
		long len;
		int tag, class;

		if (ASN1_get_object(&p, &len, &tag, &class, end - p) & 0x80) {
			break;
		}
		p += len;
		if (class == V_ASN1_CONTEXT_SPECIFIC && tag == 3) {
			return sp_str_slice(start, (size_t)(p - start));
		}
	}
	return (struct sp_str){0};
}

/* In place; the new length. */
static size_t strip_peer(unsigned char *der, size_t der_len)
{
	const unsigned char *p = der;
	unsigned char *at = der;
	struct sp_str fields, peer;
	size_t rest, head;
	long len;
	int tag, class;

	if (ASN1_get_object(&p, &len, &tag, &class, (long)der_len) & 0x80) {
		return der_len;
	}
	fields = sp_str_slice(p, (size_t)len);
	peer = find_peer(fields);
	if (peer.len == 0) {
		return der_len;
	}
	rest = (size_t)(fields.ptr + fields.len - (peer.ptr + peer.len));
	memmove(der + (peer.ptr - (const char *)der), peer.ptr + peer.len,
	        rest);
	len -= (long)peer.len;
	head = (size_t)ASN1_object_size(1, (int)len, tag) - (size_t)len;
	memmove(der + head, fields.ptr, (size_t)len);
	ASN1_put_object(&at, 1, (int)len, tag, class);
	return head + (size_t)len;
}

static bool encode(SSL_SESSION *session, struct entry *entry)
{
	int len = i2d_SSL_SESSION(session, NULL);
	unsigned char *p;

	if (len <= 0 || len > SESSION_BYTES_MAX) {
		return false;
	}
	entry->der = p = sp_alloc((size_t)len);
	entry->der_len = (size_t)i2d_SSL_SESSION(session, &p);
	entry->der_len = strip_peer(entry->der, entry->der_len);
	entry->der = sp_realloc(entry->der, entry->der_len);
	return true;
}

static void store(const struct sp_tls_conn *conn, SSL_SESSION *session)
{
	struct entry *old;
	struct entry *entry;

	ERR_clear_error();
	entry = SP_NEW(struct entry);
	if (!encode(session, entry)) {
		sp_free(entry);
		return;
	}
	old = sp_map_find(&cache.entries, key_of(conn->cache_key));
	if (old) {
		drop(old);
	}
	memcpy(entry->key, conn->cache_key, sizeof(entry->key));
	entry->verified_mono_ms = conn->verified_mono_ms;
	entry->valid_until_ms = conn->valid_until_ms;
	sp__tls_seen_copy(&conn->seen, &entry->arena, &entry->seen);
	sp_list_prepend(&cache.lru, &entry->node);
	sp_map_set(&cache.entries, key_of(entry->key), entry);
	if (++cache.count > ENTRIES_MAX) {
		drop(SP_CONTAINER(cache.lru.prev, struct entry, node));
	}
}

/* OpenSSL has a session for us. Before the facts are complete (TLS 1.2) it
 * waits in the connection. Returns 1 where it keeps the reference. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct sp_tls_conn *conn = sp__tls_conn_of(ssl);

	if (!conn->caching) {
		return 0;
	}
	if (conn->settled) {
		if (worth_storing(conn, session)) {
			store(conn, session);
		}
		return 0;
	}
	SSL_SESSION_free(conn->pending_session);
	conn->pending_session = session;
	return 1;
}

void sp__tls_session_settle(struct sp_tls_conn *conn)
{
	if (!conn->seen.resumed) {
		conn->verified_mono_ms = sp_time_mono_ms();
		conn->valid_until_ms = valid_until_ms(conn);
	}
	conn->settled = true;
	if (conn->pending_session &&
	    worth_storing(conn, conn->pending_session)) {
		store(conn, conn->pending_session);
	}
	SSL_SESSION_free(conn->pending_session);
	conn->pending_session = NULL;
}

/* --- use --- */

static bool is_fresh(const struct entry *entry)
{
	if (sp_time_mono_ms() - entry->verified_mono_ms >= AGE_MAX_MS) {
		return false;
	}
	return entry->valid_until_ms == 0 ||
	       sp_time_wall_ms() < entry->valid_until_ms;
}

static SSL_SESSION *parse(const struct entry *entry)
{
	const unsigned char *p = entry->der;

	ERR_clear_error();
	return d2i_SSL_SESSION(NULL, &p, (long)entry->der_len);
}

void sp__tls_session_offer(struct sp_tls_conn *conn)
{
	struct entry *entry;
	SSL_SESSION *session;

	if (!conn->caching || !cache.ready) {
		return;
	}
	entry = sp_map_find(&cache.entries, key_of(conn->cache_key));
	if (!entry) {
		return;
	}
	session = is_fresh(entry) ? parse(entry) : NULL;
	if (session && SSL_set_session(conn->ssl, session) == 1) {
		sp__tls_seen_copy(&entry->seen, &conn->arena, &conn->recalled);
		conn->verified_mono_ms = entry->verified_mono_ms;
		conn->valid_until_ms = entry->valid_until_ms;
		conn->offered = true;
		sp_list_remove(&entry->node);
		sp_list_prepend(&cache.lru, &entry->node);
	}
	if (!conn->offered ||
	    SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION) {
		drop(entry);
	}
	SSL_SESSION_free(session);
	ERR_clear_error();
}

bool sp__tls_session_recall(struct sp_tls_conn *conn)
{
	if (SSL_session_reused(conn->ssl) != 1) {
		return false;
	}
	SP_ASSERT(conn->offered);
	conn->seen = conn->recalled;
	return true;
}

/* --- key --- */

static void add(struct sp_buf *b, struct sp_str s)
{
	uint64_t len = s.len;

	sp_buf_append(b, &len, sizeof(len));
	sp_buf_append_str(b, s);
}

static void add_record(struct sp_buf *b, const struct sp_tlsa *record)
{
	const uint8_t numbers[3] = {record->usage, record->selector,
	                            record->matching};

	sp_buf_append(b, numbers, sizeof(numbers));
	add(b, record->data);
}

void sp__tls_session_key(struct sp_tls_conn *conn)
{
	const struct sp_tls_client *p = &conn->params;
	const uint64_t counts[] = {
		p->record_count,          p->reference_id_count,
		(uint64_t)p->version_min, p->anonymous_ok,
		(uint64_t)p->key,         p->key_only,
		(uint64_t)p->only};
	struct sp_buf b;
	unsigned len = 0;

	sp_buf_init(&b, PARAMS_BYTES_MAX);
	sp_buf_append(&b, counts, sizeof(counts));
	add(&b, p->session_key);
	add(&b, p->sni);
	add(&b, p->host_name);
	add(&b, p->pki_name);
	for (size_t i = 0; i < p->record_count; i++) {
		add_record(&b, &p->records[i]);
	}
	for (size_t i = 0; i < p->reference_id_count; i++) {
		add(&b, p->reference_ids[i]);
	}
	conn->caching =
		sp_buf_error(&b) == 0 &&
		EVP_Digest(sp_buf_str(&b).ptr, sp_buf_len(&b), conn->cache_key,
	                   &len, EVP_sha256(), NULL) == 1;
	sp_buf_fini(&b);
}

/* --- lifecycle --- */

void sp__tls_session_setup(void)
{
	sp_map_init(&cache.entries);
	sp_list_init(&cache.lru);
	cache.count = 0;
	cache.ready = true;
}

void sp__tls_session_watch(SSL_CTX *ctx)
{
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
	                                            SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_new_session);
}

void sp__tls_session_forget(void)
{
	struct sp_list *node;

	while (cache.ready && (node = sp_list_first(&cache.lru))) {
		drop(SP_CONTAINER(node, struct entry, node));
	}
}

void sp__tls_session_teardown(void)
{
	if (cache.ready) {
		sp__tls_session_forget();
		sp_map_fini(&cache.entries);
		cache.ready = false;
	}
}
