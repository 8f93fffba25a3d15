# SPDX-License-Identifier: Apache-2.0
"""How `check` shows what it found: text, JSON, page, terminal, exit status.

The expected text and JSON stand in golden/; SEALPOST_GOLDEN=write writes them
anew. What differs from run to run is made equal first: times, digests, tags.
"""

import json
import os
import pty
import re
import select
import subprocess
from pathlib import Path

import pytest

from lab import front, zone
from lab.behaviour import SILENCE, replying
from lab.server import ROOT, build_directory
from lab.world import Domain, Host
from tests.support import browser
from tests.support.analysis import check_shape
from tests.support.stage import Lab

GOLDEN = Path(__file__).parent / "golden"
WRITES = os.environ.get("SEALPOST_GOLDEN") == "write"
SETTINGS_OF_SERVER = {"retry": '"15m", "15m", "1h"', "expire": "24h"}


def domains() -> list[Domain]:
    return [
        Domain("good.test", [Host(tlsa=["3 1 1"])], signing={"ttl": 3600}),
        Domain("wrong.test", [Host(tlsa=["3 1 1 wrong"])], signing={"ttl": 3600}),
        Domain(
            "expired.test",
            [Host(tlsa=["3 1 1"])],
            signing={"windows": {("@", "MX"): zone.EXPIRED}},
        ),
        Domain("unsigned.test", [Host(tlsa=["3 1 1"])], signed=False),
        Domain(
            "hangs.test",
            [
                Host("mx1", 10, ["3 1 1 wrong"]),
                Host("mx2", 20, ["3 1 1"], behaviour=replying("greeting", SILENCE)),
            ],
        ),
        Domain("slow.test", [Host()], faults={("@", "MX"): front.Fault(delay=1.0)}),
    ]


@pytest.fixture
def lab(stage) -> Lab:
    return stage.lab("check-golden", domains, **SETTINGS_OF_SERVER)


def check(lab: Lab, *arguments: str) -> subprocess.CompletedProcess:
    return lab.server.run("check", *arguments)


# ---- what scripts rely on


STATUSES = {
    "pass": (0, ["good.test"]),
    "warn": (1, ["unsigned.test"]),
    "fail": (2, ["wrong.test"]),
    "a host": (0, ["--host", "mx.good.test"]),
    "no target": (64, []),
    "two tests": (64, ["--dane", "--sts", "good.test"]),
    "no such option": (64, ["--nothing", "good.test"]),
    "no domain": (64, ["a..b"]),
    "not of an address": (64, ["--dane", "127.0.0.1"]),
    "not of a host": (64, ["--sts", "--host", "mx.good.test"]),
    "no mail address": (64, ["--from", "nobody", "good.test"]),
    "two documents": (64, ["--json", "--html", "good.test"]),
    "no time": (64, ["--timeout", "soon", "good.test"]),
    "no such file": (66, ["--cert", "/nowhere", "good.test"]),
}


@pytest.mark.parametrize("status, arguments", STATUSES.values(), ids=STATUSES.keys())
def test_status(lab, status, arguments):
    done = check(lab, *arguments)
    assert done.returncode == status, done
    assert bool(done.stdout) == (status < 3)


def test_not_run(lab, tmp_path):
    """Without a DNS that can be validated nothing is said of the domain."""
    text = lab.server.config.read_text()
    broken = tmp_path / "broken.conf"
    broken.write_text(text.replace("resolver {", 'resolver { timeout = "200ms"', 1))
    hints = tmp_path / "hints"
    hints.write_text(". 3600000 NS ns.nowhere.\nns.nowhere. 3600000 A 127.99.99.99\n")
    broken.write_text(re.sub(r'root_hints = ".*"', f'root_hints = "{hints}"',
                             broken.read_text()))
    argv = [str(build_directory() / "sealpost"), "check", "-c", str(broken), "good.test"]
    done = subprocess.run(argv, capture_output=True, timeout=120)
    assert (done.returncode, done.stdout) == (3, b""), done
    assert b"self-test" in done.stderr
    broken.write_text(broken.read_text().replace('"200ms"', '"5m"'))
    argv[2:2] = ["--timeout", "1s"]
    done = subprocess.run(argv, capture_output=True, timeout=120)
    assert (done.returncode, done.stdout) == (3, b""), done
    assert b"the time was over" in done.stderr


def test_json_shape(lab):
    for name in ("good.test", "wrong.test", "unsigned.test"):
        found = json.loads(check(lab, "--json", name).stdout)
        assert list(found) == [
            "target", "test", "verdict", "started", "elapsed_ms", "tree",
        ]
        assert (found["target"], found["test"]) == (name, "dane")
        check_shape(found["tree"])


def steps(step: dict) -> list[dict]:
    return [step] + [below for child in step["children"] for below in steps(child)]


