# SPDX-License-Identifier: Apache-2.0
"""`sealpost survey`: what it says of many domains, and how it goes on."""

import csv
import io
import json
import os
import pty
import re
import random
import signal
import subprocess
from collections import Counter

import pytest

from lab.behaviour import HOLD, Behaviour
from lab.destinations import LAB_CA, destinations
from lab.policy_host import Sts, policy
from lab.procs import children, wait_until
from lab.server import build_directory, tried
from lab.world import Domain, Host
from tests.support.delivery import SENDER, recipient
from tests.support.stage import SANITIZER

LIMIT = 4
SETTINGS = {
    "expire": "1h",
    "retry": '"10m"',
    "smtp": f"max_per_host = {LIMIT}",
}
DESTINATIONS = destinations()
MIXED = [domain for domain, _ in DESTINATIONS]
#: All at one host, where nobody is greeted before the test says so.
ADDRESS = "127.25.37.1"
HELD = Host(
    "mx.held.test.",
    tlsa=["3 1 1"],
    addresses=[ADDRESS],
    behaviour=Behaviour({"greeting": (HOLD,)}),
)
SHARING = [Domain("held.test", [HELD])] + [Domain(f"held{n}.test", [HELD]) for n in range(9)]
#: Each at a host of its own, all of them at that address.
CROWD = [Domain(f"crowd{n}.test", [Host(addresses=[ADDRESS], listens=False)]) for n in range(9)]
WORKERS = 2
ABSENT = Domain("absent.test", [], exists=False)


def with_policy(name: str, mx: str) -> Domain:
    sts = Sts(policy("enforce", mx))
    return Domain(name, [Host(certificate=LAB_CA)], signed=False, sts=sts)


LISTED = with_policy("listed.test", "mx.listed.test")
UNLISTED = with_policy("unlisted.test", "other.unlisted.test")

pytestmark = pytest.mark.scenario(*MIXED, *SHARING, *CROWD, ABSENT, LISTED, UNLISTED)

BLOCKED = {"wrong.test", "stripped.test", "servfail.test"}


@pytest.fixture
def survey(lab, tmp_path):
    return Survey(lab, tmp_path)


class Survey:
    """Runs the command over a list of names, in the lab's DNS."""

    def __init__(self, lab, directory) -> None:
        self.lab = lab
        self.directory = directory
        self.out = directory / "rows"

    def listed(self, *names: str) -> str:
        file = self.directory / "list"
        file.write_text("".join(f"{name}\n" for name in names))
        return str(file)

    def argv(self, *arguments: str, config=None) -> list[str]:
        program = str(build_directory() / "sealpost")
        return [program, "survey", "-c", str(config or self.lab.server.config), *arguments]

    def run(self, *arguments: str, status: int = 0, config=None, **options):
        argv = self.argv(*arguments, config=config)
        done = subprocess.run(argv, capture_output=True, timeout=120, **options)
        assert done.returncode == status, done.stderr.decode()
        assert not SANITIZER.search(done.stderr.decode(errors="replace"))
        return done

    def rows(self, *arguments: str, **options) -> list[dict]:
        done = self.run(*arguments, **options)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def start(self, *arguments: str) -> subprocess.Popen:
        pipe = subprocess.PIPE
        return subprocess.Popen(self.argv(*arguments), stdout=pipe, stderr=pipe)

    def written(self) -> list[dict]:
        """The whole lines of the file."""
        text = self.out.read_bytes() if self.out.exists() else b""
        return [json.loads(line) for line in text.split(b"\n")[:-1]]


def names(domains) -> list[str]:
    return [domain.name for domain in domains]


def by_domain(rows: list[dict]) -> dict[str, dict]:
    assert len({row["domain"] for row in rows}) == len(rows)
    return {row["domain"]: row for row in rows}


def said_by_delivery(trace: dict) -> tuple:
    """The first attempt, in the words of a row."""
    if trace["status"] == "delivered":
        return ("deliver", None, None, trace["security"])
    event = next(e for e in trace["events"] if e["event"] in ("defer", "fail"))
    return (event["event"], event["code"], event["scenario"], None)


