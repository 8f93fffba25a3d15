# SPDX-License-Identifier: Apache-2.0
"""The DNS server that the resolver talks to: it records and makes faults.

Each name server address is answered here, by UDP and TCP. A question is noted
and then handed to Knot as it came, and Knot's answer handed back, unless a
fault is set for its name and type. All of it runs on one loop in one thread.
"""

import asyncio
import struct
import threading
import time
from dataclasses import dataclass
from typing import Callable

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

UPSTREAM_TIMEOUT = 5.0


@dataclass(frozen=True)
class Question:
    """One question as it arrived."""

    time: float
    server: str
    transport: str
    name: str
    type: str


@dataclass(frozen=True)
class Fault:
    """What to do with a question instead of answering it.

    `act` makes the answer from the question and the transport; None is
    silence. `delay` comes first. A fault that only delays answers honestly.
    `drip` is the pause before each byte of an answer by TCP.
    """

    act: Callable[[dns.message.Message, str], bytes | None] | None = None
    delay: float = 0.0
    drip: float = 0.0


def _with_rcode(rcode: dns.rcode.Rcode) -> Fault:
    def act(query: dns.message.Message, transport: str) -> bytes:
        answer = dns.message.make_response(query)
        answer.set_rcode(rcode)
        return answer.to_wire()

    return Fault(act)


def _empty(query: dns.message.Message, transport: str) -> bytes:
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.AA
    return answer.to_wire()


def _truncated(query: dns.message.Message, transport: str) -> bytes | None:
    if transport == "tcp":
        return None
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.AA | dns.flags.TC
    return answer.to_wire()


SERVFAIL = _with_rcode(dns.rcode.SERVFAIL)
NXDOMAIN = _with_rcode(dns.rcode.NXDOMAIN)
NOTIMP = _with_rcode(dns.rcode.NOTIMP)
REFUSED = _with_rcode(dns.rcode.REFUSED)
FORMERR = _with_rcode(dns.rcode.FORMERR)
DROP = Fault(lambda query, transport: None)
EMPTY = Fault(_empty)
TRUNCATED = Fault(_truncated)


def texts(*texts: str) -> Fault:
    """Answers with these TXT records, for this moment only: for unsigned
    zones, whose records are to change."""

    def act(query: dns.message.Message, transport: str) -> bytes:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        if texts:
            name = query.question[0].name
            quoted = [f'"{text}"' for text in texts]
            answer.answer.append(dns.rrset.from_text(name, 0, "IN", "TXT", *quoted))
        return answer.to_wire()

    return Fault(act)


def raw(data: bytes) -> Fault:
    """Answers with these bytes after the question's id."""
    return Fault(lambda query, transport: struct.pack("!H", query.id) + data)


def delayed(seconds: float) -> Fault:
    return Fault(delay=seconds)


def dripping(seconds: float) -> Fault:
    """By UDP only that TCP is needed, and there a byte at a time."""

    def act(query: dns.message.Message, transport: str) -> bytes | None:
        return _truncated(query, transport) or _empty(query, transport)

    return Fault(act, drip=seconds)


def _asked(query: dns.message.Message) -> tuple[str, str]:
    question = query.question[0]
    return question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)


class _Upstream(asyncio.DatagramProtocol):
    """One question to Knot by UDP."""

    def __init__(self) -> None:
        self.answer = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, address) -> None:
        if not self.answer.done():
            self.answer.set_result(data)


class _Listener(asyncio.DatagramProtocol):
    def __init__(self, handle) -> None:
        self._handle = handle

    def connection_made(self, transport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address) -> None:
        asyncio.ensure_future(self._reply(data, address))

    async def _reply(self, data: bytes, address) -> None:
        answer = await self._handle(data, "udp")
        if answer is not None:
            self._transport.sendto(answer, address)


