# SPDX-License-Identifier: Apache-2.0
"""Runs pytest inside the lab's namespace.

    python3 -m tests.support.main FOLDER [pytest arguments]
"""

import sys

import pytest

from lab import netns, procs


def main() -> int:
    netns.enter()
    procs.exit_on_signals()
    return pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
