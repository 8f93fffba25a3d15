/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables. One row in `recipient` is one recipient of one message and
 * carries all of its state; partial indexes hold exactly the rows that the
 * scheduler asks for, so that a claim costs the same with ten recipients
 * queued and with ten million:
 *
 *   recipient_due      queued, by domain and due time   (claim)
 *   recipient_waiting  those that wait for their destination to come back
 *   recipient_expiry   queued, by expiry                (expire)
 *   recipient_open     not done, by message and domain  (grouping, lists)
 *   recipient_leased   leased, by attempt               (settle, release)
 *   recipient_flying   leased, by domain                (share)
 *   recipient_report   report due, by message
 *   recipient_notice   queued and a delay notice to come, by its time
 *
 * Numbers in the checks are those of enum sp_store_state, 6 being the
 * recipient of a message that is still coming in. `counter` is kept equal to
 * the rows in each turn, so that statistics never count.
 *
 * A change of the schema is a further entry of MIGRATIONS; entries are never
 * edited once released. user_version is the number of entries applied.
 */
#include <stdio.h>

#include "base/err.h"
#include "store/sqlite.h"

#define APPLICATION_ID 0x53504c51 /* "SPLQ" */

static const char SCHEMA_1[] =
	"CREATE TABLE meta ("
	"  name TEXT PRIMARY KEY, value INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE message ("
	"  id INTEGER PRIMARY KEY,"
	"  queue_id TEXT NOT NULL UNIQUE"
	"    CHECK (length(queue_id) BETWEEN 1 AND 32),"
	"  incoming INTEGER NOT NULL CHECK (incoming IN (0, 1)),"
	"  sender TEXT NOT NULL CHECK (length(sender) <= 320),"
	"  envid TEXT NOT NULL CHECK (length(envid) <= 100),"
	"  ret INTEGER NOT NULL CHECK (ret BETWEEN 0 AND 2),"
	"  smtputf8 INTEGER NOT NULL CHECK (smtputf8 IN (0, 1)),"
	"  body_8bit INTEGER NOT NULL CHECK (body_8bit IN (0, 1)),"
	"  requiretls INTEGER NOT NULL CHECK (requiretls IN (0, 1)),"
	"  client TEXT NOT NULL, helo TEXT NOT NULL,"
	"  message_id TEXT NOT NULL CHECK (length(message_id) <= 998),"
	"  received_ms INTEGER NOT NULL,"
	"  expires_ms INTEGER NOT NULL,"
	"  size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),"
	"  chunks INTEGER NOT NULL CHECK (chunks >= 1),"
	"  done_ms INTEGER" /* null: recipients open, or a report due */
	") STRICT;"
	"CREATE INDEX message_received ON message (received_ms);"
	"CREATE INDEX message_message_id ON message (message_id)"
	"  WHERE message_id <> '';"
	"CREATE INDEX message_incoming ON message (id) WHERE incoming = 1;"
	"CREATE INDEX message_done ON message (done_ms)"
	"  WHERE done_ms IS NOT NULL;"

	"CREATE TABLE body ("
	"  id INTEGER PRIMARY KEY,"
	"  message INTEGER NOT NULL REFERENCES message ON DELETE CASCADE,"
	"  seq INTEGER NOT NULL CHECK (seq >= 0),"
	"  data BLOB NOT NULL CHECK (length(data) <= 262144),"
	"  UNIQUE (message, seq)"
	") STRICT;"

	"CREATE TABLE recipient ("
	"  id INTEGER PRIMARY KEY,"
	"  message INTEGER NOT NULL REFERENCES message ON DELETE CASCADE,"
	"  address TEXT NOT NULL CHECK (length(address) <= 320),"
	"  domain TEXT NOT NULL CHECK (length(domain) <= 255),"
	"  orcpt TEXT NOT NULL CHECK (length(orcpt) <= 500),"
	"  notify INTEGER NOT NULL CHECK (notify BETWEEN 0 AND 15),"
	"  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 6),"
	"  worker INTEGER NOT NULL CHECK (worker BETWEEN 0 AND 1023),"
	"  due_ms INTEGER NOT NULL,"
	"  expires_ms INTEGER NOT NULL,"
	"  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),"
	"  first_attempt_ms INTEGER,"
	"  attempt_id INTEGER CHECK ((state = 1) = (attempt_id IS NOT NULL)),"
	"  code TEXT NOT NULL DEFAULT '',"
	"  cause TEXT NOT NULL DEFAULT '',"
	"  reply TEXT NOT NULL DEFAULT '',"
	"  security TEXT NOT NULL DEFAULT '',"
	"  expired_code TEXT NOT NULL DEFAULT '',"
	"  expired_reply TEXT NOT NULL DEFAULT '',"
	"  report_due INTEGER NOT NULL DEFAULT 0 CHECK (report_due IN (0, 1)),"
	"  done_ms INTEGER CHECK ((state BETWEEN 3 AND 5) ="
	"    (done_ms IS NOT NULL))"
	") STRICT;"
	"CREATE INDEX recipient_message ON recipient (message);"
	"CREATE INDEX recipient_due ON recipient (worker, due_ms)"
	"  WHERE state = 0;"
	"CREATE INDEX recipient_expiry ON recipient (expires_ms)"
	"  WHERE state = 0;"
	"CREATE INDEX recipient_open ON recipient (message, domain)"
	"  WHERE state <= 2;"
	"CREATE INDEX recipient_leased ON recipient (attempt_id)"
	"  WHERE state = 1;"
	"CREATE INDEX recipient_report ON recipient (message)"
	"  WHERE report_due = 1;"

	/* Recipients and events go with their message only; rcpt and
         * detail_of need no key of their own. The evidence of an attempt for
         * several recipients is kept once, by the first event. */
	"CREATE TABLE event ("
	"  id INTEGER PRIMARY KEY,"
	"  message INTEGER NOT NULL REFERENCES message ON DELETE CASCADE,"
	"  rcpt INTEGER," /* null: all recipients of the message */
	"  time_ms INTEGER NOT NULL,"
	"  type INTEGER NOT NULL CHECK (type BETWEEN 0 AND 10),"
	"  attempt INTEGER NOT NULL CHECK (attempt >= 0),"
	"  code TEXT NOT NULL, cause TEXT NOT NULL, reply TEXT NOT NULL,"
	"  security TEXT NOT NULL, host TEXT NOT NULL, address TEXT NOT NULL,"
	"  detail TEXT CHECK (length(detail) <= 262144),"
	"  detail_of INTEGER CHECK (detail IS NULL OR detail_of IS NULL)"
	") STRICT;"
	"CREATE INDEX event_message ON event (message, rcpt);"

	/* Kinds: 0-6 recipients by state, 7 report due, 8 messages, 9 those
         * coming in. */
	"CREATE TABLE counter ("
	"  kind INTEGER PRIMARY KEY CHECK (kind BETWEEN 0 AND 9),"
	"  n INTEGER NOT NULL CHECK (n >= 0)"
	") STRICT;"
	"INSERT INTO counter VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0),"
	"  (5, 0), (6, 0), (7, 0), (8, 0), (9, 0);"
	"CREATE TRIGGER recipient_new AFTER INSERT ON recipient BEGIN"
	"  UPDATE counter SET n = n + 1 WHERE kind = NEW.state; END;"
	"CREATE TRIGGER recipient_state AFTER UPDATE OF state ON recipient"
	"  WHEN OLD.state <> NEW.state BEGIN"
	"  UPDATE counter SET n = n - 1 WHERE kind = OLD.state;"
	"  UPDATE counter SET n = n + 1 WHERE kind = NEW.state; END;"
	"CREATE TRIGGER recipient_reporting AFTER UPDATE OF report_due"
	"  ON recipient WHEN OLD.report_due <> NEW.report_due BEGIN"
	"  UPDATE counter SET n = n + NEW.report_due - OLD.report_due"
	"    WHERE kind = 7; END;"
	"CREATE TRIGGER recipient_gone AFTER DELETE ON recipient BEGIN"
	"  UPDATE counter SET n = n - 1 WHERE kind = OLD.state;"
	"  UPDATE counter SET n = n - OLD.report_due WHERE kind = 7; END;"
	"CREATE TRIGGER message_new AFTER INSERT ON message BEGIN"
	"  UPDATE counter SET n = n + 1 WHERE kind = 8 + NEW.incoming; END;"
	"CREATE TRIGGER message_in AFTER UPDATE OF incoming ON message"
	"  WHEN OLD.incoming <> NEW.incoming BEGIN"
	"  UPDATE counter SET n = n - 1 WHERE kind = 8 + OLD.incoming;"
	"  UPDATE counter SET n = n + 1 WHERE kind = 8 + NEW.incoming; END;"
	"CREATE TRIGGER message_gone AFTER DELETE ON message BEGIN"
	"  UPDATE counter SET n = n - 1 WHERE kind = 8 + OLD.incoming; END;";

