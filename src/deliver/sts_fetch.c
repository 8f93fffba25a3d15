/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8461 3.3: status 200 and text/plain, and nothing else will do. */
#include <stdio.h>

#include "base/log.h"
#include "deliver/sts_fetch.h"

#define HTTPS_PORT 443

struct sp_str sp_sts_url(const struct sp_conf *conf, struct sp_str domain,
                         struct sp_arena *arena)
{
	char port[16] = "";

	if (conf->sts.port != HTTPS_PORT) {
		snprintf(port, sizeof(port), ":%u", (unsigned)conf->sts.port);
	}
	return sp_str_from(sp_arena_printf(arena,
	                                   "https://mta-sts." SP_STR_FMT
	                                   "%s/.well-known/mta-sts.txt",
	                                   SP_STR_ARG(domain), port));
}

static bool is_text_plain(struct sp_str type)
{
	struct sp_str name;

	(void)sp_str_cut(&type, ';', &name);
	return sp_str_eq_nocase(sp_str_trim(name), SP_STR("text/plain"));
}

static void say(const struct sp_fetch_result *r, char *why)
{
	char addr[SP_ADDR_TEXT] = "";
	char type[64];

	sp_addr_text_port(&r->addr, addr);
	if (r->code >= 300 && r->code < 400) {
		snprintf(why, SP_FETCH_WHY_MAX,
		         "status %u from %s: redirects are not followed",
		         r->code, addr);
	} else if (r->code != 200) {
		snprintf(why, SP_FETCH_WHY_MAX, "status %u from %s", r->code,
		         addr);
	} else {
		sp_log_escape(r->type, type, sizeof(type));
		snprintf(why, SP_FETCH_WHY_MAX,
		         "media type '%s' from %s, expected text/plain", type,
		         addr);
	}
}

void sp_sts_fetched_read(const struct sp_fetch_result *r,
                         char why[SP_FETCH_WHY_MAX], struct sp_sts_fetched *out)
{
	*out = (struct sp_sts_fetched){.status = SP_STS_FETCH_FAILED};
	if (r->status == SP_FETCH_WEBPKI) {
		out->status = SP_STS_FETCH_WEBPKI;
		out->why = r->why;
	} else if (r->status == SP_FETCH_FAILED) {
		out->why = r->why;
	} else if (r->code != 200 || !is_text_plain(r->type)) {
		say(r, why);
		out->why = sp_str_from(why);
	} else {
		out->status = SP_STS_FETCHED;
		out->body = r->body;
	}
}
