# SPDX-License-Identifier: Apache-2.0
"""The web server of an MTA-STS policy (RFC 8461 section 3.3).

It answers each request with its `answer` of the moment, which a test may
change, behind a certificate that may change too, and records what it heard.
"""

import socket
import ssl
import threading
import time
from dataclasses import dataclass, field

from lab.cert import Certificate, Identity

TRUSTED = Certificate(issuer="lab")
PATH = "/.well-known/mta-sts.txt"
IDLE_TIMEOUT = 120.0


def policy(mode: str, *mx: str, max_age: int = 86400) -> str:
    """The text of a policy file."""
    lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {name}" for name in mx)]
    return "".join(f"{line}\r\n" for line in [*lines, f"max_age: {max_age}"])


@dataclass(frozen=True)
class Answer:
    """What a request is told. `drip` is the pause before each byte of the
    body; `silent`: nothing is said at all."""

    body: str = ""
    status: str = "200 OK"
    type: str = "text/plain"
    headers: tuple[str, ...] = ()
    drip: float = 0.0
    silent: bool = False

    def head(self) -> bytes:
        lines = [
            f"HTTP/1.1 {self.status}",
            f"Content-Type: {self.type}",
            f"Content-Length: {len(self.body.encode())}",
            "Connection: close",
            *self.headers,
        ]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


NOT_FOUND = Answer("no such page", "404 Not Found")


@dataclass
class Sts:
    """The MTA-STS of a domain, as a world makes it: a TXT record with the id
    (`txt` in its place, where it is given), and a host with the policy, or
    with another first `answer`. `address` None: one is given. `host` is set
    by the world."""

    text: str = ""
    id: str = "1"
    txt: list[str] | None = None
    certificate: Certificate = TRUSTED
    address: str | None = None
    port: int = 443
    answer: Answer | None = None
    host: "PolicyHost | None" = field(default=None, repr=False)

    def records(self) -> list[str]:
        """The texts of the TXT records."""
        return [f"v=STSv1; id={self.id};"] if self.txt is None else self.txt


@dataclass(frozen=True)
class Request:
    time: float
    host: str
    path: str


class PolicyHost:
    def __init__(self, address: str, identity: Identity, sts: Sts) -> None:
        self.address = address
        self.port = sts.port
        self.answer = sts.answer or Answer(sts.text)
        self.requests: list[Request] = []
        self.handshakes = 0
        self.present(identity)
        self.start()

    def present(self, identity: Identity) -> None:
        """From now on with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.chain_file, identity.key_file)
        self._context = context

    def start(self) -> None:
        self._socket = socket.create_server((self.address, self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Connections are refused, until start()."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()

    def _accept(self) -> None:
        listener = self._socket
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.settimeout(IDLE_TIMEOUT)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self.handshakes += 1
        try:
            with self._context.wrap_socket(connection, server_side=True) as stream:
                self._note(self._read_head(stream))
                self._say(stream, self.answer)
        except OSError:
            pass
        finally:
            connection.close()

    def _read_head(self, stream: ssl.SSLSocket) -> list[str]:
        data = b""
        while b"\r\n\r\n" not in data and len(data) < 65536:
            part = stream.recv(4096)
            if not part:
                raise ConnectionError("no request")
            data += part
        return data.decode(errors="replace").split("\r\n")

    def _note(self, head: list[str]) -> None:
        fields = dict(line.lower().partition(": ")[::2] for line in head[1:])
        path = (head[0].split() + ["", ""])[1]
        self.requests.append(Request(time.time(), fields.get("host", ""), path))

    def _say(self, stream: ssl.SSLSocket, answer: Answer) -> None:
        if answer.silent:
            stream.recv(1)  # until the client gives up
            return
        body = answer.body.encode()
        stream.sendall(answer.head() + (b"" if answer.drip else body))
        for byte in body if answer.drip else b"":
            time.sleep(answer.drip)
            stream.sendall(bytes([byte]))
        stream.unwrap()
