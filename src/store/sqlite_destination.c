/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Destinations: one row for each domain that has recipients queued or leased.
 * All that a claim has to look at stands in it, so that neither the number of
 * recipients nor that of destinations makes a claim dearer:
 *
 *   next_ms   when it next asks for a claim: its first due time, or the time
 *             of its last claim if that is later. Claims go by next_ms, so
 *             whoever was served last is behind all others that are due:
 *             round robin. Null: nothing queued, or its share is in flight.
 *   window    its share: how many jobs at one time. It starts small, grows
 *             by one with each attempt that reached the destination, is
 *             halved by each that did not, and never exceeds the limit.
 *
 *               attempt failed, the window was 1 or nothing else in flight
 *   WORKS ────────────────────────────────────────────────────▶ FAILING
 *     ▲                                                            │
 *     └────────────────── an attempt reached it ───────────────────┘
 *
 * A failing destination is left alone until pause_ms; then one job at a time
 * is a probe. What becomes due before (sweep_ms: the first of them) is
 * deferred without an attempt, by the failure that stands in the row.
 * Recipients that a failure of the destination deferred wait (waits = 1):
 * when it works again (revived) they are due at once, behind those that are
 * due by their own time, at the pace of the window.
 *
 * The row follows from the rows of its recipients but for window, failing
 * and what belongs to them: sp__destination_refresh computes it anew after
 * each change, and a claim that finds nothing where a row promised something
 * does so too.
 */
#include <string.h>

#include "base/err.h"
#include "store/sqlite.h"
#include "wire/address.h"

/* A destination where nothing that is due can be claimed asks again after
 * this time: its recipients are expired, and expiry is at work on them. */
#define REST_MS 1000

struct destination {
	int64_t window;
	bool failing, revived;
	int64_t pause_ms, asked_ms, turn;
	bool queued;
	int64_t first_due_ms; /* when queued */
	bool waiting;
	int64_t in_flight;
};

/* SP_ENOTFOUND: it has no row. */
static int read_destination(struct sp__sqlite *s, struct sp_str domain,
                            struct destination *d)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_READ);
	bool found = false;
	int ret;

	sp__bind_str(&u, domain);
	if (sp__row(&u)) {
		found = true;
		d->window = sp__int(&u, 0, 1, INT64_MAX);
		d->failing = sp__bool(&u, 1);
		d->revived = sp__bool(&u, 2);
		d->pause_ms = sp__int(&u, 3, INT64_MIN, INT64_MAX);
		d->asked_ms = sp__int(&u, 4, INT64_MIN, INT64_MAX);
		d->turn = sp__int(&u, 5, INT64_MIN, INT64_MAX);
		d->first_due_ms = sp__int(&u, 6, -1, INT64_MAX);
		d->queued = d->first_due_ms >= 0;
		d->waiting = sp__bool(&u, 7);
		d->in_flight = sp__int(&u, 8, 0, INT64_MAX);
	}
	ret = sp__end(&u);
	return ret || found ? ret : SP_ENOTFOUND;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t share(const struct sp__sqlite *s, const struct destination *d)
{
	int64_t max = s->base.limits.destination_max;

	if (d->failing) {
		return 1;
	}
	return d->window < max ? d->window : max;
}

static bool waiting_are_due(const struct destination *d)
{
	return d->waiting && d->revived && !d->failing;
}

static void bind_next(struct sp__use *u, const struct sp__sqlite *s,
                      const struct destination *d)
{
	int64_t due_ms = waiting_are_due(d) ? 0 : d->first_due_ms;

	if (!d->queued || d->in_flight >= share(s, d)) {
		sp__bind_null(u);
	} else {
		due_ms = later(due_ms, d->failing ? d->pause_ms : 0);
		sp__bind_int(u, later(due_ms, d->asked_ms));
	}
}

static int write_destination(struct sp__sqlite *s, struct sp_str domain,
                             const struct destination *d, int64_t now_ms)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_WRITE);

	sp__bind_int(&u, d->window);
	sp__bind_int(&u, d->failing);
	sp__bind_int(&u, d->revived && d->waiting);
	sp__bind_int(&u, d->pause_ms);
	sp__bind_int(&u, d->asked_ms);
	sp__bind_int(&u, d->turn);
	sp__bind_int(&u, d->in_flight);
	bind_next(&u, s, d);
	if (d->failing && d->queued && d->first_due_ms < d->pause_ms &&
	    d->pause_ms > now_ms) {
		sp__bind_int(&u, d->first_due_ms);
	} else {
		sp__bind_null(&u);
	}
	sp__bind_str(&u, domain);
	return sp__run(&u);
}

