# SPDX-License-Identifier: Apache-2.0
"""The sink's instrument panel from the other side: board.h says what is where."""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

MAGIC = 0x53504245
SETTINGS = ["latency_ms", "final_ms", "tickets", "chunking", "close"]
SETTING_SLOTS, COUNTER_SLOTS, LANES = 8, 16, 16
COUNTERS = [
    "connections",
    "full",
    "resumed",
    "failed",
    "messages",
    "clear",
    "bytes",
    "commands",
    "last_us",
]
WORD = 8
OPEN, PEAK, LANE_COUNT, FIRST_SETTING = WORD, 2 * WORD, 3 * WORD, 4 * WORD
FIRST_LANE = FIRST_SETTING + SETTING_SLOTS * WORD
SIZE = FIRST_LANE + LANES * COUNTER_SLOTS * WORD

#: How the sink behaves where a case says nothing else.
DEFAULTS = {"latency_ms": 0, "final_ms": 0, "tickets": 0, "chunking": 1, "close": 0}


@dataclass
class Counts:
    """What the sink has seen; all but `last_us` can be subtracted."""

    connections: int = 0
    full: int = 0
    resumed: int = 0
    failed: int = 0
    messages: int = 0
    clear: int = 0
    bytes: int = 0
    commands: int = 0
    last_us: int = 0

    def since(self, before: "Counts") -> dict[str, int]:
        names = COUNTERS[:-1]
        return {name: getattr(self, name) - getattr(before, name) for name in names}


class Board:
    def __init__(self, file: Path) -> None:
        file.write_bytes(bytes(SIZE))
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), SIZE)

    def _get(self, offset: int) -> int:
        return struct.unpack_from("<Q", self._map, offset)[0]

    def _set(self, offset: int, value: int) -> None:
        struct.pack_into("<Q", self._map, offset, value)

    def ready(self) -> bool:
        return self._get(0) == MAGIC

    def set(self, **settings: int) -> None:
        """Sets these, and all others to what is usual."""
        for name, value in {**DEFAULTS, **settings}.items():
            self._set(FIRST_SETTING + SETTINGS.index(name) * WORD, value)

    def counts(self) -> Counts:
        total = Counts()
        for lane in range(self._get(LANE_COUNT)):
            base = FIRST_LANE + lane * COUNTER_SLOTS * WORD
            for i, name in enumerate(COUNTERS):
                value = self._get(base + i * WORD)
                old = getattr(total, name)
                setattr(total, name, max(old, value) if name == "last_us" else old + value)
        return total

    def open(self) -> int:
        return self._get(OPEN)

    def peak(self) -> int:
        return self._get(PEAK)

    def reset_peak(self) -> None:
        self._set(PEAK, self.open())
