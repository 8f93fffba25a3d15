/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as values and sockets as plain descriptors. An address is never
 * a sockaddr outside this file, so nobody has to care about families, byte
 * order or padding when comparing and keying by them. Only numeric text is
 * read here: names belong to the resolver.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "net/socket.h"

union any_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage room;
};

/* --- text --- */

static bool copy_cstr(struct sp_str text, char *out, size_t cap)
{
	if (text.len == 0 || text.len >= cap ||
	    memchr(text.ptr, '\0', text.len)) {
		return false;
	}
	memcpy(out, text.ptr, text.len);
	out[text.len] = '\0';
	return true;
}

static int parse_port(struct sp_str text, uint16_t *port_out)
{
	uint64_t port;

	if (text.len == 0 || text.len > 5 || sp_str_u64(text, 65535, &port)) {
		return SP_ESYNTAX;
	}
	*port_out = (uint16_t)port;
	return 0;
}

static int parse_v4(struct sp_str text, struct sp_addr *addr)
{
	char buf[INET_ADDRSTRLEN];

	if (!copy_cstr(text, buf, sizeof(buf)) ||
	    inet_pton(AF_INET, buf, addr->bytes) != 1) {
		return SP_ESYNTAX;
	}
	addr->family = 4;
	return 0;
}

/* RFC 4007 11: the zone is an interface, by number or by name. */
static int parse_scope(struct sp_str zone, uint32_t *scope_out)
{
	char name[IF_NAMESIZE];
	uint64_t number;

	if (sp_str_u64(zone, UINT32_MAX, &number) == 0) {
		*scope_out = (uint32_t)number;
		return 0;
	}
	if (!copy_cstr(zone, name, sizeof(name))) {
		return SP_ESYNTAX;
	}
	*scope_out = if_nametoindex(name);
	return *scope_out ? 0 : SP_ESYNTAX;
}

static int parse_v6(struct sp_str text, struct sp_addr *addr)
{
	char buf[INET6_ADDRSTRLEN];
	size_t percent = sp_str_find(text, '%');

	if (percent < text.len &&
	    parse_scope(sp_str_sub(text, percent + 1, text.len),
	                &addr->scope)) {
		return SP_ESYNTAX;
	}
	if (!copy_cstr(sp_str_sub(text, 0, percent), buf, sizeof(buf)) ||
	    inet_pton(AF_INET6, buf, addr->bytes) != 1) {
		return SP_ESYNTAX;
	}
	addr->family = 6;
	return 0;
}

/* "[v6]" or "[v6]:port" */
static int parse_bracketed(struct sp_str text, struct sp_addr *addr)
{
	size_t close = sp_str_find(text, ']');
	struct sp_str rest;

	if (close == text.len) {
		return SP_ESYNTAX;
	}
	rest = sp_str_sub(text, close + 1, text.len);
	if (rest.len > 0) {
		if (rest.ptr[0] != ':' ||
		    parse_port(sp_str_sub(rest, 1, rest.len), &addr->port)) {
			return SP_ESYNTAX;
		}
	}
	return parse_v6(sp_str_sub(text, 1, close - 1), addr);
}

int sp_addr_parse(struct sp_str text, uint16_t default_port,
                  struct sp_addr *addr_out)
{
	struct sp_addr addr = {.port = default_port};
	size_t colon = sp_str_find(text, ':');
	struct sp_str rest = sp_str_sub(text, colon + 1, text.len);
	int rc;

	if (text.len > 0 && text.ptr[0] == '[') {
		rc = parse_bracketed(text, &addr);
	} else if (colon == text.len) {
		rc = parse_v4(text, &addr);
	} else if (sp_str_find(rest, ':') < rest.len) {
		rc = parse_v6(text, &addr);
	} else {
		rc = parse_v4(sp_str_sub(text, 0, colon), &addr);
		if (rc == 0) {
			rc = parse_port(rest, &addr.port);
		}
	}
	if (rc == 0) {
		*addr_out = addr;
	}
	return rc;
}