/* When the sender is to hear that a message is late; null: not at all, or
 * told already. */
static const char SCHEMA_NOTICE[] =
	"ALTER TABLE recipient ADD COLUMN notice_ms INTEGER;"
	"CREATE INDEX recipient_notice ON recipient (notice_ms)"
	"  WHERE state = 0 AND notice_ms IS NOT NULL;";

/* The message says "TLS-Required: No". */
static const char SCHEMA_TLS_OPTIONAL[] =
	"ALTER TABLE message ADD COLUMN tls_optional INTEGER NOT NULL DEFAULT 0"
	"  CHECK (tls_optional IN (0, 1));";

/* Destinations for which verdicts of TLS are waived for a time. */
static const char SCHEMA_EXCEPTION[] =
	"CREATE TABLE exception ("
	"  domain TEXT PRIMARY KEY CHECK (length(domain) BETWEEN 1 AND 255),"
	"  until_ms INTEGER NOT NULL,"
	"  reason TEXT NOT NULL CHECK (length(reason) <= 500),"
	"  added_ms INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX exception_until ON exception (until_ms);";

/* Destinations: sqlite_destination.c tells what the columns mean. A next_ms
 * of 0 is looked up anew at the first claim. */
static const char SCHEMA_DESTINATION[] =
	"ALTER TABLE recipient ADD COLUMN waits INTEGER NOT NULL DEFAULT 0"
	"  CHECK (waits IN (0, 1));"
	"DROP INDEX recipient_due;"
	"CREATE INDEX recipient_due ON recipient (domain, due_ms, expires_ms)"
	"  WHERE state = 0;"
	"CREATE INDEX recipient_waiting"
	"  ON recipient (domain, due_ms, expires_ms)"
	"  WHERE state = 0 AND waits = 1;"
	"CREATE INDEX recipient_flying ON recipient (domain, attempt_id)"
	"  WHERE state = 1;"
	"CREATE INDEX recipient_address"
	"  ON recipient (address COLLATE NOCASE, message);"
	"CREATE INDEX message_sender"
	"  ON message (sender COLLATE NOCASE, received_ms);"
	"CREATE TABLE destination ("
	"  id INTEGER PRIMARY KEY,"
	"  domain TEXT NOT NULL UNIQUE CHECK (length(domain) <= 255),"
	"  worker INTEGER NOT NULL CHECK (worker BETWEEN 0 AND 1023),"
	"  window INTEGER NOT NULL DEFAULT 5 CHECK (window >= 1),"
	"  in_flight INTEGER NOT NULL DEFAULT 0 CHECK (in_flight >= 0),"
	"  asked_ms INTEGER NOT NULL DEFAULT 0,"
	"  turn INTEGER NOT NULL DEFAULT 0,"
	"  failing INTEGER NOT NULL DEFAULT 0 CHECK (failing IN (0, 1)),"
	"  revived INTEGER NOT NULL DEFAULT 0 CHECK (revived IN (0, 1)),"
	"  pause_ms INTEGER NOT NULL DEFAULT 0,"
	"  next_ms INTEGER,"  /* null: no claim */
	"  sweep_ms INTEGER," /* null: nothing to defer */
	"  failed_ms INTEGER NOT NULL DEFAULT 0,"
	"  probe TEXT NOT NULL DEFAULT '',"
	"  code TEXT NOT NULL DEFAULT '',"
	"  cause TEXT NOT NULL DEFAULT '',"
	"  reply TEXT NOT NULL DEFAULT '',"
	"  expired_code TEXT NOT NULL DEFAULT '',"
	"  expired_reply TEXT NOT NULL DEFAULT '',"
	"  security TEXT NOT NULL DEFAULT '',"
	"  host TEXT NOT NULL DEFAULT '',"
	"  address TEXT NOT NULL DEFAULT ''"
	") STRICT;"
	"CREATE INDEX destination_next"
	"  ON destination (worker, failing, next_ms, turn)"
	"  WHERE next_ms IS NOT NULL;"
	"CREATE INDEX destination_sweep ON destination (sweep_ms)"
	"  WHERE sweep_ms IS NOT NULL;"
	"CREATE INDEX destination_probed ON destination (worker)"
	"  WHERE failing = 1 AND in_flight > 0;"
	"INSERT INTO destination (domain, worker, next_ms)"
	"  SELECT domain, max(worker), 0 FROM recipient WHERE state IN (0, 1)"
	"  GROUP BY domain;";

