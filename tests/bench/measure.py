# SPDX-License-Identifier: Apache-2.0
"""One measurement of one system: fill, release, wait, read the meters.

Each function returns a row of plain numbers for the raw results; report.py
makes medians and ratios of them.
"""

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

from lab.procs import wait_until
from tests.bench.meter import Cpu, PeakMemory, go_first, settle
from tests.bench.world import BENCH, BenchWorld

#: Without progress at the sink for so long, a measurement has failed.
STUCK = 120.0
#: How long Sealpost keeps an idle connection (smtp.idle_timeout), and more.
IDLE_CONNECTIONS_GONE = 2.5


class Incomplete(RuntimeError):
    """Not all messages came through."""


class Injector:
    """Feeds a system; numbers messages so that no two are the same."""

    def __init__(self) -> None:
        self._next = 0

    def start(self, to, targets: Path, messages: int, connections: int, *more: str, size=4096):
        first, self._next = self._next, self._next + messages
        argv = [str(BENCH / "inject"), "-n", str(messages), "-c", str(connections)]
        argv += ["-s", str(size), "-f", str(first), *more, to[0], str(to[1]), str(targets)]
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def finish(self, process: subprocess.Popen, timeout: float = 3600) -> dict:
        out, err = process.communicate(timeout=timeout)
        if process.returncode != 0:
            raise Incomplete(f"inject: {err.strip()}")
        return json.loads(out.splitlines()[-1])

    def run(self, *arguments, **options) -> dict:
        return self.finish(self.start(*arguments, **options))


def await_messages(world: BenchWorld, wanted: int) -> None:
    """Until the sink has that many in all."""
    last, since = -1, time.monotonic()
    while (counts := world.board.counts()).messages < wanted:
        if counts.messages != last:
            last, since = counts.messages, time.monotonic()
        elif time.monotonic() - since > STUCK:
            missing = wanted - counts.messages
            raise Incomplete(f"{missing} messages have not come; {counts.failed} failed handshakes")
        time.sleep(0.02)


def await_idle(system, timeout: float = 180.0) -> None:
    """Until its queue is as empty as it was, and its work is done."""
    end = time.monotonic() + timeout
    while not system.idle():
        if time.monotonic() > end:
            raise Incomplete(f"the queue of {system.name} does not get empty")
        time.sleep(0.05)
    settle(list(system.meters.values()))


class Span:
    """Processor time and sink counts between begin and end, of some rounds."""

    #: A shell command that runs while a system is measured, with $PIDS.
    during = ""
    #: What takes part runs before what else the machine does.
    first = False

    def __init__(self, world: BenchWorld, system) -> None:
        self._world = world
        self._system = system
        self.cpu: dict[str, Cpu] = {name: Cpu() for name in system.meters}
        self.sink: dict[str, int] = {}
        self.seconds = 0.0
        self.messages = 0
        self.peak = 0

    @contextmanager
    def _observed(self):
        if not self.during:
            yield
            return
        pids = self._system.meters["sender"].pids()
        environment = {**os.environ, "PIDS": ",".join(map(str, pids))}
        observer = subprocess.Popen(["sh", "-c", self.during], env=environment)
        time.sleep(0.5)  # until it has attached itself, which nothing tells
        yield
        observer.send_signal(signal.SIGINT)
        observer.wait(60)

    @contextmanager
    def round(self, messages: int, until_sink: bool = True):
        """`until_sink` False: what is measured ends with the block."""
        with self._observed() if until_sink else nullcontext():
            yield from self._round(messages, until_sink)

    def _round(self, messages: int, until_sink: bool):
        board = self._world.board
        if self.first:
            go_first()
        board.reset_peak()
        counts, cpu, began = board.counts(), self._system.cpu(), time.monotonic()
        yield
        if until_sink:
            await_messages(self._world, counts.messages + messages)
            ended = board.counts().last_us / 1e6
        else:
            ended = time.monotonic()
        self.seconds += ended - began
        self.messages += messages
        if until_sink:
            await_idle(self._system)
        else:
            settle(list(self._system.meters.values()))
        for name, now in self._system.cpu().items():
            self.cpu[name] = self.cpu[name].plus(now.since(cpu[name]))
        for name, number in board.counts().since(counts).items():
            self.sink[name] = self.sink.get(name, 0) + number
        self.peak = max(self.peak, board.peak())

    def row(self) -> dict:
        return {
            "messages": self.messages,
            "seconds": self.seconds,
            "rate": self.messages / self.seconds,
            "cpu_ms": {n: cpu.total * 1000 / self.messages for n, cpu in self.cpu.items()},
            "cpu_user_ms": {n: cpu.user * 1000 / self.messages for n, cpu in self.cpu.items()},
            "sink": self.sink,
            "peak_connections": self.peak,
        }