class _Server:
    """One address of the front and the Knot behind it."""

    def __init__(self, fronts: "Fronts", address: str, upstream: str) -> None:
        self._fronts = fronts
        self._address = address
        self._upstream = upstream

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        here = (self._address, 53)
        self._udp, _ = await loop.create_datagram_endpoint(
            lambda: _Listener(self._handle), local_addr=here
        )
        self._tcp = await asyncio.start_server(self._serve_tcp, *here)

    def close(self) -> None:
        self._udp.close()
        self._tcp.close()

    async def _handle(self, data: bytes, transport: str) -> bytes | None:
        try:
            query = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return None
        fault = self._fronts.note(self._address, transport, query)
        if fault and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault and fault.act:
            return fault.act(query, transport)
        forward = self._ask_tcp if transport == "tcp" else self._ask_udp
        try:
            return await asyncio.wait_for(forward(data), UPSTREAM_TIMEOUT)
        except (asyncio.TimeoutError, OSError):
            return None

    async def _ask_udp(self, data: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(
            _Upstream, remote_addr=(self._upstream, 53)
        )
        transport.sendto(data)
        try:
            return await protocol.answer
        finally:
            transport.close()

    async def _ask_tcp(self, data: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._upstream, 53)
        try:
            writer.write(struct.pack("!H", len(data)) + data)
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            return await reader.readexactly(length)
        finally:
            writer.close()

    def _drip_of(self, data: bytes) -> float:
        fault = self._fronts.fault_of(self._address, dns.message.from_wire(data))
        return fault.drip if fault else 0.0

    async def _write(self, writer, data: bytes, drip: float) -> None:
        if not drip:
            writer.write(data)
        for byte in data if drip else b"":
            await asyncio.sleep(drip)
            writer.write(bytes([byte]))
        await writer.drain()

    async def _serve_tcp(self, reader, writer) -> None:
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                data = await reader.readexactly(length)
                answer = await self._handle(data, "tcp")
                if answer is None:
                    break
                framed = struct.pack("!H", len(answer)) + answer
                await self._write(writer, framed, self._drip_of(data))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class Fronts:
    """All name server addresses of a world, their log and their faults."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._faults: dict[tuple[str, str, str | None], Fault] = {}
        self._log: list[Question] = []
        self._servers: list[_Server] = []
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def listen(self, address: str, upstream: str) -> None:
        server = _Server(self, address, upstream)
        asyncio.run_coroutine_threadsafe(server.start(), self._loop).result()
        self._servers.append(server)

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        waiting = asyncio.all_tasks() - {asyncio.current_task()}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.sleep(0)  # the sockets are closed in the next turn

    def stop(self) -> None:
        if self._loop.is_closed():
            return  # a world that failed to start has ended itself
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def set_fault(
        self, name: str, rdtype: str, fault: Fault | None, server: str | None = None
    ) -> None:
        """Sets the fault for a name and type ("*" for any), at all servers or
        at that one; None repairs it."""
        key = (dns.name.from_text(name).to_text().lower(), rdtype, server)
        with self._lock:
            self._faults.pop(key, None)
            if fault is not None:
                self._faults[key] = fault

    def note(self, server, transport, query: dns.message.Message) -> Fault | None:
        """Records the question; what to do with it."""
        if not query.question:
            return None
        name, rdtype = _asked(query)
        with self._lock:
            self._log.append(Question(time.time(), server, transport, name, rdtype))
        return self.fault_of(server, query)

    def fault_of(self, server: str, query: dns.message.Message) -> Fault | None:
        """The fault of a server for a question: for its name and type, for its
        name, or for all of a subtree ("*.name", "*")."""
        name, rdtype = _asked(query)
        with self._lock:
            found = self._find(name, rdtype, server) or self._find(name, "*", server)
            while found is None and name:
                found = self._find(f"*.{name}", "*", server)
                name = name.partition(".")[2]
        return found

    def _find(self, name: str, rdtype: str, server: str) -> Fault | None:
        here = self._faults.get((name, rdtype, server))
        return here or self._faults.get((name, rdtype, None))

    def questions(self, rdtype: str | None = None, under: str = ".") -> list[Question]:
        """The questions so far, of a type, at or under a name."""
        top = dns.name.from_text(under)
        with self._lock:
            log = list(self._log)
        return [
            question
            for question in log
            if rdtype in (None, question.type)
            and dns.name.from_text(question.name).is_subdomain(top)
        ]
