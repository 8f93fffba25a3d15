/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQLite engine: one file in WAL mode with synchronous=FULL, so that a
 * commit has reached the disk when it returns (NORMAL may lose acknowledged
 * commits at power loss).
 *
 * One connection writes, and the same one checkpoints: SQLite before 3.51.3
 * can damage the file when a commit and a checkpoint of another connection
 * race. Automatic checkpoints are off; maintain() makes them outside of
 * turns. Readers are opened read-only and never checkpoint.
 *
 * A lock file beside the database keeps a second server away. It is another
 * file on purpose: closing any descriptor of the database itself would drop
 * SQLite's own locks. The kernel frees the lock when its process dies.
 *
 * After a failed sync the kernel may hold pages as clean that never reached
 * the disk. Opening therefore writes the whole log into the file, syncs it
 * and truncates the log before anything else: whatever was in doubt is then
 * either durable or gone, and later commits don't stand on it.
 *
 * How far a file is looked over at the start depends on its last end, which
 * `opened` in meta tells. A process that was killed leaves every page that it
 * wrote whole in the kernel's cache, and the log makes commits of them all or
 * nothing: that is what the log is for, and a restart must not cost a pass
 * over a large file. Only when the machine went down with the file open, or
 * after a failed write, may pages be torn or lost: then every page is read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/time.h"
#include "store/sqlite.h"

#define PATH_BYTES_MAX   4000
#define BUSY_TIMEOUT_MS  5000
#define CHECKPOINT_PAGES 4000 /* about 16 MiB of log */
#define RESERVE_SHARE    10   /* a tenth of the file system */
#define RESERVE_MAX      (INT64_C(64) << 20)

/* Where WAL's shared memory and locks can't be trusted. */
static const struct {
	unsigned long magic;
	const char *name;
} NETWORK_FS[] = {
	{0x6969, "NFS"},        {0xff534d42, "CIFS"}, {0xfe534d42, "SMB"},
	{0x517b, "SMB"},        {0x5346414f, "AFS"},  {0x6b414653, "AFS"},
	{0x73757245, "Coda"},   {0x01021997, "9P"},   {0x00c36400, "Ceph"},
	{0x0bd00bd0, "Lustre"}, {0x01161970, "GFS2"}, {0x7461636f, "OCFS2"},
	{0x47504653, "GPFS"},   {0x564c, "NCP"},
};

static int why_errno(struct sp__sqlite *s, const char *what, int err)
{
	(void)snprintf(s->base.why, sizeof(s->base.why), "store %s: %s: %s",
	               s->path, what, strerror(err));
	return -err;
}

static int check_filesystem(struct sp__sqlite *s)
{
	struct statfs fs;

	if (statfs(s->path, &fs)) {
		return why_errno(s, "file system", errno);
	}
	for (size_t i = 0; i < sizeof(NETWORK_FS) / sizeof(NETWORK_FS[0]);
	     i++) {
		if ((unsigned long)fs.f_type == NETWORK_FS[i].magic) {
			(void)snprintf(
				s->base.why, sizeof(s->base.why),
				"store %s: lies on a network file system "
				"(%s); it must be on a local disk",
				s->path, NETWORK_FS[i].name);
			return SP_EUNSUPPORTED;
		}
	}
	return 0;
}

static int take_lock(struct sp__sqlite *s)
{
	char path[PATH_BYTES_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s.lock", s->path);
	s->lock_fd =
		open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0) {
		return why_errno(s, "lock file", errno);
	}
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0) {
		return 0;
	}
	if (errno != EWOULDBLOCK) {
		return why_errno(s, "lock", errno);
	}
	(void)snprintf(s->base.why, sizeof(s->base.why),
	               "store %s: in use by another server", s->path);
	return SP_EBUSY;
}

/* Created here rather than by SQLite, for its mode; the log and the shared
 * memory take it over. SQLite's own open has no good words for errors. A
 * file that exists is not opened: closing it again would drop the locks of
 * another connection in this process. */
