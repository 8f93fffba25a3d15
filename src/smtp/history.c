/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring of last steps. Peer text is made printable here, once, so that
 * whoever shows a step cannot forget to. Its memory grows up to the limit,
 * which most sessions never come near to.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "smtp/history.h"

#define GROW_BY 4 /* a part of the limit */

void sp_smtp_history_fini(struct sp_smtp_history *h)
{
	sp_free(h->steps);
	*h = (struct sp_smtp_history){0};
}

/* The ring closes only when it has its full size. */
static void grow(struct sp_smtp_history *h)
{
	if (h->count == h->cap && h->cap < SP_SMTP_HISTORY_MAX) {
		h->cap += GROW_BY;
		h->steps = sp_realloc(h->steps, h->cap * sizeof(*h->steps));
	}
}

static struct sp_smtp_step *next_step(struct sp_smtp_history *h)
{
	grow(h);

	struct sp_smtp_step *step = &h->steps[h->count % SP_SMTP_HISTORY_MAX];

	h->count++;
	*step = (struct sp_smtp_step){0};
	return step;
}

void sp_smtp_history_transition(struct sp_smtp_history *h, const char *from,
                                const char *to)
{
	struct sp_smtp_step *step = next_step(h);

	step->from = from;
	step->to = to;
}

void sp_smtp_history_reply(struct sp_smtp_history *h, const char *command,
                           unsigned code, struct sp_str text)
{
	struct sp_smtp_step *step = next_step(h);
	size_t i = 0;

	step->to = command;
	step->code = code;
	for (; i < text.len && i < sizeof(step->text) - 1; i++) {
		char c = text.ptr[i];
		step->text[i] = c >= 32 && c < 127 ? c : '?';
	}
	step->text[i] = '\0';
}

size_t sp_smtp_history_len(const struct sp_smtp_history *h)
{
	return h->count < SP_SMTP_HISTORY_MAX ? h->count : SP_SMTP_HISTORY_MAX;
}

const struct sp_smtp_step *sp_smtp_history_at(const struct sp_smtp_history *h,
                                              size_t i)
{
	SP_ASSERT(i < sp_smtp_history_len(h));
	size_t first = h->count - sp_smtp_history_len(h);
	return &h->steps[(first + i) % SP_SMTP_HISTORY_MAX];
}
