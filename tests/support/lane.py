# SPDX-License-Identifier: Apache-2.0
"""Several runs of pytest side by side that share the tests among them.

Each run collects all tests and goes through them in the same order; whoever
comes first to a group (tests that want the same world) claims it by a file,
and the others pass over it.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from lab import procs

CLAIMS = "SEALPOST_LANE_CLAIMS"
CLOSING = re.compile(r"(\d+) (passed|failed|skipped|error)s?")
NO_TESTS = 5  # pytest's status where all were the others'


class Claims:
    """What this run has taken; without a folder for claims that is all."""

    def __init__(self) -> None:
        self._folder = os.environ.get(CLAIMS)
        self._mine: dict[str, bool] = {}

    def take(self, group: str) -> bool:
        if self._folder is None:
            return True
        if group not in self._mine:
            try:
                (Path(self._folder) / group).touch(exist_ok=False)
                self._mine[group] = True
            except FileExistsError:
                self._mine[group] = False
        return self._mine[group]


def _start(arguments: list[str], claims: str, log: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.support.main", *arguments]
    environment = os.environ | {CLAIMS: claims}
    with log.open("wb") as out:
        return subprocess.Popen(command, env=environment, stdout=out, stderr=out)


def _sum(texts: list[str]) -> str:
    """The closing lines of all runs as one."""
    total: Counter[str] = Counter()
    for text in texts:
        for number, word in CLOSING.findall(text.rstrip().rpartition("\n")[2]):
            total[word] += int(number)
    words = ("failed", "passed", "skipped", "error")
    return ", ".join(f"{total[w]} {w}" for w in words if total[w])


def run(count: int, arguments: list[str]) -> int:
    procs.exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="sealpost-lanes-") as folder:
        claims = Path(folder) / "claims"
        claims.mkdir()
        logs = [Path(folder) / f"lane-{n}" for n in range(count)]
        runs = [_start(arguments, str(claims), log) for log in logs]
        try:
            statuses = [lane.wait() for lane in runs]
        finally:
            for lane in runs:
                lane.terminate()
                lane.wait()
        texts = [log.read_text(errors="replace") for log in logs]
    print("\n".join(texts))
    print(_sum(texts))
    bad = [status for status in statuses if status not in (0, NO_TESTS)]
    return bad[0] if bad else 0
