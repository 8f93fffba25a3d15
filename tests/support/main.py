# SPDX-License-Identifier: Apache-2.0
"""Runs pytest inside the lab's namespace.

    python3 -m tests.support.main [--real-users | --lanes N] FOLDER [arguments]

With lanes there are N runs side by side, each in a namespace of its own, and
each takes the next group of tests that none has taken yet (tests/support/lane).
"""

import sys

import pytest

from lab import netns, procs
from tests.support import lane


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[:1] == ["--lanes"]:
        return lane.run(int(arguments[1]), arguments[2:])
    real_users = arguments[:1] == ["--real-users"]
    netns.enter(real_users)
    procs.exit_on_signals()
    ours = ["-q", "--tb=short", "-p", "no:cacheprovider"]
    return pytest.main(ours + arguments[1 if real_users else 0 :])


if __name__ == "__main__":
    sys.exit(main())
