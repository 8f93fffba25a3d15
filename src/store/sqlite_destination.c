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
 * and what belongs to them. Those that a turn touches are in hand: read once,
 * changed in memory, counted anew where rows of recipients were changed by
 * others (stale), and written once, at the end of the turn or when a statement
 * needs to see the rows. A claim that finds nothing where a row promised
 * something counts too.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/map.h"
#include "store/sqlite.h"
#include "wire/address.h"

/* A destination where nothing that is due can be claimed asks again after
 * this time: its recipients are expired, and expiry is at work on them. */
#define REST_MS 1000

#define WINDOW_START 5

/* What stands in the row; times -1: null. */
struct row {
	int64_t window;
	int64_t failing, revived;
	int64_t pause_ms, asked_ms, turn;
	int64_t in_flight;
	int64_t next_ms, sweep_ms;
};

struct sp__destination {
	struct sp__domain domain;
	int64_t id; /* 0: has no row yet */
	int64_t worker;
	struct row written;
	int64_t window;
	bool failing, revived;
	int64_t pause_ms, asked_ms, turn;
	bool stale;           /* what follows is to be counted anew */
	int64_t first_due_ms; /* -1: nothing queued */
	bool waiting;
	int64_t in_flight;
	int64_t now_ms; /* the latest known; INT64_MIN: none */
};

/* ---- what follows from it ---- */

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t share(const struct sp__sqlite *s,
                     const struct sp__destination *d)
{
	int64_t max = s->base.limits.destination_max;

	if (d->failing) {
		return 1;
	}
	return d->window < max ? d->window : max;
}

static bool is_queued(const struct sp__destination *d)
{
	return d->first_due_ms >= 0;
}

static bool waiting_are_due(const struct sp__destination *d)
{
	return d->waiting && d->revived && !d->failing;
}

static int64_t next_of(const struct sp__sqlite *s,
                       const struct sp__destination *d)
{
	int64_t due_ms = waiting_are_due(d) ? 0 : d->first_due_ms;

	if (!is_queued(d) || d->in_flight >= share(s, d)) {
		return -1;
	}
	due_ms = later(due_ms, d->failing ? d->pause_ms : 0);
	return later(due_ms, d->asked_ms);
}

static struct row row_of(const struct sp__sqlite *s,
                         const struct sp__destination *d)
{
	bool sweep = d->failing && is_queued(d) &&
	             d->first_due_ms < d->pause_ms && d->pause_ms > d->now_ms;

	return (struct row){
		.window = d->window,
		.failing = d->failing,
		.revived = d->revived && d->waiting,
		.pause_ms = d->pause_ms,
		.asked_ms = d->asked_ms,
		.turn = d->turn,
		.in_flight = d->in_flight,
		.next_ms = next_of(s, d),
		.sweep_ms = sweep ? d->first_due_ms : -1,
	};
}

/* ---- in hand: those that this turn has looked at ---- */

static struct sp__destination *find(struct sp__sqlite *s, struct sp_str domain)
{
	return sp_map_find(&s->destinations, domain);
}

static struct sp__destination *take(struct sp__sqlite *s, struct sp_str domain)
{
	struct sp__destination *d = SP_NEW(struct sp__destination);

	sp__domain_set(&d->domain, domain);
	d->window = WINDOW_START;
	d->first_due_ms = -1;
	d->now_ms = INT64_MIN;
	sp_map_set(&s->destinations, domain, d);
	return d;
}

static void drop(struct sp__sqlite *s, struct sp__destination *d)
{
	sp_map_remove(&s->destinations, sp__domain_str(&d->domain));
	sp_free(d);
}

void sp__destinations_drop(struct sp__sqlite *s)
{
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;

	while (sp_map_next(&s->destinations, &it, &key, &value)) {
		drop(s, value);
	}
}