static int delete_destination(struct sp__sqlite *s, struct sp_str domain)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_DELETE);

	sp__bind_str(&u, domain);
	return sp__run(&u);
}

int sp__destination_refresh(struct sp__sqlite *s, struct sp_str domain,
                            int64_t now_ms)
{
	struct destination d = {0};
	int ret = read_destination(s, domain, &d);

	if (ret) {
		return ret == SP_ENOTFOUND ? 0 : ret;
	}
	return d.queued || d.in_flight
	               ? write_destination(s, domain, &d, now_ms)
	               : delete_destination(s, domain);
}

int sp__destination_note(struct sp__sqlite *s, struct sp__domain *last,
                         struct sp_str domain, int64_t now_ms)
{
	int ret = 0;

	if (last->len && !sp_str_eq(sp__domain_str(last), domain)) {
		ret = sp__destination_refresh(s, sp__domain_str(last), now_ms);
	}
	sp__domain_set(last, domain);
	return ret;
}

int sp__destination_flush(struct sp__sqlite *s, struct sp__domain *last,
                          int64_t now_ms)
{
	struct sp_str domain = sp__domain_str(last);

	return domain.len ? sp__destination_refresh(s, domain, now_ms) : 0;
}

int sp__destination_of(struct sp__sqlite *s, int64_t rcpt,
                       struct sp__domain *out)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_OF_ONE);

	out->len = 0;
	sp__bind_int(&u, rcpt);
	if (sp__row(&u)) {
		sp__domain_set(out, sp__str(&u, 0, SP_ADDRESS_DOMAIN_MAX));
	}
	return sp__end(&u);
}

/* ---- messages come and go ---- */

int sp__destinations_of(struct sp__sqlite *s, struct sp_str id,
                        struct sp_arena *arena, struct sp__domains *out)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_OF);

	out->count = 0;
	out->items = sp_arena_array(arena, SP_ENVELOPE_RCPT_MAX,
	                            sizeof(*out->items));
	sp__bind_str(&u, id);
	while (out->count < SP_ENVELOPE_RCPT_MAX && sp__row(&u)) {
		out->items[out->count++] = sp_arena_str(
			arena, sp__str(&u, 0, SP_ADDRESS_DOMAIN_MAX));
	}
	return sp__end(&u);
}

int sp__destinations_refresh(struct sp__sqlite *s,
                             const struct sp__domains *domains)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < domains->count; i++) {
		ret = sp__destination_refresh(s, domains->items[i], INT64_MIN);
	}
	return ret;
}

int sp__destinations_join(struct sp__sqlite *s, struct sp_str id)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_ADD);
	struct sp__domains domains;
	struct sp_arena arena;
	int ret;

	sp__bind_str(&u, id);
	ret = sp__run(&u);
	sp_arena_init(&arena);
	ret = ret ? ret : sp__destinations_of(s, id, &arena, &domains);
	ret = ret ? ret : sp__destinations_refresh(s, &domains);
	sp_arena_fini(&arena);
	return ret;
}

int sp__destination_join_one(struct sp__sqlite *s, int64_t rcpt)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_ADD_ONE);

	sp__bind_int(&u, rcpt);
	return sp__run(&u);
}

/* ---- claims ---- */

static int find_next(struct sp__sqlite *s, unsigned worker, bool failing,
                     int64_t now_ms, struct sp__domain *out)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_NEXT);

	out->len = 0;
	sp__bind_int(&u, worker);
	sp__bind_int(&u, failing);
	sp__bind_int(&u, now_ms);
	if (sp__row(&u)) {
		sp__domain_set(out, sp__str(&u, 0, SP_ADDRESS_DOMAIN_MAX));
	}
	return sp__end(&u);
}

static int probes(struct sp__sqlite *s, unsigned worker, int64_t *count_out)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_PROBES);

	*count_out = 0;
	sp__bind_int(&u, worker);
	if (sp__row(&u)) {
		*count_out = sp__int(&u, 0, 0, INT64_MAX);
	}
	return sp__end(&u);
}

int sp__destination_next(struct sp__sqlite *s, unsigned worker, int64_t now_ms,
                         struct sp__domain *domain_out,
                         struct sp__offer *offer_out)
{
	struct destination d = {0};
	int64_t probing = 0;
	int ret = find_next(s, worker, false, now_ms, domain_out);

