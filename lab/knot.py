# SPDX-License-Identifier: Apache-2.0
"""Knot DNS, the authority of everything where nothing else is asked for."""

from lab.authority import Authority, file_name

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


class Knot(Authority):
    title = "Knot"

    def command(self) -> list[str]:
        start = CONFIGURATION.format(directory=self.directory, address=self.address)
        entries = [
            f'  - domain: "{zone.origin.to_text()}"\n    file: "{file_name(zone)}"\n'
            for zone in self.zones
        ]
        file = self.directory / "knot.conf"
        file.write_text(start + "".join(entries))
        return ["knotd", "-c", str(file)]