void sp_addr_text(const struct sp_addr *addr, char out[SP_ADDR_TEXT])
{
	size_t len;

	out[0] = '\0';
	if (addr->family == 4) {
		inet_ntop(AF_INET, addr->bytes, out, SP_ADDR_TEXT);
	} else if (addr->family == 6) {
		inet_ntop(AF_INET6, addr->bytes, out, SP_ADDR_TEXT);
	}
	len = strlen(out);
	if (addr->family == 6 && addr->scope) {
		snprintf(out + len, SP_ADDR_TEXT - len, "%%%u", addr->scope);
	}
}

void sp_addr_text_port(const struct sp_addr *addr, char out[SP_ADDR_TEXT])
{
	bool v6 = addr->family == 6;
	char host[SP_ADDR_TEXT];

	sp_addr_text(addr, host);
	/* The longest host has 50 characters; gcc can't know that. */
	snprintf(out, SP_ADDR_TEXT, "%s%.51s%s:%u", v6 ? "[" : "", host,
	         v6 ? "]" : "", (unsigned)addr->port);
}

/* --- networks --- */

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* ::ffff:192.0.2.1 is 192.0.2.1 (RFC 4291 2.5.5.2). */
static struct sp_addr unmapped(const struct sp_addr *addr)
{
	struct sp_addr out = *addr;

	if (addr->family != 6 ||
	    memcmp(addr->bytes, mapped_prefix, sizeof(mapped_prefix)) != 0) {
		return out;
	}
	memset(out.bytes, 0, sizeof(out.bytes));
	memcpy(out.bytes, addr->bytes + 12, 4);
	out.family = 4;
	return out;
}

int sp_cidr_parse(struct sp_str text, struct sp_cidr *cidr_out)
{
	struct sp_cidr cidr = {0};
	struct sp_str host = text;
	struct sp_str rest = text;
	bool has_bits = sp_str_find(text, '/') < text.len;
	uint64_t bits;
	int rc;

	sp_str_cut(&rest, '/', &host);
	rc = parse_v4(host, &cidr.addr);
	if (rc) {
		rc = parse_v6(host, &cidr.addr);
	}
	if (rc) {
		return rc;
	}
	bits = cidr.addr.family == 4 ? 32 : 128;
	if (has_bits &&
	    (rest.len == 0 || rest.len > 3 || sp_str_u64(rest, bits, &bits))) {
		return SP_ESYNTAX;
	}
	cidr.bits = (unsigned)bits;
	*cidr_out = cidr;
	return 0;
}

static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8;
	unsigned mask = 0xff00u >> (bits % 8) & 0xffu;

	if (memcmp(a, b, whole) != 0) {
		return false;
	}
	return bits % 8 == 0 || ((a[whole] ^ b[whole]) & mask) == 0;
}

bool sp_cidr_contains(const struct sp_cidr *cidr, const struct sp_addr *addr)
{
	struct sp_addr net = cidr->addr;
	struct sp_addr host = unmapped(addr);
	unsigned bits = cidr->bits;

	/* A network inside ::ffff:0:0/96 is a network of IPv4. */
	if (net.family == 6 && bits >= 96) {
		net = unmapped(&net);
		if (net.family == 4) {
			bits -= 96;
		}
	}
	if (net.family == 0 || net.family != host.family) {
		return false;
	}
	return prefix_equal(net.bytes, host.bytes, bits);
}

/* --- sockets --- */

static socklen_t to_sockaddr(const struct sp_addr *addr, union any_address *sa)
{
	memset(sa, 0, sizeof(*sa));
	if (addr->family == 4) {
		sa->v4.sin_family = AF_INET;
		sa->v4.sin_port = htons(addr->port);
		memcpy(&sa->v4.sin_addr, addr->bytes, 4);
		return sizeof(sa->v4);
	}
	sa->v6.sin6_family = AF_INET6;
	sa->v6.sin6_port = htons(addr->port);
	sa->v6.sin6_scope_id = addr->scope;
	memcpy(&sa->v6.sin6_addr, addr->bytes, 16);
	return sizeof(sa->v6);
}