static int touch(struct sp__sqlite *s)
{
	bool writer = s->base.mode == SP_STORE_WRITER;
	int fd;

	if (access(s->path, writer ? R_OK | W_OK : R_OK) == 0) {
		return check_filesystem(s);
	}
	if (errno != ENOENT || !writer) {
		int ret = why_errno(s, "open", errno);

		return ret == -ENOENT ? SP_ENOTFOUND : ret;
	}
	fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		return why_errno(s, "create", errno);
	}
	close(fd);
	return check_filesystem(s);
}

static int connect_db(struct sp__sqlite *s)
{
	int flags = s->base.mode == SP_STORE_WRITER ? SQLITE_OPEN_READWRITE
	                                            : SQLITE_OPEN_READONLY;
	int rc = sqlite3_open_v2(s->path, &s->db,
	                         flags | SQLITE_OPEN_NOMUTEX |
	                                 SQLITE_OPEN_EXRESCODE,
	                         sp__sqlite_setup());

	if (rc != SQLITE_OK) {
		return sp__fail(s, rc, "open");
	}
	sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
	rc = sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (rc == SQLITE_OK) {
		rc = sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0,
		                       NULL);
	}
	if (rc == SQLITE_OK && s->base.mode == SP_STORE_READER) {
		rc = sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
		                       1, NULL);
	}
	return rc == SQLITE_OK ? 0 : sp__fail(s, rc, "set-up");
}

/* The report of a check has lines; a reason has one. */
static void why_damaged(struct sp__sqlite *s, struct sp_str report)
{
	(void)snprintf(s->base.why, sizeof(s->base.why),
	               "store %s: is damaged: " SP_STR_FMT, s->path,
	               SP_STR_ARG(sp_str_sub(report, 0, 200)));
	for (char *c = s->base.why; *c; c++) {
		*c = *c == '\n' ? ' ' : *c;
	}
}

static int quick_check(struct sp__sqlite *s)
{
	struct sp__use u = sp__use_text(s, "PRAGMA quick_check(1)");
	bool ok = false;
	int ret;

	if (sp__row(&u)) {
		struct sp_str report = sp__str(&u, 0, SIZE_MAX);

		ok = sp_str_eq(report, SP_STR("ok"));
		if (!ok) {
			why_damaged(s, report);
		}
	}
	ret = sp__end_text(&u);
	return ret || ok ? ret : SP_ESTORE;
}

/* ---- looking the file over ---- */

enum { /* meta.opened: one of these, or the boot in which it is open */
	OPENED_UNKNOWN = 0,
	OPENED_CLOSED = 1
};

static int64_t this_boot(void)
{
	int64_t boot = (int64_t)(sp_time_boot() >> 1);

	return boot > OPENED_CLOSED ? boot : OPENED_UNKNOWN;
}

static int decide_check(struct sp__sqlite *s)
{
	int64_t version = 0;
	int64_t opened = OPENED_UNKNOWN;
	int ret = sp__exec_int(s, "PRAGMA user_version", &version);

	if (ret == 0 && version > 0) {
		ret = sp__meta_get(s, "opened", &opened);
	}
	s->base.checked =
		opened == OPENED_CLOSED || (opened && opened == this_boot())
			? SP_STORE_CHECK_BRIEF
			: SP_STORE_CHECK_FULL;
	return ret;
}

/* The file is as long as its header says: nobody has cut it. */
static int check_length(struct sp__sqlite *s)
{
	struct stat st;
	int64_t pages = 0;
	int64_t page_bytes = 0;
	int ret = sp__exec_int(s, "PRAGMA page_count", &pages);

	ret = ret ? ret : sp__exec_int(s, "PRAGMA page_size", &page_bytes);
	if (ret) {
		return ret;
	}
	if (stat(s->path, &st)) {
		return why_errno(s, "file", errno);
	}
	if ((int64_t)st.st_size < pages * page_bytes) {
		why_damaged(s, SP_STR("the file is cut short"));
		return SP_ESTORE;
	}
	return 0;
}

