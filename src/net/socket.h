/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_NET_SOCKET_H
#define SP_NET_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/*
 * Addresses and non-blocking sockets. All descriptors are close-on-exec.
 */

#define SP_ADDR_TEXT 64 /* "[2001:db8::1]:25" and the NUL */

struct sp_addr {
	uint8_t family; /* 4 or 6; 0: none */
	uint8_t bytes[16];
	uint16_t port;
	uint32_t scope;
};

/* "192.0.2.1", "192.0.2.1:25", "[2001:db8::1]:25", "2001:db8::1". The port
 * is default_port where the text has none. 0 or SP_ESYNTAX. */
int sp_addr_parse(struct sp_str text, uint16_t default_port,
                  struct sp_addr *addr_out);
void sp_addr_text(const struct sp_addr *addr, char out[SP_ADDR_TEXT]);
void sp_addr_text_port(const struct sp_addr *addr, char out[SP_ADDR_TEXT]);

/* "127.0.0.0/8", "::1": is addr inside? An IPv4-mapped IPv6 address counts
 * as IPv4. */
struct sp_cidr {
	struct sp_addr addr;
	unsigned bits;
};
int sp_cidr_parse(struct sp_str text, struct sp_cidr *cidr_out);
bool sp_cidr_contains(const struct sp_cidr *cidr, const struct sp_addr *addr);

/* A listening TCP socket (SO_REUSEADDR, IPV6_V6ONLY). Returns the descriptor
 * or a negative error. */
int sp_socket_listen(const struct sp_addr *addr, int backlog);
/* Accepts one; -EAGAIN when none waits. */
int sp_socket_accept(int listen_fd, struct sp_addr *peer_out,
                     struct sp_addr *local_out);
/* Starts to connect (source may be null); the descriptor becomes writable
 * when decided, then ask sp_socket_error. */
int sp_socket_connect(const struct sp_addr *addr, const struct sp_addr *source);
/* A UDP socket that hears that peer only. The descriptor or a negative error,
 * such as -ENETUNREACH where no way leads there. */
int sp_socket_connect_udp(const struct sp_addr *addr);
int sp_socket_error(int fd); /* 0 or negated errno of the connect */
int sp_socket_local(int fd, struct sp_addr *addr_out);
int sp_socket_peer(int fd, struct sp_addr *addr_out);
/* Assigned to an interface of this machine now, or unspecified (0.0.0.0). */
bool sp_socket_is_local_address(const struct sp_addr *addr);

/* A listening UNIX stream socket with the given mode; a stale one is
 * replaced, a live one is -EADDRINUSE. */
int sp_socket_listen_unix(const char *path, unsigned mode);
int sp_socket_connect_unix(const char *path); /* blocking descriptor */

#endif
