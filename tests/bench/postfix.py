# SPDX-License-Identifier: Apache-2.0
"""Postfix as it is measured: from its Debian package, tuned.

What is set for speed, beside what a relay for a trusted network has anyway:

- the DNS by a validating Unbound on loopback, which caches without limits that
  matter here, and logs nothing;
- no chroot and no sending through a proxy map; one short log line a step, by
  postlogd (its cost is in the sum, as that of our log is);
- `in_flow_delay = 0`; no limits of connections, rates and errors of clients;
  no address rewriting, no header or body checks (`receive_override_options`),
  no lookups of the client's name, no `local_recipient_maps`;
- processes live long (`max_use`, `max_idle`), so that they are not started anew
  during the measurement; 20 of them deliver where processors are the limit (10
  and 20 were fastest, 50 and 100 slower), and as many as there are to be
  connections where latency is;
- the active queue holds all that is due (`qmgr_message_active_limit`), and a
  destination may have 20 deliveries at once from the start;
- connection reuse (`smtp_tls_connection_reuse` by tlsproxy, and the connection
  cache) for one domain, where it saves 40 %; with ten messages for each of
  1,000 domains it costs more than it saves, and is off;
- no TLS session cache: with the tickets of the sink and tlsmgr's cache each
  session was resumed, and the processor time was no less than that of full
  handshakes without.

The queue is on the same file system as ours. A message for "delivery" is put
on hold by a second listener and then moved to `incoming`, as though it had
just come.
"""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from lab.procs import wait_until
from tests.bench.meter import Cpu, make_meter
from tests.bench.world import BenchWorld
from tests.support import debian
from tests.support.debian import UNPACKED, program
from tests.support.postfix import QUEUES, environment
from tests.support.users import POSTFIX_DROP, POSTFIX_USER

RESOLVER = "127.0.65.1"

#: What cases change.
DEFAULTS = {
    "default_process_limit": "100",
    "smtp_tls_connection_reuse": "no",
    "smtp_connection_cache_on_demand": "no",
    "smtp_connection_cache_destinations": "",
    "smtp_tls_session_cache_database": "",
    "smtp_destination_concurrency_limit": "20",
    "initial_destination_concurrency": "20",
}

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
myhostname = mail.sender.test
mydestination =
local_recipient_maps =
alias_maps =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_bind_address = 127.0.66.1
smtpd_peername_lookup = no
smtpd_client_restrictions =
smtpd_relay_restrictions = permit_mynetworks reject
smtpd_recipient_restrictions =
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
smtpd_client_recipient_rate_limit = 0
smtpd_tls_security_level = none
receive_override_options = no_address_mappings,no_header_body_checks,no_unknown_recipient_checks
local_header_rewrite_clients =
append_dot_mydomain = no
in_flow_delay = 0
max_use = 100000
max_idle = 600s
qmgr_message_active_limit = 200000
qmgr_message_recipient_limit = 200000
minimal_backoff_time = 1000s
smtp_dns_support_level = dnssec
smtp_tls_security_level = dane
smtp_tls_loglevel = 0
smtp_skip_5xx_greeting = no
"""

MASTER = """\
{address}:587 inet n - n - - smtpd
{address}:588 inet n - n - - smtpd
  -o smtpd_client_restrictions=static:HOLD
cleanup   unix  n - n - 0   cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - -   trivial-rewrite
bounce    unix  - - n - 0   bounce
defer     unix  - - n - 0   bounce
trace     unix  - - n - 0   bounce
verify    unix  - - n - 1   verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - -   proxymap
smtp      unix  - - n - {senders} smtp
relay     unix  - - n - {senders} smtp
error     unix  - - n - -   error
retry     unix  - - n - -   error
anvil     unix  - - n - 1   anvil
scache    unix  - - n - 1   scache
tlsmgr    unix  - - n 1000? 1 tlsmgr
tlsproxy  unix  - - n - 0   tlsproxy
postlog   unix-dgram n - n - 1 postlogd
"""

UNBOUND = """\
server:
  interface: {address}
  do-ip6: no
  do-daemonize: no
  num-threads: 1
  so-reuseport: yes
  username: ""
  chroot: ""
  directory: "{directory}"
  pidfile: "{directory}/unbound.pid"
  use-syslog: no
  logfile: "{directory}/unbound.log"
  verbosity: 0
  outgoing-range: 4096
  num-queries-per-thread: 2048
  msg-cache-size: 64m
  rrset-cache-size: 128m
  key-cache-size: 32m
  infra-cache-numhosts: 20000
  outgoing-port-permit: 1024-65535
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  module-config: "validator iterator"
  root-hints: "{hints}"
  trust-anchor-file: "{anchor}"
  local-zone: "test." nodefault
remote-control:
  control-enable: no