/* Both ends of each table, where reading and writing begin. */
static int brief_check(struct sp__sqlite *s)
{
	static const char *const ends[] = {
		"SELECT * FROM message ORDER BY id LIMIT 1",
		"SELECT * FROM message ORDER BY id DESC LIMIT 1",
		"SELECT id FROM body ORDER BY id LIMIT 1",
		"SELECT id FROM body ORDER BY id DESC LIMIT 1",
		"SELECT * FROM recipient ORDER BY id LIMIT 1",
		"SELECT * FROM recipient ORDER BY id DESC LIMIT 1",
		"SELECT id FROM event ORDER BY id LIMIT 1",
		"SELECT id FROM event ORDER BY id DESC LIMIT 1",
		"SELECT * FROM destination ORDER BY id DESC LIMIT 1",
		"SELECT sum(n) FROM counter",
	};
	int ret = check_length(s);

	for (size_t i = 0; ret == 0 && i < sizeof(ends) / sizeof(ends[0]);
	     i++) {
		ret = sp__exec(s, ends[i]);
	}
	return ret;
}

/* The full check comes before anything is changed; the brief one knows the
 * tables of this version. */
static int check_and_migrate(struct sp__sqlite *s, bool check)
{
	int ret = check ? decide_check(s) : 0;

	s->in_doubt = !check;
	if (ret == 0 && s->base.checked == SP_STORE_CHECK_FULL) {
		ret = quick_check(s);
	}
	ret = ret ? ret : sp__migrate(s);
	if (ret == 0 && s->base.checked == SP_STORE_CHECK_BRIEF) {
		ret = brief_check(s);
	}
	return ret ? ret
	           : sp__meta_set(s, "opened",
	                          s->in_doubt ? OPENED_UNKNOWN : this_boot());
}

static int set_wal(struct sp__sqlite *s)
{
	struct sp__use u = sp__use_text(s, "PRAGMA journal_mode = WAL");
	bool wal = sp__row(&u) &&
	           sp_str_eq_nocase(sp__str(&u, 0, 32), SP_STR("wal"));
	int ret = sp__end_text(&u);

	if (ret == 0 && !wal) {
		(void)snprintf(s->base.why, sizeof(s->base.why),
		               "store %s: its file system has no shared memory",
		               s->path);
		ret = SP_EUNSUPPORTED;
	}
	return ret;
}

static int checkpoint(struct sp__sqlite *s, int mode)
{
	int in_log = 0;
	int moved = 0;
	int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, mode, &in_log, &moved);

	if (rc != SQLITE_OK && rc != SQLITE_BUSY) {
		return sp__fail(s, rc, "checkpoint");
	}
	if (rc == SQLITE_OK) {
		s->wal_pages = in_log - moved;
	}
	return rc == SQLITE_OK ? 0 : sp__fail(s, rc, "checkpoint");
}

static int log_grew(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct sp__sqlite *s = arg;

	(void)db;
	(void)name;
	s->wal_pages = pages;
	return SQLITE_OK;
}

static int set_up_writer(struct sp__sqlite *s, bool check)
{
	int ret = set_wal(s);

	ret = ret ? ret
	          : sp__exec(s, "PRAGMA synchronous = FULL;"
	                        "PRAGMA foreign_keys = ON;"
	                        "PRAGMA cell_size_check = ON;"
	                        "PRAGMA wal_autocheckpoint = 0;"
	                        "PRAGMA secure_delete = FAST;"
	                        "PRAGMA temp_store = MEMORY;"
	                        "PRAGMA cache_size = -16384");
	ret = ret ? ret : checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE);
	ret = ret ? ret : check_and_migrate(s, check);
	s->usable = ret == 0;
	sqlite3_wal_hook(s->db, log_grew, s);
	return ret;
}

static int set_up_reader(struct sp__sqlite *s)
{
	int ret = sp__exec(s, "PRAGMA query_only = ON;"
	                      "PRAGMA cell_size_check = ON;"
	                      "PRAGMA temp_store = MEMORY;"
	                      "PRAGMA cache_size = -4096");

	return ret ? ret : sp__check_version(s);
}

