/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of all keys: name, type, range, default and the sentence of the
 * manual stand in one row, so that parser, checker and manual can't differ.
 */
#include <string.h>

#include "conf/conf_schema.h"

#define MINUTE_MS (60 * 1000LL)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
#define YEAR_MS   (365 * DAY_MS)
#define MIB       (1024 * 1024LL)

#define AT(field) offsetof(struct sp_conf, field)

static const struct sp_conf_key TOP[] = {
	{"hostname", SP_CONF_HOST, AT(hostname), 0, 0, NULL, "",
         "Our name in greetings, EHLO and trace headers. Empty: the name of "
         "the machine."},
	{"postmaster", SP_CONF_MAILBOX, AT(postmaster), 0, 0, NULL, "",
         "Who gets alerts, and mail to postmaster without a domain."},
	{"store", SP_CONF_TEXT, AT(store), 0, 0, NULL,
         "sqlite:/var/lib/sealpost/sealpost.db",
         "Where queue and trace are kept: sqlite: and a file on a local "
         "file system."},
	{"control", SP_CONF_TEXT, AT(control), 0, 0, NULL,
         "/run/sealpost/control",
         "The socket over which the command line talks to the server."},
	{"user", SP_CONF_TEXT, AT(user), 0, 0, NULL, "sealpost",
         "All roles run as this user when the server is started as root. "
         "Empty: the user does not change."},
	{"enforce", SP_CONF_BOOL, AT(enforce), 0, 0, NULL, "true",
         "false is log-only mode: verdicts of TLSA, STARTTLS and MTA-STS are "
         "traced as would have blocked, and waived."},
	{"deliver", SP_CONF_BOOL, AT(deliver), 0, 0, NULL, "true",
         "false: accept and queue, deliver nothing."},
	{"workers", SP_CONF_NUMBER, AT(workers), 0, 256, NULL, "0",
         "Transport processes. 0: one per core."},
	{"ca_bundle", SP_CONF_FILE, AT(ca_bundle), 0, 0, NULL, "",
         "WebPKI roots for MTA-STS. Empty: the system's."},
	{"log_level", SP_CONF_WORD, AT(log_level), 0, 0,
         "error warn info debug", "info", "What goes to standard error."},
	{"log_json", SP_CONF_BOOL, AT(log_json), 0, 0, NULL, "false",
         "One JSON object a line in place of text."},
	{"retry", SP_CONF_STEPS, AT(retry), 1, YEAR_MS, NULL, "15m 15m 1h",
         "Time to the next attempt after each failed one; the last step "
         "repeats. Due times are offsets from the first attempt."},
	{"expire", SP_CONF_TIME, AT(expire_ms), 1, YEAR_MS, NULL, "24h",
         "How long after it was queued a message is tried."},
	{"delay_notice", SP_CONF_TIME, AT(delay_notice_ms), 0, YEAR_MS, NULL,
         "4h", "When the sender hears that a message is late. 0: never."},
	{"trace_keep", SP_CONF_TIME, AT(trace_keep_ms), 0, 10 * YEAR_MS, NULL,
         "90d", "How long the trace of finished messages is kept."},
	{0},
};

#define KEY(section, field) AT(section.field)

static const struct sp_conf_key GUARD[] = {
	{"enabled", SP_CONF_BOOL, KEY(guard, enabled), 0, 0, NULL, "true",
         "Refuse private, loopback and link-local addresses of names that "
         "strangers choose."},
	{"allow", SP_CONF_NETWORKS, KEY(guard, allow), 0, 0, NULL, "",
         "Networks that are allowed all the same."},
	{0},
};

