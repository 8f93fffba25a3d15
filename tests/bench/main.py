# SPDX-License-Identifier: Apache-2.0
"""Runs cases in a namespace of their own; see tests/bench/run --help."""

import argparse
import datetime
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lab import netns, procs
from tests.bench import report
from tests.bench.cases import CASES, Case
from tests.bench.measure import Runner, Span
from tests.bench.meter import Group, Tree
from tests.bench.postfix import RESOLVER, Postfix
from tests.bench.sealpost import Sealpost
from tests.bench.survey import Finger, Survey
from tests.bench.world import BENCH, DOMAINS, BenchWorld
from tests.support import users

KINDS = {"sealpost": Sealpost, "postfix": Postfix, "survey": Survey, "finger": Finger}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tests/bench/run", description="Measures Sealpost and Postfix side by side."
    )
    parser.add_argument("--case", action="append", help="only this case (may be repeated)")
    parser.add_argument("--only", action="append", help="only this system (sealpost, postfix, floor, survey, finger)")
    parser.add_argument("--reps", type=int, help="repetitions (5)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages, once: does it all work?")
    parser.add_argument(
        "--from",
        dest="raw",
        action="append",
        metavar="FILE",
        help="write the doc from these raw results, and measure nothing",
    )
    parser.add_argument("--list", action="store_true", help="the cases")
    parser.add_argument("--write-doc", action="store_true", help="write doc/performance.md")
    parser.add_argument(
        "--during",
        default="",
        metavar="COMMAND",
        help="a shell command that runs while a delivery is measured, with $PIDS, "
        "and is interrupted then: exec perf record -o FILE -p $PIDS",
    )
    parser.add_argument(
        "--first",
        action="store_true",
        help="what takes part runs before what else this machine does (Linux autogroup)",
    )
    parser.add_argument("--directory", default="/var/tmp", help="where queues are (a disk)")
    return parser.parse_args()


def kind(name: str) -> str:
    """Of "sealpost-100k": sealpost."""
    return name.split("-")[0]


def chosen(options: argparse.Namespace) -> list[Case]:
    names = [case.name for case in CASES]
    for name in options.case or []:
        if name not in names:
            sys.exit(f"bench: no case is called {name}; there are {', '.join(names)}")
    return [case for case in CASES if not options.case or case.name in options.case]


class Bench:
    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        self.results = BENCH / f"results-{stamp}.jsonl"
        self._directory = Path(tempfile.mkdtemp(prefix="sealpost-bench-", dir=options.directory))
        self._directory.chmod(0o711)
        self._world = BenchWorld(self._directory)
        self._meters: set[Group | Tree] = set()
        self.rows: list[dict] = []

    def __enter__(self) -> "Bench":
        etc = self._directory / "etc"
        etc.mkdir()
        users.add_accounts(etc)
        users.use_resolver(RESOLVER, etc)
        self._world.start()
        self._runner = Runner(self._world, self._options.quick)
        return self

    def __exit__(self, *error) -> None:
        self._world.processes.stop_all()
        for meter in self._meters:
            meter.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _reps(self, case: Case) -> int:
        if self._options.quick:
            return self._options.reps or 1
        return self._options.reps or case.reps or 5

    def _wanted(self, case: Case) -> dict[str, object]:
        only = self._options.only
        return {n: s for n, s in case.systems.items() if not only or kind(n) in only}

    def run(self, case: Case) -> None:
        print(f"== {case.name}: {case.title}", flush=True)
        wanted = self._wanted(case)
        systems: dict[str, Sealpost | Postfix] = {}
        try:
            for name, settings in wanted.items():
                if kind(name) in KINDS:
                    self._start(case, name, settings, systems)
            for rep in range(self._reps(case)):
                for name in wanted:
                    self._once(case, rep, name, systems.get(name), wanted[name])
        except BaseException:
            for name, system in systems.items():
                print(f"-- log of {name}\n{system.log_tail(1500)}", file=sys.stderr)
            raise
        finally:
            for system in systems.values():
                system.stop()
                shutil.rmtree(system.directory, ignore_errors=True)
        for line in report.summary(case, self.rows):
            print(line, flush=True)

    def _start(self, case: Case, name: str, settings: dict, systems: dict) -> None:
        """`deferred` among the settings: so much is in the queue already. A
        second system of a kind has the address after the first one's."""
        settings = dict(settings)
        deferred = settings.pop("deferred", 0)
        before = [system for other, system in systems.items() if kind(other) == kind(name)]
        if before:
            settings["address"] = f"127.0.1.{len(systems)}"
            if kind(name) == "postfix":
                settings["beside"] = before[0]
        system = KINDS[kind(name)](self._world, name, **settings)
        systems[name] = system
        self._meters.update(system.meters.values())
        system.start()
        if deferred:
            self._runner.preload(system, deferred)
        self._runner.prepare(case, system)

    def _once(self, case: Case, rep: int, name: str, system, settings) -> None:
        if system is None:
            row = self._runner.measure_floor(case, settings)
        else:
            row = self._runner.measure(case, system)
        meter = system.meters["sender"].kind if system else "getrusage"
        row = {"case": case.name, "system": name, "rep": rep, "meter": meter, **row}
        self.rows.append(row)
        with self.results.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(report.line(row), flush=True)


def main() -> int:
    options = arguments()
    if options.list:
        for case in CASES:
            print(f"{case.name:16} {case.title} ({', '.join(case.systems)})")
        return 0
    cases = chosen(options)
    if options.raw:
        rows = [json.loads(line) for name in options.raw for line in Path(name).open()]
        report.write_doc(rows, cases, "--write-doc", DOMAINS)
        return 0
    netns.enter(real_users=True)
    procs.exit_on_signals()
    Span.during = options.during
    Span.first = options.first
    failed = 0
    with Bench(options) as bench:
        for case in cases:
            try:
                bench.run(case)
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                failed += 1
                print(f"bench: {case.name}: {error}", file=sys.stderr, flush=True)
        print(f"raw results: {bench.results}", flush=True)
        if options.write_doc:
            words = " ".join(sys.argv[1:])
            report.write_doc(bench.rows, cases, f'"{words}"', DOMAINS)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
