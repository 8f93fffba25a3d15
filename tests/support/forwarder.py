# SPDX-License-Identifier: Apache-2.0
"""A resolver that others forward to: it knows each zone's server beforehand."""

import socketserver
import threading

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype

from lab.world import ROOT_SERVER, TLD_SERVER, World

ADDRESS = "127.0.65.2"
RD, RA, AA = dns.flags.RD, dns.flags.RA, dns.flags.AA


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, socket = self.request
        try:
            answer = self.server.forwarder.answer(dns.message.from_wire(data))
        except dns.exception.DNSException:
            return
        socket.sendto(answer.to_wire(), self.client_address)


class Forwarder:
    """Answers by UDP, with what the zone's own server says."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._server = socketserver.ThreadingUDPServer((ADDRESS, 53), _Handler)
        self._server.daemon_threads = True
        self._server.forwarder = self

    def __enter__(self) -> "Forwarder":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _home(self, name: dns.name.Name, rdtype: int) -> str:
        """The server of the zone that the name is in; a DS is the parent's."""
        if rdtype == dns.rdatatype.DS and name != dns.name.root:
            name = name.parent()
        if zone := self._world.zone_of(name.to_text()):
            return zone.address
        return ROOT_SERVER if name == dns.name.root else TLD_SERVER

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        question = query.question[0]
        home = self._home(question.name, question.rdtype)
        try:
            answer = dns.query.udp(query, home, timeout=5)
        except dns.exception.Timeout:
            answer = dns.message.make_response(query)
            answer.set_rcode(dns.rcode.SERVFAIL)
        answer.flags = answer.flags & ~AA | RA | RD
        return answer
