# SPDX-License-Identifier: Apache-2.0
"""A Postfix from its Debian package, unpacked and not installed.

It is told where everything is, gets its users from an /etc/passwd of our own,
and has three parts to play: it receives for some domains into one file, sends
what `submitted` names to us by SUBMISSION, and delivers all else with DANE.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from lab.procs import Processes, wait_until
from lab.world import Domain
from tests.support import debian
from tests.support.debian import UNPACKED, program
from tests.support.users import POSTFIX_DROP, POSTFIX_USER

#: Where its connections come from, by which receivers tell it from us.
CLIENT_ADDRESS = "127.0.66.1"
QUEUES = (
    "active bounce corrupt defer deferred flush hold incoming maildrop pid "
    "private public saved trace"
).split()

MAIN = """\
compatibility_level = 3.6
daemon_directory = {unpacked}/usr/lib/postfix/sbin
command_directory = {unpacked}/usr/sbin
shlib_directory = {unpacked}/usr/lib/postfix
meta_directory = {directory}/etc
queue_directory = {directory}/spool
data_directory = {directory}/data
mail_owner = sealpost-lab-mail
setgid_group = sealpost-lab-drop
import_environment = MAIL_CONFIG TZ LD_LIBRARY_PATH
maillog_file = {directory}/mail.log
maillog_file_prefixes = /
myhostname = {name}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
alias_maps =
virtual_mailbox_domains = {domains}
virtual_mailbox_base = {directory}/mail
virtual_mailbox_maps = static:inbox
virtual_uid_maps = static:{user}
virtual_gid_maps = static:{user}
transport_maps = inline:{{ {transports} }}
minimal_backoff_time = 2s
maximal_backoff_time = 600s
queue_run_delay = 1s
smtp_bind_address = {client}
smtp_dns_support_level = dnssec
smtp_tls_security_level = dane
smtp_tls_loglevel = 1
smtp_connect_timeout = 5s
smtp_helo_timeout = 5s
smtp_starttls_timeout = 5s
"""

MASTER = """\
cleanup   unix  n - n - 0   cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - -   trivial-rewrite
bounce    unix  - - n - 0   bounce
defer     unix  - - n - 0   bounce
trace     unix  - - n - 0   bounce
verify    unix  - - n - 1   verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - -   proxymap
smtp      unix  - - n - -   smtp
error     unix  - - n - -   error
retry     unix  - - n - -   error
virtual   unix  - n n - -   virtual
anvil     unix  - - n - 1   anvil
scache    unix  - - n - 1   scache
tlsmgr    unix  - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
submit    unix  - - n - -   smtp
  -o smtp_tls_security_level=secure
  -o smtp_tls_CAfile={authority}
  -o smtp_tls_secure_cert_match=nexthop
  -o debug_peer_list={submission}
  -o debug_peer_level=1
"""
LISTENER = """\
{address}:25 inet n - n - - smtpd
  -o smtpd_tls_chain_files={key_file},{chain_file}
"""

TLS_LINE = re.compile(
    r"postfix/smtp\[(?P<pid>\d+)\]: (?P<trust>\w+) TLS connection established"
)
STATUS_LINE = re.compile(
    r"postfix/smtp\[(?P<pid>\d+)\]: \w+: to=<(?P<recipient>[^>]*)>.*?"
    r"dsn=(?P<dsn>[\d.]+), status=(?P<status>\w+) \((?P<text>.*)\)$"
)


@dataclass
class Attempt:
    """What Postfix says that became of a delivery. `tls` is its word for the
    last session of it, or None: Verified, Trusted, Untrusted, Anonymous."""

    status: str
    dsn: str
    text: str
    tls: str | None


def environment(config: Path) -> dict[str, str]:
    return {**debian.environment(), "MAIL_CONFIG": str(config)}


class Postfix:
    """`domains` are received, each at its address with its certificate;
    `submitted` domains go to the host `submission`."""

    title = "Postfix"

    def __init__(
        self,
        directory: Path,
        domains: list[Domain],
        submission: str,
        authority_file: Path,
        submitted: list[str],
    ) -> None:
        self._directory = directory
        self._domains = domains
        self._submission = submission
        self._authority_file = authority_file
        self._submitted = submitted
        self.address = domains[0].host.addresses[0]
        self.config = directory / "etc"
        self.inbox = directory / "mail" / "inbox"
        self.log = directory / "mail.log"

    def start(self, processes: Processes) -> None:
        self._lay_out()
        (self.config / "main.cf").write_text(self._main())
        (self.config / "master.cf").write_text(self._master())
        argv = [program("usr/lib/postfix/sbin/master"), "-c", str(self.config), "-d"]
        output = self._directory / "master.log"
        self._process = processes.start(argv, output, env=environment(self.config))
        wait_until(lambda: self._up(output), "Postfix to start")

    def _main(self) -> str:
        route = f"submit:[{self._submission}]:587"
        return MAIN.format(
            unpacked=UNPACKED,
            directory=self._directory,
            user=POSTFIX_USER,
            name=self._domains[0].host.absolute(self._domains[0].name).rstrip("."),
            domains=" ".join(domain.name for domain in self._domains),
            transports=", ".join(f"{name}={route}" for name in self._submitted),
            client=CLIENT_ADDRESS,
        )

    def _master(self) -> str:
        listeners = [
            LISTENER.format(
                address=domain.host.addresses[0],
                key_file=domain.host.identity.key_file,
                chain_file=domain.host.identity.chain_file,
            )
            for domain in self._domains
        ]
        rest = MASTER.format(authority=self._authority_file, submission=self._submission)
        return "".join(listeners) + rest

    def _up(self, output: Path) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"Postfix ended: {output.read_text()}{self.log_text()}")
        return "daemon started" in self.log_text()

    def _lay_out(self) -> None:
        # its own users have to walk through
        for folder in (self._directory, self._directory.parent):
            folder.chmod(0o711)
        for name in ("etc", "spool", "data", "mail"):
            (self._directory / name).mkdir()
        for name in ("data", "mail"):
            os.chown(self._directory / name, POSTFIX_USER, POSTFIX_USER)
        for name in QUEUES:
            queue = self._directory / "spool" / name
            queue.mkdir(mode=0o700)
            if name != "pid":
                os.chown(queue, POSTFIX_USER, POSTFIX_DROP)
        (self._directory / "spool" / "public").chmod(0o710)
        (self._directory / "spool" / "maildrop").chmod(0o730)

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def inbox_text(self) -> str:
        return self.inbox.read_text(errors="replace") if self.inbox.exists() else ""

    def arrived(self, recipient: str) -> bool:
        return f"Delivered-To: {recipient}\n" in self.inbox_text()

    def came_by_tls(self, recipient: str) -> bool:
        """Whether its header says so."""
        received = self.inbox_text().partition(f"Delivered-To: {recipient}\n")[2]
        return "(using TLSv1." in received.partition("\n\n")[0]

    def attempts(self, recipient: str) -> list[Attempt]:
        """What the log says about the deliveries to a recipient so far."""
        found: list[Attempt] = []
        tls: dict[str, str] = {}
        for line in self.log_text().splitlines():
            if match := TLS_LINE.search(line):
                tls[match["pid"]] = match["trust"]
            elif match := STATUS_LINE.search(line):
                trust = tls.pop(match["pid"], None)
                if match["recipient"] == recipient:
                    found.append(Attempt(match["status"], match["dsn"], match["text"], trust))
        return found