class Runner:
    """The world, and the ways to measure in it, by the name of a mode."""

    def __init__(self, world: BenchWorld, quick: bool) -> None:
        self.world = world
        self.quick = quick
        self.injector = Injector()

    def targets(self, case) -> Path:
        return getattr(self.world, case.targets)

    def messages(self, case) -> int:
        return max(1, case.messages // 10) if self.quick else case.messages

    def measure(self, case, system) -> dict:
        if case.fresh:
            system.stop()
            system.wipe()
            system.start()
        self.world.board.set(**case.sink)
        return getattr(self, f"mode_{case.mode}")(case, system)

    def prepare(self, case, system) -> None:
        """Once before the first repetition: fills caches."""
        self.world.board.set(**case.sink)
        if case.warm:
            self._warm(case, system)

    def _warm(self, case, system) -> None:
        """A message for each domain, and then no connection is left."""
        domains = len(self.targets(case).read_text().splitlines())
        self.world.board.set(tickets=case.sink.get("tickets", 0))
        wanted = self.world.board.counts().messages + domains
        self.injector.run(system.intake, self.targets(case), domains, 20)
        await_messages(self.world, wanted)
        await_idle(system)
        time.sleep(IDLE_CONNECTIONS_GONE)
        self.world.board.set(**case.sink)

    def _fill(self, case, system, span: Span, messages: int) -> None:
        """Into the queue of a system that does not deliver."""
        system.hold()
        settle(list(system.meters.values()))
        with span.round(messages, until_sink=False):
            self.injector.run(
                system.held_intake, self.targets(case), messages, case.connections
            )
        system.ready_to_release()
        if case.warm and system.release_makes_cold:
            self._warm(case, system)
        settle(list(system.meters.values()))

    def mode_intake(self, case, system) -> dict:
        system.hold()
        warm = min(10 * case.connections, self.messages(case))
        self.injector.run(system.held_intake, self.targets(case), warm, case.connections)
        span = Span(self.world, system)
        self._fill(case, system, span, self.messages(case))
        return span.row()

    def mode_delivery(self, case, system) -> dict:
        """The queue is filled while delivery is held; what counts begins with
        the release."""
        filling, span = Span(self.world, system), Span(self.world, system)
        for number in range(1 if self.quick else case.rounds):
            messages = self.messages(case)
            if number > 0 and case.warm and not system.release_makes_cold:
                time.sleep(IDLE_CONNECTIONS_GONE)
            self._fill(case, system, filling, messages)
            with span.round(messages):
                system.release()
        row = span.row()
        row["intake"] = filling.row()
        row["with_intake_cpu_ms"] = {
            name: row["cpu_ms"][name] + row["intake"]["cpu_ms"][name] for name in row["cpu_ms"]
        }
        return row

    def mode_memory(self, case, system) -> dict:
        """As delivery, with an eye on the memory."""
        span = Span(self.world, system)
        self._fill(case, system, Span(self.world, system), self.messages(case))
        memory = PeakMemory(system.meters)
        with memory, span.round(self.messages(case)):
            system.release()
        row = span.row()
        row["peak_kib"] = memory.peak_kib
        row["peak_total_kib"] = memory.peak_total_kib
        return row

    def mode_end_to_end(self, case, system) -> dict:
        span = Span(self.world, system)
        for number in range(1 if self.quick else case.rounds):
            if number > 0 and case.warm:
                time.sleep(IDLE_CONNECTIONS_GONE)
            messages = self.messages(case)
            with span.round(messages):
                self.injector.run(
                    system.intake, self.targets(case), messages, case.connections
                )
        return span.row()

    def mode_slow_clients(self, case, system) -> dict:
        """Connections that have stopped in the middle of a message."""
        messages = self.messages(case)
        system.hold()
        before = system.cpu()
        process = self.injector.start(
            system.held_intake, self.targets(case), messages, messages, "-p"
        )
        line = process.stdout.readline()
        if not line.startswith("paused"):
            self.injector.finish(process)
        memory = PeakMemory(system.meters)
        memory.look()
        process.stdin.write("\n")
        process.stdin.flush()
        taken = self.injector.finish(process)
        cpu = {n: c.since(before[n]).total for n, c in system.cpu().items()}
        return {
            "messages": messages,
            "seconds": taken["seconds"],
            "rate": messages / taken["seconds"],
            "cpu_ms": {n: seconds * 1000 / messages for n, seconds in cpu.items()},
            "peak_kib": memory.peak_kib,
            "peak_total_kib": memory.peak_total_kib,
            "sessions": int(line.split()[1]),
        }

    def mode_wrong(self, case, system) -> dict:
        """A record that does not match: nothing must be delivered, or what is
        measured is no DANE."""
        before, cpu = self.world.board.counts(), system.cpu()
        began = time.monotonic()
        self.injector.run(system.intake, self.targets(case), 1, 1)
        wait_until(
            lambda: self.world.board.counts().connections > before.connections,
            "a connection to the host with the wrong certificate",
        )
        settle(list(system.meters.values()), quiet=0.005)
        seen = self.world.board.counts().since(before)
        if seen["messages"] or seen["clear"]:
            raise Incomplete(f"{system.name} delivers where TLSA does not match")
        seconds = time.monotonic() - began
        cpu = {n: c.since(cpu[n]).total * 1000 for n, c in system.cpu().items()}
        return {"messages": 0, "seconds": seconds, "rate": 0, "cpu_ms": cpu, "sink": seen}

    def mode_survey(self, case, system) -> dict:
        """Domains looked at; each has to be verified by a handshake."""
        domains = self.targets(case)
        count = len(domains.read_text().splitlines())
        span = Span(self.world, system)
        system.wipe()
        with span.round(count, until_sink=False):
            system.survey(domains)
        row = span.row()
        row["verified"] = system.verified()
        if row["verified"] < count - system.may_miss(count) or row["sink"]["messages"]:
            raise Incomplete(f"{system.name}: {row['verified']} of {count} were verified")
        return row

    # ---- mail that waits ----

    def preload(self, system, messages: int) -> None:
        """Fills the queue with mail to dead domains, tried once."""
        if self.quick:
            messages //= 100
        system.preload(self.injector, self.world.dead, messages)

    # ---- the floor ----

    def measure_floor(self, case, arguments: list[str]) -> dict:
        self.world.board.set(**case.sink)
        counts = self.world.board.counts()
        targets = self.world.targets_one if case.targets == "one" else self.world.targets
        argv = [str(BENCH / "floor"), "-n", str(self.messages(case)), *arguments]
        argv += [str(targets), self.world.tlsa]
        if Span.first:
            go_first()
        done = subprocess.run(argv, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            raise Incomplete(f"floor: {done.stderr.strip()}")
        said = json.loads(done.stdout)
        cpu = said["cpu_user"] + said["cpu_system"]
        return {
            "messages": said["messages"],
            "seconds": said["seconds"],
            "rate": said["messages"] / said["seconds"],
            "cpu_ms": {"sender": cpu * 1000 / said["messages"]},
            "cpu_user_ms": {"sender": said["cpu_user"] * 1000 / said["messages"]},
            "handshakes": {"full": said["full"], "resumed": said["resumed"]},
            "sink": self.world.board.counts().since(counts),
        }
