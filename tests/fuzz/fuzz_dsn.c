/* SPDX-License-Identifier: Apache-2.0 */
/* layer: wire */
/*
 * A report made of anything has legal lines, exactly its own boundaries, and
 * no field that was not put there. The first two bytes choose, the rest is
 * cut into values.
 */
#include <string.h>

#include "base/assert.h"
#include "wire/dsn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINE_MAX 998

/* "--" and the boundary at the start of a line, with or without its end. */
struct frame {
	char delimiter[64];
	size_t len, begins, ends, final_recipients;
};

static void find_boundary(struct sp_str out, struct frame *f)
{
	static const char key[] = "\r\nContent-Type: multipart/report; "
				  "report-type=delivery-status;\r\n"
				  " boundary=\"";
	const char *at = memmem(out.ptr, out.len, key, sizeof(key) - 1);
	const char *end;

	SP_ASSERT(at);
	at += sizeof(key) - 1;
	end = memchr(at, '"', 60);
	SP_ASSERT(end);
	memcpy(f->delimiter, "--", 2);
	memcpy(f->delimiter + 2, at, (size_t)(end - at));
	f->len = (size_t)(end - at) + 2;
}

static void check_line(struct sp_str line, struct frame *f)
{
	struct sp_str rest;

	SP_ASSERT(line.len <= LINE_MAX);
	for (size_t i = 0; i < line.len; i++) {
		SP_ASSERT(line.ptr[i] != '\r' && line.ptr[i] != '\0');
	}
	f->final_recipients +=
		sp_str_starts_nocase(line, SP_STR("Final-Recipient: rfc822; "));
	if (line.len < f->len || memcmp(line.ptr, f->delimiter, f->len) != 0) {
		return;
	}
	rest = sp_str_sub(line, f->len, line.len);
	if (rest.len == 0) {
		f->begins++;
	} else {
		SP_ASSERT(sp_str_eq(rest, SP_STR("--")));
		f->ends++;
	}
}

static void check(const struct sp_dsn *d, struct sp_str out,
                  const struct sp_dsn_result *r)
{
	struct frame f = {.len = 0};
	struct sp_str line;
	struct sp_str rest = out;

	find_boundary(out, &f);
	while (sp_str_cut(&rest, '\n', &line)) {
		SP_ASSERT(line.len > 0 && line.ptr[line.len - 1] == '\r');
		line.len--;
		check_line(line, &f);
	}
	SP_ASSERT(f.ends == 1);
	SP_ASSERT(f.begins == 2 || f.begins == 3);
	SP_ASSERT(!r->whole || d->whole);
	for (size_t i = 0; !r->body_8bit && !r->smtputf8 && i < out.len; i++) {
		SP_ASSERT((unsigned char)out.ptr[i] < 128);
	}
	if (d->original.len == 0 && d->text.len == 0) {
		SP_ASSERT(f.final_recipients <= d->rcpt_count);
	}
}

static struct sp_str take(struct sp_str *rest)
{
	struct sp_str part;
	uint8_t len;

	if (rest->len == 0) {
		return (struct sp_str){0};
	}
	len = (uint8_t)rest->ptr[0];
	part = sp_str_sub(*rest, 1, len);
	*rest = sp_str_sub(*rest, 1 + part.len, rest->len);
	return part;
}

static void fill_rcpt(struct sp_dsn_rcpt *r, uint8_t choice,
                      struct sp_str *rest)
{
	r->action = (enum sp_dsn_action)(choice % 5);
	r->diagnostic_type = (enum sp_dsn_diagnostic)(choice % 3);
	r->address = take(rest);
	r->orcpt = take(rest);
	r->status = take(rest);
	r->diagnostic = take(rest);
	r->remote_mta = take(rest);
	r->last_attempt_ms = choice;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_str rest = sp_str_slice(data, size);
	struct sp_dsn_rcpt rcpts[2] = {{.action = SP_DSN_FAILED}};
	struct sp_dsn d = {.rcpts = rcpts, .rcpt_count = 2};
	struct sp_dsn_result r;
	struct sp_buf out;

	if (size < 2) {
		return 0;
	}
	d.whole = data[0] & 1;
	d.seed = data[1] & 3;
	rest = sp_str_sub(rest, 2, size);
	fill_rcpt(&rcpts[0], data[0], &rest);
	fill_rcpt(&rcpts[1], data[1], &rest);
	d.hostname = take(&rest);
	d.from = take(&rest);
	d.to = take(&rest);
	d.subject = take(&rest);
	d.id = take(&rest);
	d.message_id = take(&rest);
	d.envid = take(&rest);
	d.text = take(&rest);
	d.original = rest;
	sp_buf_init(&out, 4u * 1024 * 1024);
	SP_ASSERT(sp_dsn_write(&d, &out, &r) == 0);
	check(&d, sp_buf_str(&out), &r);
	sp_buf_fini(&out);
	return 0;
}
