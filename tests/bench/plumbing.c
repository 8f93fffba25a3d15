/* SPDX-License-Identifier: Apache-2.0 */
/* What the instruments share: see plumbing.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "bench/plumbing.h"

#define FILLER_LINE 74 /* characters before the CRLF */
#define SIZE_MAX_   (64u << 20)

void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vfprintf(stderr, fmt, args);
	va_end(args);
	(void)fputc('\n', stderr);
	exit(1);
}

uint64_t number(const char *text, const char *what)
{
	uint64_t value = 0;

	if (sp_str_u64(sp_str_from(text), UINT32_MAX, &value) != 0) {
		die("%s: %s is no number", what, text);
	}
	return value;
}

void raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
		die("getrlimit: %s", strerror(errno));
	}
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
		die("setrlimit: %s", strerror(errno));
	}
}

void read_lines(const char *path, struct lines *out)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	if (file == NULL) {
		die("%s: %s", path, strerror(errno));
	}
	*out = (struct lines){0};
	while ((len = getline(&line, &cap, file)) > 0) {
		struct sp_str text = sp_str_slice(line, (size_t)len);

		if (text.ptr[text.len - 1] == '\n') {
			text.len--;
		}
		out->line = sp_realloc(out->line,
		                       (out->count + 1) * sizeof(*out->line));
		out->line[out->count++] = sp_str_dup(text);
	}
	(void)fclose(file);
	if (out->count == 0) {
		die("%s: no lines", path);
	}
}

/* Lines of text and the final dot, made once for each size. */
static const char *filler_of(size_t size)
{
	static const char END[] = {'\r', '\n', '.', '\r', '\n'};
	static _Thread_local char *filler;
	static _Thread_local size_t made;

	if (filler != NULL && made == size) {
		return filler;
	}
	sp_free(filler);
	filler = sp_alloc(size + sizeof(END));
	made = size;
	for (size_t i = 0; i < size; i++) {
		size_t column = i % (FILLER_LINE + 2);

		filler[i] = column == FILLER_LINE       ? '\r'
		            : column == FILLER_LINE + 1 ? '\n'
		                                        : 'x';
	}
	if (size > 0 && filler[size - 1] == '\r') {
		filler[size - 1] = 'x';
	}
	/* at the end of a line already, or not: either is good text */
	memcpy(filler + size, END, sizeof(END));
	return filler;
}

void message_make(uint64_t serial, const char *recipient, size_t size,
                  struct message *out)
{
	char date[SP_TIME_TEXT];
	int len;

	sp_time_rfc5322(sp_time_wall_ms(), date);
	len = snprintf(out->head, sizeof(out->head),
	               "From: Bench <bench@sender.test>\r\n"
	               "To: <%s>\r\n"
	               "Subject: measured message %" PRIu64 "\r\n"
	               "Date: %s\r\n"
	               "Message-ID: <%" PRIu64 ".%ld@sender.test>\r\n"
	               "\r\n",
	               recipient, serial, date, serial, (long)getpid());
	if (len < 0 || (size_t)len >= sizeof(out->head)) {
		die("a recipient is too long");
	}
	if (size > SIZE_MAX_ || size < (size_t)len) {
		die("no message can have %zu bytes", size);
	}
	out->head_len = (size_t)len;
	out->filler = filler_of(size - (size_t)len);
	out->filler_len = size - (size_t)len + 5;
}