/* DKIM: to_sign while the message waits for its signature, which then goes
 * out before the body. */
static const char SCHEMA_SIGNATURE[] =
	"ALTER TABLE message ADD COLUMN to_sign INTEGER NOT NULL DEFAULT 0"
	"  CHECK (to_sign IN (0, 1));"
	"ALTER TABLE message ADD COLUMN signature TEXT"
	"  CHECK (length(signature) <= 16384);"
	"CREATE INDEX message_to_sign ON message (id) WHERE to_sign = 1;";

/* Policies of MTA-STS: sqlite_sts.c tells what the columns mean. */
static const char SCHEMA_STS[] =
	"CREATE TABLE sts_policy ("
	"  id INTEGER PRIMARY KEY,"
	"  domain TEXT NOT NULL UNIQUE"
	"    CHECK (length(domain) BETWEEN 1 AND 255),"
	"  policy_id TEXT NOT NULL CHECK (length(policy_id) <= 32),"
	"  body BLOB NOT NULL CHECK (length(body) <= 65536),"
	"  fetched_ms INTEGER NOT NULL,"
	"  expires_ms INTEGER NOT NULL,"
	"  refresh_ms INTEGER,"
	"  used_ms INTEGER NOT NULL"
	") STRICT;"
	"CREATE INDEX sts_policy_refresh ON sts_policy (refresh_ms)"
	"  WHERE refresh_ms IS NOT NULL;"
	"CREATE INDEX sts_policy_expiry ON sts_policy (expires_ms);";

