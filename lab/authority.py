# SPDX-License-Identifier: Apache-2.0
"""An authoritative DNS server: some zones on an address of its own.

One server a level (root, top-level domains, everything below): a server that
held parent and child would answer from the child and never give a referral.
"""

import subprocess
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from lab.procs import Processes, wait_until
from lab.zone import Zone

#: In no zone, and so a question for the proof that it does not exist.
NOWHERE = "this-name-is-nowhere"
DENIALS = {dns.rdatatype.NSEC, dns.rdatatype.NSEC3}


def file_name(zone: Zone) -> str:
    return (zone.name.strip(".") or "root") + ".zone"


class Authority:
    """What all kinds have in common; `command` starts the server."""

    title = "a name server"

    def __init__(self, directory: Path, address: str) -> None:
        self.directory = directory
        self.address = address
        self.zones: list[Zone] = []
        directory.mkdir(parents=True)

    def command(self) -> list[str]:
        """Writes the configuration; what to run in the foreground."""
        raise NotImplementedError

    def environment(self) -> dict[str, str] | None:
        return None

    def zone_text(self, zone: Zone, children: list[Zone]) -> str:
        return zone.to_text(children)

    def add(self, zone: Zone, children: list[Zone] = ()) -> None:
        text = self.zone_text(zone, children)
        (self.directory / file_name(zone)).write_text(text)
        self.zones.append(zone)

    def start(self, processes: Processes) -> None:
        self._log = self.directory / "server.log"
        self._process = processes.start(
            self.command(), self._log, env=self.environment()
        )

    def wait(self) -> None:
        """Until every zone is loaded, signed and answered for."""
        for zone in self.zones:
            try:
                wait_until(lambda: self._serves(zone), f"zone {zone.name}")
            except TimeoutError as error:
                raise TimeoutError(f"{self.title}: {error}\n{self._log_text()}") from None

    def _log_text(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]

    def _ask(self, name, rdtype: str) -> dns.message.Message | None:
        question = dns.message.make_query(name, rdtype, want_dnssec=True)
        try:
            return dns.query.udp(question, self.address, timeout=0.2)
        except (dns.exception.Timeout, OSError):
            return None

    def _serves(self, zone: Zone) -> bool:
        if self._process.poll() is not None:
            raise subprocess.SubprocessError(f"{self.title} ended:\n{self._log_text()}")
        answer = self._ask(zone.origin, "SOA")
        if answer is None or not answer.answer:
            return False
        return not zone.signed or self._proves(zone, answer)

    def _proves(self, zone: Zone, answer: dns.message.Message) -> bool:
        """Whether signatures and the chain of denial are there."""
        if not any(rrset.rdtype == dns.rdatatype.RRSIG for rrset in answer.answer):
            return False
        denied = self._ask(NOWHERE + "." + zone.origin.to_text().lstrip("."), "A")
        if denied is None or denied.rcode() != dns.rcode.NXDOMAIN:
            return denied is not None
        return bool(DENIALS & {rrset.rdtype for rrset in denied.authority})