def test_time_is_over(lab, tmp_path):
    """One of two servers never greets: what was seen is told, no verdict."""
    page = tmp_path / "page.html"
    done = check(lab, "--timeout=10s", "--json", f"--html={page}", "--all", "hangs.test")
    found = json.loads(done.stdout)
    assert done.returncode == 3 and b"not finished within 10s" in done.stderr, done
    assert found["verdict"] == found["tree"]["verdict"] == "skip"
    assert found["tree"]["scenario"] is None
    check_shape(found["tree"])
    assert "not finished within 10s" in page.read_text()
    at = {step["title"]: step for step in steps(found["tree"])}
    hanging = next(step for title, step in at.items() if title.startswith("mx2."))
    assert hanging["verdict"] == "skip"
    assert hanging["evidence"]["note"] == "not finished"
    assert any(step["scenario"] == "tlsa-mismatch" for step in at.values())
    assert at["Test smtp, not begun"]["id"] == "smtp"


def test_time_is_over_in_words(lab):
    done = check(lab, "--timeout=1s", "hangs.test")
    first, _, note, *_ = done.stdout.decode().splitlines()
    assert done.returncode == 3
    assert (first, note) == ("hangs.test: NOT FINISHED", "not finished within 1s")


# ---- golden files


EQUAL = [  # what differs from run to run
    (r"took [\d.]+ m?s", "took N ms"),
    (r"\b\d+ ms\b", "N ms"),
    (r"(_ms\": )\d+", r"\g<1>0"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", "TIME"),
    (r"[A-Z][a-z]{2}, \d\d? [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000", "TIME"),
    (r"\b[0-9a-f]{32,128}\b", "HEX"),
    (r"\b[0-9a-f]{16}\.\.\.", "HEX..."),
    (r"\b[1-9]\d{4}\b", "TAG"),
]


def equal(text: str) -> str:
    for pattern, same in EQUAL:
        text = re.sub(pattern, same, text)
    return text


@pytest.mark.parametrize("form", ["txt", "json"])
@pytest.mark.parametrize("name", ["good", "wrong", "expired"])
def test_golden(lab, name, form):
    if form == "json":
        found = json.loads(check(lab, "--json", f"{name}.test").stdout)
        text = json.dumps(found, indent=1) + "\n"
    else:
        text = check(lab, f"{name}.test").stdout.decode()
    file = GOLDEN / f"{name}.{form}"
    if WRITES:
        file.parent.mkdir(exist_ok=True)
        file.write_text(equal(text))
    assert equal(text) == file.read_text()


# ---- a terminal


def on_terminal(argv: list[str], **environment: str) -> str:
    """What a command writes to the terminal that it runs in."""
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update({"TERM": "xterm", **environment})
        os.execv(argv[0], argv)
    written = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            some = os.read(terminal, 65536)
        except OSError:  # its end, for a terminal
            break
        if not some:
            break
        written += some
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) in (0, 1, 2)
    return written.decode()


def test_terminal(lab):
    """Progress is drawn and wiped; then comes the result, in colour."""
    program = str(build_directory() / "sealpost")
    argv = [program, "check", "-c", str(lab.server.config), "wrong.test"]
    seen = on_terminal(argv)
    result = seen.rindex("wrong.test: \x1b[1;31mFAIL\x1b[0m 4.7.323 tlsa-mismatch")
    wipe = seen.rfind("A\x1b[J", 0, result)
    if wipe >= 0:  # it took long enough for a first picture
        assert "\x1b[J" not in seen[result:]
    plain = on_terminal(argv, NO_COLOR="1")
    assert "wrong.test: FAIL" in plain


def test_progress(lab):
    """A name server that is slow: meanwhile the step at work is shown."""
    program = str(build_directory() / "sealpost")
    argv = [program, "check", "-c", str(lab.server.config), "slow.test"]
    seen = on_terminal(argv)
    assert re.search(r"[-|/\\]    Delivery plan for slow.test", seen)
    assert "\x1b[J" in seen and "slow.test: " in seen
    assert "\x1b" not in on_terminal(argv, TERM="dumb")


def test_pipe(lab):
    done = check(lab, "wrong.test")
    assert b"\x1b" not in done.stdout and not done.stderr


# ---- the page


def test_page_in_a_file(lab, tmp_path):
    page = tmp_path / "page.html"
    done = check(lab, f"--html={page}", "good.test")
    assert done.stdout.startswith(b"good.test: PASS\n")
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>") and "good.test" in text
    done = check(lab, f"--html={tmp_path}/none/page.html", "good.test")
    assert done.returncode == 74 and b"page.html" in done.stderr


PICTURES = {
    "check-fail": ("wrong.test", 1280, 1000),
    "check-fail-phone": ("wrong.test", 390, 1000),
    "check-pass": ("good.test", 1280, 700),
    "check-pass-phone": ("good.test", 390, 1000),
}


@pytest.mark.skipif(not browser.PROGRAM, reason="there is no Chromium")
@pytest.mark.parametrize("name", PICTURES)
def test_page_in_chromium(lab, name):
    """It fits the width of a desktop and of a phone. With SEALPOST_GOLDEN=write
    the pictures of the documentation are made."""
    domain, width, height = PICTURES[name]
    shown = browser.Browser(check(lab, "--html", domain).stdout, width, height)
    assert shown.content_width() <= width
    if WRITES:
        (ROOT / "doc" / f"{name}.png").write_bytes(shown.picture())