	if (ret == 0 && domain_out->len == 0) {
		ret = probes(s, worker, &probing);
		if (ret == 0 && probing < s->base.limits.probe_max) {
			ret = find_next(s, worker, true, now_ms, domain_out);
		}
	}
	if (ret || domain_out->len == 0) {
		return ret ? ret : SP_ENOTFOUND;
	}
	ret = read_destination(s, sp__domain_str(domain_out), &d);
	offer_out->any = d.in_flight < share(s, &d);
	offer_out->waiting = waiting_are_due(&d);
	return ret;
}

int sp__destination_asked(struct sp__sqlite *s, struct sp_str domain,
                          int64_t now_ms, bool found)
{
	struct destination d = {0};
	int ret = read_destination(s, domain, &d);

	if (ret) {
		return ret;
	}
	if (!d.queued && !d.in_flight) {
		return delete_destination(s, domain);
	}
	if (found) {
		d.asked_ms = now_ms;
	} else if (waiting_are_due(&d) || d.first_due_ms <= now_ms) {
		d.asked_ms = now_ms + REST_MS;
	}
	d.turn = ++s->turns;
	return write_destination(s, domain, &d, now_ms);
}

static int next_time(struct sp__sqlite *s, unsigned worker, bool failing,
                     int64_t *time_ms)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_NEXT_TIME);

	sp__bind_int(&u, worker);
	sp__bind_int(&u, failing);
	if (sp__row(&u)) {
		int64_t next_ms = sp__int(&u, 0, 0, INT64_MAX);

		if (*time_ms < 0 || next_ms < *time_ms) {
			*time_ms = next_ms;
		}
	}
	return sp__end(&u);
}

int sp__next_due(struct sp_store *store, unsigned worker, int64_t *due_ms_out)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	int64_t probing = 0;
	int ret;

	*due_ms_out = -1;
	ret = next_time(s, worker, false, due_ms_out);
	ret = ret ? ret : probes(s, worker, &probing);
	if (ret == 0 && probing < s->base.limits.probe_max) {
		ret = next_time(s, worker, true, due_ms_out);
	}
	return ret;
}

/* ---- news ---- */

static int write_failure(struct sp__sqlite *s, struct sp_str domain,
                         const struct sp_store_failure *f)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_FAILED);

	sp__bind_int(&u, f->time_ms);
	sp__bind_str(&u, f->id);
	sp__bind_str(&u, f->code);
	sp__bind_str(&u, f->cause);
	sp__bind_str(&u, f->reply);
	sp__bind_str(&u, f->expired_code);
	sp__bind_str(&u, f->expired_reply);
	sp__bind_str(&u, f->security);
	sp__bind_str(&u, f->host);
	sp__bind_str(&u, f->address);
	sp__bind_str(&u, domain);
	return sp__run(&u);
}

static void reached(const struct sp__sqlite *s, struct destination *d)
{
	if (d->failing) {
		d->failing = false;
		d->revived = true;
	}
	if (d->window < s->base.limits.destination_max) {
		d->window++;
	}
}

/* One of several attempts at a time may fail for reasons of its own; the
 * recipient then waits only if the destination turns out to fail. */
static void failed(struct destination *d, int64_t pause_ms, bool *waits_out)
{
	bool alone = d->in_flight <= 1;

	if (d->failing || d->window == 1 || alone) {
		d->failing = true;
		d->revived = false;
		d->window = 1;
		d->pause_ms = pause_ms;
	} else {
		d->window /= 2;
	}
	*waits_out = !d->revived;
}

int sp__destination_news(struct sp__sqlite *s, struct sp_str domain,
                         const struct sp_store_outcome *o, bool *waits_out)
{
	struct destination d = {0};
	int ret;

	*waits_out = false;
	if (!o->reached && !o->failure) {
		return 0;
	}
	ret = read_destination(s, domain, &d);
	if (ret) {
		return ret == SP_ENOTFOUND ? 0 : ret;
	}
	if (o->reached) {
		reached(s, &d);
	} else {
		failed(&d, o->failure->pause_ms, waits_out);
		ret = write_failure(s, domain, o->failure);
	}
	return ret ? ret : write_destination(s, domain, &d, o->now_ms);
}

int sp__destination_lift(struct sp__sqlite *s, struct sp_str domain,
                         int64_t now_ms)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_LIFT);

	sp__bind_int(&u, now_ms);
	sp__bind_str(&u, domain);
	sp__bind_int(&u, now_ms);
	return sp__run(&u);
}