static void from_sockaddr(const union any_address *sa, struct sp_addr *addr_out)
{
	*addr_out = (struct sp_addr){0};
	if (sa->any.sa_family == AF_INET) {
		addr_out->family = 4;
		addr_out->port = ntohs(sa->v4.sin_port);
		memcpy(addr_out->bytes, &sa->v4.sin_addr, 4);
	} else if (sa->any.sa_family == AF_INET6) {
		addr_out->family = 6;
		addr_out->port = ntohs(sa->v6.sin6_port);
		addr_out->scope = sa->v6.sin6_scope_id;
		memcpy(addr_out->bytes, &sa->v6.sin6_addr, 16);
	}
}

/* Ends a failed set-up: closes fd and keeps the errno that told why. */
static int fail_closing(int fd)
{
	int err = errno;

	close(fd);
	return -err;
}

static int new_socket(const struct sp_addr *addr, int type)
{
	int family = addr->family == 4 ? AF_INET : AF_INET6;
	int fd;

	if (addr->family != 4 && addr->family != 6) {
		return -EAFNOSUPPORT;
	}
	fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static int tcp_socket(const struct sp_addr *addr)
{
	return new_socket(addr, SOCK_STREAM);
}

static int set_flag(int fd, int level, int option)
{
	int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on));
}

int sp_socket_listen(const struct sp_addr *addr, int backlog)
{
	union any_address sa;
	socklen_t len;
	int fd = tcp_socket(addr);

	if (fd < 0) {
		return fd;
	}
	len = to_sockaddr(addr, &sa);
	if (set_flag(fd, SOL_SOCKET, SO_REUSEADDR) ||
	    (addr->family == 6 && set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY)) ||
	    bind(fd, &sa.any, len) || listen(fd, backlog)) {
		return fail_closing(fd);
	}
	return fd;
}

int sp_socket_accept(int listen_fd, struct sp_addr *peer_out,
                     struct sp_addr *local_out)
{
	union any_address sa = {0};
	socklen_t len = sizeof(sa);
	int fd =
		accept4(listen_fd, &sa.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int rc;

	if (fd < 0) {
		return -errno;
	}
	from_sockaddr(&sa, peer_out);
	rc = sp_socket_local(fd, local_out);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	/* No TCP on a UNIX socket: nothing lost if this is refused. */
	if (peer_out->family) {
		(void)set_flag(fd, IPPROTO_TCP, TCP_NODELAY);
	}
	return fd;
}

int sp_socket_connect(const struct sp_addr *addr, const struct sp_addr *source)
{
	union any_address sa;
	socklen_t len;
	int fd = tcp_socket(addr);

	if (fd < 0) {
		return fd;
	}
	/* Whole commands leave in one write: waiting for more only delays. */
	if (set_flag(fd, IPPROTO_TCP, TCP_NODELAY)) {
		return fail_closing(fd);
	}
	if (source) {
		len = to_sockaddr(source, &sa);
		if (bind(fd, &sa.any, len)) {
			return fail_closing(fd);
		}
	}
	len = to_sockaddr(addr, &sa);
	if (connect(fd, &sa.any, len) && errno != EINPROGRESS) {
		return fail_closing(fd);
	}
	return fd;
}

int sp_socket_connect_udp(const struct sp_addr *addr)
{
	union any_address sa;
	socklen_t len;
	int fd = new_socket(addr, SOCK_DGRAM);

	if (fd < 0) {
		return fd;
	}
	len = to_sockaddr(addr, &sa);
	return connect(fd, &sa.any, len) ? fail_closing(fd) : fd;
}

int sp_socket_error(int fd)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len)) {
		return -errno;
	}
	return -err;
}

