/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room on the disk. New mail is refused (452) while there still is a reserve:
 * what becomes of the mail that is here has to be written too, and mail that
 * is delivered is what gives room back. Without it a full disk would stop
 * deliveries as well, and the queue could not mend it.
 *
 * The disk is looked at ten times a second at most; between two looks, what
 * is taken is subtracted. What others take meanwhile is the reserve's.
 */
#include "base/time.h"
#include "role/queue/queue.h"

#define MEASURE_PAUSE_MS 100
#define ENVELOPE_BYTES   65536 /* pages with its rows and their indexes */

int sp_queue_measure_room(struct sp_queue *q)
{
	int64_t now_ms = sp_time_mono_ms();

	if (now_ms < q->room_due_ms) {
		return 0;
	}
	q->room_due_ms = now_ms + MEASURE_PAUSE_MS;
	return sp_store_room(q->store, &q->room_bytes);
}

bool sp_queue_take_room(struct sp_queue *q, size_t bytes)
{
	int64_t wanted = (int64_t)bytes + ENVELOPE_BYTES;
	bool full = wanted > q->room_bytes;

	if (full != q->full) {
		q->full = full;
		sp_log(&q->ctx->log, SP_LOG_WARN,
		       full ? "queue.disk_full" : "queue.disk_has_room",
		       SP_F_INT("room_bytes", q->room_bytes));
	}
	if (!full) {
		q->room_bytes -= wanted;
	}
	return !full;
}