static const struct sp_conf_key SMTP[] = {
	{"port", SP_CONF_NUMBER, KEY(smtp, port), 1, 65535, NULL, "25",
         "The port dialled, and the one in the owner of TLSA records."},
	{"source4", SP_CONF_TEXT, KEY(smtp, source4), 0, 0, NULL, "",
         "IPv4 address to connect from. Empty: the system chooses."},
	{"source6", SP_CONF_TEXT, KEY(smtp, source6), 0, 0, NULL, "",
         "IPv6 address to connect from. Empty: the system chooses."},
	{"max_connections", SP_CONF_NUMBER, KEY(smtp, max_connections), 1,
         100000, NULL, "2000",
         "Deliveries at one time, divided over the workers and rounded up."},
	{"max_per_host", SP_CONF_NUMBER, KEY(smtp, max_per_host), 1, 10000,
         NULL, "20",
         "Connections at one time to one MX host, and to one address, whatever "
         "the domains, divided over the workers and rounded up. Those to an "
         "address begin with 5 for each worker and grow with success."},
	{"host_pause", SP_CONF_TIME, KEY(smtp, host_pause_ms), 0, DAY_MS, NULL,
         "5m",
         "How long at most an address that refused connections or kept silent "
         "is not tried again for other domains; they are told the same "
         "meanwhile. It begins with 10 s and doubles, and is never more than "
         "half of the shortest retry step."},
	{"max_per_domain", SP_CONF_NUMBER, KEY(smtp, max_per_domain), 1, 10000,
         NULL, "20",
         "Deliveries at one time to one domain, and never more than a quarter "
         "of those of its worker. It begins with 5 and grows with success."},
	{"domain_pause", SP_CONF_TIME, KEY(smtp, domain_pause_ms), 0, DAY_MS,
         NULL, "5m",
         "How long a domain is left alone when all of its hosts failed; its "
         "mail is deferred for the same reason meanwhile. Never more than "
         "half of the shortest retry step."},
	{"messages_per_connection", SP_CONF_NUMBER,
         KEY(smtp, messages_per_connection), 1, 100000, NULL, "100",
         "Messages sent over one connection before it is closed."},
	{"connect_timeout", SP_CONF_TIME, KEY(smtp, connect_timeout_ms), 1,
         HOUR_MS, NULL, "30s", "For the TCP connection to one address."},
	{"greeting_timeout", SP_CONF_TIME, KEY(smtp, greeting_timeout_ms), 1,
         HOUR_MS, NULL, "5m", "RFC 5321 4.5.3.2.1."},
	{"command_timeout", SP_CONF_TIME, KEY(smtp, command_timeout_ms), 1,
         HOUR_MS, NULL, "5m",
         "Reply to EHLO, STARTTLS, the handshake, MAIL and RCPT (RFC 5321 "
         "4.5.3.2.2 and .3)."},
	{"data_init_timeout", SP_CONF_TIME, KEY(smtp, data_init_timeout_ms), 1,
         HOUR_MS, NULL, "2m", "Reply to DATA (RFC 5321 4.5.3.2.4)."},
	{"data_block_timeout", SP_CONF_TIME, KEY(smtp, data_block_timeout_ms),
         1, HOUR_MS, NULL, "3m",
         "Until the peer takes the next part of the message (RFC 5321 "
         "4.5.3.2.5)."},
	{"data_done_timeout", SP_CONF_TIME, KEY(smtp, data_done_timeout_ms), 1,
         HOUR_MS, NULL, "10m", "Reply to the final dot (RFC 5321 4.5.3.2.6)."},
	{"attempt_timeout", SP_CONF_TIME, KEY(smtp, attempt_timeout_ms), 1,
         DAY_MS, NULL, "30m",
         "For a whole attempt: all hosts and addresses together."},
	{"plan_timeout", SP_CONF_TIME, KEY(smtp, plan_timeout_ms), 1, HOUR_MS,
         NULL, "2m",
         "For all DNS questions of an attempt together; what is open then "
         "counts as not answered."},
	{"patience", SP_CONF_TIME, KEY(smtp, patience_ms), 1, HOUR_MS, NULL,
         "10s",
         "When all places for deliveries of a worker are taken: how long an "
         "attempt may go without beginning to send. Those over it keep a "
         "quarter of the places. For the others, the oldest first, what they "
         "wait for counts as timed out, and the next address has half of the "
         "time."},
	{"idle_timeout", SP_CONF_TIME, KEY(smtp, idle_timeout_ms), 0, HOUR_MS,
         NULL, "2s",
         "How long an idle connection waits for the next message "
         "under the same policy. 0: none is kept."},
	{"hosts_max", SP_CONF_NUMBER, KEY(smtp, hosts_max), 1, 100, NULL, "10",
         "MX hosts that are looked at; the others are ignored."},
	{"addresses_max", SP_CONF_NUMBER, KEY(smtp, addresses_max), 1, 100,
         NULL, "10", "Addresses of one host that are tried."},
	{0},
};