static void read_row(struct sp__use *u, struct sp__destination *d)
{
	d->id = sp__int(u, 0, 1, INT64_MAX);
	d->worker = sp__int(u, 1, 0, SP_STORE_WORKER_MAX - 1);
	d->written = (struct row){
		.window = sp__int(u, 2, 1, INT64_MAX),
		.failing = sp__int(u, 3, 0, 1),
		.revived = sp__int(u, 4, 0, 1),
		.pause_ms = sp__int(u, 5, INT64_MIN, INT64_MAX),
		.asked_ms = sp__int(u, 6, INT64_MIN, INT64_MAX),
		.turn = sp__int(u, 7, INT64_MIN, INT64_MAX),
		.in_flight = sp__int(u, 8, 0, INT64_MAX),
		.next_ms = sp__int(u, 9, -1, INT64_MAX),
		.sweep_ms = sp__int(u, 10, -1, INT64_MAX),
	};
	d->window = d->written.window;
	d->failing = d->written.failing;
	d->revived = d->written.revived;
	d->pause_ms = d->written.pause_ms;
	d->asked_ms = d->written.asked_ms;
	d->turn = d->written.turn;
	d->in_flight = d->written.in_flight;
	d->first_due_ms = sp__int(u, 11, -1, INT64_MAX);
	d->waiting = sp__bool(u, 12);
}

/* From its row. SP_ENOTFOUND: it has none. */
static int load(struct sp__sqlite *s, struct sp_str domain,
                struct sp__destination **d_out)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_READ);
	int ret;

	*d_out = NULL;
	sp__bind_str(&u, domain);
	if (sp__row(&u)) {
		*d_out = take(s, domain);
		read_row(&u, *d_out);
	}
	ret = sp__end(&u);
	return ret || *d_out ? ret : SP_ENOTFOUND;
}

/* What is queued, and with flying what is in flight too. */
static int count(struct sp__sqlite *s, struct sp__destination *d, bool flying)
{
	struct sp__use u = sp__use(s, flying ? SP__SQL_DESTINATION_COUNT
	                                     : SP__SQL_DESTINATION_QUEUED);

	sp__bind_str(&u, sp__domain_str(&d->domain));
	if (sp__row(&u)) {
		d->first_due_ms = sp__int(&u, 0, -1, INT64_MAX);
		d->waiting = sp__bool(&u, 1);
		if (flying) {
			d->in_flight = sp__int(&u, 2, 0, INT64_MAX);
			d->stale = false;
		}
	}
	return sp__end(&u);
}

/* As it is now. SP_ENOTFOUND: it has no row. */
static int get(struct sp__sqlite *s, struct sp_str domain,
               struct sp__destination **d_out)
{
	*d_out = find(s, domain);
	if (!*d_out) {
		return load(s, domain, d_out);
	}
	return (*d_out)->stale ? count(s, *d_out, true) : 0;
}

/* ---- writing ---- */

static void bind_time(struct sp__use *u, int64_t time_ms)
{
	if (time_ms < 0) {
		sp__bind_null(u);
	} else {
		sp__bind_int(u, time_ms);
	}
}

static void bind_row(struct sp__use *u, const struct row *row)
{
	sp__bind_int(u, row->window);
	sp__bind_int(u, row->failing);
	sp__bind_int(u, row->revived);
	sp__bind_int(u, row->pause_ms);
	sp__bind_int(u, row->asked_ms);
	sp__bind_int(u, row->turn);
	sp__bind_int(u, row->in_flight);
	bind_time(u, row->next_ms);
	bind_time(u, row->sweep_ms);
}

static int insert(struct sp__sqlite *s, struct sp__destination *d,
                  const struct row *row)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_INSERT);
	int ret;

	bind_row(&u, row);
	sp__bind_str(&u, sp__domain_str(&d->domain));
	sp__bind_int(&u, d->worker);
	ret = sp__run(&u);
	d->id = ret ? 0 : sqlite3_last_insert_rowid(s->db);
	return ret;
}

