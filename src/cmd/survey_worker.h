/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_SURVEY_WORKER_H
#define SP_CMD_SURVEY_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "conf/conf.h"
#include "wire/pack.h"

/*
 * The process that asks about domains: it gets them by SURVEY, gives back
 * each by SURVEY_ROW, and ends when its channel does. Each has a resolver and
 * a pool of its own.
 */

#define SP_SURVEY_NAME_MAX 512

struct sp_survey_task {
	uint64_t number;
	struct sp_str domain; /* lower-case A-labels */
};
extern const struct sp_pack_field SP_SURVEY_TASK_FIELDS[];

struct sp_survey_work {
	const struct sp_conf *conf;
	bool dns_only;
	bool sts;
	size_t jobs;
	unsigned index; /* the first one complains for all */
	unsigned worker_count;
};

/* The life of the process: fd is its end of the channel. The exit status. */
int sp_survey_worker_run(const struct sp_survey_work *work, int fd);

#endif
