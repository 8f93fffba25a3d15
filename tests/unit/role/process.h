/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_TESTS_ROLE_PROCESS_H
#define SP_TESTS_ROLE_PROCESS_H

/*
 * A role as a process of its own, as the parent would start it; the test
 * plays the parent and the peers, with blocking sockets. The process must
 * end by itself with status 0, which it does not when it leaks. Included by
 * one test program each.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/socket.h"
#include "role/role.h"

#define PATIENCE_MS 10000

struct process {
	pid_t pid;
	int control;
	struct sp_conf *conf;
	struct sp_arena arena; /* of frames read */
};

static inline void put(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		assert_true(n > 0);
		at += n;
		len -= (size_t)n;
	}
}

static inline bool is_readable(int fd, int wait_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, wait_ms) == 1;
}

/* False: the end. */
static inline bool get(int fd, void *data, size_t len)
{
	char *at = data;

	while (len > 0) {
		ssize_t n;

		assert_true(is_readable(fd, PATIENCE_MS));
		n = recv(fd, at, len, 0);
		if (n <= 0) {
			return false;
		}
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static inline void put_frame(int fd, enum sp_msg type,
                             const struct sp_pack_field *fields,
                             const void *msg)
{
	struct sp_frame_head head = {.type = (uint16_t)type};
	uint8_t bytes[SP_FRAME_HEAD];
	struct sp_buf payload;

	sp_buf_init(&payload, SP_FRAME_MAX);
	if (fields) {
		assert_int_equal(sp_pack(fields, msg, &payload), 0);
	}
	head.length = (uint32_t)sp_buf_len(&payload);
	sp_frame_head_encode(&head, bytes);
	put(fd, bytes, sizeof(bytes));
	put(fd, sp_buf_str(&payload).ptr, sp_buf_len(&payload));
	sp_buf_fini(&payload);
}

#define PUT(fd, name, table, msg)                                              \
	put_frame((fd), SP_MSG_##name, SP_MSG_##table##_FIELDS, (msg))

/* The next frame must be of the type. */
static inline void get_frame(struct process *p, int fd, enum sp_msg type,
                             const struct sp_pack_field *fields, void *msg)
{
	uint8_t bytes[SP_FRAME_HEAD];
	struct sp_frame_head head;
	char *payload;

	assert_true(get(fd, bytes, sizeof(bytes)));
	assert_int_equal(sp_frame_head_decode(bytes, &head), 0);
	if (head.type != type) {
		fail_msg("%s instead of %s", sp_msg_name(head.type),
		         sp_msg_name((uint16_t)type));
	}
	payload = sp_arena_alloc(&p->arena, head.length + 1);
	assert_true(get(fd, payload, head.length));
	if (fields) {
		assert_int_equal(sp_unpack(fields,
		                           sp_str_slice(payload, head.length),
		                           false, &p->arena, msg),
		                 0);
	}
}

#define GET(p, fd, name, table, msg)                                           \
	get_frame((p), (fd), SP_MSG_##name, SP_MSG_##table##_FIELDS, (msg))

static inline void start(struct process *p, enum sp_role role, const char *conf,
                         const int *fds, size_t fd_count)
{
	char why[SP_CONF_WHY] = "";
	int pair[2];

	*p = (struct process){0};
	sp_arena_init(&p->arena);
	if (sp_conf_parse(sp_str_from(conf), "test", &p->conf, why)) {
		fail_msg("%s", why);
	}
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid == 0) {
		int status;

		close(pair[0]);
		status = sp_role_main(role, 0, 1, p->conf, pair[1], fds,
		                      fd_count);
		sp_conf_free(&p->conf);
		exit(status);
	}
	close(pair[1]);
	p->control = pair[0];
	get_frame(p, p->control, SP_MSG_READY, NULL, NULL);
}

/* Our end of a new link to a peer of this role. */
static inline int link_to(struct process *p, enum sp_role role)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct sp_msg_link link = {role, 0, 1};
	uint8_t bytes[256];
	struct iovec iov = {.iov_base = bytes};
	struct msghdr msg = {.msg_iov = &iov,
	                     .msg_iovlen = 1,
	                     .msg_control = control.room,
	                     .msg_controllen = sizeof(control.room)};
	struct sp_buf payload;
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	sp_buf_init(&payload, 100);
	assert_int_equal(sp_pack(SP_MSG_LINK_FIELDS, &link, &payload), 0);
	sp_frame_head_encode(
		&(struct sp_frame_head){(uint32_t)sp_buf_len(&payload),
	                                SP_MSG_LINK},
		bytes);
	memcpy(bytes + SP_FRAME_HEAD, sp_buf_str(&payload).ptr,
	       sp_buf_len(&payload));
	iov.iov_len = SP_FRAME_HEAD + sp_buf_len(&payload);
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &pair[1], sizeof(int));
	assert_int_equal(sendmsg(p->control, &msg, 0), iov.iov_len);
	close(pair[1]);
	sp_buf_fini(&payload);
	return pair[0];
}

static inline void tell_stop(struct process *p)
{
	put_frame(p->control, SP_MSG_STOP, NULL, NULL);
}

/* Its end, in good order. */
static inline void expect_end(struct process *p)
{
	char byte;
	int status;

	/* the control channel closes with the process */
	assert_false(get(p->control, &byte, 1));
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(p->control);
	sp_conf_free(&p->conf);
	sp_arena_fini(&p->arena);
}

/* A line without its CRLF. */
static inline const char *get_line(int fd)
{
	static char line[1024];
	size_t len = 0;

	do {
		assert_true(len < sizeof(line) - 1);
		assert_true(get(fd, line + len, 1));
	} while (line[len++] != '\n');
	line[len - 2] = '\0';
	return line;
}

static inline void expect_line(int fd, const char *start_of_it)
{
	const char *line = get_line(fd);

	if (strncmp(line, start_of_it, strlen(start_of_it)) != 0) {
		fail_msg("\"%s\" instead of \"%s\"", line, start_of_it);
	}
}

static inline void put_text(int fd, const char *text)
{
	put(fd, text, strlen(text));
}

static inline int listen_here(struct sp_addr *addr_out)
{
	int fd;

	assert_int_equal(sp_addr_parse(SP_STR("127.0.0.1:0"), 0, addr_out), 0);
	fd = sp_socket_listen(addr_out, 16);
	assert_true(fd >= 0);
	assert_int_equal(sp_socket_local(fd, addr_out), 0);
	return fd;
}

#endif
