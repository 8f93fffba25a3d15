# SPDX-License-Identifier: Apache-2.0
"""The destinations of the demo, and what has to become of a message to each."""

from dataclasses import dataclass

from lab import front, zone
from lab.behaviour import NO_STARTTLS
from lab.cert import Certificate
from lab.world import Domain, Host

LAB_CA = Certificate(issuer="lab")
TLSA_OF_MX = ("_25._tcp.mx", "TLSA")


@dataclass
class Expected:
    """What the trace must say, and what the receiver must have seen.

    `seen` is "tls" or "clear" for a message that arrived so, "refused" for a
    connection without a message, "nothing" for no connection at all.
    """

    status: str
    security: str | None
    seen: str
    code: str | None = None
    scenario: str | None = None


VERIFIED = Expected("delivered", "dane", "tls")
ENCRYPTED = Expected("delivered", "tls", "tls")
IN_CLEAR = Expected("delivered", "clear", "clear")


def deferred(code: str, scenario: str, seen: str) -> Expected:
    return Expected("pending", None, seen, code, scenario)


def destinations() -> list[tuple[Domain, Expected]]:
    """A fresh declaration: a world fills it in."""
    return [
        (
            Domain("good.test", [Host(tlsa=["3 1 1"])], about="3 1 1 matches"),
            VERIFIED,
        ),
        (
            Domain(
                "authority.test",
                [Host(tlsa=["2 1 1"], certificate=LAB_CA)],
                signing={"denial": "nsec3"},
                about="2 1 1 matches",
            ),
            VERIFIED,
        ),
        (
            Domain(
                "second.test",
                [
                    Host("mx1", 10, ["3 1 1 wrong"]),
                    Host("mx2", 20, ["3 1 1"]),
                ],
                about="1st host wrong, 2nd good",
            ),
            VERIFIED,
        ),
        (
            Domain("wrong.test", [Host(tlsa=["3 1 1 wrong"])], about="wrong TLSA"),
            deferred("4.7.323", "tlsa-mismatch", "refused"),
        ),
        (
            Domain(
                "stripped.test",
                [Host(tlsa=["3 1 1"], behaviour=NO_STARTTLS)],
                about="TLSA, but no STARTTLS",
            ),
            deferred("4.7.321", "starttls-not-offered", "refused"),
        ),
        (
            Domain(
                "pkix.test",
                [Host(tlsa=["0 1 1", "1 1 1"], certificate=LAB_CA)],
                about="only usages 0 and 1",
            ),
            ENCRYPTED,
        ),
        (
            Domain(
                "expired.test",
                [Host(tlsa=["3 1 1"])],
                signing={"windows": {("@", "MX"): zone.EXPIRED}},
                about="RRSIG of MX expired",
            ),
            deferred("4.7.324", "rrsig-expired", "nothing"),
        ),
        (
            Domain(
                "servfail.test",
                [Host(tlsa=["3 1 1"])],
                faults={TLSA_OF_MX: front.SERVFAIL},
                about="TLSA answered SERVFAIL",
            ),
            deferred("4.7.324", "tlsa-servfail", "nothing"),
        ),
        (
            Domain("plain.test", [Host()], about="signed, without TLSA"),
            ENCRYPTED,
        ),
        (
            Domain("unsigned.test", [Host()], signed=False, about="unsigned"),
            ENCRYPTED,
        ),
        (
            Domain(
                "clear.test",
                [Host(behaviour=NO_STARTTLS)],
                signed=False,
                about="unsigned, no STARTTLS",
            ),
            IN_CLEAR,
        ),
    ]