"""


class Postfix:
    """`senders` is the number of processes that deliver; all other settings
    replace those of DEFAULTS, and add to them. `beside` has the resolver of
    both."""

    release_makes_cold = False

    def __init__(
        self,
        world: BenchWorld,
        name: str = "postfix",
        address: str = "127.0.0.2",
        senders: int = 20,
        beside: "Postfix | None" = None,
        **settings,
    ) -> None:
        self.name = name
        self._address = address
        self._beside = beside
        self._world = world
        self._senders = senders
        self._settings = {**DEFAULTS, **settings}
        self.directory = world.directory / name
        self._config = self.directory / "etc"
        self._spool = self.directory / "spool"
        self._log = self.directory / "mail.log"
        self.intake = (address, 587)
        self.held_intake = (address, 588)
        resolver = beside.meters["resolver"] if beside else make_meter(f"{name}-dns")
        self.meters = {"sender": make_meter(name), "resolver": resolver}
        self._master: subprocess.Popen | None = None
        self._resolver: subprocess.Popen | None = None

    def start(self) -> None:
        if not self.directory.exists():
            self._lay_out()
        if self._beside is None:
            self._start_resolver()
        (self._config / "main.cf").write_text(self._main())
        (self._config / "master.cf").write_text(
            MASTER.format(address=self._address, senders=self._senders)
        )
        self._log.unlink(missing_ok=True)
        argv = [program("usr/lib/postfix/sbin/master"), "-c", str(self._config), "-d"]
        meter = self.meters["sender"]
        self._master = self._world.processes.start(
            argv,
            self.directory / "master.log",
            env=environment(self._config),
            preexec_fn=meter.enter,
        )
        meter.follow(self._master.pid)
        wait_until(self._up, "Postfix to start")

    def _main(self) -> str:
        fixed = MAIN.format(unpacked=UNPACKED, directory=self.directory)
        lines = [f"{name} = {value}\n" for name, value in self._settings.items()]
        return fixed + "".join(lines).replace("DATA", str(self.directory / "data"))

    def _up(self) -> bool:
        if self._master.poll() is not None:
            said = (self.directory / "master.log").read_text() + self.log_tail()
            raise RuntimeError(f"Postfix ended: {said}")
        return "daemon started" in self.log_tail()

    def _lay_out(self) -> None:
        self.directory.mkdir(mode=0o711)
        for name in ("etc", "spool", "data"):
            (self.directory / name).mkdir()
        os.chown(self.directory / "data", POSTFIX_USER, POSTFIX_USER)
        for name in QUEUES:
            queue = self._spool / name
            queue.mkdir(mode=0o700)
            if name != "pid":
                os.chown(queue, POSTFIX_USER, POSTFIX_DROP)
        (self._spool / "public").chmod(0o710)
        (self._spool / "maildrop").chmod(0o730)

    def _start_resolver(self) -> None:
        folder = self.directory / "unbound"
        folder.mkdir(exist_ok=True)
        file = folder / "unbound.conf"
        file.write_text(
            UNBOUND.format(
                address=RESOLVER,
                directory=folder,
                hints=self._world.hints_file,
                anchor=self._world.anchor_file,
            )
        )
        meter = self.meters["resolver"]
        self._resolver = self._world.processes.start(
            [program("usr/sbin/unbound"), "-d", "-c", str(file)],
            folder / "output.log",
            env=debian.environment(),
            preexec_fn=meter.enter,
        )
        meter.follow(self._resolver.pid)

    def stop(self) -> None:
        for process in (self._master, self._resolver):
            if process is not None:
                self._world.processes.stop(process)
        self._master = self._resolver = None

    def wipe(self) -> None:
        for queue in ("incoming", "active", "deferred", "defer", "hold"):
            for file in (self._spool / queue).rglob("*"):
                if file.is_file():
                    file.unlink()

    def hold(self) -> None:
        """The second listener holds by itself."""

    def ready_to_release(self) -> None:
        for file in (self._spool / "hold").iterdir():
            file.rename(self._spool / "incoming" / file.name)

    def release(self) -> None:
        wait_until(self._kick, "the queue manager to listen")

    def _kick(self) -> bool:
        """Has the queue manager look at what came in, as cleanup does."""
        with socket.socket(socket.AF_UNIX) as trigger:
            try:
                trigger.connect(str(self._spool / "public" / "qmgr"))
                trigger.sendall(b"I")
                return trigger.recv(1) == b""  # it has read, and hung up
            except OSError:
                return False

    def preload(self, injector, targets: Path, messages: int) -> None:
        """Copies of some queue files, in the deferred queue and due tomorrow."""
        originals = min(messages, 1000)
        injector.run(self.held_intake, targets, originals, 50, size=1024)
        due = time.time() + 86400
        for file in (self._spool / "hold").iterdir():
            for copy in range(messages // originals):
                name = f"{copy % 16:X}{copy:04X}{file.name}"
                folder = self._spool / "deferred" / name[0]
                if not folder.exists():
                    folder.mkdir(mode=0o700)
                    os.chown(folder, POSTFIX_USER, POSTFIX_DROP)
                self._copy(file, folder / name, due)
            file.unlink()
        self.stop()
        self.start()

    @staticmethod
    def _copy(file: Path, to: Path, due: float) -> None:
        shutil.copyfile(file, to)
        to.chmod(0o700)
        os.chown(to, POSTFIX_USER, POSTFIX_USER)
        os.utime(to, (due, due))

    def idle(self) -> bool:
        return not any(any((self._spool / q).iterdir()) for q in ("incoming", "active"))

    def cpu(self) -> dict[str, Cpu]:
        return {name: meter.cpu() for name, meter in self.meters.items()}

    def log_tail(self, size: int = 4000) -> str:
        return self._log.read_text(errors="replace")[-size:] if self._log.exists() else ""
