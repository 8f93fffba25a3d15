# SPDX-License-Identifier: Apache-2.0
"""A client of our server that sends what it likes, when it likes."""

import socket

from lab.server import SUBMISSION

TIMEOUT = 20.0


class Client:
    """A connection by bytes. `source` is the address it comes from."""

    def __init__(self, source: str = "127.0.0.1") -> None:
        address = (source, 0)
        self.socket = socket.create_connection(SUBMISSION, TIMEOUT, address)
        self._buffer = b""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _fill(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        self._buffer += data
        return bool(data)

    def line(self) -> bytes:
        """The next line; empty at the end of the connection."""
        while b"\n" not in self._buffer:
            if not self._fill():
                return b""
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r")

    def reply(self) -> int:
        """The code of the next reply; 0: the connection is over."""
        line = self.line()
        while line[3:4] == b"-":
            line = self.line()
        return int(line[:3]) if line else 0

    def say(self, text: str) -> int:
        self.send(text.encode() + b"\r\n")
        return self.reply()

    def greet(self) -> "Client":
        assert self.reply() == 220
        assert self.say("EHLO evil.test") == 250
        return self

    def envelope(self, recipient: str) -> "Client":
        assert self.say("MAIL FROM:<alice@sender.test>") == 250
        assert self.say(f"RCPT TO:<{recipient}>") == 250
        return self

    def replies_until_end(self) -> list[int]:
        codes = []
        while code := self.reply():
            codes.append(code)
        return codes
