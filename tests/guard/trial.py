# SPDX-License-Identifier: Apache-2.0
"""A sealpostd of the release build, of which something is counted."""

import re
import signal
import smtplib
import socket
import subprocess
import threading
from pathlib import Path

from lab.procs import children, wait_until
from lab.server import ROOT
from lab.world import World

PROGRAM = str(ROOT / "build" / "release" / "sealpostd")
COMMAND = str(ROOT / "build" / "release" / "sealpost")
CLIENTS = 8
SENDER = "guard@sender.test"
CONFIGURATION = """\
hostname = "mail.sender.test"
postmaster = "postmaster@sender.test"
store = "sqlite:{directory}/sealpost.db"
control = "{directory}/control"
user = ""
workers = 1
deliver = {deliver}
listen "submission" {{
  address = {{"127.0.0.1:{port}"}}
  accept_from = {{"127.0.0.0/8"}}
}}
smtp {{ {smtp} }}
resolver {{ trust_anchor = "{anchor}" root_hints = "{hints}" }}
"""


def message(number: int) -> bytes:
    """4 KiB, as it goes over the wire."""
    head = f"From: <{SENDER}>\r\nSubject: {number}\r\nMessage-ID: <{number}@sender.test>\r\n"
    date = "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\n"
    lines = ("x" * 70 + "\r\n") * 55
    return (head + date + lines).encode()


class Trial:
    """`wrapper` is what sealpostd runs under, `smtp` the keys of that section."""

    def __init__(self, world: World, name: str, port: int, smtp: str, wrapper: list[str]):
        self._world = world
        self._port = port
        self._smtp = smtp
        self.directory = world.directory / name
        self.directory.mkdir()
        self._config = self.directory / "sealpost.conf"
        self._log = self.directory / "log"
        self._numbers = 0
        self._write_config(False)
        argv = [*wrapper, PROGRAM, "-f", "-c", str(self._config)]
        self._process = world.processes.start(argv, self._log)

    def _write_config(self, deliver: bool) -> None:
        text = CONFIGURATION.format(
            directory=self.directory,
            deliver=str(deliver).lower(),
            port=self._port,
            smtp=self._smtp,
            anchor=self._world.anchor_file,
            hints=self._world.hints_file,
        )
        self._config.write_text(text)

    def wait(self) -> None:
        """Until it answers, without asking it for anything."""
        wait_until(self._up, "sealpostd", 120)
        with smtplib.SMTP("127.0.0.1", self._port, timeout=120):
            pass

    def _up(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"sealpostd ended:\n{self._said()[-4000:]}")
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self._port)) == 0

    def _said(self) -> str:
        return self._log.read_text(errors="replace")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess:
        command, *rest = arguments
        argv = [COMMAND, command, "-c", str(self._config), *rest]
        return subprocess.run(argv, capture_output=True, timeout=120)

    def take_in(self, messages: int) -> None:
        """Submits so many messages by a few clients at a time."""
        numbers = iter(range(messages))
        lock = threading.Lock()
        failures: list[Exception] = []

        def client() -> None:
            try:
                with smtplib.SMTP("127.0.0.1", self._port, timeout=60) as smtp:
                    while True:
                        with lock:
                            number = next(numbers, None)
                        if number is None:
                            return
                        address = f"m{number}@{self._world.domains[0].name}"
                        smtp.sendmail(SENDER, address, message(number))
            except (OSError, smtplib.SMTPException) as error:
                failures.append(error)

        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def deliver(self) -> None:
        """From here on mail may leave; what is queued stays held."""
        self._run("queue", "hold", "--all")
        self._write_config(True)
        said = self._said().count("reload.done")
        self._process.send_signal(signal.SIGHUP)
        wait_until(lambda: self._said().count("reload.done") > said, "the reload")

    def release(self, messages: int) -> None:
        """Lets all that is held go, and waits until the last is settled."""
        self._settled = self._count_settled()
        self._run("queue", "release", "--all")
        self.wait_settled(messages)

    def wait_settled(self, messages: int) -> None:
        want = self._settled + messages
        wait_until(lambda: self._count_settled() >= want, "the deliveries", 120)

    def _count_settled(self) -> int:
        said = self._said()
        failed = re.search(r"queue\.settled .* state=(?!delivered).*", said)
        if failed:
            raise RuntimeError(f"not delivered: {failed.group()}")
        return said.count(" state=delivered ")

    def roles(self) -> list[int]:
        return children(self._process.pid)

    def stop(self) -> None:
        self._world.processes.stop(self._process, 120)


def instructions(directory: Path) -> int:
    """Of all processes of a trial under callgrind, from their start."""
    total = 0
    for file in directory.glob("callgrind.*"):
        total += int(re.search(r"^totals: (\d+)", file.read_text(), re.M).group(1))
    return total


def callgrind(directory: Path) -> list[str]:
    return ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={directory}/callgrind.%p"]


class Calls:
    """System calls of some processes while it is open; then `total`, `names`."""

    def __init__(self, pids: list[int], directory: Path) -> None:
        self._file = directory / "strace"
        self._pids = pids

    def __enter__(self) -> "Calls":
        argv = ["strace", "-f", "-c", "-o", str(self._file)]
        for pid in self._pids:
            argv += ["-p", str(pid)]
        self._strace = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
        attached = 0
        while attached < len(self._pids):
            line = self._strace.stderr.readline()
            if not line:
                raise RuntimeError("strace cannot attach")
            attached += "attached" in line
        return self

    def __exit__(self, *_) -> None:
        self._strace.send_signal(signal.SIGINT)
        self._strace.communicate()
        rows = [line.split() for line in self._file.read_text().splitlines()]
        counted = {row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit()}
        self.total = counted.pop("total", 0)
        self.names = counted
