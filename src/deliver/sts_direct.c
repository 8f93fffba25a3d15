/* SPDX-License-Identifier: Apache-2.0 */
/* The cache with downloads behind it. A command asks for a domain or two:
 * nothing bounds how many run. */
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "deliver/download.h"
#include "deliver/sts_cache.h"
#include "deliver/sts_direct.h"
#include "deliver/sts_fetch.h"
#include "wire/mta_sts.h"

struct sp_sts_direct {
	struct sp_sts_backend backend; /* first */
	struct sp_loop *loop;
	const struct sp_conf *conf;
	struct sp_lookup *lookup;
	struct sp_fetcher *fetcher;
	struct sp_sts_cache *cache;
	struct sp_map jobs; /* by id */
};

struct job {
	struct sp_sts_direct *direct;
	uint64_t id;
	struct sp_download *download;
};

static void job_free(struct job *job)
{
	sp_map_remove(&job->direct->jobs, sp_map_key_u64(&job->id));
	sp_download_free(&job->download);
	sp_free(job);
}

static void on_result(void *arg, const struct sp_fetch_result *result)
{
	struct job *job = arg;
	struct sp_sts_fetched fetched;
	char why[SP_FETCH_WHY_MAX];

	sp_sts_fetched_read(result, why, &fetched);
	sp_sts_cache_done(job->direct->cache, job->id, &fetched);
	job_free(job);
}

static void start(struct sp_sts_backend *backend, uint64_t id,
                  struct sp_str domain)
{
	struct sp_sts_direct *d = (struct sp_sts_direct *)backend;
	struct job *job = SP_NEW(struct job);
	struct sp_arena arena = {0};
	const struct sp_download_ask ask = {
		.loop = d->loop,
		.lookup = d->lookup,
		.fetcher = d->fetcher,
		.url = sp_sts_url(d->conf, domain, &arena),
		.body_max = SP_STS_BODY_MAX,
		.timeout_ms = d->conf->sts.timeout_ms,
	};

	job->direct = d;
	job->id = id;
	job->download = sp_download_new(&ask, on_result, job);
	sp_map_set(&d->jobs, sp_map_key_u64(&job->id), job);
	sp_arena_fini(&arena);
}

static void cancel(struct sp_sts_backend *backend, uint64_t id)
{
	struct sp_sts_direct *d = (struct sp_sts_direct *)backend;
	struct job *job = sp_map_find(&d->jobs, sp_map_key_u64(&id));

	if (job) {
		job_free(job);
	}
}

struct sp_sts_direct *sp_sts_direct_new(struct sp_loop *loop,
                                        const struct sp_conf *conf,
                                        struct sp_lookup *lookup)
{
	struct sp_sts_direct *d = SP_NEW(struct sp_sts_direct);

	d->backend = (struct sp_sts_backend){start, cancel, NULL};
	d->loop = loop;
	d->conf = conf;
	d->lookup = lookup;
	d->fetcher = sp_fetcher_from_conf(loop, conf);
	d->cache = sp_sts_cache_new(loop, &d->backend, conf->sts.back_off_ms);
	sp_map_init(&d->jobs);
	return d;
}

void sp_sts_direct_free(struct sp_sts_direct **direct)
{
	struct sp_sts_direct *d = *direct;
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	if (!d) {
		return;
	}
	*direct = NULL;
	while (sp_map_next(&d->jobs, &it, &key, &value)) {
		job_free(value);
		it = (struct sp_map_iter){0};
	}
	sp_map_fini(&d->jobs);
	sp_sts_cache_free(&d->cache);
	sp_fetcher_free(&d->fetcher);
	sp_free(d);
}

struct sp_sts_source *sp_sts_direct_borrow(struct sp_sts_direct *d)
{
	return sp_sts_cache_borrow(d->cache);
}
