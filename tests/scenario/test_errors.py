# SPDX-License-Identifier: Apache-2.0
"""Mistakes of operators and users: one clear line, the right exit status.

Where the server does not start, nothing of it is left and nothing half-done.
"""

import re
import socket
import subprocess
from dataclasses import dataclass, field

import pytest

from lab.server import build_directory

pytestmark = pytest.mark.first
PORT = 5587
USAGE, UNREACHABLE, CONFIGURATION, TEMPORARY = 64, 69, 78, 75
GOOD = """\
hostname = "mail.sender.test"
store = "sqlite:{directory}/queue.db"
control = "{directory}/control"
listen "submission" {{ address = "127.0.0.1:5587" }}
"""


@dataclass
class Case:
    """A command line ("CONF" stands for the configuration) and its end."""

    name: str
    argv: list[str]
    status: int
    says: str
    config: str = GOOD
    files: dict[str, str] = field(default_factory=dict)


TRACE = ["sealpost", "trace", "-c", "CONF"]
CHECK = ["sealpostd", "-t", "-c", "CONF"]
SERVE = ["sealpostd", "-f", "-c", "CONF"]
NO_STORE = GOOD.replace("{directory}/queue.db", "{directory}/file/queue.db")
STRANGE = GOOD + 'colour = "red"\n'
SOON = GOOD + 'retry = "soon"\n'
FILE = {"file": ""}
NO_DATABASE = {"queue.db": "x" * 4096}
CASES = [
    Case("unknown command", ["sealpost", "nosuch"], USAGE, r"nosuch: unknown command"),
    Case("unknown option", ["sealpost", "trace", "--nosuch"], USAGE, r"--nosuch"),
    Case("no recipient", ["sealpost", "send", "-c", "CONF"], USAGE, r"argument"),
    Case(
        "bad address",
        ["sealpost", "send", "-c", "CONF", "-f", "a@sender.test", "no address"],
        USAGE,
        r"no address: not an address",
    ),
    Case("no daemon", TRACE, UNREACHABLE, r"control: .*is the server running"),
    Case("syntax", CHECK, CONFIGURATION, r"conf:5: ", GOOD + "hostname hostname\n"),
    Case("unknown key", CHECK, CONFIGURATION, r"conf:5: .*'colour'", STRANGE),
    Case("bad value", CHECK, CONFIGURATION, r"conf:5: retry: 'soon'", SOON),
    Case("bad value, command", TRACE, CONFIGURATION, r"conf:5: retry: 'soon'", SOON),
    Case("bad value, server", SERVE, CONFIGURATION, r"conf:5: retry: 'soon'", SOON),
    Case(
        "no configuration",
        ["sealpostd", "-t", "-c", "/proc/nosuch"],
        CONFIGURATION,
        r"/proc/nosuch: ",
    ),
    Case("unreadable store", SERVE, CONFIGURATION, r"file/queue.db", NO_STORE, FILE),
    Case("store is no database", SERVE, CONFIGURATION, r"queue.db", GOOD, NO_DATABASE),
]


def run(argv: list[str], config) -> subprocess.CompletedProcess:
    words = [str(config) if word == "CONF" else word for word in argv]
    words[0] = str(build_directory() / words[0])
    return subprocess.run(words, input="", capture_output=True, text=True, timeout=30)


def complaints(done: subprocess.CompletedProcess) -> list[str]:
    """The lines for people; those of the log begin with a time."""
    lines = done.stderr.splitlines()
    return [line for line in lines if not re.match(r"\d{4}-\d\d-\d\dT", line)]


def listens() -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", PORT)) == 0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_mistake(case, tmp_path):
    for name, text in case.files.items():
        (tmp_path / name).write_text(text)
    config = tmp_path / "sealpost.conf"
    config.write_text(case.config.format(directory=tmp_path))
    done = run(case.argv, config)
    assert done.returncode == case.status, done.stderr
    (line,) = complaints(done)
    assert line.startswith(case.argv[0] + ": ") and re.search(case.says, line)
    assert done.stdout == "" and not listens()


def test_port_in_use(tmp_path):
    config = tmp_path / "sealpost.conf"
    config.write_text(GOOD.format(directory=tmp_path))
    with socket.create_server(("127.0.0.1", PORT)):
        done = run(SERVE, config)
    assert done.returncode == TEMPORARY, done.stderr
    (line,) = complaints(done)
    assert re.search(rf"127.0.0.1:{PORT}: Address already in use", line)
    assert not (tmp_path / "control").exists() and not listens()
