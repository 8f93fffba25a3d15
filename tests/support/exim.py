# SPDX-License-Identifier: Apache-2.0
"""An Exim from its Debian package: receives into one file, and submits to us.

It is not setuid, and runs under its own user from when it has its ports; so
that it keeps its configuration when it runs itself again, it never asks for
more rights than that (deliver_drop_privilege).
"""

import os
import shutil
from pathlib import Path

from lab.procs import Processes, wait_until
from lab.world import Domain
from tests.support import debian
from tests.support.users import EXIM_USER

PROGRAM = "usr/sbin/exim4"
CONFIGURATION = """\
exim_path = {program}
primary_hostname = {name}
spool_directory = {directory}/spool
log_file_path = {directory}/log/%slog
log_selector = +all
keep_environment = LD_LIBRARY_PATH
deliver_drop_privilege = true
local_interfaces = {addresses}
daemon_smtp_ports = 25
tls_advertise_hosts = *
tls_certificate = {directory}/tls/$received_ip_address.pem
tls_privatekey = {directory}/tls/$received_ip_address.key
chunking_advertise_hosts = *
pipelining_advertise_hosts = *
smtputf8_advertise_hosts = *
acl_smtp_mail = accept
acl_smtp_rcpt = accept
host_lookup =
rfc1413_hosts =
dkim_verify_signers =
queue_run_max = 2

begin routers
inbox:
  driver = accept
  domains = {domains}
  transport = file
submission:
  driver = manualroute
  route_list = * {submission}
  self = send
  transport = submission

begin transports
file:
  driver = appendfile
  file = {directory}/mail/inbox
  user = {user}
  group = {user}
  envelope_to_add
  return_path_add
submission:
  driver = smtp
  port = 587
  helo_data = {name}
  hosts_require_tls = *
  tls_verify_hosts = *
  tls_verify_certificates = {authority}
  max_rcpt = 100
  dnssec_request_domains =
"""


class Exim:
    """`domains` are received, each at its address with its certificate; all
    else goes to the host `submission`, whose authority is `authority_file`."""

    title = "Exim"

    def __init__(
        self, directory: Path, domains: list[Domain], submission: str, authority_file: Path
    ) -> None:
        self._directory = directory
        self._domains = domains
        self._submission = submission
        self._authority_file = authority_file
        self.address = domains[0].host.addresses[0]
        self.inbox = directory / "mail" / "inbox"
        self.log = directory / "log" / "mainlog"

    def start(self, processes: Processes) -> None:
        self._lay_out()
        program = debian.program(PROGRAM)
        config = self._directory / "exim.conf"
        config.write_text(
            CONFIGURATION.format(
                program=program,
                name=self._domains[0].host.absolute(self._domains[0].name).rstrip("."),
                directory=self._directory,
                addresses=" : ".join(d.host.addresses[0] for d in self._domains),
                domains=" : ".join(d.name for d in self._domains),
                submission=self._submission,
                user=EXIM_USER,
                authority=self._authority_file,
            )
        )
        config.chmod(0o644)
        output = self._directory / "exim.log"
        argv = [program, "-C", str(config), "-bdf", "-q2s"]
        self._process = processes.start(argv, output, env=debian.environment())
        wait_until(lambda: self._up(output), "Exim to start")

    def _up(self, output: Path) -> bool:
        if self._process.poll() is not None:
            text = output.read_text(errors="replace")
            raise RuntimeError(f"Exim ended: {text}{self.log_text()}")
        return "listening for SMTP" in self.log_text()

    def _lay_out(self) -> None:
        for folder in (self._directory, self._directory.parent):
            folder.chmod(0o711)
        for name in ("spool", "log", "mail", "tls"):
            folder = self._directory / name
            folder.mkdir()
            os.chown(folder, EXIM_USER, EXIM_USER)
        for domain in self._domains:
            identity, address = domain.host.identity, domain.host.addresses[0]
            for source, kind in ((identity.chain_file, "pem"), (identity.key_file, "key")):
                copy = self._directory / "tls" / f"{address}.{kind}"
                shutil.copy(source, copy)
                os.chown(copy, EXIM_USER, EXIM_USER)

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def inbox_text(self) -> str:
        return self.inbox.read_text(errors="replace") if self.inbox.exists() else ""

    def arrived(self, recipient: str) -> bool:
        return f"Envelope-to: {recipient}\n" in self.inbox_text()

    def came_by_tls(self, recipient: str) -> bool:
        """Whether its header says so."""
        received = self.inbox_text().partition(f"Envelope-to: {recipient}\n")[2]
        return "(TLS1." in received.partition("\n\n")[0]
