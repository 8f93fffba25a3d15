/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the resolve role, by id; what it says is checked in full,
 * because it is the role nearest to hostile data. */
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "role/lookup_role.h"

struct pending {
	uint64_t id;
	char *name; /* owned */
	enum sp_dns_type type;
	bool fresh;
	bool anew;
	sp_lookup_fn *fn;
	void *arg;
};

struct sp_lookup_role {
	struct sp_lookup lookup;   /* first: handed out as itself */
	struct sp_role_link *link; /* null while the role is away */
	struct sp_map pending;
	uint64_t last_id;
};

static void send_question(struct sp_lookup_role *l, const struct pending *p)
{
	struct sp_msg_ask msg = {
		.id = p->id,
		.name = sp_str_from(p->name),
		.type = (uint32_t)p->type,
		.fresh = p->fresh,
		.anew = p->anew,
	};

	sp_role_send(l->link, SP_MSG_ASK, SP_MSG_ASK_FIELDS, &msg);
}

static void drop(struct sp_lookup_role *l, struct pending *p)
{
	sp_map_remove(&l->pending, sp_map_key_u64(&p->id));
	sp_free(p->name);
	sp_free(p);
}

static struct pending *new_pending(struct sp_lookup *lookup, struct sp_str name,
                                   enum sp_dns_type type, sp_lookup_fn *fn,
                                   void *arg)
{
	struct sp_lookup_role *l = (struct sp_lookup_role *)lookup;
	struct pending *p = SP_NEW(struct pending);

	p->id = ++l->last_id;
	p->name = sp_str_dup(name);
	p->type = type;
	p->fn = fn;
	p->arg = arg;
	sp_map_set(&l->pending, sp_map_key_u64(&p->id), p);
	return p;
}

static uint64_t ask(struct sp_lookup *lookup, struct sp_str name,
                    enum sp_dns_type type, bool fresh, sp_lookup_fn *fn,
                    void *arg)
{
	struct pending *p = new_pending(lookup, name, type, fn, arg);

	p->fresh = fresh;
	send_question((struct sp_lookup_role *)lookup, p);
	return p->id;
}

static uint64_t ask_anew(struct sp_lookup *lookup, struct sp_str name,
                         enum sp_dns_type type, sp_lookup_fn *fn, void *arg)
{
	struct pending *p = new_pending(lookup, name, type, fn, arg);

	p->anew = true;
	send_question((struct sp_lookup_role *)lookup, p);
	return p->id;
}

static void cancel(struct sp_lookup *lookup, uint64_t id)
{
	struct sp_lookup_role *l = (struct sp_lookup_role *)lookup;
	struct sp_msg_ask_cancel msg = {id};
	struct pending *p = sp_map_find(&l->pending, sp_map_key_u64(&id));

	if (p) {
		sp_role_send(l->link, SP_MSG_ASK_CANCEL,
		             SP_MSG_ASK_CANCEL_FIELDS, &msg);
		drop(l, p);
	}
}

/* An answer that does not decode, or does not fit the question, says
 * nothing: failed. */
static struct sp_dns_answer *read_answer(const struct pending *p,
                                         struct sp_str bytes)
{
	struct sp_dns_answer *answer = NULL;

	if (bytes.len && sp_dns_answer_decode(bytes, &answer) == 0 &&
	    answer->type == p->type &&
	    sp_str_eq_nocase(answer->name, sp_str_from(p->name))) {
		return answer;
	}
	sp_dns_answer_free(&answer);
	answer = sp_dns_answer_new(sp_str_from(p->name), p->type);
	answer->dnssec = SP_DNSSEC_FAILED;
	answer->result = SP_DNS_NONE;
	answer->ede = SP_DNS_EDE_NONE;
	answer->rcode = 2; /* SERVFAIL */
	answer->why = SP_STR("the resolver's answer was not usable");
	return answer;
}

int sp_lookup_role_answer(struct sp_lookup_role *l, struct sp_str payload)
{
	struct sp_msg_answer msg = {0};
	struct sp_dns_answer *answer;
	struct pending *p;
	sp_lookup_fn *fn;
	void *arg;

	if (sp_unpack(SP_MSG_ANSWER_FIELDS, payload, false, NULL, &msg)) {
		return SP_EPROTO;
	}
	l->lookup.validator_broken = msg.validator_broken;
	p = sp_map_find(&l->pending, sp_map_key_u64(&msg.id));
	if (!p) {
		return 0; /* cancelled meanwhile */
	}
	answer = read_answer(p, msg.answer);
	fn = p->fn;
	arg = p->arg;
	drop(l, p);
	fn(arg, answer);
	return 0;
}

void sp_lookup_role_link_up(struct sp_lookup_role *l, struct sp_role_link *link)
{
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	l->link = link;
	while (sp_map_next(&l->pending, &it, &key, &value)) {
		send_question(l, value);
	}
}

void sp_lookup_role_link_down(struct sp_lookup_role *l)
{
	l->link = NULL;
}

struct sp_lookup_role *sp_lookup_role_new(void)
{
	struct sp_lookup_role *l = SP_NEW(struct sp_lookup_role);

	l->lookup.ask = ask;
	l->lookup.ask_anew = ask_anew;
	l->lookup.cancel = cancel;
	sp_map_init(&l->pending);
	return l;
}

void sp_lookup_role_free(struct sp_lookup_role **lookup)
{
	struct sp_lookup_role *l = *lookup;
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	if (!l) {
		return;
	}
	*lookup = NULL;
	while (sp_map_next(&l->pending, &it, &key, &value)) {
		struct pending *p = value;

		sp_free(p->name);
		sp_free(p);
	}
	sp_map_fini(&l->pending);
	sp_free(l);
}

struct sp_lookup *sp_lookup_role_borrow(struct sp_lookup_role *l)
{
	return &l->lookup;
}
