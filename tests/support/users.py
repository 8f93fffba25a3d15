# SPDX-License-Identifier: Apache-2.0
"""Files of /etc as the daemons need them, in our mount namespace only."""

import subprocess
from pathlib import Path

POSTFIX_USER = 64100
POSTFIX_DROP = 64101
EXIM_USER = 64102

USERS = {"sealpost-lab-mail": POSTFIX_USER, "Debian-exim": EXIM_USER}
GROUPS = {**USERS, "sealpost-lab-drop": POSTFIX_DROP}


def cover(system: Path, text: str, directory: Path) -> None:
    """Puts a file of ours over one of the system's."""
    ours = directory / system.name
    ours.write_text(text)
    ours.chmod(0o644)
    subprocess.run(["mount", "--bind", str(ours), str(system.resolve())], check=True)


def add_accounts(directory: Path) -> None:
    passwd, group = Path("/etc/passwd"), Path("/etc/group")
    users = [f"{name}:x:{n}:{n}::/nonexistent:/bin/false\n" for name, n in USERS.items()]
    groups = [f"{name}:x:{n}:\n" for name, n in GROUPS.items()]
    cover(passwd, _without(passwd, USERS) + "".join(users), directory)
    cover(group, _without(group, GROUPS) + "".join(groups), directory)


def _without(file: Path, names: dict[str, int]) -> str:
    """A machine may have such an account; in here it is ours."""
    lines = file.read_text().splitlines(keepends=True)
    return "".join(line for line in lines if line.split(":")[0] not in names)


def use_resolver(address: str, directory: Path) -> None:
    """Makes the C library ask that resolver and believe its AD bit."""
    text = f"nameserver {address}\noptions edns0 trust-ad timeout:10 attempts:1\n"
    cover(Path("/etc/resolv.conf"), text, directory)
