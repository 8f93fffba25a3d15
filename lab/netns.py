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


def _unshare() -> list[str]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if subprocess.run(["unshare", "-rmn", "true"], **quiet).returncode == 0:
        return ["unshare", "-rmn"]
    if os.geteuid() == 0:
        return ["unshare", "-mn"]
    sys.exit("lab: user namespaces are forbidden here: run this as root")


def enter() -> None:
    """Runs this very command again inside a namespace; returns there."""
    if not inside():
        os.environ[MARK] = _net()
        os.environ["PATH"] += ":/usr/sbin:/sbin"
        again = [sys.executable, *sys.orig_argv[1:]]
        os.execvp("unshare", [*_unshare(), "--", *again])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def add_address(address: str) -> None:
    """Makes an IPv6 address local; those of 127/8 are so already."""
    if ":" not in address or address == "::1":
        return
    subprocess.run(
        ["ip", "-6", "address", "replace", f"{address}/128", "dev", "lo", "nodad"],
        check=True,
    )
