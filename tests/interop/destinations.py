# SPDX-License-Identifier: Apache-2.0
"""The destinations that we and Postfix are compared on.

A row is the destination, and further zones that it needs.
"""

from lab import destinations as demo
from lab import front
from lab.behaviour import ALERT, NO_STARTTLS, Behaviour, replying
from lab.cert import Certificate
from lab.world import Domain, Host

TLSA_OF_MX = demo.TLSA_OF_MX
LAB_CA = demo.LAB_CA
ALERTING = Behaviour(handshake=ALERT)
OLD_TLS = Behaviour(tls_versions=("TLSv1", "TLSv1"))


def _certificates() -> list[list[Domain]]:
    other = Certificate(issuer="lab", names=("mx.elsewhere.test",))
    return [
        [
            Domain(
                "old-leaf.test",
                [Host(tlsa=["3 1 1"], certificate=Certificate(ends=-0.5))],
                about="3 1 1 matches, leaf expired",
            )
        ],
        [
            Domain(
                "wrong-name.test",
                [Host(tlsa=["2 1 1"], certificate=other)],
                about="2 1 1 matches, other name",
            )
        ],
        [
            Domain(
                "wrong-root.test",
                [Host(tlsa=["2 1 1 wrong"], certificate=LAB_CA)],
                about="2 1 1 of another root",
            )
        ],
        [
            Domain(
                "malformed.test",
                [Host(tlsa=["3 1 1 =00ff"])],
                about="digest too short",
            )
        ],
        [
            Domain(
                "agility.test",
                [Host(tlsa=["3 1 1", "3 1 2 wrong"])],
                about="3 1 1 matches, 3 1 2 not",
            )
        ],
        [
            Domain(
                "mixed.test",
                [Host(tlsa=["1 1 1 wrong", "3 1 1"])],
                about="1 1 1 wrong, 3 1 1 matches",
            )
        ],
        [
            Domain(
                "next-plain.test",
                [Host("mx1", 10, ["3 1 1 wrong"]), Host("mx2", 20)],
                about="1st host wrong, 2nd without TLSA",
            )
        ],
        [
            Domain(
                "pkix-clear.test",
                [Host(tlsa=["0 1 1"], behaviour=NO_STARTTLS)],
                about="usage 0, no STARTTLS",
            )
        ],
    ]


def _names() -> list[list[Domain]]:
    return [
        [
            Domain(
                "alias-mx.test",
                [Host(tlsa=["3 1 1"], alias="mail")],
                about="MX is a CNAME",
            )
        ],
        [
            Domain(
                "tlsa-alias.test",
                [Host(tlsa=["3 1 1"], tlsa_owner="tlsa.mx")],
                records=["_25._tcp.mx CNAME tlsa.mx"],
                about="TLSA is a CNAME",
            )
        ],
        [
            Domain(
                "insecure-mx.test",
                [Host("mx.secure-host.test.", tlsa=["3 1 1 wrong"])],
                signed=False,
                about="MX insecure, TLSA wrong",
            ),
            Domain("secure-host.test"),
        ],
        [
            Domain(
                "half.test",
                [Host("mx.half-host.test.", tlsa=["3 1 1"])],
                signed=False,
                about="MX insecure, 3 1 1 matches",
            ),
            Domain("half-host.test"),
        ],
        [
            Domain(
                "insecure-host.test",
                [Host("mx.unsigned-host.test.", tlsa=["3 1 1 wrong"])],
                about="MX secure, host not signed",
            ),
            Domain("unsigned-host.test", signed=False),
        ],
        [
            Domain(
                "no-mx.test",
                [Host("@", mx=False, tlsa=["3 1 1"])],
                about="no MX, 3 1 1 at the address",
            )
        ],
        [Domain("null-mx.test", records=["@ MX 0 ."], about="null MX")],
        [Domain("nowhere.test", exists=False, about="does not exist")],
    ]


def _dns() -> list[list[Domain]]:
    return [
        [
            Domain(
                "optout.test",
                [Host()],
                signing={"denial": "optout"},
                about="TLSA denied by opt-out",
            )
        ],
        [
            Domain(
                "notimp.test",
                [Host(tlsa=["3 1 1"])],
                faults={TLSA_OF_MX: front.NOTIMP},
                about="TLSA answered NOTIMP",
            )
        ],
        [
            Domain(
                "wrong-ds.test",
                [Host(tlsa=["3 1 1"])],
                signing={"ds": "wrong"},
                about="DS of no key",
            )
        ],
        [
            Domain(
                "bogus-host.test",
                [Host("mx1", 10, ["3 1 1"]), Host("mx2", 20, ["3 1 1"])],
                signing={"broken": {("mx1", "A")}},
                about="1st address bogus, 2nd good",
            )
        ],
    ]


def _servers() -> list[list[Domain]]:
    busy = replying("greeting", "451 4.3.2 later")
    full = replying("RCPT", "550 5.1.1 no such user")
    return [
        [
            Domain(
                "alert.test",
                [Host(behaviour=ALERTING)],
                signed=False,
                about="unsigned, TLS alert",
            )
        ],
        [
            Domain(
                "alert-dane.test",
                [Host(tlsa=["3 1 1"], behaviour=ALERTING)],
                about="3 1 1, TLS alert",
            )
        ],
        [
            Domain(
                "old-tls.test",
                [Host(tlsa=["3 1 1"], behaviour=OLD_TLS)],
                about="3 1 1, only TLS 1.0",
            )
        ],
        [
            Domain(
                "busy.test",
                [Host("mx1", 10, ["3 1 1"], behaviour=busy), Host("mx2", 20, ["3 1 1"])],
                about="1st greets 451, 2nd good",
            )
        ],
        [
            Domain(
                "no-user.test",
                [Host(tlsa=["3 1 1"], behaviour=full)],
                about="recipient refused",
            )
        ],
    ]


def destinations() -> list[list[Domain]]:
    """A fresh declaration: a world fills it in."""
    ours = [[domain] for domain, _ in demo.destinations()]
    return ours + _certificates() + _names() + _dns() + _servers()
