# SPDX-License-Identifier: Apache-2.0
"""Shell completion, in real shells."""

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import time

import pytest

from lab.server import build_directory

SEALPOST = str(build_directory() / "sealpost")
ASK = """
source <("$1" completion bash)
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_sealpost
printf '%s\\n' "${COMPREPLY[@]}"
"""

BASH = {
    "commands": ("sealpost ch", {"check"}),
    "an option of the command": ("sealpost check --dn", {"--dnssec"}),
    "one of all commands": ("sealpost check --js", {"--json"}),
    "none of another command": ("sealpost check --recor", set()),
    "words after the command": ("sealpost queue re", {"retry", "release", "remove"}),
    "kinds": ("sealpost lint tlsrpt", {"tlsrpt-txt", "tlsrpt-report"}),
    "behind an option with a value": ("sealpost -c x.conf trace --st", {"--status"}),
    "behind one with =": ("sealpost --config = x.conf che", {"check"}),
    "a value is a file": ("sealpost check --cert Makef", {"Makefile"}),
    "a value behind =": ("sealpost check --html = Makef", {"Makefile"}),
    "a value nobody knows": ("sealpost check --to ", set()),
    "a word is a file": ("sealpost tlsa make Makef", {"Makefile"}),
}


def complete(line: str) -> set[str]:
    words = line.split(" ")
    argv = ["bash", "--norc", "-c", ASK, "bash", SEALPOST, *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert not done.stderr, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("line, expected", BASH.values(), ids=BASH.keys())
def test_bash(line, expected):
    assert complete(line) == expected


def test_bash_all_commands():
    """What --help lists is what an empty word is completed to."""
    text = subprocess.run([SEALPOST, "--help"], capture_output=True, text=True).stdout
    assert complete("sealpost ") == set(re.findall(r"(?m)^  ([a-z]\S*)  ", text))


def until(terminal: int, wanted: str, limit: float = 120) -> str:
    """What the shell writes, until the text is there."""
    seen, end = "", time.monotonic() + limit
    while wanted not in seen and time.monotonic() < end:
        ready, _, _ = select.select([terminal], [], [], 1)
        if ready:
            try:
                seen += os.read(terminal, 65536).decode(errors="replace")
            except OSError:
                break
    return seen


@pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh")
def test_zsh(tmp_path):
    """The keys of a person at a terminal."""
    script = subprocess.run([SEALPOST, "completion", "zsh"], capture_output=True)
    (tmp_path / "_sealpost").write_bytes(script.stdout)
    start = (
        f"fpath=({shlex.quote(str(tmp_path))} $fpath); autoload -U compinit; "
        "compinit -u -D; LISTMAX=0; PS1='<>'; print re''ady\n"
    )
    process, terminal = pty.fork()
    if process == 0:
        os.environ["TERM"] = "dumb"
        os.execvp("zsh", ["zsh", "-f", "-i"])
    try:
        os.write(terminal, start.encode())
        assert "ready" in until(terminal, "ready")
        os.write(terminal, b": one; sealpost compl\t")
        assert "completion" in until(terminal, "completion")
        os.write(terminal, b"zs\t; sealpost check --dns\t")
        assert "--dnssec" in until(terminal, "--dnssec")
        os.write(terminal, b" ; sealpost queue rel\t")
        assert "release" in until(terminal, "release")
    finally:
        os.close(terminal)
        os.kill(process, 9)
        os.waitpid(process, 0)
