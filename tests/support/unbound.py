# SPDX-License-Identifier: Apache-2.0
"""Unbound as the validating resolver of those who do not validate."""

import subprocess
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query

from lab.procs import wait_until
from lab.world import World
from tests.support import debian

ADDRESS = "127.0.65.1"
CONFIGURATION = """\
server:
  interface: {address}
  do-ip6: no
  do-daemonize: no
  num-threads: 1
  username: ""
  chroot: ""
  directory: "{directory}"
  pidfile: "{directory}/unbound.pid"
  use-syslog: no
  logfile: ""
  val-log-level: 2
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  module-config: "validator iterator"
  root-hints: "{hints}"
  trust-anchor-file: "{anchor}"
  local-zone: "test." nodefault
remote-control:
  control-enable: no
"""


class Unbound:
    """Recursion from the root of the lab, and its trust anchor."""

    def __init__(self, directory: Path, world: World) -> None:
        self._world = world
        self._log = directory / "unbound.log"
        self._file = directory / "unbound.conf"
        self._file.write_text(
            CONFIGURATION.format(
                address=ADDRESS,
                directory=directory,
                hints=world.hints_file,
                anchor=world.anchor_file,
            )
        )

    def start(self) -> None:
        argv = [debian.program("usr/sbin/unbound"), "-d", "-c", str(self._file)]
        self._process = self._world.processes.start(
            argv, self._log, env=debian.environment()
        )
        wait_until(self._validates, "Unbound to validate")

    def _validates(self) -> bool:
        if self._process.poll() is not None:
            log = self._log.read_text(errors="replace")
            raise subprocess.SubprocessError(f"Unbound ended:\n{log}")
        question = dns.message.make_query("test.", "SOA", want_dnssec=True)
        try:
            answer = dns.query.udp(question, ADDRESS, timeout=0.5)
        except (dns.exception.Timeout, OSError):
            return False
        return bool(answer.flags & dns.flags.AD)
