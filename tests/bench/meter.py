# SPDX-License-Identifier: Apache-2.0
"""What a tree of processes costs: processor time and memory.

Processor time comes from a control group of its own (version 2), which counts
processes that have ended too, to the microsecond. Where groups cannot be made,
it comes from /proc: every living process of the tree with the children that it
has waited for. Memory is the sum of the proportional set sizes: what processes
share counts once.
"""

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from lab.procs import children

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Cpu:
    """Seconds of processor time."""

    user: float = 0.0
    system: float = 0.0

    @property
    def total(self) -> float:
        return self.user + self.system

    def since(self, before: "Cpu") -> "Cpu":
        return Cpu(self.user - before.user, self.system - before.system)

    def plus(self, other: "Cpu") -> "Cpu":
        return Cpu(self.user + other.user, self.system + other.system)


def _group_root() -> Path | None:
    """Our own group in the unified hierarchy."""
    own = [line for line in Path("/proc/self/cgroup").read_text().splitlines()
           if line.startswith("0::")]  # fmt: skip
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place, _, kind = line.partition(" - ")
        if own and kind.startswith("cgroup2 "):
            return Path(place.split()[4]) / own[0][3:].strip("/")
    return None


class Group:
    """A control group; processes enter() it before they become what they are."""

    kind = "control group"

    def __init__(self, name: str) -> None:
        root = _group_root()
        if root is None:
            raise OSError("no control groups of version 2")
        self._path = root / f"sealpost-bench-{os.getpid()}-{name}"
        self._path.mkdir(exist_ok=True)
        if "user_usec" not in (self._path / "cpu.stat").read_text():
            raise OSError("the control group counts no time")

    def enter(self) -> None:
        (self._path / "cgroup.procs").write_text(str(os.getpid()))

    def follow(self, pid: int) -> None:
        pass

    def cpu(self) -> Cpu:
        lines = (self._path / "cpu.stat").read_text().splitlines()
        stat = dict(line.split() for line in lines)
        return Cpu(int(stat["user_usec"]) / 1e6, int(stat["system_usec"]) / 1e6)

    def pids(self) -> list[int]:
        return [int(pid) for pid in (self._path / "cgroup.procs").read_text().split()]

    def close(self) -> None:
        """Once all in it has ended; another meter may have had the same."""
        if self._path.exists():
            self._path.rmdir()


class Tree:
    """The same from /proc."""

    kind = "/proc"

    def __init__(self, name: str) -> None:
        self._roots: list[int] = []

    def enter(self) -> None:
        pass

    def follow(self, pid: int) -> None:
        self._roots.append(pid)

    def pids(self) -> list[int]:
        found = [pid for pid in self._roots if Path(f"/proc/{pid}").exists()]
        for pid in found:
            found += children(pid)  # the list grows while we walk it
        return found

    def cpu(self) -> Cpu:
        total = Cpu()
        for pid in self.pids():
            try:
                text = Path(f"/proc/{pid}/stat").read_text()
            except OSError:
                continue
            times = [int(n) / TICKS for n in text.rpartition(")")[2].split()[11:15]]
            total = total.plus(Cpu(times[0] + times[2], times[1] + times[3]))
        return total

    def close(self) -> None:
        pass


def make_meter(name: str) -> Group | Tree:
    try:
        return Group(name)
    except OSError:
        return Tree(name)


def pss_kib(pids: list[int]) -> int:
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue  # it has ended
        lines = [line for line in text.splitlines() if line.startswith("Pss:")]
        total += int(lines[0].split()[1]) if lines else 0
    return total


class PeakMemory:
    """Looks at the memory of some meters until it is stopped."""

    def __init__(self, meters: dict[str, Group | Tree], every: float = 0.2) -> None:
        self._meters = meters
        self._every = every
        self._stop = threading.Event()
        self.peak_kib = {name: 0 for name in meters}
        self.peak_total_kib = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        self._stop.set()
        self._thread.join()

    def look(self) -> None:
        now = {name: pss_kib(meter.pids()) for name, meter in self._meters.items()}
        for name, kib in now.items():
            self.peak_kib[name] = max(self.peak_kib[name], kib)
        self.peak_total_kib = max(self.peak_total_kib, sum(now.values()))

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self.look()


def go_first() -> None:
    """Lets all that takes part run before whatever else this machine does,
    where the kernel schedules by sessions and we may say so; among themselves
    their shares stay as they are."""
    below: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(file.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        below.setdefault(parent, []).append(int(file.parent.name))
    pids = [os.getpid()]
    for pid in pids:
        pids += below.get(pid, [])  # the list grows while we walk it
        try:
            Path(f"/proc/{pid}/autogroup").write_text("-19")
        except OSError:
            pass  # no such kernel, no such right, or it has ended


def settle(meters: list[Group | Tree], quiet: float = 0.02, timeout: float = 10.0) -> None:
    """Waits until they use less than that share of a processor: the work that
    follows the last message belongs to it."""
    end = time.monotonic() + timeout
    before = sum(m.cpu().total for m in meters)
    while time.monotonic() < end:
        time.sleep(0.1)
        now = sum(m.cpu().total for m in meters)
        if now - before < quiet * 0.1:
            return
        before = now