static int set_up(struct sp__sqlite *s, bool check)
{
	bool writer = s->base.mode == SP_STORE_WRITER;
	int ret = writer ? take_lock(s) : 0;

	ret = ret ? ret : touch(s);
	ret = ret ? ret : connect_db(s);
	if (ret) {
		return ret;
	}
	return writer ? set_up_writer(s, check) : set_up_reader(s);
}

static void close_engine(struct sp_store *store)
{
	struct sp__sqlite *s = sp__sqlite_of(store);

	/* Whether that can be noted does not matter: the next start then looks
	 * longer. */
	if (s->usable && !s->in_doubt) {
		(void)sp__meta_set(s, "opened", OPENED_CLOSED);
	}
	sp__destinations_drop(s);
	sp_map_fini(&s->destinations);
	for (size_t i = 0; i < SP__SQL_COUNT; i++) {
		(void)sqlite3_finalize(s->stmts[i]); /* repeats old errors */
	}
	(void)sqlite3_close_v2(s->db); /* never busy: all are finalized */
	if (s->lock_fd >= 0) {
		close(s->lock_fd);
	}
	sp_free(s->path);
	sp_free(s);
}

static int open_engine(struct sp_str rest, enum sp_store_mode mode, bool check,
                       struct sp_store **store_out, char *why_out,
                       size_t why_cap)
{
	struct sp__sqlite *s;
	int ret;

	*store_out = NULL;
	if (rest.len == 0 || rest.len > PATH_BYTES_MAX || rest.ptr[0] != '/' ||
	    memchr(rest.ptr, 0, rest.len)) {
		(void)snprintf(why_out, why_cap,
		               "store: expected sqlite: and an absolute path");
		return SP_ECONFIG;
	}
	s = SP_NEW(struct sp__sqlite);
	s->base.ops = &SP_STORE_SQLITE;
	s->base.mode = mode;
	s->base.limits = (struct sp_store_limits){INT64_MAX, INT64_MAX};
	s->lock_fd = -1;
	sp_map_init(&s->destinations);
	s->path = sp_str_dup(rest);
	ret = set_up(s, check);
	if (ret) {
		(void)snprintf(why_out, why_cap, "%s", s->base.why);
		close_engine(&s->base);
		return ret;
	}
	*store_out = &s->base;
	return 0;
}

/* ---- turns ---- */

static int begin(struct sp_store *store)
{
	struct sp__use u = sp__use(sp__sqlite_of(store), SP__SQL_BEGIN);

	return sp__run(&u);
}

static int commit(struct sp_store *store)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	int ret = sp__destinations_flush(s);
	struct sp__use u;

	ret = ret ? ret : sp__counts_flush(s);
	if (ret) {
		return ret;
	}
	u = sp__use(s, SP__SQL_COMMIT);
	return sp__run(&u);
}

static void rollback(struct sp_store *store)
{
	struct sp__sqlite *s = sp__sqlite_of(store);

	sp__destinations_drop(s);
	sp__counts_drop(s);
	/* Some errors have rolled back already. When this fails the caller
	 * closes the store, which has the same effect. */
	if (!sqlite3_get_autocommit(s->db)) {
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	}
}

static int maintain(struct sp_store *store, bool all)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	int ret;

	if (all) {
		ret = checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE);
	} else if (s->wal_pages >= CHECKPOINT_PAGES) {
		ret = checkpoint(s, SQLITE_CHECKPOINT_PASSIVE);
	} else {
		return 0;
	}
	/* A reader looks at the log just now: next time. */
	return ret == SP_EBUSY ? 0 : ret;
}

/* A new message is written twice, to the log and to the file, where it takes
 * free pages first. What the log holds will need as much of the file. */