static int update(struct sp__sqlite *s, const struct sp__destination *d,
                  const struct row *row)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_WRITE);

	bind_row(&u, row);
	sp__bind_int(&u, d->id);
	return sp__run(&u);
}

static int delete_row(struct sp__sqlite *s, const struct sp__destination *d)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_DELETE);

	sp__bind_int(&u, d->id);
	return sp__run(&u);
}

static int write_row(struct sp__sqlite *s, struct sp__destination *d)
{
	struct row row = row_of(s, d);
	int ret = 0;

	if (d->id == 0) {
		ret = insert(s, d, &row);
	} else if (memcmp(&row, &d->written, sizeof(row)) != 0) {
		ret = update(s, d, &row);
	}
	d->written = row;
	return ret;
}

static int put_back(struct sp__sqlite *s, struct sp__destination *d)
{
	int ret = d->stale ? count(s, d, true) : 0;

	if (ret || is_queued(d) || d->in_flight) {
		return ret ? ret : write_row(s, d);
	}
	ret = d->id ? delete_row(s, d) : 0;
	if (ret == 0) {
		drop(s, d);
	}
	return ret;
}

static int put_all_back(struct sp__sqlite *s, bool failing_only)
{
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;
	int ret = 0;

	while (ret == 0 && sp_map_next(&s->destinations, &it, &key, &value)) {
		struct sp__destination *d = value;

		if (!failing_only || d->failing || d->written.failing) {
			ret = put_back(s, d);
		}
	}
	return ret;
}

int sp__destinations_failing(struct sp__sqlite *s)
{
	return put_all_back(s, true);
}

int sp__destinations_flush(struct sp__sqlite *s)
{
	int ret = put_all_back(s, false);

	sp__destinations_drop(s);
	return ret;
}

int sp__destination_refresh(struct sp__sqlite *s, struct sp_str domain,
                            int64_t now_ms)
{
	struct sp__destination *d = find(s, domain);
	int ret = d ? 0 : load(s, domain, &d);

	if (d) {
		d->stale = true;
		d->now_ms = later(d->now_ms, now_ms);
	}
	return ret == SP_ENOTFOUND ? 0 : ret;
}

int sp__destination_queued(struct sp__sqlite *s, struct sp_str domain,
                           unsigned worker, int64_t due_ms)
{
	struct sp__destination *d = find(s, domain);
	int ret = d ? 0 : load(s, domain, &d);

	if (ret == SP_ENOTFOUND) {
		d = take(s, domain);
		d->worker = worker;
		ret = 0;
	}
	if (ret == 0 && (!is_queued(d) || due_ms < d->first_due_ms)) {
		d->first_due_ms = later(due_ms, 0);
	}
	return ret;
}

int sp__destination_landed(struct sp__sqlite *s, struct sp_str domain,
                           uint64_t attempt_id, int64_t now_ms)
{
	struct sp__destination *d = find(s, domain);
	struct sp__use u;
	bool left = false;
	int ret;

	if (!d || d->stale) {
		return sp__destination_refresh(s, domain, now_ms);
	}
	u = sp__use(s, SP__SQL_LEASE_LEFT);
	sp__bind_int(&u, (int64_t)attempt_id);
	if (sp__row(&u)) {
		left = sp__bool(&u, 0);
	}
	ret = sp__end(&u);
	d->in_flight -= !left && d->in_flight > 0;
	d->now_ms = later(d->now_ms, now_ms);
	return ret;
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
                       struct sp__domain *out, unsigned *worker_out)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_OF_ONE);

	out->len = 0;
	*worker_out = 0;
	sp__bind_int(&u, rcpt);
	if (sp__row(&u)) {
		sp__domain_set(out, sp__str(&u, 0, SP_ADDRESS_DOMAIN_MAX));
		*worker_out =
			(unsigned)sp__int(&u, 1, 0, SP_STORE_WORKER_MAX - 1);
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
	struct sp__domains domains;
	struct sp_arena arena;
	struct sp__use u;
	int ret = sp__destinations_flush(s);

	if (ret) {
		return ret;
	}
	u = sp__use(s, SP__SQL_DESTINATION_ADD);
	sp__bind_str(&u, id);
	ret = sp__run(&u);
	sp_arena_init(&arena);
	ret = ret ? ret : sp__destinations_of(s, id, &arena, &domains);
	ret = ret ? ret : sp__destinations_refresh(s, &domains);
	sp_arena_fini(&arena);
	return ret;
}

