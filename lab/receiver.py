# SPDX-License-Identifier: Apache-2.0
"""The scripted SMTP receiver: does what its Behaviour says, records the rest.

A thread for each connection: what a peer sees is then exactly what one reads
in dialogue.py from top to bottom, silence included.
"""

import socket
import ssl
import threading
import warnings
from typing import Callable

from lab.behaviour import HOLD, HONEST, NORMAL, Behaviour, Step
from lab.cert import Identity
from lab.dialogue import Dialogue, Mail, Session

IDLE_TIMEOUT = 120.0


class Receiver:
    """An SMTP server at one address, and all that ever happened there."""

    def __init__(
        self,
        name: str,
        address: str,
        identity: Identity | None,
        behaviour: Behaviour = HONEST,
        port: int = 25,
    ) -> None:
        self.name = name
        self.address = address
        self.behaviour = behaviour
        self.sessions: list[Session] = []
        self.taken = 0
        self._used: dict[str, int] = {}
        self._changed = threading.Condition()
        self._heard = threading.local()
        self._released = threading.Event()
        self.context = self._tls_context(identity) if identity else None
        self._listen(port)

    def _tls_context(self, identity: Identity) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.chain_file, identity.key_file)
        if identity.second:
            second = identity.second
            context.load_cert_chain(second.chain_file, second.key_file)
        context.set_ciphers(self.behaviour.ciphers or "DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            # old versions are what some receivers are for
            warnings.simplefilter("ignore", DeprecationWarning)
            low, high = self.behaviour.tls_versions
            context.minimum_version = ssl.TLSVersion[low]
            context.maximum_version = ssl.TLSVersion[high]
        if self.behaviour.wants_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
        context.set_alpn_protocols(["smtp"])
        context.sni_callback = self._hear_sni
        return context

    def _hear_sni(self, connection, name: str | None, context) -> None:
        self._heard.name = name

    def heard_sni(self) -> str | None:
        """The name the handshake of this very thread asked for."""
        return getattr(self._heard, "name", None)

    def _listen(self, port: int) -> None:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self._socket = socket.create_server(
            (self.address, port), family=family, backlog=512
        )
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.settimeout(IDLE_TIMEOUT)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            dialogue = Dialogue(self, connection)
        except OSError:
            connection.close()
            return
        dialogue.run()

    def stop(self) -> None:
        """Accepts no more; connections end when their peers do."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()

    def next_step(self, point: str) -> Step:
        """What to do now at a point of the dialogue."""
        with self._changed:
            steps = self.behaviour.replies.get(point, (NORMAL,))
            used = self._used.get(point, 0)
            self._used[point] = used + 1
        step = steps[min(used, len(steps) - 1)]
        if step is HOLD:
            self._released.wait(IDLE_TIMEOUT)
            return NORMAL
        return step

    def release(self) -> None:
        """Lets those go on that HOLD."""
        self._released.set()

    def new_session(self, peer: str) -> Session:
        session = Session(peer)
        with self._changed:
            self.sessions.append(session)
            self._changed.notify_all()
        return session

    def end_session(self, session: Session) -> None:
        with self._changed:
            session.ended = True
            self._changed.notify_all()

    def note_command(self, session: Session, line: str, encrypted: bool) -> None:
        with self._changed:
            session.commands.append((line, encrypted))
            self._changed.notify_all()

    def take_mail(self, session: Session, mail: Mail) -> None:
        with self._changed:
            session.mails.append(mail)
            self.taken += 1
            self._changed.notify_all()

    def mails(self, recipient: str | None = None) -> list[tuple[Session, Mail]]:
        """The messages taken so far, each with its session."""
        with self._changed:
            return [
                (session, mail)
                for session in self.sessions
                for mail in session.mails
                if recipient is None or recipient in mail.recipients
            ]

    def arrivals(self) -> dict[str, list[float]]:
        """When each recipient's messages were taken."""
        taken: dict[str, list[float]] = {}
        for _, mail in self.mails():
            for recipient in mail.recipients:
                taken.setdefault(recipient, []).append(mail.time)
        return taken

    def mail_in_clear(self) -> bool:
        with self._changed:
            return any(session.mail_in_clear() for session in self.sessions)

    def wait_for(self, done: Callable[[], bool], timeout: float = 20.0) -> None:
        """Until something that happens here makes `done` true."""
        with self._changed:
            if not self._changed.wait_for(done, timeout):
                raise TimeoutError(f"{self.name}: waited {timeout:g} s in vain")
