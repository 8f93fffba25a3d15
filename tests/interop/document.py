# SPDX-License-Identifier: Apache-2.0
"""doc/interop.md: what the last recorded run of the interop tests saw."""

import datetime
import subprocess

from lab.server import ROOT
from tests.interop.compare import Comparison
from tests.support import debian

FILE = ROOT / "doc" / "interop.md"
PAGE = """\
# Other people's servers

`make check-interop` runs Sealpost against daemons from Debian packages, which
it fetches into `build/` and never installs, in a network namespace of its own.
This page is written by `make check-interop ARGS=--write-doc`.

Recorded on {date} with {versions}.

## What is tried

- Postfix and Exim as receivers: a 3 1 1 that matches, a 2 1 1 with its chain,
  and a record that does not match.
- Postfix and Exim as clients of the submission listener, with STARTTLS and our
  certificate checked: several recipients, 1 MB, 8BITMIME, SMTPUTF8,
  PIPELINING, and CHUNKING by Exim.
- BIND, which signs by itself, and NSD beside Knot as authorities, with NSEC,
  NSEC3 and opt-out: wildcards, CNAME and DNAME, for MX and for TLSA, and the
  proofs that there is no TLSA.
- {count} destinations, for us and for Postfix with `smtp_tls_security_level =
  dane` behind a validating Unbound.

## Sealpost and Postfix

Verdict and security after the last attempt, or after two that were deferred.
Each difference has its reason, by number. A difference without one fails the
run, and so does a reason that no row needs.

{table}
Not in the table: where nothing matches the key that a host shows, we ask it for
a key of the other kind (RSA, ECDSA) in a second handshake. Postfix doesn't.

## What this has found

- Postfix 3 submits an internationalised recipient with an ORCPT of the type
  rfc822 that has UTF-8 in its xtext, against RFC 6533 section 3. It was refused
  with 501; it is taken now, as the type utf-8.
"""


def _knot() -> str:
    done = subprocess.run(["knotd", "-V"], capture_output=True, text=True, check=True)
    return "Knot " + done.stdout.split()[-1]


def _versions() -> str:
    names = {
        "Postfix": "postfix",
        "Exim": "exim4-daemon-light",
        "BIND": "bind9",
        "NSD": "nsd",
        "Unbound": "unbound",
    }
    found = [f"{title} {debian.version(name)}" for title, name in names.items()]
    return ", ".join([*found, _knot()])


def write(table: Comparison) -> None:
    FILE.write_text(
        PAGE.format(
            date=datetime.date.today().isoformat(),
            versions=_versions(),
            count=len(table.rows),
            table=table.markdown(),
        )
    )