/* ---- claims ---- */

/* Whose turn it is, as the rows and those in hand tell. */
struct due {
	struct sp_str domain;
	int64_t next_ms, turn;
};

static int compare_due(const void *a, const void *b)
{
	const struct due *x = a;
	const struct due *y = b;

	if (x->next_ms != y->next_ms) {
		return x->next_ms < y->next_ms ? -1 : 1;
	}
	return (x->turn > y->turn) - (x->turn < y->turn);
}

static size_t add_those_in_hand(struct sp__sqlite *s, unsigned worker,
                                int64_t now_ms, struct due *due)
{
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;
	size_t count = 0;

	while (sp_map_next(&s->destinations, &it, &key, &value)) {
		struct sp__destination *d = value;
		int64_t next_ms = next_of(s, d);

		if (d->worker == worker && !d->failing && next_ms >= 0 &&
		    next_ms <= now_ms) {
			due[count++] = (struct due){sp__domain_str(&d->domain),
			                            next_ms, d->turn};
		}
	}
	return count;
}

/* Rows of those in hand may be out of date. */
static int count_those_in_hand(struct sp__sqlite *s)
{
	struct sp_map_iter it = {0};
	struct sp_str key;
	void *value;
	int ret = 0;

	while (ret == 0 && sp_map_next(&s->destinations, &it, &key, &value)) {
		struct sp__destination *d = value;

		ret = d->stale ? count(s, d, true) : 0;
	}
	return ret;
}

static int list_rows(struct sp__sqlite *s, unsigned worker, int64_t now_ms,
                     size_t limit, struct sp_arena *arena, struct due *due,
                     size_t *count, size_t *seen_out)
{
	struct sp__use u = sp__use(s, SP__SQL_DESTINATION_NEXT);

	*seen_out = 0;
	sp__bind_int(&u, worker);
	sp__bind_int(&u, false);
	sp__bind_int(&u, now_ms);
	sp__bind_int(&u, (int64_t)limit);
	while (*seen_out < limit && sp__row(&u)) {
		struct sp_str domain = sp__str(&u, 0, SP_ADDRESS_DOMAIN_MAX);

		++*seen_out;
		if (!find(s, domain)) {
			due[(*count)++] = (struct due){
				sp_arena_str(arena, domain),
				sp__int(&u, 1, 0, INT64_MAX),
				sp__int(&u, 2, INT64_MIN, INT64_MAX)};
		}
	}
	return sp__end(&u);
}

int sp__destinations_due(struct sp__sqlite *s, unsigned worker, int64_t now_ms,
                         size_t max, struct sp_arena *arena,
                         struct sp__domains *out, bool *more_out)
{
	size_t limit = max + s->destinations.count;
	struct due *due = sp_arena_array(arena, limit + s->destinations.count,
	                                 sizeof(*due));
	size_t count = 0;
	size_t seen = 0;
	int ret = count_those_in_hand(s);

	ret = ret ? ret
	          : list_rows(s, worker, now_ms, limit, arena, due, &count,
	                      &seen);
	count += add_those_in_hand(s, worker, now_ms, due + count);
	qsort(due, count, sizeof(*due), compare_due);
	out->items = sp_arena_array(arena, count, sizeof(*out->items));
	out->count = count;
	for (size_t i = 0; i < count; i++) {
		out->items[i] = sp_arena_str(arena, due[i].domain);
	}
	*more_out = seen == limit;
	return ret;
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

int sp__destination_probe(struct sp__sqlite *s, unsigned worker, int64_t now_ms,
                          struct sp__domain *domain_out)
{
	struct sp__use u;
	int64_t probing = 0;
	int ret = sp__destinations_failing(s);

