/* SPDX-License-Identifier: Apache-2.0 */
/* Keys stand one behind the other as in the configuration, so that those of
 * a domain are neighbours. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "role/dkim_keys.h"

struct sp_dkim_keys {
	struct sp_dkim_signing *items;
	size_t count;
};

/* Of SP_DKIM_PEM_MAX bytes and the end. The parent's open file: its offset
 * is shared with whoever read it before. */
static int read_file(int fd, char *text)
{
	size_t len = 0;

	while (len <= SP_DKIM_PEM_MAX) {
		ssize_t n = pread(fd, text + len, SP_DKIM_PEM_MAX + 1 - len,
		                  (off_t)len);

		if (n < 0) {
			return SP_ESYNTAX;
		}
		if (n == 0) {
			text[len] = '\0';
			return 0;
		}
		len += (size_t)n;
	}
	return SP_ELIMIT;
}

static int load_one(const struct sp_conf_dkim *conf, size_t index, int fd,
                    struct sp_dkim_signing *out, char *why_out, size_t why_cap)
{
	char *text = sp_calloc(1, SP_DKIM_PEM_MAX + 2);
	struct sp_dkim_key *key = NULL;
	char why[200] = "cannot be read";
	int ret = read_file(fd, text);

	ret = ret ? ret
	          : sp_dkim_key_load(sp_str_from(text), &key, why, sizeof(why));
	if (ret) {
		(void)snprintf(why_out, why_cap, "dkim \"%s\": %s: %s",
		               conf->name, conf->key.items[index], why);
	} else {
		out->key = key;
		out->pem = sp_strdup(text);
		out->domain = conf->name;
		out->selector = conf->selector.items[index];
	}
	explicit_bzero(text, SP_DKIM_PEM_MAX + 2);
	sp_free(text);
	return ret ? SP_ECONFIG : 0;
}

static size_t count_keys(const struct sp_conf *conf)
{
	size_t count = 0;

	for (size_t i = 0; i < conf->dkim_count; i++) {
		count += conf->dkim[i].key.count;
	}
	return count;
}

static int load_all(const struct sp_conf *conf, const int *fds,
                    struct sp_dkim_keys *keys, char *why_out, size_t why_cap)
{
	for (size_t i = 0; i < conf->dkim_count; i++) {
		const struct sp_conf_dkim *d = &conf->dkim[i];

		for (size_t k = 0; k < d->key.count; k++) {
			if (load_one(d, k, fds[keys->count],
			             &keys->items[keys->count], why_out,
			             why_cap)) {
				return SP_ECONFIG;
			}
			keys->count++;
		}
	}
	return 0;
}

int sp_dkim_keys_load(const struct sp_conf *conf, const int *fds,
                      size_t fd_count, struct sp_dkim_keys **keys_out,
                      char *why_out, size_t why_cap)
{
	struct sp_dkim_keys *keys;
	int ret;

	*keys_out = NULL;
	if (count_keys(conf) != fd_count) {
		(void)snprintf(why_out, why_cap,
		               "dkim: not the files of this configuration");
		return SP_ECONFIG;
	}
	keys = SP_NEW(struct sp_dkim_keys);
	keys->items = sp_calloc(fd_count + 1, sizeof(*keys->items));
	ret = load_all(conf, fds, keys, why_out, why_cap);
	if (ret) {
		sp_dkim_keys_free(&keys);
	}
	*keys_out = keys;
	return ret;
}

void sp_dkim_keys_free(struct sp_dkim_keys **keys)
{
	if (!*keys) {
		return;
	}
	for (size_t i = 0; i < (*keys)->count; i++) {
		struct sp_dkim_signing *s = &(*keys)->items[i];
		struct sp_dkim_key *key =
			(struct sp_dkim_key *)(uintptr_t)s->key;
		char *pem = (char *)(uintptr_t)s->pem;

		sp_dkim_key_free(&key);
		explicit_bzero(pem, strlen(pem));
		sp_free(pem);
	}
	sp_free((*keys)->items);
	SP_FREE(keys);
}

size_t sp_dkim_keys_count(const struct sp_dkim_keys *keys)
{
	return keys->count;
}

void sp_dkim_keys_find(const struct sp_dkim_keys *keys, struct sp_str domain,
                       const struct sp_dkim_signing **first_out,
                       size_t *count_out)
{
	*first_out = NULL;
	*count_out = 0;
	for (size_t i = 0; i < keys->count; i++) {
		if (!sp_str_eq(sp_str_from(keys->items[i].domain), domain)) {
			continue;
		}
		*first_out = *first_out ? *first_out : &keys->items[i];
		++*count_out;
	}
}
