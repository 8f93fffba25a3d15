/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite as this process needs it: one thread, no statistics of its memory,
 * and a log that is written in large pieces.
 *
 * SQLite writes each page of its log by two calls, 24 bytes and a page. The
 * pieces are contiguous and nothing may rely on them before the log is
 * synced: a commit is published to readers behind the sync. So they are
 * gathered here and written by one call when the log is synced, read,
 * measured or closed, or the buffer is full. What reaches the disk, and
 * before which sync, is the same as without.
 *
 *   EMPTY ──write at any offset──▶ HOLDS ──write behind its end──▶ HOLDS
 *     ▲                              │ sync, read, size, truncate, close,
 *     └──────────────flush───────────┘ a write elsewhere, no room
 *
 * A flush that fails is the failure of the call that needed it; what was
 * held is dropped then, like the write that failed.
 */
#include <string.h>

#include "base/mem.h"
#include "store/sqlite.h"

#define HOLD_MAX (120 * 1024) /* the system's VFS takes less than 128 KiB */

struct log_file {
	sqlite3_file base;
	sqlite3_file *real; /* behind us in the same memory */
	sqlite3_int64 at;   /* where held bytes belong */
	int held;
	char *bytes; /* owned */
};

static struct log_file *log_of(sqlite3_file *file)
{
	return (struct log_file *)file;
}

static int flush(struct log_file *log)
{
	int held = log->held;

	log->held = 0;
	return held ? log->real->pMethods->xWrite(log->real, log->bytes, held,
	                                          log->at)
	            : SQLITE_OK;
}

static int log_close(sqlite3_file *file)
{
	struct log_file *log = log_of(file);
	int rc = flush(log);
	int closed = log->real->pMethods->xClose(log->real);

	sp_free(log->bytes);
	return rc ? rc : closed;
}

static int log_read(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
	struct log_file *log = log_of(file);
	int rc = flush(log);

	return rc ? rc : log->real->pMethods->xRead(log->real, out, len, at);
}

static int log_write(sqlite3_file *file, const void *from, int len,
                     sqlite3_int64 at)
{
	struct log_file *log = log_of(file);
	int rc = SQLITE_OK;

	if (log->held &&
	    (at != log->at + log->held || log->held > HOLD_MAX - len)) {
		rc = flush(log);
	}
	if (rc || len > HOLD_MAX) {
		return rc ? rc
		          : log->real->pMethods->xWrite(log->real, from, len,
		                                        at);
	}
	if (!log->bytes) {
		log->bytes = sp_alloc(HOLD_MAX);
	}
	if (!log->held) {
		log->at = at;
	}
	memcpy(log->bytes + log->held, from, (size_t)len);
	log->held += len;
	return SQLITE_OK;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct log_file *log = log_of(file);
	int rc = flush(log);

	return rc ? rc : log->real->pMethods->xTruncate(log->real, size);
}

static int log_sync(sqlite3_file *file, int flags)
{
	struct log_file *log = log_of(file);
	int rc = flush(log);

	return rc ? rc : log->real->pMethods->xSync(log->real, flags);
}

static int log_size(sqlite3_file *file, sqlite3_int64 *size_out)
{
	struct log_file *log = log_of(file);
	int rc = flush(log);

	return rc ? rc : log->real->pMethods->xFileSize(log->real, size_out);
}

static int log_lock(sqlite3_file *file, int level)
{
	struct log_file *log = log_of(file);

	return log->real->pMethods->xLock(log->real, level);
}

static int log_unlock(sqlite3_file *file, int level)
{
	struct log_file *log = log_of(file);

	return log->real->pMethods->xUnlock(log->real, level);
}

static int log_check_lock(sqlite3_file *file, int *locked_out)
{
	struct log_file *log = log_of(file);

	return log->real->pMethods->xCheckReservedLock(log->real, locked_out);
}

static int log_control(sqlite3_file *file, int what, void *arg)
{
	struct log_file *log = log_of(file);

	return log->real->pMethods->xFileControl(log->real, what, arg);
}

static int log_sector(sqlite3_file *file)
{
	struct log_file *log = log_of(file);

	return log->real->pMethods->xSectorSize(log->real);
}

static int log_device(sqlite3_file *file)
{
	struct log_file *log = log_of(file);

	return log->real->pMethods->xDeviceCharacteristics(log->real);
}

static const sqlite3_io_methods LOG = {
	.iVersion = 1,
	.xClose = log_close,
	.xRead = log_read,
	.xWrite = log_write,
	.xTruncate = log_truncate,
	.xSync = log_sync,
	.xFileSize = log_size,
	.xLock = log_lock,
	.xUnlock = log_unlock,
	.xCheckReservedLock = log_check_lock,
	.xFileControl = log_control,
	.xSectorSize = log_sector,
	.xDeviceCharacteristics = log_device,
};

/* Files other than a log are those of the system's VFS itself. */
static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file,
                     int flags, int *flags_out)
{
	sqlite3_vfs *system = vfs->pAppData;
	struct log_file *log = log_of(file);
	int rc;

	if (!(flags & SQLITE_OPEN_WAL)) {
		return system->xOpen(system, name, file, flags, flags_out);
	}
	*log = (struct log_file){.real = (sqlite3_file *)(log + 1)};
	rc = system->xOpen(system, name, log->real, flags, flags_out);
	if (log->real->pMethods) {
		log->base.pMethods = &LOG;
	}
	return rc;
}

const char *sp__sqlite_setup(void)
{
	static sqlite3_vfs ours;
	sqlite3_vfs *system;

	if (ours.zName) {
		return ours.zName;
	}
	/* Refused when somebody else in this process has used SQLite before:
	 * then it is only slower. */
	(void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	(void)sqlite3_config(SQLITE_CONFIG_MALLOC, sp__sqlite_memory());
	system = sqlite3_vfs_find(NULL);
	ours = *system;
	ours.pNext = NULL;
	ours.zName = "sp-log";
	ours.szOsFile += (int)sizeof(struct log_file);
	ours.pAppData = system;
	ours.xOpen = open_file;
	return sqlite3_vfs_register(&ours, 0) == SQLITE_OK ? ours.zName : NULL;
}