def test_verdicts_are_those_of_delivery(survey, lab):
    domains = [*MIXED, ABSENT]
    for domain in domains[1:]:
        lab.server.submit(SENDER, recipient(domain))
    rows = by_domain(survey.rows(survey.listed(*names(domains))))
    for domain in domains:
        trace = lab.server.wait_trace(recipient(domain), tried)
        row = rows[domain.name]
        found = (row["verdict"], row["code"], row["scenario"], row["security"])
        assert found == said_by_delivery(trace), domain.name
        assert row["error"] is None
    assert {name for name, row in rows.items() if row["blocked"]} == BLOCKED


def test_mta_sts_where_it_is_asked_for(survey, lab):
    domains = [LISTED, UNLISTED]
    for domain in domains:
        lab.server.submit(SENDER, recipient(domain))
    listed = survey.listed(*names(domains))
    rows = by_domain(survey.rows("--sts", listed))
    for domain in domains:
        trace = lab.server.wait_trace(recipient(domain), tried)
        row = rows[domain.name]
        found = (row["verdict"], row["code"], row["scenario"], row["security"])
        assert found == said_by_delivery(trace), domain.name
    assert {row["sts"] for row in rows.values()} == {"enforce"}
    assert (rows["listed.test"]["security"], rows["unlisted.test"]["blocked"]) == ("sts", True)
    # and left out otherwise, at the price of another verdict
    rows = by_domain(survey.rows(listed))
    assert {(row["sts"], row["verdict"]) for row in rows.values()} == {(None, "deliver")}


def test_no_mail_is_said(survey):
    survey.run(survey.listed(*names(MIXED)))
    for domain in MIXED:
        for receiver in domain.host.receivers:
            for session in receiver.sessions:
                if not session.mails:
                    assert not {"MAIL", "RCPT", "DATA"} & set(session.verbs(False))


def test_facts_of_a_row(survey):
    rows = by_domain(survey.rows(survey.listed("good.test", "unsigned.test", "wrong.test")))
    good, unsigned, wrong = (rows[n] for n in ("good.test", "unsigned.test", "wrong.test"))
    assert (good["signed"], good["mx"], good["hosts"], good["tlsa_hosts"]) == (True, "secure", 1, 1)
    assert (good["rule"], good["host"]) == ("dane", "mx.good.test")
    assert good["address"] == MIXED[0].host.addresses[0]
    assert (unsigned["signed"], unsigned["mx"], unsigned["tlsa_hosts"]) == (False, "insecure", 0)
    assert unsigned["rule"] == "opportunistic"
    assert wrong["evidence"] and wrong["host"] == "mx.wrong.test"
    assert all(row["elapsed_ms"] >= 0 and row["sts"] is None for row in rows.values())


def test_dns_only_opens_no_connection(survey, lab):
    lab.server.wait_trace(recipient(MIXED[0]), tried)  # sent when the world began
    receivers = [r for d in MIXED for h in d.hosts for r in h.receivers]
    before = [len(r.sessions) for r in receivers]
    rows = by_domain(survey.rows("--dns-only", survey.listed(*names(MIXED))))
    assert [len(r.sessions) for r in receivers] == before
    assert rows["expired.test"]["scenario"] == "rrsig-expired"
    assert not rows["expired.test"]["blocked"]
    assert (rows["servfail.test"]["verdict"], rows["servfail.test"]["blocked"]) == ("defer", True)
    assert (rows["wrong.test"]["verdict"], rows["wrong.test"]["rule"]) == ("deliver", "dane")
    assert rows["good.test"]["security"] is None


def test_enforcement_whatever_the_configuration_says(survey, lab):
    config = survey.directory / "log-only.conf"
    config.write_text("enforce = false\n" + lab.server.config.read_text())
    rows = by_domain(survey.rows(survey.listed("wrong.test"), config=config))
    assert (rows["wrong.test"]["verdict"], rows["wrong.test"]["blocked"]) == ("defer", True)