static const struct sp_conf_key RECEIVE[] = {
	{"size_max", SP_CONF_SIZE, KEY(receive, size_max_bytes), 1024,
         4096 * MIB, NULL, "50MiB", "Largest message accepted."},
	{"rcpt_max", SP_CONF_NUMBER, KEY(receive, rcpt_max), 1, 1000, NULL,
         "1000", "Recipients of one message."},
	{"sessions_max", SP_CONF_NUMBER, KEY(receive, sessions_max), 1, 100000,
         NULL, "10000", "Sessions at one time."},
	{"sessions_per_client", SP_CONF_NUMBER,
         KEY(receive, sessions_per_client), 1, 100000, NULL, "1000",
         "Sessions at one time from one address."},
	{"errors_max", SP_CONF_NUMBER, KEY(receive, errors_max), 1, 10000, NULL,
         "20", "Errors in one session before it is closed with 421."},
	{"received_max", SP_CONF_NUMBER, KEY(receive, received_max), 1, 10000,
         NULL, "100",
         "Received fields in a message before it counts as a loop (5.4.6)."},
	{"line_max", SP_CONF_SIZE, KEY(receive, line_max_bytes), 1000, 16 * MIB,
         NULL, "64KiB", "Longest line of a message."},
	{"idle_timeout", SP_CONF_TIME, KEY(receive, idle_timeout_ms), 1,
         HOUR_MS, NULL, "5m",
         "How long a client may be silent, or take for one command (RFC 5321 "
         "4.5.3.2.7)."},
	{"data_timeout", SP_CONF_TIME, KEY(receive, data_timeout_ms), 1,
         7 * DAY_MS, NULL, "1h",
         "How long one message may take from its first byte to its last (DATA "
         "or all its BDAT)."},
	{"session_timeout", SP_CONF_TIME, KEY(receive, session_timeout_ms), 1,
         7 * DAY_MS, NULL, "4h", "For a whole session."},
	{0},
};

static const struct sp_conf_key DANE[] = {
	{"profile", SP_CONF_WORD, KEY(dane, profile), 0, 0, "rfc exchange",
         "rfc",
         "exchange also refuses a certificate that is expired, not "
         "yet valid or for another name where usage 3 matches."},
	{"insecure_mx", SP_CONF_WORD, KEY(dane, insecure_mx), 0, 0,
         "dane encrypt may", "dane",
         "What an insecure MX record with a secure host and TLSA leads to "
         "(RFC 7672 2.2.1)."},
	{"records_max", SP_CONF_NUMBER, KEY(dane, records_max), 1, 512, NULL,
         "100", "TLSA records of one host that are used."},
	{0},
};

static const struct sp_conf_key RESOLVER[] = {
	{"trust_anchor", SP_CONF_FILE, KEY(resolver, trust_anchor), 0, 0, NULL,
         "",
         "File with the DS or DNSKEY of the root. Empty: the system's "
         "(package dns-root-data)."},
	{"root_hints", SP_CONF_FILE, KEY(resolver, root_hints), 0, 0, NULL, "",
         "File with the root servers. Empty: the built-in list."},
	{"forward", SP_CONF_TEXTS, KEY(resolver, forward), 0, 0, NULL, "",
         "Resolvers to ask in place of own recursion, address@port. Their "
         "validation is not trusted."},
	{"self_test_bad", SP_CONF_TEXT, KEY(resolver, self_test_bad), 0, 0,
         NULL, "",
         "A name whose signatures are known to be wrong, for the "
         "self-test."},
	{"timeout", SP_CONF_TIME, KEY(resolver, timeout_ms), 1, HOUR_MS, NULL,
         "30s", "For one question."},
	{"aliases_max", SP_CONF_NUMBER, KEY(resolver, aliases_max), 1, 32, NULL,
         "8", "Aliases followed for one name."},
	{0},
};

static const struct sp_conf_key STUB[] = {
	{"address", SP_CONF_TEXTS, offsetof(struct sp_conf_stub, address), 0, 0,
         NULL, "", "Servers of this zone, address@port."},
	{0},
};

