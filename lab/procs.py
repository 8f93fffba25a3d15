# SPDX-License-Identifier: Apache-2.0
"""Processes that never outlive the one that started them.

We are the reaper of our descendants (prctl(2)), so that what a daemon leaves
behind comes back to us, and each child gets a signal should we be killed.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

PR_SET_CHILD_SUBREAPER = 36


def wait_until(done: Callable[[], bool], what: str, timeout: float = 20.0) -> None:
    """Polls for an event, and fails loudly when it does not come."""
    end = time.monotonic() + timeout
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout:g} s in vain for {what}")
        time.sleep(0.01)


def exit_on_signals() -> None:
    """Turns SIGTERM and SIGHUP into an orderly exit through `finally`."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, frame: sys.exit(128 + got))


def children(parent: int) -> list[int]:
    """Living and dead children of a process, from /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(entry.name))
    return found


class Processes:
    """The processes that a world consists of, stopped in reverse order."""

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
        self._before = set(children(os.getpid()))
        self._started: list[subprocess.Popen] = []

    def start(self, argv: list[str], log: Path, **options) -> subprocess.Popen:
        """Starts a process whose output goes to a file."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **options,
            )
        self._started.append(process)
        return process

    def stop(self, process: subprocess.Popen, timeout: float = 20.0) -> int:
        """Asks a process to end, insists after a while; its exit status."""
        if process in self._started:
            self._started.remove(process)
        if process.poll() is None:
            process.terminate()
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def stop_all(self) -> None:
        for process in reversed(list(self._started)):
            self.stop(process)
        self._end_orphans()

    def _end_orphans(self) -> None:
        """Kills and reaps what our children left to us."""
        while left := set(children(os.getpid())) - self._before:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                except (ProcessLookupError, ChildProcessError):
                    pass