def test_lines_of_the_list(survey):
    text = (
        "\ufeff# destinations\r\n\r\ngood.test\r\n  GOOD.test. # again\n"
        "192.0.2.1\na b\nb\u00fccher.test\n" + "x" * 5000 + "\nplain.test"
    )
    summary = survey.directory / "summary.json"
    rows = survey.rows("--ordered", "--summary", str(summary), "-", input=text.encode())
    assert [(row["domain"][:20], bool(row["error"])) for row in rows] == [
        ("good.test", False),
        ("192.0.2.1", True),
        ("a b", True),
        ("xn--bcher-kva.test", False),
        ("x" * 20, True),
        ("plain.test", False),
    ]
    assert all(row["verdict"] is None for row in rows if row["error"])
    said = json.loads(summary.read_text())
    assert (said["domains"], said["errors"], said["duplicates"]) == (3, 3, 1)
    assert said["finished"]


def test_csv(survey):
    listed = survey.listed(*names(MIXED), "no domain, \"this\"")
    done = survey.run("--csv", "--ordered", listed)
    found = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
    wanted = survey.rows("--ordered", listed)
    assert list(found[0]) == list(wanted[0])
    for row, other in zip(found, wanted, strict=True):
        for key, value in other.items():
            if key not in ("elapsed_ms", "evidence"):
                text = "" if value is None else str(value)
                assert row[key] == (text.lower() if isinstance(value, bool) else text)


def test_summary(survey):
    summary = survey.directory / "summary.json"
    done = survey.run("--summary", str(summary), survey.listed(*names(MIXED)))
    said = json.loads(summary.read_text())
    count = len(MIXED)
    delivered = sum(expected.status == "delivered" for _, expected in DESTINATIONS)
    assert (said["domains"], said["deliver"]["count"]) == (count, delivered)
    assert said["blocked"] == {"count": 3, "percent": round(300 / count, 2)}
    causes = {c["scenario"]: (c["count"], c["blocked"]) for c in said["causes"]}
    assert causes["tlsa-mismatch"] == (1, 1)
    assert causes["rrsig-expired"] == (1, 0)
    assert b"blocked by enforcement" in done.stderr and b"tlsa-mismatch" in done.stderr
    quiet = survey.run("--quiet", survey.listed("good.test"))
    assert quiet.stderr == b""


def test_resumed_after_a_kill(survey):
    receiver = HELD.receiver
    listed = survey.listed(*names(MIXED), *names(SHARING))
    process = survey.start("-o", str(survey.out), listed)
    wait_until(lambda: len(survey.written()) >= len(MIXED), "the rows of those that answer", 20)
    process.kill()
    process.communicate()
    with survey.out.open("r+b") as file:
        file.truncate(survey.out.stat().st_size - 10)
    assert len(survey.written()) == len(MIXED) - 1
    receiver.release()
    summary = survey.directory / "summary.json"
    survey.run("--resume", str(survey.out), "--summary", str(summary), listed)
    rows = by_domain(survey.written())
    assert set(rows) == {*names(MIXED), *names(SHARING)}
    said = json.loads(summary.read_text())
    assert (said["earlier"], said["domains"]) == (len(MIXED) - 1, len(rows))
    assert said["duplicates"] == 0
    receiver._released.clear()
    other = survey.run("--resume", str(survey.out), "--csv", listed, status=65)
    assert b"no CSV row" in other.stderr


def test_limit_by_address_over_all_workers(survey):
    receiver = HELD.receiver
    before = len(receiver.sessions)
    listed = survey.listed(*names(CROWD), *names(MIXED))
    process = survey.start("--workers", str(WORKERS), "-o", str(survey.out), listed)
    receiver.wait_for(lambda: len(receiver.sessions) - before >= LIMIT, 60)
    # all others have had their turn meanwhile
    wait_until(lambda: len(survey.written()) >= len(MIXED), "the rows of the others", 60)
    assert len(receiver.sessions) - before == LIMIT
    receiver.release()
    process.communicate(timeout=60)
    receiver._released.clear()
    assert process.returncode == 0
    rows = by_domain(survey.written())
    assert {rows[name]["security"] for name in names(CROWD)} == {"tls"}
    assert len(receiver.sessions) - before == len(CROWD)
    assert not any(row["shared"] for row in rows.values())


