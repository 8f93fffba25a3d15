# SPDX-License-Identifier: Apache-2.0
"""Many domains looked at: `sealpost survey`, and Postfix's posttls-finger.

posttls-finger (`-c -l dane`) looks at one domain: MX, addresses and TLSA by the
validating Unbound beside it, a session with the first host, QUIT. xargs runs 50
at a time. All caches are empty when a run begins, those of Unbound too, since a
survey asks about each domain once.

It connects for each domain. `sealpost survey` does not for a domain whose host
it has just found good under the same policy (deliver/probed.h), which is why
there are two lists: one that shares hosts as the domains out there do
(population.py), and one in which nobody shares.
"""

import json
import resource
import subprocess
from pathlib import Path

from tests.bench.meter import Cpu, make_meter
from tests.bench.postfix import Postfix
from tests.bench.sealpost import build_directory
from tests.bench.world import BenchWorld
from tests.support.debian import program
from tests.support.postfix import environment

CONFIGURATION = """\
hostname = "mail.sender.test"
resolver {{ trust_anchor = "{anchor}" root_hints = "{hints}" }}
"""
#: How many posttls-finger run at one time.
PARALLEL = 50
VERIFIED = "Verified TLS connection established"


class Children:
    """What children of ours have used that have ended, and theirs."""

    kind = "getrusage"

    def pids(self) -> list[int]:
        return []

    def cpu(self) -> Cpu:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return Cpu(used.ru_utime, used.ru_stime)

    def close(self) -> None:
        pass


class Survey:
    """`sealpost survey` with its default number of jobs, or `jobs`."""

    def __init__(self, world: BenchWorld, name: str = "survey", jobs: int = 0) -> None:
        self.name = name
        self._world = world
        self._jobs = ["--jobs", str(jobs)] if jobs else []
        self.directory = world.directory / name
        self.meters = {"sender": Children()}
        self._out = self.directory / "rows"

    def start(self) -> None:
        self.directory.mkdir(exist_ok=True)
        text = CONFIGURATION.format(
            anchor=self._world.anchor_file, hints=self._world.hints_file
        )
        (self.directory / "sealpost.conf").write_text(text)

    def stop(self) -> None:
        """Nothing runs."""

    def wipe(self) -> None:
        self._out.unlink(missing_ok=True)

    def survey(self, domains: Path) -> None:
        argv = [str(build_directory() / "sealpost"), "survey", "--quiet", *self._jobs]
        argv += ["-c", str(self.directory / "sealpost.conf"), "-o", str(self._out)]
        subprocess.run([*argv, str(domains)], check=True, timeout=600)

    def verified(self) -> int:
        rows = [json.loads(line) for line in self._out.open()]
        return sum((row["verdict"], row["security"]) == ("deliver", "dane") for row in rows)

    @staticmethod
    def may_miss(count: int) -> int:
        return 0

    def cpu(self) -> dict[str, Cpu]:
        return {name: meter.cpu() for name, meter in self.meters.items()}

    def log_tail(self, size: int = 4000) -> str:
        return self._out.read_text()[-size:] if self._out.exists() else ""


class Finger(Postfix):
    """posttls-finger, so many at one time, with the Unbound of Postfix."""

    def __init__(self, world: BenchWorld, name: str = "finger", parallel: int = PARALLEL) -> None:
        super().__init__(world, name)
        self._parallel = parallel
        self._log = self.directory / "finger.log"
        self.meters["sender"] = Children()
        self.meters["resolver"] = make_meter(f"{name}-dns")

    def start(self) -> None:
        self._config.mkdir(parents=True, exist_ok=True)
        (self._config / "main.cf").write_text(self._main())
        self._start_resolver()

    def wipe(self) -> None:
        self._log.unlink(missing_ok=True)

    def survey(self, domains: Path) -> None:
        argv = ["xargs", f"-P{self._parallel}", "-n1", "-a", str(domains)]
        argv += [program("usr/sbin/posttls-finger"), "-c", "-l", "dane"]
        with self._log.open("ab") as log:
            subprocess.run(
                argv, stdout=log, stderr=log, env=environment(self._config), timeout=600
            )

    def verified(self) -> int:
        return self._log.read_text().count(VERIFIED)

    @staticmethod
    def may_miss(count: int) -> int:
        """It gives up after one question, and Unbound with empty caches does
        not answer each of them in time."""
        return count // 10
