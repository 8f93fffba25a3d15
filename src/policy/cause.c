/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of cause.def as an array, and the filling of its texts.
 *
 * Several scenarios share a code, and with the code its exact text (mail-flow
 * section 5) and most of the advice (section 6): the words shared stand here
 * once, the table adds what is special to a scenario.
 */
#include <string.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "policy/cause.h"

#define TEXT_321                                                               \
	"starttls-not-supported: Destination mail server must support TLS to " \
	"receive mail."
#define TEXT_322                                                               \
	"certificate-expired: Destination mail server's certificate is "       \
	"expired."
#define TEXT_323 "tlsa-invalid: The domain failed DANE validation."
#define TEXT_324                                                               \
	"dnssec-invalid: Destination domain returned invalid DNSSEC records."
#define TEXT_325                                                               \
	"certificate-host-mismatch: Remote certificate MUST have a common "    \
	"name or subject alternative name matching the hostname (DANE)"
#define TEXT_312 "DNS query failed"
#define TEXT_STS_CERT                                                          \
	"Remote certificate failed MTA-STS validation. Reason: <reason>"

#define DO_WAIT_TTL                                                            \
	"Wait until the old DNS records have run out (their TTL), then test "  \
	"again."
#define DO_321                                                                 \
	"Find the server by the address given here.\n"                         \
	"See that it listens on port 25 (or 587) and offers STARTTLS, also "   \
	"through firewalls and proxies before it.\n"                           \
	"Test again.\n"                                                        \
	"As a last resort remove the TLSA record, or set the MTA-STS policy "  \
	"to mode testing, until the server offers TLS."
#define DO_322                                                                 \
	"Find the expired certificate on the server named here; it may be "    \
	"an intermediate.\n"                                                   \
	"Renew it, install it, and restart the mail server's TLS.\n"           \
	"Update the TLSA record if the certificate or key it names has "       \
	"changed.\n" DO_WAIT_TTL
#define DO_323                                                                 \
	"Compare the TLSA records with the certificate that the server "       \
	"serves at the address given here.\n"                                  \
	"Correct the record, or install the right certificate.\n"              \
	"At the next change of certificate publish the new record first, "     \
	"and remove the old one last.\n" DO_WAIT_TTL
#define DO_324                                                                 \
	"DNS hosted elsewhere: alert the provider.\n"                          \
	"Own DNS: compare the DS records at the parent with the DNSKEY tags "  \
	"in the zone, and look at the validity times of the signatures "       \
	"(RRSIG).\n"                                                           \
	"A question for TLSA must be answered NOERROR, or NXDOMAIN with "      \
	"proof, never SERVFAIL.\n"                                             \
	"Test again with sealpost check --dnssec."
#define DO_312                                                                 \
	"Run sealpost check on the domain: it tells DNSSEC trouble from "      \
	"other DNS trouble.\n"                                                 \
	"See that every name server of the zone answers, over UDP and TCP."
#define DO_STS_CERT                                                            \
	"On the named server, install a certificate of a public authority, "   \
	"valid now, with the MX host name among its subject alternative "      \
	"names, and with all intermediates.\n"                                 \
	"Test again with sealpost check --sts."
#define DO_STS_POLICY                                                          \
	"See that https://mta-sts.<domain>/.well-known/mta-sts.txt answers "   \
	"200 with a valid policy under a valid certificate.\n"                 \
	"If MTA-STS is no longer wanted, remove the _mta-sts TXT record."
#define DO_CONNECT                                                             \
	"See that the named server runs and is reached on port 25 at the "     \
	"address given here.\n"                                                \
	"If it is, look for a firewall or a limit on connections that meets "  \
	"this sender."
#define DO_REMOTE                                                              \
	"Read the answer quoted here; it is the destination's own.\n"          \
	"Pass it on to the destination's administrator if it does not "        \
	"explain itself."

static const struct sp_cause none = {
	.id = SP_CAUSE_NONE,
	.name = "",
	.temp_code = 450,
	.perm_code = 550,
	.text = "",
	.culprit = SP_CULPRIT_NONE,
	.meaning = "",
	.action = "",
};

static const struct sp_cause causes[SP_CAUSE_COUNT] = {
#define SP_CAUSE(id_, name_, subject_, detail_, temp_, perm_, at_once_, text_, \
                 tlsrpt_, rank_, culprit_, meaning_, action_)                  \
	[SP_CAUSE_##id_] = {                                                   \
		.id = SP_CAUSE_##id_,                                          \
		.name = name_,                                                 \
		.subject = subject_,                                           \
		.detail = detail_,                                             \
		.temp_code = temp_,                                            \
		.perm_code = perm_,                                            \
		.at_once = at_once_,                                           \
		.text = text_,                                                 \
		.tlsrpt = tlsrpt_,                                             \
		.rank = rank_,                                                 \
		.culprit = SP_CULPRIT_##culprit_,                              \
		.meaning = meaning_,                                           \
		.action = action_,                                             \
	},
#include "policy/cause.def"
#undef SP_CAUSE
};

const struct sp_cause *sp_cause_get(enum sp_cause_id id)
{
	if (id <= SP_CAUSE_NONE || id >= SP_CAUSE_COUNT) {
		return &none;
	}
	return &causes[id];
}

enum sp_cause_id sp_cause_find(struct sp_str name)
{
	for (int id = SP_CAUSE_NONE + 1; id < SP_CAUSE_COUNT; id++) {
		if (sp_str_eq(name, sp_str_from(causes[id].name))) {
			return (enum sp_cause_id)id;
		}
	}
	return SP_CAUSE_NONE;
}

/* What replaces a placeholder may come from strangers: controls would break
 * the reply line or the log. */
static size_t put(struct sp_str s, char *out, size_t at, size_t cap)
{
	for (size_t i = 0; i < s.len && at + 1 < cap; i++) {
		out[at++] = sp_ascii_tame(s.ptr[i]);
	}
	return at;
}

void sp_cause_text(const struct sp_cause *cause, struct sp_str domain,
                   struct sp_str reason, char *out, size_t cap)
{
	static const struct sp_str domain_mark = {"<domain>", 8};
	static const struct sp_str reason_mark = {"<reason>", 8};
	struct sp_str rest = sp_str_from(cause->text);
	size_t at = 0;

	SP_ASSERT(cap > 0);
	while (rest.len > 0) {
		if (sp_str_starts_nocase(rest, domain_mark)) {
			at = put(domain, out, at, cap);
			rest = sp_str_sub(rest, domain_mark.len, rest.len);
		} else if (sp_str_starts_nocase(rest, reason_mark)) {
			at = put(reason, out, at, cap);
			rest = sp_str_sub(rest, reason_mark.len, rest.len);
		} else {
			at = put(sp_str_sub(rest, 0, 1), out, at, cap);
			rest = sp_str_sub(rest, 1, rest.len);
		}
	}
	out[at] = '\0';
}