int sp__end_pauses(struct sp_store *store, int64_t now_ms)
{
	struct sp__use u =
		sp__use(sp__sqlite_of(store), SP__SQL_DESTINATION_LIFT_ALL);

	sp__bind_int(&u, now_ms);
	sp__bind_int(&u, now_ms);
	return sp__run(&u);
}

/* ---- what is due while its destination is left alone ---- */

static int find_sweep(struct sp__sqlite *s, int64_t *time_ms_out,
                      struct sp__domain *out)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_SWEEP);

	*time_ms_out = -1;
	out->len = 0;
	if (sp__row(&u)) {
		sp__domain_set(out, sp__str(&u, 0, SP_ADDRESS_DOMAIN_MAX));
		*time_ms_out = sp__int(&u, 1, 0, INT64_MAX);
	}
	return sp__end(&u);
}

int sp__next_overdue(struct sp_store *store, int64_t *time_ms_out)
{
	struct sp__domain domain;

	return find_sweep(sp__sqlite_of(store), time_ms_out, &domain);
}

static int read_failure(struct sp__sqlite *s, struct sp_str domain,
                        struct sp_arena *a, struct sp_store_failure *f)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_FAILURE);

	sp__bind_str(&u, domain);
	if (sp__row(&u)) {
		f->time_ms = sp__int(&u, 0, INT64_MIN, INT64_MAX);
		f->id = sp_arena_str(a, sp__str(&u, 1, SP_STORE_ID_MAX));
		f->code = sp_arena_str(a, sp__str(&u, 2, SP_STORE_CODE_MAX));
		f->cause = sp_arena_str(a, sp__str(&u, 3, SP_STORE_CAUSE_MAX));
		f->reply = sp_arena_str(a, sp__str(&u, 4, SP_STORE_REPLY_MAX));
		f->expired_code =
			sp_arena_str(a, sp__str(&u, 5, SP_STORE_CODE_MAX));
		f->expired_reply =
			sp_arena_str(a, sp__str(&u, 6, SP_STORE_REPLY_MAX));
		f->security =
			sp_arena_str(a, sp__str(&u, 7, SP_STORE_SECURITY_MAX));
		f->host = sp_arena_str(a, sp__str(&u, 8, SP_STORE_HOST_MAX));
		f->address =
			sp_arena_str(a, sp__str(&u, 9, SP_STORE_ADDRESS_MAX));
		f->pause_ms = sp__int(&u, 10, INT64_MIN, INT64_MAX);
	}
	return sp__end(&u);
}

static int list_overdue(struct sp__sqlite *s, struct sp_str domain,
                        int64_t now_ms, size_t limit, struct sp_arena *arena,
                        struct sp_store_lease_rcpt *rcpts, size_t *count_out)
{
	struct sp__use u = sp__use(s, SP__SQL_OVERDUE);

	sp__bind_int(&u, now_ms);
	sp__bind_str(&u, domain);
	sp__bind_int(&u, now_ms);
	sp__bind_int(&u, now_ms);
	sp__bind_int(&u, (int64_t)limit);
	while (*count_out < limit && sp__row(&u)) {
		sp__lease_read(&u, arena, &rcpts[(*count_out)++]);
	}
	return sp__end(&u);
}

int sp__overdue(struct sp_store *store, int64_t now_ms, size_t limit,
                struct sp_arena *arena, struct sp_store_failure *failure_out,
                struct sp_store_lease_rcpt **rcpts_out, size_t *count_out)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct sp__domain last = {.len = 0};
	struct sp__domain domain;
	int64_t time_ms;
	int ret;

	*rcpts_out = sp_arena_array(arena, limit, sizeof(**rcpts_out));
	while ((ret = find_sweep(s, &time_ms, &domain)) == 0 && time_ms >= 0 &&
	       time_ms <= now_ms) {
		struct sp_str name = sp__domain_str(&domain);

		if (sp_str_eq(name, sp__domain_str(&last))) {
			ret = read_failure(s, name, arena, failure_out);
			return ret ? ret
			           : list_overdue(s, name, now_ms, limit, arena,
			                          *rcpts_out, count_out);
		}
		/* It may be stale; if it is found again it is not. */
		ret = sp__destination_refresh(s, name, now_ms);
		if (ret) {
			return ret;
		}
		last = domain;
	}
	return ret;
}
