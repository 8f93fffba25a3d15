/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PLUMBING_H
#define BENCH_PLUMBING_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * What sink, injector and floor share. They are instruments: whatever is not
 * as it must be ends the program with a message.
 */

void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* A positive number, or the end. */
uint64_t number(const char *text, const char *what);

/* As many descriptors as we may have. */
void raise_files(void);

/* The lines of a file without their ends, never freed; at least one. */
struct lines {
	char **line;
	size_t count;
};
void read_lines(const char *path, struct lines *out);

/* A message of `size` bytes as it goes over the wire, final dot included.
 * The first part is different each time, the filler is not. */
struct message {
	char head[512];
	size_t head_len;
	const char *filler;
	size_t filler_len;
};
void message_make(uint64_t serial, const char *recipient, size_t size,
                  struct message *out);

#endif
