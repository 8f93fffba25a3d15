# SPDX-License-Identifier: Apache-2.0
"""sealpostd in the world: its configuration, its start and end, its commands."""

import json
import os
import smtplib
import subprocess
from email.message import EmailMessage
from pathlib import Path
from typing import Callable

from lab.procs import wait_until
from lab.world import World

SUBMISSION = ("127.0.0.1", 587)
ROOT = Path(__file__).resolve().parent.parent

CONFIGURATION = """\
hostname = "mail.sender.test"
postmaster = "postmaster@sender.test"
store = "sqlite:{directory}/sealpost.db"
control = "{directory}/control"
workers = {workers}
retry = {{{retry}}}
expire = "{expire}"
listen "submission" {{
  address = {{"127.0.0.1:587", "127.0.0.1:25"}}
  accept_from = {{"127.0.0.0/8"}}
}}
smtp {{ {smtp} }}
ca_bundle = "{ca_bundle}"
address_guard {{ {guard} }}
sts {{ {sts} }}
resolver {{
  trust_anchor = "{anchor}"
  root_hints = "{hints}"
  {resolver}
}}
"""

DEFAULTS = {
    "workers": 0,
    "retry": '"1s", "1s", "2s"',
    "expire": "1h",
    "smtp": "",
    "resolver": "",
    "guard": 'allow = {"127.26.0.0/16"}',
    "sts": "",
}


def build_directory() -> Path:
    """Where the programs under test are; SEALPOST_BUILD names others."""
    return Path(os.environ.get("SEALPOST_BUILD") or ROOT / "build")


def message(sender: str, recipient: str, subject: str = "test") -> bytes:
    """A small message, in the form that goes over the wire."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, recipient, subject
    mail.set_content("Sent through Sealpost in the lab.")
    return mail.as_bytes().replace(b"\n", b"\r\n")


class Server:
    """One sealpostd that resolves in the world and delivers to it.

    `settings` replace the values of DEFAULTS; `extra` is appended to the
    configuration as it stands.
    """

    def __init__(self, world: World, extra: str = "", **settings) -> None:
        self._world = world
        self.directory = world.directory / "sealpost"
        self.directory.mkdir()
        self.config = self.directory / "sealpost.conf"
        self.log = self.directory / "sealpostd.log"
        self.process: subprocess.Popen | None = None
        values = {
            **DEFAULTS,
            "directory": self.directory,
            "anchor": world.anchor_file,
            "hints": world.hints_file,
            "ca_bundle": world.workshop.authority_file("lab"),
            **settings,
        }
        self.config.write_text(CONFIGURATION.format(**values) + extra)

    def start(self) -> None:
        """Starts the server; returns when it answers."""
        program = str(build_directory() / "sealpostd")
        argv = [program, "-f", "-c", str(self.config)]
        self.process = self._world.processes.start(argv, self.log)
        wait_until(self._ready, "sealpostd to answer", 30)

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            status = self.process.returncode
            raise RuntimeError(f"sealpostd ended with {status}:\n{self.tail(200)}")
        return self.run("stats", "--json").returncode == 0

    def tail(self, lines: int = 40) -> str:
        """The last lines of the server's log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def stop(self, timeout: float = 40.0) -> int:
        """Ends the server, which may first finish what it sends."""
        return self._world.processes.stop(self.process, timeout)

    def run(self, command: str, *arguments: str, text: bytes = b""):
        """Runs `sealpost COMMAND` with this server's configuration."""
        program = str(build_directory() / "sealpost")
        argv = [program, command, "-c", str(self.config), *arguments]
        return subprocess.run(argv, input=text, capture_output=True, timeout=120)

    def json(self, command: str, *arguments: str):
        """The one JSON document that a command prints."""
        done = self.run(command, "--json", *arguments)
        if not done.stdout:
            raise RuntimeError(f"sealpost {command}: {done.stderr.decode()}")
        return json.loads(done.stdout)

    def json_lines(self, command: str, *arguments: str) -> list[dict]:
        done = self.run(command, "--json", *arguments)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def send(self, sender: str, recipient: str) -> None:
        """Submits a message with `sealpost send`."""
        text = message(sender, recipient).replace(b"\r\n", b"\n")
        done = self.run("send", "-f", sender, recipient, text=text)
        if done.returncode != 0:
            raise RuntimeError(f"sealpost send: {done.stderr.decode()}{self.tail(200)}")

    def submit(self, sender: str, *recipients: str, data: bytes | None = None) -> None:
        """Submits a message by SMTP."""
        with smtplib.SMTP(*SUBMISSION, timeout=60) as client:
            client.sendmail(sender, recipients, data or message(sender, recipients[0]))

    def trace(self, recipient: str) -> dict | None:
        """The trace of the one message to a recipient, events included."""
        lines = self.json_lines("trace", "--recipient", recipient)
        if not lines:
            return None
        detailed = self.json_lines("trace", "--detail", lines[0]["id"])
        return next(line for line in detailed if line["recipient"] == recipient)

    def wait_trace(
        self, recipient: str, done: Callable[[dict], bool], timeout: float = 30.0
    ) -> dict:
        """The trace of a message as soon as `done` is true of it."""
        latest: list[dict | None] = [None]

        def look() -> bool:
            latest[0] = self.trace(recipient)
            return latest[0] is not None and done(latest[0])

        try:
            wait_until(look, f"the trace of {recipient}", timeout)
        except TimeoutError as error:
            shown = json.dumps(latest[0], indent=1)[:4000]
            raise TimeoutError(f"{error}: {shown}\n{self.tail()}") from None
        return latest[0]


def tried(trace: dict) -> bool:
    """Whether the first attempt of a message is over."""
    return trace["status"] != "pending" or trace["attempts"] > 0