static int measure(struct sp__sqlite *s, int64_t *bytes_out)
{
	struct statvfs fs;
	int64_t page_bytes = 0;
	int64_t free_pages = 0;
	int64_t reserve;
	int64_t disk;
	int64_t inside;
	int ret = sp__exec_int(s, "PRAGMA page_size", &page_bytes);

	ret = ret ? ret : sp__exec_int(s, "PRAGMA freelist_count", &free_pages);
	if (ret) {
		return ret;
	}
	if (fstatvfs(s->lock_fd, &fs)) {
		return why_errno(s, "file system", errno);
	}
	if (fs.f_blocks == 0) { /* one that does not tell: a tmpfs without
		                 * a limit, some of FUSE */
		*bytes_out = INT64_MAX;
		return 0;
	}
	reserve = (int64_t)(fs.f_blocks / RESERVE_SHARE * fs.f_frsize);
	reserve = reserve < RESERVE_MAX ? reserve : RESERVE_MAX;
	disk = (int64_t)(fs.f_bavail * fs.f_frsize) - reserve -
	       s->wal_pages * page_bytes;
	inside = free_pages * page_bytes;
	*bytes_out = disk <= inside ? disk : (disk + inside) / 2;
	return 0;
}

static int room(struct sp_store *store, int64_t *bytes_out)
{
	struct sp__sqlite *s = sp__sqlite_of(store);
	int ret = measure(s, bytes_out);

	if (ret || *bytes_out > 0) {
		return ret;
	}
	ret = checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE);
	if (ret && ret != -ENOSPC && ret != SP_EBUSY) {
		return ret;
	}
	return measure(s, bytes_out);
}

const struct sp_store_ops SP_STORE_SQLITE = {
	.scheme = "sqlite:",
	.open = open_engine,
	.close = close_engine,
	.begin = begin,
	.commit = commit,
	.rollback = rollback,
	.maintain = maintain,
	.room = room,
	.enqueue = sp__enqueue,
	.append_body = sp__append_body,
	.finish = sp__finish,
	.abort = sp__abort,
	.sweep_incoming = sp__sweep_incoming,
	.list_to_sign = sp__list_to_sign,
	.sign = sp__sign,
	.claim_due = sp__claim_due,
	.lease = sp__lease,
	.settle = sp__settle,
	.release_leases = sp__release_leases,
	.expire = sp__expire,
	.next_report = sp__next_report,
	.read_evidence = sp__read_evidence,
	.reported = sp__reported,
	.next_notice = sp__next_notice,
	.exception_set = sp__exception_set,
	.exception_remove = sp__exception_remove,
	.exception_find = sp__exception_find,
	.exceptions = sp__exceptions,
	.sts_set = sp__sts_set,
	.sts_find = sp__sts_find,
	.sts_mark = sp__sts_mark,
	.sts_due = sp__sts_due,
	.sts_next = sp__sts_next,
	.sts_forget = sp__sts_forget,
	.next_due = sp__next_due,
	.overdue = sp__overdue,
	.next_overdue = sp__next_overdue,
	.end_pauses = sp__end_pauses,
	.next_expiry = sp__next_expiry,
	.read_body = sp__read_body,
	.set_workers = sp__set_workers,
	.purge = sp__purge,
	.clock = sp__clock,
	.set_clock = sp__set_clock,
	.shift = sp__shift,
	.search = sp__search,
	.events = sp__events,
	.act = sp__act,
	.failing = sp__failing,
	.stats = sp__stats,
	.tls_count = sp__tls_count,
	.tls_counts = sp__tls_counts,
	.tls_out_set = sp__tls_out_set,
	.tls_out_find = sp__tls_out_find,
	.tls_outs = sp__tls_outs,
	.tls_outs_of = sp__tls_outs_of,
	.tls_outs_to = sp__tls_outs_to,
	.tls_in_add = sp__tls_in_add,
	.tls_ins = sp__tls_ins,
	.tls_untold = sp__tls_untold,
	.tls_in_told = sp__tls_in_told,
	.tls_in_alerts = sp__tls_in_alerts,
	.tls_purge = sp__tls_purge,
};
