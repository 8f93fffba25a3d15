/* SPDX-License-Identifier: Apache-2.0 */
/* Shares are of the domains, lines that are none left out. */
#include <stdlib.h>

#include "base/time.h"
#include "cmd/survey_sum.h"

static const char *const SECURITIES[SP_SURVEY_SECURITIES] = {
	[SP_SURVEY_DANE] = "dane",   [SP_SURVEY_HALF_DANE] = "half-dane",
	[SP_SURVEY_STS] = "sts",     [SP_SURVEY_TLS] = "tls",
	[SP_SURVEY_CLEAR] = "clear",
};

static void add_cause(struct sp_survey_sum *sum,
                      const struct sp_survey_row *row)
{
	enum sp_cause_id id = sp_cause_find(row->scenario);

	sum->causes[id]++;
	sum->causes_blocked[id] += row->blocked;
	sum->blocked += row->blocked;
}

void sp_survey_sum_add(struct sp_survey_sum *sum,
                       const struct sp_survey_row *row)
{
	sum->rows++;
	if (row->error.len) {
		sum->errors++;
		return;
	}
	sum->dnssec += row->dnssec;
	sum->tlsa += row->tlsa_hosts > 0;
	sum->sts_enforce += sp_str_eq(row->sts, SP_STR("enforce"));
	sum->sts_testing += sp_str_eq(row->sts, SP_STR("testing"));
	for (int i = 0; i < SP_SURVEY_SECURITIES; i++) {
		sum->security[i] +=
			sp_str_eq(row->security, sp_str_from(SECURITIES[i]));
	}
	if (sp_str_eq(row->verdict, SP_STR("deliver"))) {
		sum->deliver++;
		return;
	}
	if (sp_str_eq(row->verdict, SP_STR("fail"))) {
		sum->fail++;
	} else {
		sum->defer++;
	}
	add_cause(sum, row);
}

static uint64_t domains(const struct sp_survey_sum *sum)
{
	return sum->rows - sum->errors;
}

static double percent(const struct sp_survey_sum *sum, uint64_t count)
{
	return domains(sum) ? 100.0 * (double)count / (double)domains(sum) : 0;
}

static double rate(const struct sp_survey_sum *sum)
{
	uint64_t done = sum->rows - sum->earlier;

	return sum->elapsed_ms > 0
	               ? (double)done * 1000 / (double)sum->elapsed_ms
	               : 0;
}

/* --- causes by their number --- */

struct counted {
	enum sp_cause_id id;
	uint64_t count;
	uint64_t blocked;
};

static int most_first(const void *a, const void *b)
{
	const struct counted *x = a;
	const struct counted *y = b;

	if (x->count != y->count) {
		return (x->count < y->count) - (x->count > y->count);
	}
	return (x->id > y->id) - (x->id < y->id);
}

/* Those that came up. */
static size_t sort_causes(const struct sp_survey_sum *sum,
                          struct counted out[SP_CAUSE_COUNT])
{
	size_t count = 0;

	for (int id = 0; id < SP_CAUSE_COUNT; id++) {
		if (sum->causes[id]) {
			out[count++] = (struct counted){
				(enum sp_cause_id)id,
				sum->causes[id],
				sum->causes_blocked[id],
			};
		}
	}
	qsort(out, count, sizeof(*out), most_first);
	return count;
}

static const char *name_of(enum sp_cause_id id)
{
	return id == SP_CAUSE_NONE ? "other" : sp_cause_get(id)->name;
}

/* --- JSON --- */

static void set_share(struct sp_json *json, const struct sp_survey_sum *sum,
                      uint64_t count)
{
	double share = percent(sum, count);

	sp_json_set_int(json, "count", (int64_t)count);
	sp_json_set_real(json, "percent",
	                 (double)(int64_t)(share * 100 + 0.5) / 100);
}

static void set_count(struct sp_json *json, const char *key,
                      const struct sp_survey_sum *sum, uint64_t count)
{
	struct sp_json *part = sp_json_object();

	set_share(part, sum, count);
	sp_json_set(json, key, part);
}

static struct sp_json *causes_json(const struct sp_survey_sum *sum)
{
	struct sp_json *list = sp_json_array();
	struct counted causes[SP_CAUSE_COUNT];
	size_t count = sort_causes(sum, causes);

	for (size_t i = 0; i < count; i++) {
		struct sp_json *one = sp_json_object();

		sp_json_set_cstr(one, "scenario", name_of(causes[i].id));
		set_share(one, sum, causes[i].count);
		sp_json_set_int(one, "blocked", (int64_t)causes[i].blocked);
		sp_json_add(list, one);
	}
	return list;
}

