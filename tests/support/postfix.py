# SPDX-License-Identifier: Apache-2.0
"""A Postfix from its Debian package, unpacked and not installed.

It is told where everything is, gets its users from an /etc/passwd of our own
(mounted in the private mount namespace only), and delivers into one file.
"""

import os
import subprocess
from pathlib import Path

from lab.cert import Identity
from lab.procs import Processes, wait_until
from lab.server import ROOT

UNPACKED = ROOT / "build" / "interop" / "root"
USER_ID = 64100
DROP_ID = 64101
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
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_peername_lookup = no
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_chain_files = {key_file}, {chain_file}
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
alias_maps =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {directory}/mail
virtual_mailbox_maps = static:inbox
virtual_uid_maps = static:{user}
virtual_gid_maps = static:{user}
"""

MASTER = """\
{address}:25 inet n - n - - smtpd
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
"""


def library_path() -> str:
    """Where the unpacked programs find their libraries."""
    found = sorted((UNPACKED / "usr" / "lib").glob("*-linux-gnu*"))
    return ":".join(map(str, [UNPACKED / "usr" / "lib" / "postfix", *found]))


def program(name: str) -> str:
    return str(UNPACKED / "usr" / "sbin" / name)


def environment(config: Path) -> dict[str, str]:
    return {**os.environ, "LD_LIBRARY_PATH": library_path(), "MAIL_CONFIG": str(config)}


def add_users(directory: Path) -> None:
    """Adds Postfix's two accounts, as far as this mount namespace sees."""
    passwd = f"sealpost-lab-mail:x:{USER_ID}:{USER_ID}::/nonexistent:/bin/false\n"
    groups = f"sealpost-lab-mail:x:{USER_ID}:\nsealpost-lab-drop:x:{DROP_ID}:\n"
    for name, lines in (("passwd", passwd), ("group", groups)):
        system = Path("/etc") / name
        ours = directory / name
        ours.write_text(system.read_text() + lines)
        ours.chmod(0o644)
        subprocess.run(["mount", "--bind", str(ours), str(system)], check=True)


class Postfix:
    def __init__(self, directory: Path, domain: str, name: str, address: str):
        self._directory = directory
        self.config = directory / "etc"
        self.inbox = directory / "mail" / "inbox"
        self.log = directory / "mail.log"
        self._values = {"domain": domain, "name": name, "address": address}

    def start(self, identity: Identity, processes: Processes) -> None:
        self._lay_out()
        values = {
            **self._values,
            "unpacked": UNPACKED,
            "directory": self._directory,
            "user": USER_ID,
            "key_file": identity.key_file,
            "chain_file": identity.chain_file,
        }
        (self.config / "main.cf").write_text(MAIN.format(**values))
        (self.config / "master.cf").write_text(MASTER.format(**values))
        master = str(UNPACKED / "usr/lib/postfix/sbin/master")
        argv = [master, "-c", str(self.config), "-d"]
        output = self._directory / "master.log"
        self._process = processes.start(argv, output, env=environment(self.config))
        wait_until(lambda: self._up(output), "Postfix to start")

    def _up(self, output: Path) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"Postfix ended: {output.read_text()}{self.log_text()}")
        return "daemon started" in self.log_text()

    def _lay_out(self) -> None:
        # its own users have to walk through
        for folder in (self._directory, self._directory.parent):
            folder.chmod(0o711)
        add_users(self._directory)
        for name in ("etc", "spool", "data", "mail"):
            (self._directory / name).mkdir()
        for name in ("data", "mail"):
            os.chown(self._directory / name, USER_ID, USER_ID)
        for name in QUEUES:
            queue = self._directory / "spool" / name
            queue.mkdir(mode=0o700)
            if name != "pid":
                os.chown(queue, USER_ID, DROP_ID)
        (self._directory / "spool" / "public").chmod(0o710)
        (self._directory / "spool" / "maildrop").chmod(0o730)

    def log_text(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def inbox_text(self) -> str:
        return self.inbox.read_text() if self.inbox.exists() else ""
