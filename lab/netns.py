# SPDX-License-Identifier: Apache-2.0
"""Enters a private user, mount and network namespace.

There ports 25, 53 and 443 are free for the taking, every address in 127/8 is
ours, and nothing of the machine outside can be reached or disturbed.
"""

import os
import subprocess
import sys

MARK = "SEALPOST_OUTER_NET"


def _net() -> str:
    return str(os.stat("/proc/self/ns/net").st_ino)


def inside() -> bool:
    """Whether this process is in the namespace that enter() made."""
    return os.environ.get(MARK, _net()) != _net()


def _possible(command: list[str]) -> bool:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.run([*command, "true"], **quiet).returncode == 0


def _unshare(real_users: bool) -> list[str]:
    """The first way in that works here."""
    private = ["unshare", "-rmn"]
    whole = ["unshare", "-mn"]
    mapped = ["unshare", "--map-auto", "-rmn"]
    ways = [whole, mapped] if real_users else [private, whole]
    for way in ways:
        if _possible(way):
            return way
    sys.exit("lab: user namespaces are forbidden here: run this as root")


def enter(real_users: bool = False) -> None:
    """Runs this very command again inside a namespace; returns there.

    `real_users`: there must be more users in it than root, since a mail server
    of the old kind changes to them.
    """
    if not inside():
        os.environ[MARK] = _net()
        os.environ["PATH"] += ":/usr/sbin:/sbin"
        again = [sys.executable, *sys.orig_argv[1:]]
        way = _unshare(real_users)
        os.execvp(way[0], [*way, "--", *again])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def add_address(address: str) -> None:
    """Makes an IPv6 address local; those of 127/8 are so already."""
    if ":" not in address or address == "::1":
        return
    subprocess.run(
        ["ip", "-6", "address", "replace", f"{address}/128", "dev", "lo", "nodad"],
        check=True,
    )