/* TLS reports: counts by UTC day, what became of our reports, and the reports
 * of others. Numbers of state are those of enum sp_store_tls_out_state. */
static const char SCHEMA_TLS_REPORT[] =
	"CREATE TABLE tls_policy ("
	"  id INTEGER PRIMARY KEY,"
	"  domain TEXT NOT NULL CHECK (length(domain) <= 255),"
	"  recipient TEXT NOT NULL CHECK (length(recipient) <= 255),"
	"  type TEXT NOT NULL, policy TEXT NOT NULL, mx_hosts TEXT NOT NULL,"
	"  UNIQUE (domain, recipient, type, policy, mx_hosts)"
	") STRICT;"
	"CREATE TABLE tls_count ("
	"  day INTEGER NOT NULL CHECK (day >= 0),"
	"  policy INTEGER NOT NULL,"
	"  result TEXT NOT NULL, sending_ip TEXT NOT NULL,"
	"  mx_host TEXT NOT NULL, mx_helo TEXT NOT NULL,"
	"  receiving_ip TEXT NOT NULL, reason TEXT NOT NULL,"
	"  sessions INTEGER NOT NULL CHECK (sessions >= 0),"
	"  PRIMARY KEY (day, policy, result, sending_ip, mx_host, mx_helo,"
	"   receiving_ip, reason)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX tls_count_policy ON tls_count (policy);"
	"CREATE TABLE tls_report_out ("
	"  day INTEGER NOT NULL, domain TEXT NOT NULL, uri TEXT NOT NULL,"
	"  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),"
	"  report_id TEXT NOT NULL, tries INTEGER NOT NULL,"
	"  next_ms INTEGER NOT NULL, queue_id TEXT NOT NULL,"
	"  why TEXT NOT NULL, time_ms INTEGER NOT NULL,"
	"  PRIMARY KEY (day, domain, uri)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE tls_report_in ("
	"  id INTEGER PRIMARY KEY,"
	"  received_ms INTEGER NOT NULL,"
	"  organization TEXT NOT NULL, report_id TEXT NOT NULL,"
	"  contact TEXT NOT NULL,"
	"  start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,"
	"  dkim TEXT NOT NULL,"
	"  trusted INTEGER NOT NULL CHECK (trusted IN (0, 1)),"
	"  type TEXT NOT NULL, domain TEXT NOT NULL, policy TEXT NOT NULL,"
	"  successful INTEGER NOT NULL CHECK (successful >= 0),"
	"  failed INTEGER NOT NULL CHECK (failed >= 0),"
	"  failures TEXT NOT NULL, oddities TEXT NOT NULL,"
	"  UNIQUE (organization, report_id, type, domain, policy)"
	") STRICT;"
	"CREATE INDEX tls_report_in_domain ON tls_report_in (domain, start_ms);"
	"CREATE INDEX tls_report_in_start ON tls_report_in (start_ms);"
	"CREATE INDEX tls_report_in_received ON tls_report_in (received_ms);";

