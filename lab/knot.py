# SPDX-License-Identifier: Apache-2.0
"""Knot DNS as the authority behind the fronts.

One server a level (root, top-level domains, everything below): a server that
held parent and child would answer from the child and never give a referral.
"""

import subprocess
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from lab.procs import Processes, wait_until
from lab.zone import Zone

CONFIGURATION = """\
server:
    rundir: "{directory}"
    listen: {address}@53
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{directory}/db"
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: "{directory}"
    journal-content: none
    zonefile-sync: -1
zone:
"""


def _file_name(zone: Zone) -> str:
    return (zone.name.strip(".") or "root") + ".zone"


class Knot:
    """One knotd with some zones, on an address of its own."""

    def __init__(self, directory: Path, address: str) -> None:
        self._directory = directory
        self.address = address
        self._zones: list[Zone] = []
        directory.mkdir(parents=True)

    def add(self, zone: Zone, children: list[Zone] = ()) -> None:
        text = zone.to_text(children)
        (self._directory / _file_name(zone)).write_text(text)
        self._zones.append(zone)

    def _configuration(self) -> str:
        start = CONFIGURATION.format(directory=self._directory, address=self.address)
        entries = [
            f'  - domain: "{zone.origin.to_text()}"\n    file: "{_file_name(zone)}"\n'
            for zone in self._zones
        ]
        return start + "".join(entries)

    def start(self, processes: Processes) -> None:
        file = self._directory / "knot.conf"
        file.write_text(self._configuration())
        log = self._directory / "knot.log"
        self._process = processes.start(["knotd", "-c", str(file)], log)

    def wait(self) -> None:
        """Until every zone is loaded and answered for."""
        for zone in self._zones:
            wait_until(lambda: self._answers(zone), f"zone {zone.name} in Knot")

    def _answers(self, zone: Zone) -> bool:
        if self._process.poll() is not None:
            log = (self._directory / "knot.log").read_text()
            raise subprocess.SubprocessError(f"knotd ended:\n{log}")
        question = dns.message.make_query(zone.origin, "SOA")
        try:
            answer = dns.query.udp(question, self.address, timeout=0.2)
        except (dns.exception.Timeout, OSError):
            return False
        return bool(answer.answer)
