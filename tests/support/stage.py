# SPDX-License-Identifier: Apache-2.0
"""One world at a time, kept for as long as consecutive tests want the same.

Worlds use fixed addresses and ports, so two cannot live side by side.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from lab.server import Server
from lab.world import Domain, World


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
        status, tail = 0, ""
        if self._lab and self._lab.server.process:
            status = self._lab.server.stop()
            tail = self._lab.server.tail()
        self._world.stop()
        shutil.rmtree(self._directory, ignore_errors=True)
        self._key = self._lab = self._directory = None
        assert status == 0, f"sealpostd ended with {status}:\n{tail}"
