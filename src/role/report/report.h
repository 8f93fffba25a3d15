/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_ROLE_REPORT_REPORT_H
#define SP_ROLE_REPORT_REPORT_H

#include "base/list.h"
#include "base/map.h"
#include "role/lookup_role.h"
#include "role/report/build.h"
#include "role/role.h"
#include "wire/tlsrpt_txt.h"

/*
 * Inside of the report role. A job is the report about one domain and day on
 * its way to all of its addresses; what is done stands in the store, so that
 * a job that starts anew goes on where the last one was.
 */

#define JOBS_RUNNING_MAX 20

struct report {
	struct sp_role_ctx *ctx;
	struct sp_store *store; /* reader; null until it can be opened */
	struct sp_lookup_role *lookup;
	struct sp_role_link *queue; /* null while away */
	struct sp_role_link *fetch;
	struct sp_timer *tick;
	struct sp_list jobs;      /* that wait, by due time */
	struct sp_list under_way; /* that run */
	struct sp_map by_name;    /* day and domain -> job */
	struct sp_list days;      /* struct day_count */
	struct sp_list waiters;   /* of close-day */
	struct sp_map asked;      /* id of a frame -> job */
	uint64_t last_id;
	size_t running;
	int64_t loaded_day; /* whose jobs were made; -1: none */
	uint64_t sent, failed;
};

struct day_count { /* jobs of a day that were not yet tried */
	struct sp_list node;
	int64_t day;
	size_t recipients, others;
};

struct target { /* an address of the report */
	struct sp_str uri;
	uint32_t tries;
	int64_t next_ms;
	bool settled; /* for now */
};

struct job {
	struct sp_list node;
	struct report *role;
	struct sp_arena arena;
	int64_t day;
	struct sp_str domain;
	bool recipient; /* false: waits for those of recipients */
	int64_t due_ms; /* wall */
	bool running;
	bool tried;   /* once, for who waits for it */
	bool by_hand; /* asked for by the command: also behind its day */
	uint64_t lookup;
	uint64_t asked; /* frame whose answer is awaited; 0: none */
	struct target targets[SP_TLSRPT_RUA_MAX];
	size_t target_count;
	size_t at;         /* target in work */
	bool noted;        /* all targets stand in the store */
	uint64_t failures; /* of the DNS */
	struct sp_str report_id;
	struct sp_str json; /* once built */
	struct sp_str packed;
};

/* report.c */
struct sp_store *report_store(struct report *role); /* null: not now */
struct job *report_find_job(struct report *role, int64_t day,
                            struct sp_str domain);
void report_enter(struct job *job); /* a new one */
void report_queue(struct job *job); /* its due time has changed, or it runs */
void report_remove(struct job *job);
void report_set_tried(struct job *job, bool tried);
void report_wake(struct report *role); /* jobs may start, or have ended */

/* job.c */
struct job *job_new(struct report *role, int64_t day, struct sp_str domain,
                    bool recipient, int64_t due_ms);
void job_free(struct job **pointer);
void job_start(struct job *job);
void job_noted(struct job *job, bool done);
void job_fetched(struct job *job, const struct sp_msg_fetched *msg);

/* view.c: answers to the command; owned by the caller. */
struct sp_json *view_list(struct report *role, int64_t first_day,
                          int64_t last_day, struct sp_str domain);
/* What others reported, a row for each domain and day; or, with detail, one
 * for each policy of a report. */
struct sp_json *view_received(struct report *role, int64_t first_day,
                              int64_t last_day, struct sp_str domain,
                              bool detail);
struct sp_json *view_report(struct report *role, int64_t day,
                            struct sp_str domain);

#endif
