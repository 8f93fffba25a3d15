/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_BASE_LOG_H
#define SP_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/*
 * Structured log: an event name and fields; one call gives the human line or
 * the JSON line, to standard error. Every value that came from a peer goes
 * through a field, where it is escaped and cut at 512 bytes. Contexts form a
 * chain whose fields are inherited (role, session id).
 *
 *   sp_log(&s->log, SP_LOG_INFO, "smtp.refused", SP_F_STR("peer", peer),
 *          SP_F_INT("code", 550));
 *
 * Levels have meaning: ERROR, an operator must act; WARN, an operator should
 * know; INFO, one line per message or state change; DEBUG, off by default.
 */

enum sp_log_level {
	SP_LOG_ERROR,
	SP_LOG_WARN,
	SP_LOG_INFO,
	SP_LOG_DEBUG,
};

struct sp_field {
	const char *key;
	enum {
		SP_FIELD_END,
		SP_FIELD_STR,
		SP_FIELD_INT,
		SP_FIELD_BOOL,
	} type;
	struct sp_str str; /* borrowed for the call, or for the context */
	int64_t num;
};

struct sp_log {
	const struct sp_log *parent; /* borrowed, or null */
	struct sp_field field;       /* key null: none */
};

#define SP_F_STR(k, v)  ((struct sp_field){(k), SP_FIELD_STR, (v), 0})
#define SP_F_CSTR(k, v) SP_F_STR(k, sp_str_from(v))
#define SP_F_INT(k, v)  ((struct sp_field){(k), SP_FIELD_INT, {0}, (int64_t)(v)})
#define SP_F_BOOL(k, v) ((struct sp_field){(k), SP_FIELD_BOOL, {0}, (v)})
#define SP_F_ERR(v)     SP_F_CSTR("error", sp_strerror(v))

#define sp_log(ctx, level, event, ...)                                         \
	sp_log_fields(                                                         \
		(ctx), (level), (event),                                       \
		(const struct sp_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})

void sp_log_fields(const struct sp_log *ctx, enum sp_log_level level,
                   const char *event, const struct sp_field *fields);

/* Process-wide: what is printed and how. Set once at start. */
void sp_log_setup(enum sp_log_level max_level, bool json);

/* A process whose loop calls sp_log_flush at the end of each turn may keep
 * lines of levels info and debug until then. Off at first; what was kept is
 * written by a change. A fork takes kept lines along: flush before. */
void sp_log_gather(bool on);
void sp_log_flush(void);

/* Redirect lines of every level to a callback (tests assert on events); null
 * restores. The line has no newline and is borrowed for the call. */
void sp_log_capture(void (*fn)(void *arg, enum sp_log_level level,
                               const char *event, const char *line),
                    void *arg);

/* Peer text made printable: controls, quotes, backslash and bytes above 126
 * as \xHH; cut with "..." so that the result fits cap (NUL-terminated). */
void sp_log_escape(struct sp_str text, char *out, size_t cap);

#endif
