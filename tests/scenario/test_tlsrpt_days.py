# SPDX-License-Identifier: Apache-2.0
"""TLS reports over days: closed by themselves, by hand, and given up.

The clock of the lab is the real one, so days are moved: the server is stopped,
and what it counted is made a day older in its store.
"""

import base64
import gzip
import json
import sqlite3
import subprocess
import time
from email import message_from_bytes

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.behaviour import replying
from lab.procs import wait_until
from lab.server import build_directory
from lab.world import Domain, Host

RECEIVER = "reports.test"
DAY_S = 86400
LONG = ".".join(["x" * 60] * 3 + ["y" * 40, "test"])
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
)


def rua(local: str, *, at: str = RECEIVER) -> list[str]:
    return [f'_smtp._tls TXT "v=TLSRPTv1; rua=mailto:{local}@{at}"']


def domains() -> list[Domain]:
    refuses = replying("RCPT", "550 5.1.1 no such user")
    return [
        Domain("good.test", [Host()], rua("good")),
        Domain("dead.test", [Host()], rua("box", at="refuses.test")),
        Domain(LONG, [Host("mx.good.test.")], rua("long"), signed=False),
        Domain(RECEIVER, [Host()]),
        Domain("refuses.test", [Host(behaviour=refuses)]),
    ]


