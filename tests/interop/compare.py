# SPDX-License-Identifier: Apache-2.0
"""What we and Postfix made of one destination, and why that may differ.

Every difference has its reason here: by destination where the message fared
otherwise, by the pair of codes or of what was seen of the handshake where that
is the same story everywhere. A difference without a reason is a failure, and so
is a reason that nothing needs any more.
"""

import re
from dataclasses import dataclass, field

from lab.demo import seen, sessions_of
from lab.world import Domain
from tests.support.postfix import CLIENT_ADDRESS, Attempt

#: What the security is called that Postfix states for a session. It has no
#: authority that it trusts, and so has this word only for a match of a TLSA
#: that an insecure MX led to.
POSTFIX_SECURITY = {
    "Verified": "dane",
    "Trusted": "half-dane",
    "Untrusted": "tls",
    "Anonymous": "tls",
}
POSTFIX_VERDICT = {"sent": "delivered", "deferred": "deferred", "bounced": "failed"}
OUR_VERDICT = {"delivered": "delivered", "pending": "deferred", "failed": "failed"}

_ONE_CODE = (
    "Postfix has 4.7.5 (4.7.4 where STARTTLS is not offered) for whatever its "
    "security level forbids; ours are those of Exchange Online, one for each cause"
)

#: Where both do the same and the codes differ: (ours, Postfix's).
CODES = {
    ("4.7.321", "4.7.4"): _ONE_CODE,
    ("4.7.321", "4.7.5"): _ONE_CODE,
    ("4.7.323", "4.7.5"): _ONE_CODE,
    ("4.7.324", "4.7.5"): _ONE_CODE,
    ("4.7.325", "4.7.5"): _ONE_CODE,
    ("4.7.324", "4.4.3"): "behind its resolver Postfix sees SERVFAIL and not why, so "
    "a bogus MX is a DNS server that fails; we validate and know the record",
    ("5.1.10", "5.1.0"): "5.1.10 is the code of a null MX (RFC 7505 section 4.1)",
    ("5.4.310", "5.4.4"): "5.4.310 is the code of Exchange Online for a domain that does not "
    "exist",
}

#: Where a receiver saw something else of the handshake, the host's name aside.
SEEN = {
    ("TLSv1.3, SNI", "TLSv1.3, no SNI"): "Postfix sends SNI only under DANE; we "
    "always do, so that a host of many names shows the right certificate",
    ("TLS, no SNI, no message", "TLS, SNI, no message"): "we begin at TLS 1.2, and "
    "the server gave up at the version, before the name; Postfix 3.7 offers TLS 1.0 "
    "as well, and gives up itself, at the server's SHA-1 signature",
}

#: Where the verdict differs, or what reached the receiver.
BEHAVIOUR = {
    "alert.test": "without a TLSA both send in clear text after a failed handshake: "
    "we at once, on a new connection; Postfix only when the message has waited for "
    "minimal_backoff_time",
}

TITLES = (
    "destination", "what is special",
    "Sealpost", "code", "scenario", "receiver saw",
    "Postfix", "DSN", "TLS", "receiver saw",
    "same?", "why",
)  # fmt: skip


def _without_name(match: re.Match) -> str:
    return "no SNI" if match[1] == "None" else "SNI"


@dataclass
class Fate:
    """What became of the message of one of the two."""

    verdict: str
    security: str | None
    code: str
    seen: str
    scenario: str = ""
    tls: str = ""
    text: str = ""
    shown: str = ""

    attempt: int = 1

    @property
    def behaviour(self) -> tuple:
        return self.words, self.seen

    @property
    def words(self) -> str:
        """The verdict, and whether it took more than one attempt."""
        if self.verdict == "deferred":
            return self.verdict
        words = self.verdict + (f", {self.security}" if self.security else "")
        return words if self.attempt == 1 else f"{words}, later"

    @property
    def handshake(self) -> str:
        """What was seen, without the name that was asked for."""
        return re.sub(r"SNI (\S+?)(?=,|$)", _without_name, self.shown)