struct sp_json *sp_survey_sum_json(const struct sp_survey_sum *sum)
{
	struct sp_json *json = sp_json_object();
	struct sp_json *security = sp_json_object();

	sp_json_set_bool(json, "finished", sum->finished);
	sp_json_set_bool(json, "dns_only", sum->dns_only);
	sp_json_set_int(json, "domains", (int64_t)domains(sum));
	sp_json_set_int(json, "errors", (int64_t)sum->errors);
	sp_json_set_int(json, "duplicates", (int64_t)sum->repeats);
	sp_json_set_int(json, "earlier", (int64_t)sum->earlier);
	set_count(json, "signed", sum, sum->dnssec);
	set_count(json, "tlsa", sum, sum->tlsa);
	if (sum->with_sts) {
		set_count(json, "sts_enforce", sum, sum->sts_enforce);
		set_count(json, "sts_testing", sum, sum->sts_testing);
	}
	set_count(json, "deliver", sum, sum->deliver);
	set_count(json, "defer", sum, sum->defer);
	set_count(json, "fail", sum, sum->fail);
	set_count(json, "blocked", sum, sum->blocked);
	for (int i = 0; i < SP_SURVEY_SECURITIES && !sum->dns_only; i++) {
		set_count(security, SECURITIES[i], sum, sum->security[i]);
	}
	sp_json_set(json, "security", security);
	sp_json_set(json, "causes", causes_json(sum));
	sp_json_set_int(json, "elapsed_ms", sum->elapsed_ms);
	sp_json_set_int(json, "rate", (int64_t)(rate(sum) + 0.5));
	return json;
}

/* --- for people --- */

static void put_line(FILE *f, const struct sp_survey_sum *sum, int indent,
                     const char *what, uint64_t count)
{
	fprintf(f, "%*s%-*s %10llu  %6.2f %%\n", indent, "", 34 - indent, what,
	        (unsigned long long)count, percent(sum, count));
}

static void put_head(FILE *f, const struct sp_survey_sum *sum)
{
	char took[SP_TIME_TEXT];
	int64_t ms = sum->elapsed_ms;

	sp_duration_format(ms < 10000 ? ms : ms / 1000 * 1000, took);
	fprintf(f, "%s%llu domains in %s, %.0f a second\n",
	        sum->finished ? "" : "not finished: ",
	        (unsigned long long)domains(sum), took, rate(sum));
	if (sum->earlier) {
		fprintf(f, "  %llu of them by an earlier run\n",
		        (unsigned long long)sum->earlier);
	}
	if (sum->errors) {
		fprintf(f, "  and %llu without a verdict: see their error\n",
		        (unsigned long long)sum->errors);
	}
	if (sum->repeats) {
		fprintf(f, "  %llu line%s with a name that had been there\n",
		        (unsigned long long)sum->repeats,
		        sum->repeats == 1 ? "" : "s");
	}
}

/* One of the two groups of causes. */
static void put_causes(FILE *f, const struct sp_survey_sum *sum, bool blocked)
{
	struct counted causes[SP_CAUSE_COUNT];
	size_t count = sort_causes(sum, causes);

	for (size_t i = 0; i < count; i++) {
		uint64_t here = blocked ? causes[i].blocked
		                        : causes[i].count - causes[i].blocked;

		if (here) {
			put_line(f, sum, 4, name_of(causes[i].id), here);
		}
	}
}

void sp_survey_sum_put(FILE *f, const struct sp_survey_sum *sum)
{
	uint64_t not_delivered = sum->defer + sum->fail;

	put_head(f, sum);
	put_line(f, sum, 0, "signed by DNSSEC", sum->dnssec);
	put_line(f, sum, 0, "with TLSA records", sum->tlsa);
	if (sum->with_sts) {
		put_line(f, sum, 0, "with MTA-STS, enforced", sum->sts_enforce);
		put_line(f, sum, 0, "with MTA-STS, testing", sum->sts_testing);
	}
	put_line(f, sum, 0, "mail can be delivered", sum->deliver);
	for (int i = 0; i < SP_SURVEY_SECURITIES && !sum->dns_only; i++) {
		if (sum->security[i]) {
			put_line(f, sum, 4, SECURITIES[i], sum->security[i]);
		}
	}
	put_line(f, sum, 0, "blocked by enforcement", sum->blocked);
	put_causes(f, sum, true);
	put_line(f, sum, 0, "not delivered for other reasons",
	         not_delivered - sum->blocked);
	put_causes(f, sum, false);
}