/* Rows that come and change are counted by the one process that writes them
 * (sqlite_count.c): a trigger for each made a fifth of all the work. Those
 * that go, seldom and many at a time, still have their triggers. */
static const char SCHEMA_COUNTED[] = "DROP TRIGGER recipient_new;"
				     "DROP TRIGGER recipient_state;"
				     "DROP TRIGGER recipient_reporting;"
				     "DROP TRIGGER message_new;"
				     "DROP TRIGGER message_in;";

/* A name of a report is its sender's word, so it is no key: a forged one must
 * not keep the true one out (sqlite_tls_report.c). told: 0 not yet, 1 by a
 * digest, 2 by an alert; what was here before was told. */
static const char SCHEMA_TLS_TOLD[] =
	"CREATE TABLE tls_report_got ("
	"  id INTEGER PRIMARY KEY,"
	"  received_ms INTEGER NOT NULL,"
	"  organization TEXT NOT NULL, report_id TEXT NOT NULL,"
	"  contact TEXT NOT NULL,"
	"  start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,"
	"  dkim TEXT NOT NULL,"
	"  trusted INTEGER NOT NULL CHECK (trusted IN (0, 1)),"
	"  type TEXT NOT NULL, domain TEXT NOT NULL, policy TEXT NOT NULL,"
	"  successful INTEGER NOT NULL CHECK (successful >= 0),"
	"  failed INTEGER NOT NULL CHECK (failed >= 0),"
	"  failures TEXT NOT NULL, oddities TEXT NOT NULL,"
	"  told INTEGER NOT NULL CHECK (told BETWEEN 0 AND 2)"
	") STRICT;"
	"INSERT INTO tls_report_got SELECT id, received_ms, organization,"
	"  report_id, contact, start_ms, end_ms, dkim, trusted, type, domain,"
	"  policy, successful, failed, failures, oddities, 1"
	"  FROM tls_report_in;"
	"DROP TABLE tls_report_in;"
	"ALTER TABLE tls_report_got RENAME TO tls_report_in;"
	"CREATE INDEX tls_report_in_name"
	"  ON tls_report_in (report_id, organization);"
	"CREATE INDEX tls_report_in_domain ON tls_report_in (domain, start_ms);"
	"CREATE INDEX tls_report_in_start ON tls_report_in (start_ms);"
	"CREATE INDEX tls_report_in_received ON tls_report_in (received_ms);"
	"CREATE INDEX tls_report_in_told ON tls_report_in (told, received_ms)"
	"  WHERE told <> 1 AND trusted = 1 AND failed > 0;";

