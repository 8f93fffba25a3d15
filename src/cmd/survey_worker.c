/* SPDX-License-Identifier: Apache-2.0 */
/* It talks to strangers all day, so it gives up what it can: core files, new
 * privileges, the environment. */
#include <signal.h>

#include "analyze/survey.h"
#include "base/err.h"
#include "base/mem.h"
#include "cmd/dns.h"
#include "cmd/survey_worker.h"
#include "deliver/sts_direct.h"
#include "ipc/channel.h"
#include "ipc/msg.h"
#include "ipc/sandbox.h"
#include "net/fetch.h"
#include "net/tls.h"

const struct sp_pack_field SP_SURVEY_TASK_FIELDS[] = {
	SP_PACK(U64, struct sp_survey_task, number),
	SP_PACK_LIM(STR, struct sp_survey_task, domain, SP_SURVEY_NAME_MAX),
	SP_PACK_END,
};

struct worker {
	struct sp_cmd_dns dns;
	struct sp_sts_direct *sts; /* null: MTA-STS is left out */
	struct sp_survey *survey;
	struct sp_channel *channel;
};

static void on_row(void *arg, const struct sp_survey_row *row)
{
	struct worker *w = arg;

	sp_channel_send(w->channel, SP_MSG_SURVEY_ROW, SP_SURVEY_ROW_FIELDS,
	                row);
}

static int on_frame(void *arg, uint16_t type, struct sp_str payload, int fd)
{
	struct worker *w = arg;
	struct sp_survey_task task = {0};

	(void)fd;
	if (type != SP_MSG_SURVEY ||
	    sp_unpack(SP_SURVEY_TASK_FIELDS, payload, false, NULL, &task)) {
		return SP_EPROTO;
	}
	sp_survey_add(w->survey, task.number, task.domain);
	return 0;
}

static void on_closed(void *arg, int err)
{
	struct worker *w = arg;

	(void)err;
	sp_loop_stop(w->dns.loop);
}

static void read_roots(const struct sp_survey_work *work)
{
	char why[512];

	if (work->sts &&
	    sp_tls_roots(work->conf->ca_bundle, why, sizeof(why)) &&
	    work->index == 0) {
		sp_cmd_fail(0, "ca_bundle: %s", why);
	}
}

static int work_on(struct worker *w, const struct sp_survey_work *work, int fd)
{
	const struct sp_survey_ask ask = {
		.loop = w->dns.loop,
		.conf = work->conf,
		.lookup = &w->dns.direct.lookup,
		.sts = w->sts ? sp_sts_direct_borrow(w->sts) : NULL,
		.dns_only = work->dns_only,
		.jobs = work->jobs,
		.worker_count = work->worker_count,
	};
	int err;

	w->survey = sp_survey_new(&ask, on_row, w);
	w->channel = sp_channel_new(w->dns.loop, fd, on_frame, on_closed, w);
	sp_channel_send_raw(w->channel, SP_MSG_READY, SP_STR(""), -1);
	err = sp_loop_run(w->dns.loop);
	sp_survey_free(&w->survey);
	sp_channel_free(&w->channel);
	return err ? SP_EXIT_AGAIN : 0;
}

int sp_survey_worker_run(const struct sp_survey_work *work, int fd)
{
	const struct sp_identity same = {0};
	struct worker w = {0};
	int status;

	signal(SIGINT, SIG_IGN); /* the parent's matter */
	sp_mem_keep();
	sp_sandbox_close_others(&fd, 1);
	if (sp_sandbox_enter(&same) || sp_tls_setup()) {
		return sp_cmd_fail(SP_EXIT_AGAIN, "a process can't be set up");
	}
	read_roots(work);
	status = sp_cmd_dns_init_for(&w.dns, work->conf, work->index == 0);
	if (!status && w.dns.direct.lookup.validator_broken) {
		status = SP_EXIT_AGAIN; /* said by the self-test */
	}
	if (!status && work->sts) {
		w.sts = sp_sts_direct_new(w.dns.loop, work->conf,
		                          &w.dns.direct.lookup);
	}
	if (!status) {
		status = work_on(&w, work, fd);
	}
	sp_sts_direct_free(&w.sts);
	sp_cmd_dns_fini(&w.dns);
	sp_tls_teardown();
	return status;
}
