# SPDX-License-Identifier: Apache-2.0
"""Clients that submit without pause and note what was accepted.

Every message has a recipient of its own, by which it is known ever after. A
message whose 250 never came may or may not arrive: nobody was promised
anything, and it is not sent again.
"""

import itertools
import smtplib
import threading
from typing import Callable

from lab.server import SUBMISSION, message

SENDER = "load@sender.test"
PER_CONNECTION = 20


class Load:
    def __init__(
        self, domain_of: Callable[[int], str], limit: int | None = None, first: int = 0
    ):
        """`domain_of` tells where the n-th message goes; `limit` how many, from
        the number `first` on."""
        self._domain_of = domain_of
        self._numbers = itertools.count(first)
        self._limit = None if limit is None else first + limit
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.accepted: set[str] = set()

    def start(self, clients: int) -> None:
        for _ in range(clients):
            thread = threading.Thread(target=self._client, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _next(self) -> int | None:
        with self._lock:
            number = next(self._numbers)
        over = self._limit is not None and number >= self._limit
        return None if over or self._stopping.is_set() else number

    def _client(self) -> None:
        number = self._next()
        while number is not None:
            try:
                number = self._connection(number)
            except (smtplib.SMTPException, OSError):
                # the server is being killed under us: that is the point
                self._stopping.wait(0.01)
                number = self._next()

    def _connection(self, number: int | None) -> int | None:
        with smtplib.SMTP(*SUBMISSION, timeout=60) as client:
            for _ in range(PER_CONNECTION):
                if number is None:
                    break
                recipient = f"m{number}@{self._domain_of(number)}"
                client.sendmail(SENDER, recipient, message(SENDER, recipient))
                with self._lock:
                    self.accepted.add(recipient)
                number = self._next()
        return number
