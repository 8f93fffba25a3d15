# SPDX-License-Identifier: Apache-2.0
"""The server's side of one SMTP connection, and the record of it."""

import socket
import ssl
import struct
import time
from dataclasses import dataclass, field

from lab.behaviour import ALERT, NORMAL, RESET, SILENCE, Flood, Step

TLS_ALERT = bytes.fromhex("15030300020228")
LINE_LIMIT = 65536
ALERT_TIMEOUT = 10.0  # for the peer to go


@dataclass
class Mail:
    """A message that was accepted, with the envelope it came in."""

    sender: str
    recipients: list[str]
    data: bytes
    encrypted: bool
    time: float = field(default_factory=time.monotonic)


@dataclass
class Session:
    """What one connection showed of the peer."""

    peer: str = ""
    clear: bytearray = field(default_factory=bytearray)
    commands: list[tuple[str, bool]] = field(default_factory=list)
    sni: str | None = None
    tls: str | None = None
    cipher: str | None = None
    alpn: str | None = None
    resumed: bool = False
    handshake_error: str | None = None
    mails: list[Mail] = field(default_factory=list)
    ended: bool = False

    def verbs(self, encrypted: bool | None = None) -> list[str]:
        """The commands that came: all, or those in TLS, or those in clear."""
        return [
            line.split(" ")[0].upper()
            for line, was_encrypted in self.commands
            if encrypted in (None, was_encrypted)
        ]

    def mail_in_clear(self) -> bool:
        """Whether anything of a message was said in clear."""
        return bool({"MAIL", "RCPT", "DATA", "BDAT"} & set(self.verbs(False)))

    def ehlo_names(self) -> list[str]:
        heard = [line for line, _ in self.commands]
        return [line[5:] for line in heard if line.upper().startswith("EHLO ")]


class _Ended(Exception):
    """The connection is over, by us or by the peer."""