	domain_out->len = 0;
	ret = ret ? ret : probes(s, worker, &probing);
	if (ret || probing >= s->base.limits.probe_max) {
		return ret ? ret : SP_ENOTFOUND;
	}
	u = sp__use(s, SP__SQL_DESTINATION_NEXT);
	sp__bind_int(&u, worker);
	sp__bind_int(&u, true);
	sp__bind_int(&u, now_ms);
	sp__bind_int(&u, 1);
	if (sp__row(&u)) {
		sp__domain_set(domain_out,
		               sp__str(&u, 0, SP_ADDRESS_DOMAIN_MAX));
	}
	ret = sp__end(&u);
	return ret || domain_out->len ? ret : SP_ENOTFOUND;
}

int sp__destination_offer(struct sp__sqlite *s, struct sp_str domain,
                          struct sp__offer *offer_out)
{
	struct sp__destination *d;
	int ret = get(s, domain, &d);

	*offer_out = (struct sp__offer){.any = false};
	if (ret == 0) {
		offer_out->any = d->in_flight < share(s, d);
		offer_out->waiting = waiting_are_due(d);
	}
	return ret == SP_ENOTFOUND ? 0 : ret;
}

int sp__destination_asked(struct sp__sqlite *s, struct sp_str domain,
                          int64_t now_ms, bool found, bool *again_out)
{
	struct sp__destination *d;
	int ret = get(s, domain, &d);

	*again_out = false;
	ret = ret ? ret : count(s, d, !found);
	if (ret) {
		return ret == SP_ENOTFOUND ? 0 : ret;
	}
	d->in_flight += found;
	d->now_ms = later(d->now_ms, now_ms);
	if (found) {
		d->asked_ms = now_ms;
	} else if (waiting_are_due(d) ||
	           (is_queued(d) && d->first_due_ms <= now_ms)) {
		d->asked_ms = now_ms + REST_MS;
	}
	d->turn = ++s->turns;
	*again_out = next_of(s, d) >= 0 && next_of(s, d) <= now_ms;
	return 0;
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
	int ret = sp__destinations_flush(s);

	*due_ms_out = -1;
	ret = ret ? ret : next_time(s, worker, false, due_ms_out);
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

static void reached(const struct sp__sqlite *s, struct sp__destination *d)
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
static void failed(struct sp__destination *d, int64_t pause_ms, bool *waits_out)
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
	struct sp__destination *d;
	int ret;

	*waits_out = false;
	if (!o->reached && !o->failure) {
		return 0;
	}
	ret = get(s, domain, &d);
	if (ret) {
		return ret == SP_ENOTFOUND ? 0 : ret;
	}
	d->now_ms = later(d->now_ms, o->now_ms);
	if (o->reached) {
		reached(s, d);
		return 0;
	}
	failed(d, o->failure->pause_ms, waits_out);
	ret = write_row(s, d); /* there must be one */
	return ret ? ret : write_failure(s, domain, o->failure);
}

int sp__destination_lift(struct sp__sqlite *s, struct sp_str domain,
                         int64_t now_ms)
{
	struct sp__destination *d;
	int ret = get(s, domain, &d);

	if (ret == 0 && d->failing && d->pause_ms > now_ms) {
		d->pause_ms = now_ms;
	}
	return ret == SP_ENOTFOUND ? 0 : ret;
}

int sp__end_pauses(struct sp_store *store, int64_t now_ms)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	struct sp__use u;
	int ret = sp__destinations_flush(s);

	if (ret) {
		return ret;
	}
	u = sp__use(s, SP__SQL_DESTINATION_LIFT_ALL);
	sp__bind_int(&u, now_ms);
	sp__bind_int(&u, now_ms);
	return sp__run(&u);
}
