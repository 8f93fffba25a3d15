/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_REPORT_BUILD_H
#define SP_ROLE_REPORT_BUILD_H

#include "base/mem.h"
#include "conf/conf.h"
#include "store/store.h"
#include "store/tls_report.h"
#include "wire/tlsrpt.h"

/*
 * From the counts of a day to its reports. The same counts give the same
 * report, byte for byte, so that a report which is sent again after a crash
 * is known to its receiver by its id.
 */

#define BUILD_FAILURES_MAX 1000 /* of one report; totals stay right */
#define BUILD_POLICIES_MAX 200
#define BUILD_DOMAINS_MAX  100000

struct build_domain { /* that a report of the day is about */
	struct sp_str name;
	uint64_t successful;
	uint64_t failed;
	int64_t due_ms; /* of its job; not set here */
	bool recipient; /* mail was for it; else only a host of others */
};

/* Policy domains and recipient domains, in their order. 0 or the store's. */
int build_domains(struct sp_store *store, int64_t day, struct sp_arena *arena,
                  struct build_domain **domains_out, size_t *count_out);

/* The report about one of them. SP_ENOTFOUND: nothing was counted. */
int build_report(struct sp_store *store, const struct sp_conf *conf,
                 int64_t day, struct sp_str domain, struct sp_arena *arena,
                 struct sp_tlsrpt_report *report_out);

#endif