class _Wire:
    """Lines and bytes over a socket that may become TLS."""

    def __init__(self, connection: socket.socket, session: Session, split: bool):
        self._socket = connection
        self._session = session
        self._split = split
        self._buffer = bytearray()
        self.encrypted = False

    def _fill(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise _Ended
        if not self.encrypted:
            self._session.clear += data
        self._buffer += data

    def line(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > LINE_LIMIT:
                raise _Ended
            self._fill()
        taken = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return taken

    def take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def message(self) -> bytes:
        """Everything up to the final dot, with dots unstuffed."""
        lines = []
        while (line := self.line()) != b".\r\n":
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def sip(self, pause: float) -> None:
        while self._socket.recv(1024):
            time.sleep(pause)
        raise _Ended

    def send(self, data: bytes) -> None:
        if not self._split:
            self._socket.sendall(data)
            return
        for byte in data:
            self._socket.sendall(bytes([byte]))

    def flood(self, step: Flood) -> None:
        if step.after:
            self._fill()
        while True:
            self._socket.sendall(step.data)
            time.sleep(step.pause)

    def start_tls(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        self._buffer.clear()
        self._socket = context.wrap_socket(
            self._socket, server_side=True, do_handshake_on_connect=False
        )
        try:
            self._socket.do_handshake()
        except ssl.SSLError:
            self._end_after_alert()
            raise
        self.encrypted = True
        return self._socket

    def _end_after_alert(self) -> None:
        """To close with bytes of the peer unread would reset the connection,
        and could cost it our alert."""
        with socket.socket(fileno=self._socket.detach()) as raw:
            raw.settimeout(ALERT_TIMEOUT)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(65536):
                pass

    def await_bytes(self) -> None:
        """Until the peer says anything; a close before that would reset."""
        self._fill()

    def wait_for_end(self) -> None:
        while True:
            self._fill()

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def close(self) -> None:
        self._socket.close()


class Dialogue:
    """One connection, from greeting to end."""

    def __init__(self, receiver: "Receiver", connection: socket.socket) -> None:
        self._receiver = receiver
        self._behaviour = receiver.behaviour
        self._session = receiver.new_session(connection.getpeername()[0])
        self._wire = _Wire(connection, self._session, self._behaviour.split)
        self._sender = ""
        self._recipients: list[str] = []
        self._chunks = bytearray()

    def run(self) -> None:
        try:
            self._do("greeting", f"220 {self._receiver.name} ESMTP lab")
            while self._command(self._wire.line()):
                pass
        except (_Ended, OSError):
            pass
        finally:
            self._wire.close()
            self._receiver.end_session(self._session)

    def _do(self, point: str, honest: str) -> str:
        """Takes the step for a point of the dialogue; the reply it gave."""
        step = self._receiver.next_step(point)
        return self._take(honest if step is NORMAL else step)

    def _take(self, step: Step) -> str:
        if isinstance(step, bytes):
            self._wire.send(step)
            return step.decode("latin-1")
        if isinstance(step, str):
            self._wire.send(step.replace("\n", "\r\n").encode() + b"\r\n")
            return step
        if isinstance(step, Flood):
            self._wire.flood(step)
        if step is SILENCE:
            self._wire.wait_for_end()
        if step is ALERT:
            self._wire.await_bytes()
            self._wire.send(TLS_ALERT)
        if step is RESET:
            self._wire.reset()
        raise _Ended

    def _command(self, raw: bytes) -> bool:
        line = raw.decode("utf-8", "backslashreplace").rstrip("\r\n")
        self._receiver.note_command(self._session, line, self._wire.encrypted)
        verb, _, rest = line.partition(" ")
        handler = getattr(self, f"_on_{verb.lower()}", None)
        if handler is None:
            self._do(verb.upper(), "502 5.5.1 command not known")
            return True
        return handler(rest)

    def _on_ehlo(self, rest: str) -> bool:
        words = list(self._behaviour.extensions)
        if self._behaviour.offers_starttls and not self._wire.encrypted:
            words.append(self._behaviour.starttls_word)
        lines = [self._receiver.name, *words]
        marks = ["-"] * (len(lines) - 1) + [" "]
        self._do("EHLO", "\n".join(f"250{m}{w}" for m, w in zip(marks, lines)))
        self._forget()
        return True

    def _on_helo(self, rest: str) -> bool:
        self._do("HELO", f"250 {self._receiver.name}")
        return True

    def _on_starttls(self, rest: str) -> bool:
        if self._receiver.context is None or not self._behaviour.offers_starttls:
            honest = "502 5.5.1 command not known"
        else:
            honest = "220 2.0.0 ready to start TLS"
        step = self._receiver.next_step("STARTTLS")
        reply = honest if step is NORMAL else step
        if self._behaviour.injected and isinstance(reply, str):
            reply = reply.encode() + b"\r\n" + self._behaviour.injected
        if self._take(reply).startswith("220"):
            self._handshake()
        return True

    def _handshake(self) -> None:
        if self._behaviour.handshake is not NORMAL:
            self._take(self._behaviour.handshake)
        try:
            secure = self._wire.start_tls(self._receiver.context)
        except (ssl.SSLError, OSError) as error:
            self._session.handshake_error = str(error)
            raise _Ended from error
        finally:
            self._session.sni = self._receiver.heard_sni()
        self._session.tls = secure.version()
        self._session.cipher, *_ = secure.cipher() or [None]  # None: gone already
        self._session.alpn = secure.selected_alpn_protocol()
        self._session.resumed = secure.session_reused
        self._forget()
        if self._behaviour.after_handshake is not NORMAL:
            self._take(self._behaviour.after_handshake)

    def _forget(self) -> None:
        self._sender, self._recipients = "", []
        self._chunks = bytearray()

    def _on_mail(self, rest: str) -> bool:
        if self._do("MAIL", "250 2.1.0 ok").startswith("2"):
            self._sender, self._recipients = _address(rest), []
        return True

    def _on_rcpt(self, rest: str) -> bool:
        if self._do("RCPT", "250 2.1.5 ok").startswith("2"):
            self._recipients.append(_address(rest))
        return True

    def _on_data(self, rest: str) -> bool:
        honest = "354 go ahead" if self._recipients else "554 5.5.1 no recipients"
        if not self._do("DATA", honest).startswith("3"):
            return True
        if self._behaviour.sips:
            self._wire.sip(self._behaviour.sips)
        data = self._wire.message()
        if not self._behaviour.keeps_data:
            data = data.partition(b"\r\n\r\n")[0]
        self._end_of_message(data)
        self._forget()
        return True

    def _end_of_message(self, data: bytes) -> None:
        step = self._receiver.next_step(".")
        reply = "250 2.0.0 taken" if step is NORMAL else step
        if isinstance(reply, str) and reply.startswith("2"):
            # noted first: whoever hears of the reply may look at once
            mail = Mail(self._sender, self._recipients, data, self._wire.encrypted)
            self._receiver.take_mail(self._session, mail)
        self._take(reply)

    def _on_bdat(self, rest: str) -> bool:
        size, _, last = rest.partition(" ")
        self._chunks += self._wire.take(int(size))
        if not self._recipients:
            self._do("BDAT", "503 5.5.1 no recipients")
        elif not last:
            self._do("BDAT", "250 2.0.0 chunk taken")
        else:
            self._end_of_message(bytes(self._chunks))
            self._forget()
        return True

    def _on_rset(self, rest: str) -> bool:
        self._forget()
        self._do("RSET", "250 2.0.0 ok")
        return True

    def _on_noop(self, rest: str) -> bool:
        self._do("NOOP", "250 2.0.0 ok")
        return True

    def _on_quit(self, rest: str) -> bool:
        self._do("QUIT", "221 2.0.0 bye")
        return False


def _address(argument: str) -> str:
    return argument.partition("<")[2].partition(">")[0]
