/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BOARD_H
#define BENCH_BOARD_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * The sink's instrument panel: a file that the sink maps and the harness
 * (board.py) maps too. Settings act at once; counters only grow, one lane a
 * thread, so that counting costs nothing and asking disturbs nobody.
 */

#define BOARD_MAGIC 0x53504245u /* "SPBE" */
#define BOARD_LANES 16

enum board_setting {
	SET_LATENCY_MS, /* before every reply, or batch of replies */
	SET_FINAL_MS,   /* more before the reply to a message */
	SET_TICKETS,    /* 1: sessions can be resumed */
	SET_CHUNKING,   /* 1: CHUNKING is offered */
	SET_CLOSE, /* messages after which a connection is closed; 0: none */
	SET_COUNT = 8
};

enum board_counter {
	COUNT_CONNECTIONS,
	COUNT_FULL,     /* handshakes */
	COUNT_RESUMED,  /* handshakes with a ticket */
	COUNT_FAILED,   /* handshakes that failed */
	COUNT_MESSAGES, /* taken inside TLS */
	COUNT_CLEAR,    /* taken without */
	COUNT_BYTES,
	COUNT_COMMANDS,
	COUNT_LAST_US, /* monotonic time of the last message */
	COUNT_COUNT = 16
};

struct board_lane {
	_Atomic uint64_t counters[COUNT_COUNT];
};

struct board {
	_Atomic uint64_t magic; /* set when all ports are open */
	_Atomic uint64_t open;  /* connections */
	_Atomic uint64_t peak;  /* the most of them; anybody may reset it */
	_Atomic uint64_t lanes;
	_Atomic uint64_t settings[SET_COUNT];
	struct board_lane lane[BOARD_LANES];
};

#endif