/* Who is open is not done: an index that does not name the state is left alone
 * by a claim, a hold and a release. Those coming in stand in it too. */
static const char SCHEMA_OPEN[] =
	"DROP INDEX recipient_open;"
	"CREATE INDEX recipient_open ON recipient (message, domain)"
	"  WHERE done_ms IS NULL;";

/* What belongs to one report, or to one address of reports, is found without
 * reading all of a day. */
static const char SCHEMA_TLS_FOUND[] =
	"CREATE INDEX tls_policy_recipient ON tls_policy (recipient);"
	"CREATE INDEX tls_report_out_uri ON tls_report_out (uri, day);";

static const char *const MIGRATIONS[] = {
	SCHEMA_1,         SCHEMA_NOTICE,      SCHEMA_TLS_OPTIONAL,
	SCHEMA_EXCEPTION, SCHEMA_DESTINATION, SCHEMA_SIGNATURE,
	SCHEMA_STS,       SCHEMA_COUNTED,     SCHEMA_TLS_REPORT,
	SCHEMA_TLS_TOLD,  SCHEMA_OPEN,        SCHEMA_TLS_FOUND};

#define VERSION ((int64_t)(sizeof(MIGRATIONS) / sizeof(MIGRATIONS[0])))

static int refuse(struct sp__sqlite *s, const char *why)
{
	(void)snprintf(s->base.why, sizeof(s->base.why), "store %s: %s",
	               s->path, why);
	return SP_EUNSUPPORTED;
}

static int read_version(struct sp__sqlite *s, int64_t *version_out)
{
	int64_t application = 0;
	int64_t pages = 0;
	int ret = sp__exec_int(s, "PRAGMA application_id", &application);

	ret = ret ? ret : sp__exec_int(s, "PRAGMA page_count", &pages);
	ret = ret ? ret : sp__exec_int(s, "PRAGMA user_version", version_out);
	if (ret) {
		return ret;
	}
	if (pages > 0 && application != APPLICATION_ID &&
	    (application != 0 || *version_out != 0)) {
		return refuse(s, "is a database of another program");
	}
	if (*version_out > VERSION) {
		return refuse(s, "was written by a newer version");
	}
	return 0;
}

int sp__check_version(struct sp__sqlite *s)
{
	int64_t version = 0;
	int ret = read_version(s, &version);

	if (ret == 0 && version != VERSION) {
		(void)snprintf(
			s->base.why, sizeof(s->base.why),
			"store %s: not set up yet (the server does that)",
			s->path);
		return version == 0 ? SP_ENOTFOUND : SP_EUNSUPPORTED;
	}
	return ret;
}

/* A new file must be empty: tables of others are not ours to mix with. */
static int check_empty(struct sp__sqlite *s)
{
	int64_t tables = 0;
	int ret =
		sp__exec_int(s, "SELECT count(*) FROM sqlite_schema", &tables);

	if (ret == 0 && tables != 0) {
		return refuse(s, "is a database of another program");
	}
	return ret;
}

static int apply(struct sp__sqlite *s, int64_t version)
{
	char pragma[64];
	int ret = sp__exec(s, MIGRATIONS[version]);

	(void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %lld",
	               (long long)version + 1);
	return ret ? ret : sp__exec(s, pragma);
}

int sp__migrate(struct sp__sqlite *s)
{
	char pragma[64];
	int64_t version = 0;
	int ret = read_version(s, &version);

	if (ret || version == VERSION) {
		return ret;
	}
	if (version == 0) {
		ret = check_empty(s);
	}
	(void)snprintf(pragma, sizeof(pragma), "PRAGMA application_id = %d",
	               APPLICATION_ID);
	ret = ret ? ret : sp__exec(s, "BEGIN IMMEDIATE");
	ret = ret ? ret : sp__exec(s, pragma);
	for (; ret == 0 && version < VERSION; version++) {
		ret = apply(s, version);
	}
	ret = ret ? ret : sp__exec(s, "COMMIT");
	if (ret && !sqlite3_get_autocommit(s->db)) {
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	}
	return ret;
}