static const struct sp_conf_key STS[] = {
	{"port", SP_CONF_NUMBER, KEY(sts, port), 1, 65535, NULL, "443",
         "Port of policy hosts."},
	{"timeout", SP_CONF_TIME, KEY(sts, timeout_ms), 1, HOUR_MS, NULL, "60s",
         "For a policy to be fetched: DNS, connection and answer together."},
	{"back_off", SP_CONF_TIME, KEY(sts, back_off_ms), 0, DAY_MS, NULL, "5m",
         "How long a policy is not asked for again after that failed."},
	{0},
};

static const struct sp_conf_key REPORT[] = {
	{"count", SP_CONF_BOOL, KEY(report, count), 0, 0, NULL, "true",
         "false: sessions are not counted, so that there is nothing to "
         "report."},
	{"organization", SP_CONF_TEXT, KEY(report, organization), 0, 0, NULL,
         "", "Our name in TLS reports; empty: the hostname."},
	{"contact", SP_CONF_MAILBOX, KEY(report, contact), 0, 0, NULL, "",
         "Contact in TLS reports; its domain is their submitter. Empty: the "
         "postmaster."},
	{"from", SP_CONF_MAILBOX, KEY(report, from), 0, 0, NULL, "",
         "Author of TLS reports, in the domain of the contact; empty: the "
         "contact."},
	{"spread", SP_CONF_TIME, KEY(report, spread_ms), 0, DAY_MS, NULL, "4h",
         "Reports leave spread over this time."},
	{"directory", SP_CONF_TEXT, KEY(report, directory), 0, 0, NULL, "",
         "Write reports here in place of sending them."},
	{"digest", SP_CONF_TIME, KEY(report, digest_ms), 0, YEAR_MS, NULL,
         "24h",
         "The postmaster is told of failures that others report at once where "
         "they are the first of a domain, and of all others in one mail, at "
         "most one in this time; 0: only of the first."},
	{"domains", SP_CONF_TEXTS, KEY(report, domains), 0, 0, NULL, "",
         "Domains of ours: reports of others are taken in about them and the "
         "names below them, such as MX hosts, and about no others. Empty: "
         "about any."},
	{0},
};

static const struct sp_conf_key NOTICE[] = {
	{"directory", SP_CONF_TEXT, KEY(notice, directory), 0, 0, NULL, "",
         "Where failed.txt, delayed.txt and delivered.txt replace the "
         "built-in texts of reports to senders. Read by the user that the "
         "server runs as, at start and reload."},
	{"original_max", SP_CONF_SIZE, KEY(notice, original_max_bytes), 0,
         4 * MIB, NULL, "64KiB",
         "Largest message that is returned whole with a failure report. Of "
         "larger ones, those with an 8-bit body and those sent with REQUIRETLS "
         "only the header."},
	{0},
};

static const struct sp_conf_key CONSOLE[] = {
	{"address", SP_CONF_TEXT, KEY(console, address), 0, 0, NULL, "",
         "Where the web console listens. Empty: not at all."},
	{0},
};

#define LISTEN(field) offsetof(struct sp_conf_listen, field)

static const struct sp_conf_key LISTEN_KEYS[] = {
	{"address", SP_CONF_ADDRESSES, LISTEN(address), 0, 0, NULL, "",
         "Address and port, such as 127.0.0.1:587 or [::1]:587."},
	{"accept_from", SP_CONF_NETWORKS, LISTEN(accept_from), 0, 0, NULL,
         "127.0.0.0/8 ::1", "Networks whose clients may submit mail."},
	{"certificate", SP_CONF_FILES, LISTEN(certificate), 0, 0, NULL, "",
         "Certificate chain for STARTTLS, PEM. Empty: no STARTTLS."},
	{"key", SP_CONF_FILES, LISTEN(key), 0, 0, NULL, "",
         "Its private key, PEM."},
	{"inbound", SP_CONF_BOOL, LISTEN(inbound), 0, 0, NULL, "false",
         "Take mail from anybody, for accepted domains only."},
	{0},
};

