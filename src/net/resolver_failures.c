/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strangers choose the names, so the memory has an end; forgetting an entry
 * costs one question to the main context that a fresh one answers again.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/resolver_failures.h"

#define FAILURES_MAX 4096

struct key {
	char text[SP_DNS_NAME_MAX + 8];
};

static struct sp_str make_key(struct sp_str name, enum sp_dns_type type,
                              struct key *key)
{
	int len = snprintf(key->text, sizeof(key->text), "%d " SP_STR_FMT,
	                   (int)type, SP_STR_ARG(name));

	if (len < 0) {
		len = 0;
	} else if ((size_t)len >= sizeof(key->text)) {
		len = (int)sizeof(key->text) - 1;
	}
	return sp_str_slice(key->text, (size_t)len);
}

void sp__failures_init(struct sp__failures *failures)
{
	sp_map_init(&failures->by_question);
	sp_list_init(&failures->oldest_first);
}

void sp__failures_fini(struct sp__failures *failures)
{
	struct sp_list *node;

	while ((node = sp_list_first(&failures->oldest_first))) {
		sp__failures_drop(failures,
		                  SP_CONTAINER(node, struct sp__failure, node));
	}
	sp_map_fini(&failures->by_question);
}

struct sp__failure *sp__failures_find(const struct sp__failures *failures,
                                      struct sp_str name, enum sp_dns_type type)
{
	struct key key;

	return sp_map_find(&failures->by_question, make_key(name, type, &key));
}

static struct sp__failure *add(struct sp__failures *failures,
                               const struct sp_dns_answer *answer)
{
	struct sp__failure *f = SP_NEW(struct sp__failure);
	struct key buf;
	struct sp_str key = make_key(answer->name, answer->type, &buf);

	if (failures->by_question.count >= FAILURES_MAX) {
		sp__failures_drop(
			failures,
			SP_CONTAINER(sp_list_first(&failures->oldest_first),
		                     struct sp__failure, node));
	}
	f->key = sp_str_slice(sp_str_dup(key), key.len);
	sp_list_init(&f->node);
	(void)sp_map_set(&failures->by_question, key, f);
	return f;
}

struct sp__failure *sp__failures_note(struct sp__failures *failures,
                                      const struct sp_dns_answer *answer,
                                      uint64_t serial, int64_t now_ms)
{
	struct sp__failure *f =
		sp__failures_find(failures, answer->name, answer->type);

	if (!f) {
		f = add(failures, answer);
	}
	sp_list_remove(&f->node);
	sp_list_append(&failures->oldest_first, &f->node);
	sp_free(f->why);
	f->why = sp_str_dup(answer->why);
	f->serial = serial > f->serial ? serial : f->serial;
	f->at_ms = now_ms;
	f->dnssec = answer->dnssec;
	f->scenario = answer->scenario.ptr; /* a literal, see sp__finding */
	f->ede = answer->ede;
	return f;
}

void sp__failures_drop(struct sp__failures *failures,
                       struct sp__failure *failure)
{
	if (!failure) {
		return;
	}
	(void)sp_map_remove(&failures->by_question, failure->key);
	sp_list_remove(&failure->node);
	sp_free((void *)failure->key.ptr);
	sp_free(failure->why);
	sp_free(failure);
}
