# SPDX-License-Identifier: Apache-2.0
"""One world at a time, kept for as long as consecutive tests want the same.

Worlds use fixed addresses and ports, so two cannot live side by side.
"""

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from lab.server import Server
from lab.world import Domain, World

SANITIZER = re.compile("ERROR: (Address|Leak)Sanitizer|: runtime error: ")


@dataclass
class Lab:
    """A world and the sealpostd in it."""

    world: World
    server: Server


class Stage:
    def __init__(self) -> None:
        self._key: str | None = None
        self._lab: Lab | None = None
        self._directory: Path | None = None

    def is_up(self, key: str) -> bool:
        return key == self._key

    def lab(self, key: str, domains: Callable[[], list[Domain]], **settings) -> Lab:
        """The running lab of that key, raised if another or none is up."""
        if key != self._key:
            self.clear()
            self._raise(domains(), settings)
            self._key = key
        return self._lab

    def log_tail(self) -> str:
        return self._lab.server.tail(15) if self._lab else ""

    def _raise(self, domains: list[Domain], settings: dict) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="sealpost-test-"))
        world = World(self._directory, domains)
        self._world = world
        world.__enter__()
        server = Server(world, **settings)
        self._lab = Lab(world, server)
        server.start()

    def clear(self) -> None:
        """Ends what is up; a sealpostd that does not end well is an error."""
        if self._directory is None:
            return
        complaint = self._stop_server()
        self._world.stop()
        shutil.rmtree(self._directory, ignore_errors=True)
        self._key = self._lab = self._directory = None
        assert not complaint, complaint

    def _stop_server(self) -> str:
        """Ends sealpostd; what there is to say against how it ran."""
        if self._lab is None or self._lab.server.process is None:
            return ""
        server = self._lab.server
        status = server.stop()
        if status != 0:
            return f"sealpostd ended with {status}:\n{server.tail()}"
        log = server.log.read_text(errors="replace")
        reports = [line for line in log.splitlines() if SANITIZER.search(line)]
        return "\n".join(reports)