@pytest.fixture
def key_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("dkim") / "key.pem"
    path.write_bytes(
        KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    path.chmod(0o600)
    return path


def settings(key_file) -> dict:
    section = f'dkim "sender.test" {{{{ selector = "r1" key = "{key_file}" }}}}\n'
    return {"extra": section.format() + 'report { spread = "0" }\n'}


@pytest.fixture
def lab(stage, key_file):
    return stage.lab("tlsrpt-days", domains, **settings(key_file))


def today() -> int:
    return int(time.time()) // DAY_S


def date(day: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(day * DAY_S))


def deliver(server, recipient: str) -> None:
    server.submit("a@sender.test", recipient)
    server.wait_trace(recipient, lambda t: t["status"] == "delivered", 30)


def change(lab, *statements: str) -> None:
    """Changes the store behind the server's back, while it is down."""
    assert lab.server.stop() == 0
    store = sqlite3.connect(lab.server.directory / "sealpost.db")
    with store:
        for statement in statements:
            store.execute(statement)
    store.close()
    lab.server.start()


def host(lab, name: str):
    return next(d for d in lab.world.domains if d.name == name).host.receiver


def mails(lab, local: str) -> list[bytes]:
    found = host(lab, RECEIVER).mails(f"{local}@{RECEIVER}")
    return [message.data for _, message in found]


def report_of(data: bytes) -> dict:
    parts = message_from_bytes(data).get_payload()
    return json.loads(gzip.decompress(parts[1].get_payload(decode=True)))


def sessions(report: dict) -> int:
    return sum(
        p["summary"]["total-successful-session-count"]
        + p["summary"]["total-failure-session-count"]
        for p in report["policies"]
    )


def sent_to(server, day: int, domain: str) -> list[dict]:
    done = server.run("report", "list", "--json", "--day", date(day), domain)
    return json.loads(done.stdout)[0]["sent_to"]


def test_closed_by_itself(lab):
    """A day that spans a restart is told whole, once, when it is over."""
    deliver(lab.server, "one@good.test")
    assert lab.server.stop() == 0
    lab.server.start()
    deliver(lab.server, "two@good.test")
    counted = sessions(lab.server.json("report", "show", "good.test"))
    assert counted == 2
    day = today()
    change(lab, f"UPDATE tls_count SET day = {day - 1} WHERE day = {day}")
    host(lab, RECEIVER).wait_for(lambda: mails(lab, "good"), 30)
    (data,) = mails(lab, "good")
    report = report_of(data)
    assert sessions(report) == counted
    assert report["date-range"]["start-datetime"] == f"{date(day - 1)}T00:00:00Z"
    assert report["date-range"]["end-datetime"] == f"{date(day - 1)}T23:59:59Z"
    (row,) = sent_to(lab.server, day - 1, "good.test")
    assert row["state"] == "queued"
    change(lab)
    deliver(lab.server, "three@good.test")
    assert len(mails(lab, "good")) == 1


def test_signature(lab):
    """RFC 8460 3 and 5.3: what names the report is signed."""
    (data,) = mails(lab, "good")

    def look_up(name, timeout=5):
        assert name.rstrip(b".") == b"r1._domainkey.sender.test"
        return b"v=DKIM1; k=rsa; s=tlsrpt; p=" + PUBLIC

    checker = dkim.DKIM(data, tlsrpt="strict")
    assert checker.verify(dnsfunc=look_up)
    assert checker.domain == b"sender.test"
    covered = {name.lower() for name, _ in checker.signed_headers}
    assert covered >= {
        b"from",
        b"subject",
        b"tls-report-domain",
        b"tls-report-submitter",
    }
    for name in (b"TLS-Report-Domain: ", b"TLS-Report-Submitter: "):
        changed = data.replace(name, name + b"x")
        assert not dkim.DKIM(changed, tlsrpt=True).verify(dnsfunc=look_up), name


def test_send_one(lab):
    """`report send` sends one domain's, also of a day that is long over."""
    server = lab.server
    deliver(server, f"one@{LONG}")
    day = today()
    change(lab, f"UPDATE tls_count SET day = {day - 5} WHERE day = {day}")
    assert not mails(lab, "long")
    done = server.run("report", "send", "--json", "--day", date(day - 5), LONG)
    assert done.returncode == 0, done.stderr
    host(lab, RECEIVER).wait_for(lambda: mails(lab, "long"), 30)
    (data,) = mails(lab, "long")
    report = report_of(data)
    # a name as long as can be has a short id, and is told all the same
    assert len(report["report-id"]) <= 255
    assert report["report-id"].startswith(date(day - 5))
    assert message_from_bytes(data)["TLS-Report-Domain"] == LONG
    assert len(mails(lab, "good")) == 1
    done = server.run("report", "send", "--json", "--day", date(day - 5), LONG)
    assert done.returncode == 0 and len(mails(lab, "long")) == 1
    assert server.run("report", "send", "unknown.test").returncode == 1


def test_given_up(lab):
    """What was not sent in its day is given up, and that is said."""
    deliver(lab.server, "four@good.test")
    day = today()
    change(
        lab,
        f"UPDATE tls_count SET day = {day - 2} WHERE day = {day}",
    )

    def noted() -> bool:
        rows = sent_to(lab.server, day - 2, "good.test")
        return [row["state"] for row in rows] == ["no-record"]

    wait_until(noted, "the report of a day that is over", 20)
    assert "its day was over" in sent_to(lab.server, day - 2, "good.test")[0]["why"]
    assert len(mails(lab, "good")) == 1


def failed_box(lab) -> int:
    done = lab.server.json_lines("trace", "--recipient", "box@refuses.test")
    return sum(row["status"] == "failed" for row in done)


def test_dead_address(lab):
    """Three days of failures, and an address is left out."""
    for n in range(4):
        deliver(lab.server, f"d{n}@dead.test")
        done = lab.server.run("report", "send", "--json", "dead.test")
        (row,) = json.loads(done.stdout)
        (target,) = row["sent_to"]
        if n == 3:
            break
        assert target["state"] == "queued"
        wait_until(lambda: failed_box(lab) == n + 1, "a report to bounce", 20)
        change(
            lab,
            "UPDATE tls_report_out SET day = day - 1 WHERE domain = 'dead.test'",
            "DELETE FROM tls_count",
        )
    assert target["state"] == "dropped" and target["why"].startswith("suppressed")
    assert failed_box(lab) == 3


def test_address_of_many_domains(lab):
    """Failures of one day, however many, are no dead address."""
    day = today()
    rows = ", ".join(
        f"({day - 1}, 'd{n}.test', 'mailto:good@{RECEIVER}', 4, 'x', 3, 0, '', '', 0)"
        for n in range(5)
    )
    change(
        lab,
        "DELETE FROM tls_count",
        "DELETE FROM tls_report_out",
        f"INSERT INTO tls_report_out VALUES {rows}",
    )
    before = len(mails(lab, "good"))
    deliver(lab.server, "five@good.test")
    lab.server.run("report", "send", "good.test")
    host(lab, RECEIVER).wait_for(lambda: len(mails(lab, "good")) == before + 1, 30)


def test_long_list(lab):
    """Addresses as long and as many as they can be make no list vanish."""
    day = today() - 4
    uris = [f"https://x.test/{n}" + "y" * 1000 for n in range(8)]
    statements = []
    for n in range(300):
        name = f"n{n}.test"
        statements += [
            "INSERT INTO tls_policy (id, domain, recipient, type, policy, mx_hosts)"
            f" VALUES ({1000 + n}, '{name}', '{name}', 'tlsa', '', '')",
            f"INSERT INTO tls_count VALUES ({day}, {1000 + n}, '', '', '', '', '', '', 1)",
        ] + [
            f"INSERT INTO tls_report_out VALUES ({day}, '{name}', '{uri}', 4, 'x', 3,"
            " 0, '', 'no', 0)"
            for uri in uris
        ]
    change(lab, *statements)
    rows = lab.server.json("report", "list", "--day", date(day))
    assert len(rows) == 300
    assert rows[0]["sent_to"]


def test_unsigned_reports_are_told_of(tmp_path, lab):
    """A report without a signature may be ignored, and nobody would hear."""
    config = tmp_path / "sealpost.conf"
    config.write_text(f'hostname = "mx.a.test"\nstore = "sqlite:{tmp_path}/s.db"\n')
    argv = [str(build_directory() / "sealpostd"), "-t", "-c", str(config)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"{config}: valid\n")
    assert '"sealpost dkim make mx.a.test"' in done.stderr
    assert "report.unsigned" not in lab.server.log.read_text()


@pytest.mark.parametrize("program", ["sealpostd", "lint"])
def test_names_in_one_domain(tmp_path, program):
    config = tmp_path / "sealpost.conf"
    build = build_directory()
    argv = [str(build / "sealpostd"), "-t", "-c", str(config)]
    if program == "lint":
        argv = [str(build / "sealpost"), "lint", "config", str(config)]
    for author, good in [("r@a.test", True), ("r@b.test", False)]:
        config.write_text(
            f'report {{ contact = "tls@a.test" from = "{author}" }}\n'
            f'store = "sqlite:{tmp_path}/s.db"\n'
        )
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        assert (done.returncode == 0) == good, done.stderr
        assert ("in one domain" in done.stderr + done.stdout) != good
