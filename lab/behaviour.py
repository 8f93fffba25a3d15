# SPDX-License-Identifier: Apache-2.0
"""What an SMTP receiver does, as data.

A step is what the receiver does at one point of the dialogue: a reply line
(or several, as one string with newlines), raw bytes, a flood, or one of the
acts below.
Steps are given as a tuple; each time the point is reached the next one is
used, and the last one for ever after.
"""

import enum
from dataclasses import dataclass, field
from typing import Mapping


class Act(enum.Enum):
    NORMAL = "what an honest server does"
    SILENCE = "say nothing, wait for the peer to give up"
    HOLD = "wait for the receiver's release(), then be normal"
    CLOSE = "close the connection"
    RESET = "close it with a TCP reset"
    ALERT = "answer the ClientHello with a fatal alert (handshake_failure)"


NORMAL, SILENCE, HOLD, CLOSE, RESET, ALERT = Act


@dataclass(frozen=True)
class Flood:
    """These bytes again and again, until the peer has gone; `after` the peer
    has said something, or at once."""

    data: bytes
    pause: float = 0.0
    after: bool = False


Step = str | bytes | Act | Flood

EXTENSIONS = ("PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "DSN")


@dataclass(frozen=True)
class Behaviour:
    """A receiver's manners; the default is a good one.

    `replies` has steps for "greeting", the verbs EHLO, STARTTLS, MAIL, RCPT,
    DATA, QUIT, and "." (the end of the message). Where a step is NORMAL, or
    there is none, the honest reply is given.
    `offers_starttls` is what EHLO says; `starttls_word` the keyword it says it
    with (a filter in the middle may have changed it).
    `handshake` is what follows the 220 to STARTTLS, `after_handshake` what
    follows the handshake. `injected` is sent in the same packet as that 220.
    `wants_certificate` of the client: who shows none is refused by an alert,
    which in TLS 1.3 comes when the client holds the handshake for done.
    `split` sends every byte of the replies in a packet of its own.
    `sips` reads the message a KiB at a time, with that many seconds between.
    `tls_versions` are the lowest and highest, such as "TLSv1_2".
    """

    replies: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    extensions: tuple[str, ...] = EXTENSIONS
    offers_starttls: bool = True
    starttls_word: str = "STARTTLS"
    handshake: Step = NORMAL
    after_handshake: Step = NORMAL
    injected: bytes = b""
    wants_certificate: bool = False
    split: bool = False
    tls_versions: tuple[str, str] = ("TLSv1_2", "TLSv1_3")
    ciphers: str | None = None
    keeps_data: bool = True
    sips: float = 0.0


HONEST = Behaviour()
NO_STARTTLS = Behaviour(offers_starttls=False)
STRIPPED = Behaviour(
    starttls_word="XXXXXXXA",
    replies={"STARTTLS": ("502 5.5.1 command not known",)},
)


def replying(verb: str, *steps: Step, **more) -> Behaviour:
    """A receiver that is honest but for its steps at one verb."""
    return Behaviour(replies={verb: steps}, **more)
