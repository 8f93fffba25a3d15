# SPDX-License-Identifier: Apache-2.0
"""Sealpost as it is measured: the release build, with what a case sets."""

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

from lab.procs import wait_until
from lab.server import ROOT
from tests.bench.meter import Cpu, make_meter
from tests.bench.world import BenchWorld

RELEASE = ROOT / "build" / "release"
CONFIGURATION = """\
hostname = "mail.sender.test"
postmaster = "postmaster@sender.test"
store = "sqlite:{directory}/sealpost.db"
control = "{directory}/control"
user = ""
deliver = {deliver}
{general}
listen "submission" {{
  address = {{"{address}:{port}"}}
  accept_from = {{"127.0.0.0/8"}}
}}
receive {{ {receive} }}
smtp {{ {smtp} }}
resolver {{ trust_anchor = "{anchor}" root_hints = "{hints}" }}
"""
DEFAULTS = {"general": "", "receive": "", "smtp": ""}


def build_directory() -> Path:
    return Path(os.environ.get("SEALPOST_BUILD") or RELEASE)


class Sealpost:
    """`settings` replace the values of DEFAULTS."""

    #: Whether ready_to_release() empties the cache of its DNS.
    release_makes_cold = True

    def __init__(
        self, world: BenchWorld, name: str = "sealpost", address: str = "127.0.0.1", **settings
    ) -> None:
        self.name = name
        self._world = world
        self._values = {**DEFAULTS, **settings, "address": address, "port": 587}
        self.directory = world.directory / name
        self._config = self.directory / "sealpost.conf"
        self._log = self.directory / "sealpostd.log"
        #: Where mail is submitted, and where it is not delivered for now.
        self.intake = (address, 587)
        self.held_intake = self.intake
        self.meters = {"sender": make_meter(name)}
        self._process: subprocess.Popen | None = None
        self._delivering = True
        self._open_before = 0  # what shall stay in the queue

    def start(self) -> None:
        self.directory.mkdir(exist_ok=True)
        self._write_config()
        argv = [str(build_directory() / "sealpostd"), "-f", "-c", str(self._config)]
        meter = self.meters["sender"]
        self._process = self._world.processes.start(argv, self._log, preexec_fn=meter.enter)
        meter.follow(self._process.pid)
        wait_until(self._ready, "sealpostd to answer", 120)

    def _ready(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"sealpostd ended:\n{self.log_tail()}")
        return self._run("stats", "--json").returncode == 0

    def _write_config(self) -> None:
        self._config.write_text(
            CONFIGURATION.format(
                directory=self.directory,
                anchor=self._world.anchor_file,
                hints=self._world.hints_file,
                deliver="true" if self._delivering else "false",
                **self._values,
            )
        )

    def _run(self, *arguments: str) -> subprocess.CompletedProcess:
        command, *rest = arguments
        argv = [str(build_directory() / "sealpost"), command, "-c", str(self._config)]
        return subprocess.run([*argv, *rest], capture_output=True, text=True, timeout=300)

    def stop(self) -> None:
        if self._process is not None:
            self._world.processes.stop(self._process, 60)
            self._process = None

    def wipe(self) -> None:
        """An empty queue for the next start."""
        for file in self.directory.glob("sealpost.db*"):
            file.unlink()

    def stats(self) -> dict:
        return json.loads(self._run("stats", "--json").stdout)

    def _reload(self) -> None:
        said = self._log.read_text(errors="replace").count("reload.done")
        self._write_config()
        self._process.send_signal(signal.SIGHUP)
        self._reloads = said

    def _reloaded(self) -> bool:
        return self._log.read_text(errors="replace").count("reload.done") > self._reloads

    def _deliver(self, yes: bool) -> None:
        self._delivering = yes
        self._reload()
        wait_until(self._reloaded, "the reload")

    def hold(self) -> None:
        """From now on mail is taken and not delivered."""
        self._deliver(False)

    def ready_to_release(self) -> None:
        """All that can be done before the clock runs. It is each message that
        is held from here on, since after a reload the DNS is cold."""
        self._run("queue", "hold", "--all")
        self._deliver(True)

    def release(self) -> None:
        done = self._run("queue", "release", "--all")
        if done.returncode != 0:
            raise RuntimeError(f"queue release: {done.stderr}")

    def preload(self, injector, targets: Path, messages: int) -> None:
        """By real intake and real attempts: each dead domain is tried, and its
        mail deferred."""
        injector.run(self.intake, targets, messages, 50, size=1024)
        self._open_before = self._open()
        quiet = 0
        while quiet < 3:
            before = self.cpu()["sender"].total
            time.sleep(1)
            quiet = quiet + 1 if self.cpu()["sender"].total - before < 0.02 else 0

    def _open(self) -> int:
        queue = self.stats()["queue"]
        recipients = queue["recipients"]
        return recipients["queued"] + recipients["leased"] + queue["incoming"]

    def idle(self) -> bool:
        return self._open() == self._open_before

    def cpu(self) -> dict[str, Cpu]:
        return {name: meter.cpu() for name, meter in self.meters.items()}

    def log_tail(self, size: int = 4000) -> str:
        """The end of the log, and what attempts came to."""
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        ends = Counter(re.findall(r" attempt.done .* scenario=(\S+)", text))
        return f"{text[-size:]}\nattempts: {dict(ends)}"