def our_fate(domain: Domain, trace: dict) -> Fate:
    sessions = [s for s in sessions_of(domain) if s.peer != CLIENT_ADDRESS]
    word, shown = seen(sessions)
    return Fate(
        OUR_VERDICT[trace["status"]],
        trace["security"] if trace["status"] == "delivered" else None,
        trace["code"],
        word,
        scenario=trace["scenario"] or "",
        shown=shown,
        attempt=trace["attempts"],
    )


def postfix_fate(domain: Domain, attempts: list[Attempt]) -> Fate:
    last = attempts[-1]
    word, shown = seen([s for s in sessions_of(domain) if s.peer == CLIENT_ADDRESS])
    security = None
    if last.status == "sent":
        security = POSTFIX_SECURITY[last.tls] if last.tls else "clear"
    return Fate(
        POSTFIX_VERDICT[last.status],
        security,
        last.dsn,
        word,
        tls=last.tls or "none",
        text=last.text,
        shown=shown,
        attempt=len(attempts),
    )


@dataclass
class Comparison:
    """All rows of the table, and the reasons that were needed."""

    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    used: set = field(default_factory=set)

    def _why(self, domain: Domain, ours: Fate, theirs: Fate) -> list[str]:
        """The reason of each difference; an empty one where there is none."""
        differences = [
            (ours.behaviour, theirs.behaviour, BEHAVIOUR, domain.name),
            (ours.code, theirs.code, CODES, (ours.code, theirs.code)),
            (ours.handshake, theirs.handshake, SEEN, (ours.handshake, theirs.handshake)),
        ]
        keys = [(table, key) for here, there, table, key in differences if here != there]
        self.used.update(key for _, key in keys)
        return [table.get(key, "") for table, key in keys]

    def add_fates(self, domain: Domain, trace: dict, attempts: list[Attempt]) -> str:
        return self.add(domain, our_fate(domain, trace), postfix_fate(domain, attempts))

    def _note(self, reasons: list[str]) -> str:
        """The numbers of some reasons in the list below the table."""
        for reason in reasons:
            if reason not in self.notes:
                self.notes.append(reason)
        return " ".join(f"[{self.notes.index(reason) + 1}]" for reason in reasons)

    def add(self, domain: Domain, ours: Fate, theirs: Fate) -> str:
        """Adds a row; what is wrong with it, or nothing."""
        why = self._why(domain, ours, theirs)
        same = "differs" if ours.behaviour != theirs.behaviour else "same"
        if same == "same" and why:
            parts = ["code"] if ours.code != theirs.code else []
            parts += ["handshake"] if ours.handshake != theirs.handshake else []
            same = f"same but {', '.join(parts)}"
        self.rows.append(
            (domain.name, domain.about)
            + (ours.words, ours.code, ours.scenario, ours.shown)
            + (theirs.words, theirs.code, theirs.tls, theirs.shown)
            + (same, self._note([reason or "NOT EXPLAINED" for reason in why]))
        )
        if all(why):
            return ""
        return f"{domain.name}: {ours} here, {theirs} in Postfix: nothing explains it"

    def stale(self) -> list:
        """Reasons that explain nothing any more."""
        return [key for key in (*CODES, *SEEN, *BEHAVIOUR) if key not in self.used]

    def text(self) -> str:
        """The table for a terminal, and the reasons."""
        widths = [max(map(len, column)) for column in zip(TITLES, *self.rows)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
            for row in [TITLES, *self.rows]
        ]
        notes = [f"[{n}] {note}" for n, note in enumerate(self.notes, 1)]
        return "\n".join([*lines, "", *notes])

    def markdown(self) -> str:
        rows = [TITLES, ("---",) * len(TITLES), *self.rows]
        table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
        notes = "".join(f"- [{n}] {note}.\n" for n, note in enumerate(self.notes, 1))
        return f"{table}\n{notes}"
