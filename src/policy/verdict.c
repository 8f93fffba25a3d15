/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts are values. Two kinds meet here: causes of ours, whose codes come
 * from the table, and replies of a peer, whose code and words are kept as
 * they were said. The class of a verdict decides what happens to the mail;
 * the digits a peer wrote never do: a 5xx in answer to a greeting or EHLO
 * only ends this host's turn.
 */
#include <stdio.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "policy/verdict.h"

#define REPLY_TEXT_MAX 1024
#define CAUSE_TEXT_MAX 512

static const struct sp_verdict delivered = {
	.class = SP_VERDICT_DELIVERED,
	.code = 250,
	.enhanced = {2, 0, 0},
};

struct sp_verdict sp_verdict_from_cause(enum sp_cause_id cause_id,
                                        struct sp_str domain,
                                        struct sp_str reason,
                                        struct sp_arena *arena)
{
	const struct sp_cause *cause = sp_cause_get(cause_id);
	char text[CAUSE_TEXT_MAX];
	struct sp_verdict v = {0};

	if (cause->id == SP_CAUSE_NONE) {
		return delivered;
	}
	sp_cause_text(cause, domain, reason, text, sizeof(text));
	v.class = cause->at_once ? SP_VERDICT_PERM : SP_VERDICT_TEMP;
	v.cause = cause_id;
	v.code = cause->at_once ? cause->perm_code : cause->temp_code;
	v.enhanced.class = cause->at_once ? 5 : 4;
	v.enhanced.subject = cause->subject;
	v.enhanced.detail = cause->detail;
	v.text = sp_arena_str(arena, sp_str_from(text));
	return v;
}

/* One line of a peer's reply: without the enhanced code, which the verdict
 * carries apart. */
static struct sp_str without_enhanced(struct sp_str line)
{
	struct sp_enhanced ignored;
	struct sp_str rest;

	if (sp_enhanced_parse(line, &ignored, &rest) == 0) {
		return sp_str_trim(rest);
	}
	return sp_str_trim(line);
}

/* The lines of the reply as one, printable and of bounded length. */
static struct sp_str one_line(struct sp_str text, struct sp_arena *arena)
{
	size_t max = text.len < REPLY_TEXT_MAX ? text.len : REPLY_TEXT_MAX;
	char *out = sp_arena_alloc(arena, max + 1);
	struct sp_str line;
	size_t len = 0;

	while (sp_str_cut(&text, '\n', &line)) {
		line = without_enhanced(line);
		if (len > 0 && line.len > 0 && len < max) {
			out[len++] = ' ';
		}
		for (size_t i = 0; i < line.len && len < max; i++) {
			out[len++] = sp_ascii_tame(line.ptr[i]);
		}
	}
	return sp_str_slice(out, len);
}

/* 5xx ends the recipient only as an answer to the envelope or the data. */
static enum sp_verdict_class reply_class(unsigned code, bool at_envelope)
{
	if (code / 100 == 2) {
		return SP_VERDICT_DELIVERED;
	}
	return code / 100 == 5 && at_envelope ? SP_VERDICT_PERM
	                                      : SP_VERDICT_TEMP;
}

struct sp_verdict sp_verdict_from_reply(const struct sp_reply *reply,
                                        bool at_envelope,
                                        struct sp_arena *arena)
{
	unsigned digit = reply->code / 100;
	struct sp_verdict v = {0};

	v.class = reply_class(reply->code, at_envelope);
	v.cause = v.class == SP_VERDICT_DELIVERED ? SP_CAUSE_NONE
	                                          : SP_CAUSE_REMOTE_REPLY;
	v.code = reply->code;
	v.at_envelope = at_envelope;
	if (reply->enhanced.class == digit) {
		v.enhanced = reply->enhanced;
	} else {
		v.enhanced.class = digit;
	}
	v.text = one_line(reply->text, arena);
	return v;
}

/* Which of two speaks; the greater wins, the first of equals stays. */
static int weight(const struct sp_verdict *v)
{
	if (v->class == SP_VERDICT_DELIVERED) {
		return -1;
	}
	if (v->cause == SP_CAUSE_REMOTE_REPLY && v->at_envelope) {
		return v->class == SP_VERDICT_PERM ? 1001 : 1000;
	}
	return sp_cause_get(v->cause)->rank;
}

const struct sp_verdict *sp_verdict_worse(const struct sp_verdict *a,
                                          const struct sp_verdict *b)
{
	if (a == NULL || b == NULL) {
		return a != NULL ? a : b;
	}
	return weight(b) > weight(a) ? b : a;
}

struct sp_verdict sp_verdict_defer(const struct sp_verdict *v)
{
	struct sp_verdict out = *v;

	if (v->class == SP_VERDICT_PERM && v->cause != SP_CAUSE_REMOTE_REPLY) {
		out.class = SP_VERDICT_TEMP;
		out.code = sp_cause_get(v->cause)->temp_code;
		out.enhanced.class = 4;
	}
	return out;
}

struct sp_verdict sp_verdict_expire(const struct sp_verdict *v)
{
	struct sp_verdict out = *v;

	if (v->class != SP_VERDICT_TEMP) {
		return out;
	}
	out.class = SP_VERDICT_PERM;
	if (v->cause != SP_CAUSE_REMOTE_REPLY) {
		out.code = sp_cause_get(v->cause)->perm_code;
		out.enhanced.class = 5;
	}
	return out;
}

struct sp_verdict sp_verdict_keep(struct sp_arena *arena,
                                  const struct sp_verdict *v)
{
	struct sp_verdict copy = *v;

	copy.text = sp_arena_str(arena, v->text);
	copy.host = sp_arena_str(arena, v->host);
	copy.address = sp_arena_str(arena, v->address);
	copy.evidence = sp_arena_str(arena, v->evidence);
	return copy;
}

void sp_verdict_line(const struct sp_verdict *v, char *out, size_t cap)
{
	SP_ASSERT(cap > 0);
	(void)snprintf(out, cap, "%u %u.%u.%u " SP_STR_FMT, v->code,
	               v->enhanced.class, v->enhanced.subject,
	               v->enhanced.detail, SP_STR_ARG(v->text));
}

void sp_verdict_code(const struct sp_verdict *v, char *out, size_t cap)
{
	static const unsigned digit[] = {
		[SP_VERDICT_DELIVERED] = 2,
		[SP_VERDICT_TEMP] = 4,
		[SP_VERDICT_PERM] = 5,
	};

	SP_ASSERT(cap > 0);
	(void)snprintf(out, cap, "%u.%u.%u", digit[v->class],
	               v->enhanced.subject, v->enhanced.detail);
}