def test_one_visit_serves_all_domains_of_a_host(survey):
    receiver = HELD.receiver
    before = len(receiver.sessions)
    listed = survey.listed(*names(SHARING))
    process = survey.start("--workers", str(WORKERS), "-o", str(survey.out), listed)
    receiver.wait_for(lambda: len(receiver.sessions) - before >= WORKERS, 60)
    receiver.release()
    process.communicate(timeout=60)
    receiver._released.clear()
    assert process.returncode == 0
    rows = by_domain(survey.written())
    assert {rows[name]["security"] for name in names(SHARING)} == {"dane"}
    # one a process, as long as the host does not take ten seconds to greet
    visits = len(receiver.sessions) - before
    assert visits < len(SHARING)
    assert sum(row["shared"] for row in rows.values()) == len(SHARING) - visits


# ---- a long list ----

LINES = 100_000
APART = 50_000
#: Lines that are no domain, and how their rows show them.
NO_DOMAINS = {
    **{line: line for line in ("192.0.2.7", "two words", "a..b", "someone@example.test")},
    "x" * 64 + ".test": "x" * 64 + ".test",
    'say "no", \\ never': 'say "no", \\ never',
    "\x1b[1mred": r"\x1b[1mred",
    "a" + "\u00fc" * 60 + " x": "a" + "\u00fc" * 49 + r"\xc3",
}
SHOWN = set(NO_DOMAINS.values())
DECORATIONS = ("{}", "{}.", " {}\t", "{} # again", "{}\r", "{}.\r", "{}#", "\t{} \r")


def spelled(name: str, dice: random.Random) -> str:
    """As somebody may have written it."""
    form = dice.choice((str, str.upper, str.title))
    if name.startswith("xn--") and dice.random() < 0.7:
        name = name.encode().decode("idna")
    return dice.choice(DECORATIONS).format(form(name))


def long_list(dice: random.Random) -> tuple[list[str], set[str]]:
    """So many lines, and the names that they have."""
    found = [f"n{n}.long.test" for n in range(1800)]
    found += [f"b\u00fccher{n}.long.test".encode("idna").decode() for n in range(200)]
    found += names(MIXED)
    twice = "twice.long.test"
    others = ["", "\r", "  ", "# nobody", "\t#x.test", *NO_DOMAINS]
    lines = [
        dice.choice(others) if dice.random() < 0.1 else spelled(dice.choice(found), dice)
        for _ in range(LINES)
    ]
    lines[: len(found)] = dice.sample(found, len(found))  # each at least once
    lines[20_000], lines[20_000 + APART] = twice, twice.upper() + ".\r"
    lines[0] = "\ufeff" + lines[0]
    return lines, {*found, twice}


def summary_of(rows: list[dict]) -> dict:
    """The counts of a summary."""
    said = [row for row in rows if row["error"] is None]
    failed = [row for row in said if row["verdict"] != "deliver"]
    verdicts = Counter(row["verdict"] for row in said)
    return {
        "domains": len(said),
        "errors": len(rows) - len(said),
        "signed": sum(row["signed"] for row in said),
        "tlsa": sum(row["tlsa_hosts"] > 0 for row in said),
        **{verdict: verdicts[verdict] for verdict in ("deliver", "defer", "fail")},
        "blocked": sum(row["blocked"] for row in said),
        "security": Counter(row["security"] for row in said if row["security"]),
        "causes": Counter(row["scenario"] for row in failed),
        "causes_blocked": Counter(row["scenario"] for row in failed if row["blocked"]),
    }


