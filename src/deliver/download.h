/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_DELIVER_DOWNLOAD_H
#define SP_DELIVER_DOWNLOAD_H

#include "conf/conf.h"
#include "deliver/lookup.h"
#include "net/fetch.h"

/*
 * A request over HTTPS from a URL to its answer: the addresses of its host
 * by our own lookup, then net/fetch to exactly those that the guard lets
 * through. The role fetch and the command line share it.
 */

struct sp_download;

struct sp_download_ask {
	struct sp_loop *loop;
	struct sp_lookup *lookup;
	struct sp_fetcher *fetcher;
	struct sp_str url;
	bool head; /* only: is anybody there? */
	bool post;
	struct sp_str post_type;
	struct sp_str body; /* of the POST */
	size_t body_max;    /* bytes of the answer */
	int64_t timeout_ms; /* DNS included */
};

/* Strings of ask are borrowed for the call, the rest until the end. Called
 * back once, never from inside, after which only sp_download_free is left to
 * do; that may be done in the callback. */
struct sp_download *sp_download_new(const struct sp_download_ask *ask,
                                    sp_fetch_fn *fn, void *arg);
void sp_download_free(struct sp_download **download); /* cancels */

/* By ca_bundle and address_guard of the configuration. */
struct sp_fetcher *sp_fetcher_from_conf(struct sp_loop *loop,
                                        const struct sp_conf *conf);

#endif
