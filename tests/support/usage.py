# SPDX-License-Identifier: Apache-2.0
"""What the roles of a server cost: processor time and memory, from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Cost:
    """Seconds of processor time and KiB of memory of a role's processes."""

    cpu: float = 0.0
    kib: int = 0


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _pss_kib(pid: int) -> int:
    """Its share of memory: what is shared with other roles counts in part."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


class Usage:
    """The cost of each role since this was made."""

    def __init__(self, server) -> None:
        processes = server.json("stats")["processes"]
        self.pids = [(p["role"], p["pid"]) for p in processes]
        self._before = self._now()

    def _now(self) -> dict[str, Cost]:
        total: dict[str, Cost] = {}
        for role, pid in self.pids:
            cost = total.setdefault(role, Cost())
            cost.cpu += _cpu(pid)
            cost.kib += _pss_kib(pid)
        return total

    def since(self) -> dict[str, Cost]:
        """Raises OSError if one of the processes is no more."""
        return {
            role: Cost(now.cpu - before.cpu, now.kib - before.kib)
            for (role, now), before in zip(self._now().items(), self._before.values())
        }