def counts_of(said: dict) -> dict:
    """The same, as a summary says it."""
    shares = ("signed", "tlsa", "deliver", "defer", "fail", "blocked")
    causes = {cause["scenario"]: cause for cause in said["causes"]}
    for share in (*(said[key] for key in shares), *said["security"].values(), *causes.values()):
        assert share["percent"] == pytest.approx(100 * share["count"] / said["domains"], abs=0.006)
    return {
        "domains": said["domains"],
        "errors": said["errors"],
        **{key: said[key]["count"] for key in shares},
        "security": +Counter({name: one["count"] for name, one in said["security"].items()}),
        "causes": Counter({name: cause["count"] for name, cause in causes.items()}),
        "causes_blocked": +Counter({name: cause["blocked"] for name, cause in causes.items()}),
    }


def typed(file) -> list[dict]:
    """Rows of CSV, as those of JSON say it."""
    kinds = {"true": True, "false": False, "": None}
    rows = [
        {key: kinds.get(text, text) for key, text in row.items()}
        for row in csv.DictReader(file.open(newline=""))
    ]
    return [{**row, "tlsa_hosts": int(row["tlsa_hosts"] or 0)} for row in rows]


def lines_that_count(lines: list[str]) -> int:
    return sum(bool(line.split("#")[0].strip()) for line in lines)


def test_a_long_list(survey):
    lines, wanted = long_list(random.Random(1))
    summary = survey.directory / "summary.json"
    survey.run("-o", str(survey.out), "--summary", str(summary), survey.listed(*lines))
    rows = survey.written()
    found = by_domain(rows)
    assert {name for name, row in found.items() if row["error"] is None} == wanted
    assert {name for name, row in found.items() if row["error"]} == SHOWN
    said = json.loads(summary.read_text())
    assert counts_of(said) == summary_of(rows)
    assert said["duplicates"] == lines_that_count(lines) - len(rows)
    assert said["finished"] and said["earlier"] == 0


@pytest.mark.parametrize("form", [[], ["--csv", "--ordered"]], ids=["json", "csv"])
def test_killed_again_and_again(survey, form):
    """At several moments; of what was written last, some is lost each time."""
    dice = random.Random(2)
    lines, wanted = long_list(dice)
    listed = survey.listed(*lines)
    moments = [0, 1, 20_000, 60_000, 100_000, 160_000]  # bytes of the file
    for moment in moments:
        argv = ["--resume", str(survey.out), "--jobs", "20", *form, listed]
        process = survey.start(*argv)
        wait_until(
            lambda: process.poll() is not None
            or (survey.out.exists() and survey.out.stat().st_size >= moment),
            "rows",
            120,
        )
        process.kill()
        process.communicate()
        if survey.out.exists():
            keep = survey.out.stat().st_size - dice.randrange(1000)
            os.truncate(survey.out, max(0, keep))
    summary = survey.directory / "summary.json"
    survey.run("--resume", str(survey.out), "--summary", str(summary), *form, listed)
    rows = typed(survey.out) if form else survey.written()
    assert Counter(row["domain"] for row in rows) == Counter([*wanted, *SHOWN])
    said = json.loads(summary.read_text())
    assert (said["domains"], said["errors"]) == (len(wanted), len(SHOWN))
    assert 0 < said["earlier"] < len(rows)
    assert counts_of(said) == summary_of(rows)


def test_interrupted(survey):
    listed = survey.listed(*names(MIXED), *names(SHARING))
    summary = survey.directory / "summary.json"
    process = survey.start("-o", str(survey.out), "--summary", str(summary), listed)
    wait_until(lambda: len(survey.written()) >= len(MIXED), "the rows of those that answer", 20)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 75
    assert b"not finished" in said and not SANITIZER.search(said.decode())
    assert not json.loads(summary.read_text())["finished"]
    assert set(by_domain(survey.written())) == set(names(MIXED))


def kill_workers(process: subprocess.Popen, count: int) -> None:
    for pid in sorted(children(process.pid))[:count]:
        os.kill(pid, signal.SIGKILL)


