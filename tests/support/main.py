# SPDX-License-Identifier: Apache-2.0
"""Runs pytest inside the lab's namespace.

    python3 -m tests.support.main [--real-users] FOLDER [pytest arguments]
"""

import sys

import pytest

from lab import netns, procs


def main() -> int:
    arguments = sys.argv[1:]
    real_users = arguments[:1] == ["--real-users"]
    netns.enter(real_users)
    procs.exit_on_signals()
    ours = ["-q", "--tb=short", "-p", "no:cacheprovider"]
    return pytest.main(ours + arguments[1 if real_users else 0 :])


if __name__ == "__main__":
    sys.exit(main())
