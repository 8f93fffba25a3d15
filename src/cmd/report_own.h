/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_CMD_REPORT_OWN_H
#define SP_CMD_REPORT_OWN_H

#include "cmd/cmd.h"
#include "wire/json.h"

/*
 * What our own side is now, beside the failures that others report of it:
 * the rows of `report show --received`, each with a member "own", a list of
 * the MX hosts among its failures that are ours:
 *   {"host", "certificates": [{"listener", "file", "error", "names",
 *     "not_before", "not_after", "valid_now", "covers_host", "sha256",
 *     "record", "tlsa_matches"}],
 *    "tlsa": {"owner", "dnssec", "records"}}
 * A host is ours if it is our hostname or stands in a listener's certificate.
 * record is the TLSA record that the certificate would match (3 1 1);
 * tlsa_matches is null where the DNS has none that a sender would use. 0 or an
 * exit status, said; rows_out is freed by the caller in any case.
 */
int sp_report_own(struct sp_cmd_ctx *ctx, const struct sp_json *rows,
                  struct sp_json **rows_out);

#endif