int sp_socket_local(int fd, struct sp_addr *addr_out)
{
	union any_address sa = {0};
	socklen_t len = sizeof(sa);

	if (getsockname(fd, &sa.any, &len)) {
		return -errno;
	}
	from_sockaddr(&sa, addr_out);
	return 0;
}

int sp_socket_peer(int fd, struct sp_addr *addr_out)
{
	union any_address sa = {0};
	socklen_t len = sizeof(sa);

	if (getpeername(fd, &sa.any, &len)) {
		return -errno;
	}
	from_sockaddr(&sa, addr_out);
	return 0;
}

static bool is_unspecified(const struct sp_addr *addr)
{
	static const uint8_t zero[16];

	return memcmp(addr->bytes, zero, addr->family == 4 ? 4 : 16) == 0;
}

bool sp_socket_is_local_address(const struct sp_addr *addr)
{
	struct sp_addr want = unmapped(addr);
	size_t len = want.family == 4 ? 4 : 16;
	struct ifaddrs *all = NULL;
	bool found = want.family != 0 && is_unspecified(&want);

	if (found || want.family == 0) {
		return found;
	}
	if (getifaddrs(&all)) {
		sp_log(NULL, SP_LOG_WARN, "socket.interfaces",
		       SP_F_ERR(-errno));
		return false;
	}
	for (struct ifaddrs *it = all; it && !found; it = it->ifa_next) {
		union any_address sa = {0};
		struct sp_addr have;

		if (!it->ifa_addr) {
			continue;
		}
		if (it->ifa_addr->sa_family == AF_INET) {
			memcpy(&sa, it->ifa_addr, sizeof(sa.v4));
		} else if (it->ifa_addr->sa_family == AF_INET6) {
			memcpy(&sa, it->ifa_addr, sizeof(sa.v6));
		}
		from_sockaddr(&sa, &have);
		found = have.family == want.family &&
		        memcmp(have.bytes, want.bytes, len) == 0;
	}
	freeifaddrs(all);
	return found;
}

/* --- UNIX sockets --- */

static int unix_address(const char *path, struct sockaddr_un *sa)
{
	size_t len = strlen(path);

	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	if (len == 0 || len >= sizeof(sa->sun_path)) {
		return -ENAMETOOLONG;
	}
	memcpy(sa->sun_path, path, len);
	return 0;
}

static int connect_unix(const char *path, int flags)
{
	struct sockaddr_un sa;
	int rc = unix_address(path, &sa);
	int fd;

	if (rc < 0) {
		return rc;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0) {
		return -errno;
	}
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		return fail_closing(fd);
	}
	return fd;
}

/* Removes a socket that nobody listens on. */
static int remove_stale(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st)) {
		return errno == ENOENT ? 0 : -errno;
	}
	if (!S_ISSOCK(st.st_mode)) {
		return -EADDRINUSE;
	}
	fd = connect_unix(path, SOCK_NONBLOCK);
	if (fd >= 0) {
		close(fd);
	}
	if (fd >= 0 || fd == -EAGAIN) { /* EAGAIN: its queue is full */
		return -EADDRINUSE;
	}
	if (fd != -ECONNREFUSED) {
		return fd;
	}
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

int sp_socket_listen_unix(const char *path, unsigned mode)
{
	struct sockaddr_un sa;
	int rc = unix_address(path, &sa);
	int fd;

	if (rc == 0) {
		rc = remove_stale(path);
	}
	if (rc < 0) {
		return rc;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	/* Nobody can connect before listen, so the mode is in time. */
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    chmod(path, (mode_t)mode) || listen(fd, 64)) {
		return fail_closing(fd);
	}
	return fd;
}

int sp_socket_connect_unix(const char *path)
{
	return connect_unix(path, 0);
}