def test_a_process_that_dies_costs_what_it_had(survey):
    receiver = HELD.receiver
    before = len(receiver.sessions)
    process = survey.start(
        "--workers", str(WORKERS), "-o", str(survey.out), survey.listed(*names(SHARING))
    )
    receiver.wait_for(lambda: len(receiver.sessions) - before >= WORKERS, 60)
    kill_workers(process, 1)
    wait_until(lambda: len(survey.written()) > 0, "the rows of the one that died", 60)
    lost = survey.written()
    assert {row["verdict"] for row in lost} == {None}
    assert "has ended" in lost[0]["error"]
    receiver.release()
    process.communicate(timeout=60)
    receiver._released.clear()
    assert process.returncode == 0
    rows = by_domain(survey.written())
    assert set(rows) == set(names(SHARING))
    assert sum(row["verdict"] == "deliver" for row in rows.values()) == len(rows) - len(lost)


def test_no_process_is_left(survey):
    receiver = HELD.receiver
    before = len(receiver.sessions)
    process = survey.start(
        "--workers", str(WORKERS), "-o", str(survey.out), survey.listed(*names(SHARING))
    )
    receiver.wait_for(lambda: len(receiver.sessions) - before >= WORKERS, 60)
    kill_workers(process, 2)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 75
    assert b"no process is left" in said and b"not finished" in said
    assert set(by_domain(survey.written())) == set(names(SHARING))


def test_without_a_dns_that_can_be_validated(survey, tmp_path):
    """It says nothing of any domain: --resume would take it for an answer."""
    text = survey.lab.server.config.read_text()
    hints = tmp_path / "hints"
    hints.write_text(". 3600000 NS ns.nowhere.\nns.nowhere. 3600000 A 127.99.99.99\n")
    text = re.sub(r'root_hints = ".*"', f'root_hints = "{hints}"', text)
    config = tmp_path / "away.conf"
    config.write_text(text.replace("resolver {", 'resolver { timeout = "200ms"', 1))
    listed = survey.listed("good.test", "a b")
    done = survey.run("-o", str(survey.out), listed, status=75, config=config)
    assert b"self-test" in done.stderr and b"not finished" in done.stderr
    assert survey.written() == []
    survey.run("--resume", str(survey.out), listed)
    assert set(by_domain(survey.written())) == {"good.test", "a b"}


def test_lists_that_are_no_stream(survey):
    """Nothing that poll(2) could wait for."""
    assert survey.rows("/dev/null") == []
    assert survey.rows("-", stdin=subprocess.DEVNULL) == []
    said = survey.run(str(survey.directory), status=66).stderr
    assert b"Is a directory" in said


def test_a_reader_that_leaves(survey):
    process = survey.start(survey.listed(*names(MIXED), *names(SHARING)))
    process.stdout.readline()
    process.stdout.close()
    HELD.receiver.release()
    said = process.stderr.read()
    process.wait(60)
    HELD.receiver._released.clear()
    assert process.returncode == 74 and b"standard output" in said


def test_progress_on_a_terminal(survey):
    terminal, end = pty.openpty()
    argv = survey.argv("-o", str(survey.out), survey.listed(*names(MIXED)))
    process = subprocess.Popen(argv, stderr=end, env={**os.environ, "TERM": "xterm"})
    os.close(end)
    shown = b""
    try:
        while part := os.read(terminal, 4096):
            shown += part
    except OSError:  # the other end is closed
        pass
    os.close(terminal)
    assert process.wait(60) == 0
    assert b"\r" in shown and b"a second" in shown and b"blocked by enforcement" in shown


def peak_of_absent(survey, many: int) -> int:
    """KiB of the largest process of a survey of so many absent names."""
    environment = {**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=4"}
    listed = survey.listed(*(f"n{n}.missing{many}.test" for n in range(many)))
    argv = survey.argv("--dns-only", "--quiet", "-o", str(survey.out), listed)
    process = subprocess.Popen(argv, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    rows = survey.written()
    assert len(by_domain(rows)) == many
    assert {(row["verdict"], row["signed"]) for row in rows} == {("fail", True)}
    return used.ru_maxrss


def test_memory_does_not_grow_with_the_list(survey):
    few = peak_of_absent(survey, 500)
    assert peak_of_absent(survey, 5000) < 1.5 * few