static const struct sp_conf_key DKIM[] = {
	{"selector", SP_CONF_TEXTS, offsetof(struct sp_conf_dkim, selector), 0,
         0, NULL, "s1",
         "Selector of the key record, one for each key. Mail with the domain "
         "in its From gets a signature by each of them: that of trusted "
         "clients, and what the server itself writes."},
	{"key", SP_CONF_FILES, offsetof(struct sp_conf_dkim, key), 0, 0, NULL,
         "",
         "Private keys, PEM: RSA of 1024 bits or more, or Ed25519. A reload "
         "reads them again."},
	{0},
};

#define ROUTE(field) offsetof(struct sp_conf_route, field)

static const struct sp_conf_key ROUTE_KEYS[] = {
	{"next_hop", SP_CONF_NEXT_HOP, ROUTE(next_hop), 0, 0, NULL, "",
         "[host] or [host]:port without an MX lookup, or a domain or "
         "domain:port whose MX records are used. The port is also the one "
         "in the owner of TLSA records. Empty: the recipient's domain."},
	{"dane", SP_CONF_WORD, ROUTE(dane), 0, 0, "opportunistic mandatory off",
         "opportunistic",
         "mandatory: deferred unless MX, address and TLSA are secure and a "
         "record matches. off: TLSA is not asked."},
	{"mta_sts", SP_CONF_BOOL, ROUTE(mta_sts), 0, 0, NULL, "true",
         "Heed the domain's MTA-STS policy."},
	{"retry", SP_CONF_STEPS, ROUTE(retry), 1, YEAR_MS, NULL, "",
         "As the general key, for this route."},
	{"expire", SP_CONF_TIME, ROUTE(expire_ms), 0, YEAR_MS, NULL, "0",
         "As the general key, for this route. 0: the general one."},
	{0},
};

#define SECTION(name, keys, doc)                                               \
	{                                                                      \
		name, false, 0, 0, 0, keys, doc                                \
	}
#define TITLED(name, parent, array, count, type, keys, doc)                    \
	{                                                                      \
		name, true, offsetof(parent, array), offsetof(parent, count),  \
			sizeof(type), keys, doc                                \
	}

const struct sp_conf_section SP_CONF_SECTIONS[] = {
	SECTION("", TOP, "General"),
	TITLED("listen", struct sp_conf, listen, listen_count,
               struct sp_conf_listen, LISTEN_KEYS, "Where mail comes in"),
	SECTION("receive", RECEIVE, "Limits on what comes in"),
	SECTION("smtp", SMTP, "How mail goes out"),
	SECTION("dane", DANE, "DANE"),
	SECTION("resolver", RESOLVER, "DNS"),
	TITLED("resolver.stub", struct sp_conf, resolver.stub,
               resolver.stub_count, struct sp_conf_stub, STUB,
               "Zones with servers of their own"),
	TITLED("route", struct sp_conf, route, route_count,
               struct sp_conf_route, ROUTE_KEYS,
               "Destinations that are treated in their own way"),
	SECTION("sts", STS, "MTA-STS"),
	SECTION("address_guard", GUARD, "Addresses chosen by strangers"),
	TITLED("dkim", struct sp_conf, dkim, dkim_count, struct sp_conf_dkim,
               DKIM, "Signing keys by domain"),
	SECTION("report", REPORT, "TLS reports"),
	SECTION("notice", NOTICE, "Reports to senders"),
	SECTION("console", CONSOLE, "Web console"),
};
const size_t SP_CONF_SECTION_COUNT =
	sizeof(SP_CONF_SECTIONS) / sizeof(SP_CONF_SECTIONS[0]);

const struct sp_conf_section *sp_conf_section_find(const char *name)
{
	for (size_t i = 0; i < SP_CONF_SECTION_COUNT; i++) {
		if (strcmp(SP_CONF_SECTIONS[i].name, name) == 0) {
			return &SP_CONF_SECTIONS[i];
		}
	}
	return NULL;
}

const struct sp_conf_key *sp_conf_key_find(const struct sp_conf_section *sec,
                                           const char *name)
{
	for (const struct sp_conf_key *k = sec->keys; k->name; k++) {
		if (strcmp(k->name, name) == 0) {
			return k;
		}
	}
	return NULL;
}
