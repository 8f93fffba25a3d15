/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SP_POLICY_KEYS_H
#define SP_POLICY_KEYS_H

#include "policy/mxplan.h"
#include "wire/key.h"

/*
 * Servers with several keys. A server with an RSA and an ECDSA certificate
 * shows one of them, and the owner of its TLSA records may have published
 * the other's only (RFC 7671 8.4 asks for records of all). Which one it
 * shows follows from the algorithms it is offered. Pure.
 */

/* The kind of key that the usable records speak of, where all of them do and
 * agree; ANY otherwise. To be offered first. */
enum sp_key_kind sp_keys_first(const struct sp_plan_host *host);

/* No record matched the key of this kind: the kind to ask the server for
 * instead. ANY: none, since the records can't be of another key. */
enum sp_key_kind sp_keys_other(const struct sp_plan_host *host,
                               enum sp_key_kind seen);

#endif
