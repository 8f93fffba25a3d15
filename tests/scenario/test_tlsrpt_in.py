# SPDX-License-Identifier: Apache-2.0
"""TLS reports that others send us: taken in, counted once, told of."""

import base64
import copy
import gzip
import json
import os
import subprocess
import tempfile
import time
from email.message import EmailMessage
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.server import build_directory
from lab.world import Domain, Host

EXAMPLE = json.loads(
    (Path(__file__).resolve().parents[2] / "tests/fuzz/corpus/tlsrpt/example").read_text()
)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
)
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
).decode()
FIELDS = [b"from", b"to", b"subject", b"tls-report-domain", b"tls-report-submitter"]


def domains() -> list[Domain]:
    record = f"v=DKIM1; k=rsa; s=tlsrpt; p={PUBLIC}"
    strings = " ".join(f'"{record[i : i + 200]}"' for i in range(0, len(record), 200))
    return [
        Domain("reporter.test", records=[f"s1._domainkey TXT {strings}"]),
        # where the postmaster's mail goes
        Domain("sender.test", [Host()]),
    ]


@pytest.fixture
def server(stage):
    return stage.lab("tlsrpt-in", domains).server


def report(domain: str, identity: str, **changes) -> dict:
    """The example, about another domain."""
    made = copy.deepcopy(EXAMPLE) | {"report-id": identity} | changes
    made["policies"] = made["policies"][:1]
    made["policies"][0]["policy"]["policy-domain"] = domain
    return made


def mail(value: dict, signed: bool = True, **dkim_options) -> bytes:
    message = EmailMessage()
    message["From"] = "tls@reporter.test"
    message["To"] = "reports@sender.test"
    message["Subject"] = "Report Domain: x"
    message["TLS-Report-Domain"] = "x"
    message["TLS-Report-Submitter"] = "reporter.test"
    message.set_content("A report.")
    message.add_attachment(
        gzip.compress(json.dumps(value).encode()),
        "application",
        "tlsrpt+gzip",
        filename="a!b!1!2.json.gz",
    )
    data = message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if signed:
        data = (
            dkim.sign(
                data, b"s1", b"reporter.test", PEM, include_headers=FIELDS, **dkim_options
            )
            + data
        )
    return data


AGAIN = 75


def take(server, data: bytes, *paths: str) -> tuple[int, list[dict]]:
    argv = ["report", "import", "--json", *(paths or ("-",))]
    done = server.run(*argv, text=data)
    while done.returncode == AGAIN:  # it has just begun
        done = server.run(*argv, text=data)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def received(server, domain: str, verb: str = "list") -> list[dict]:
    done = server.run("report", verb, "--received", "--json", domain)
    return json.loads(done.stdout)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["json", "gzip"])
def test_by_hand(server, pack):
    name = f"{pack.__name__}.test"
    data = pack(json.dumps(report(name, pack.__name__)).encode())
    status, (row,) = take(server, data)
    assert status == 0
    assert (row["dkim"], row["trusted"], row["new"]) == ("file", True, 1)
    (day,) = received(server, name)
    assert (day["day"], day["successful"], day["failed"]) == ("2016-04-01", 5326, 303)
    assert day["result_types"] == {
        "certificate-expired": 100,
        "starttls-not-supported": 203,
    }
    assert day["reporters"] == {"Company-X": 303}
    status, (row,) = take(server, data)
    assert (status, row["new"]) == (0, 0)
    assert received(server, name) == [day]


def test_mail(server):
    status, (row,) = take(server, mail(report("mail.test", "m1")))
    assert (status, row["dkim"], row["trusted"]) == (0, "pass reporter.test", True)
    # with the line ends of a file
    data = mail(report("mail.test", "m2")).replace(b"\r\n", b"\n")
    _, (row,) = take(server, data)
    assert row["trusted"] and row["new"] == 1
    (day,) = received(server, "mail.test")
    assert (day["reports"], day["failed"], day["unverified"]) == (2, 606, 0)


@pytest.mark.parametrize(
    "make, why",
    [
        (lambda value: mail(value, signed=False), "none"),
        (lambda value: mail(value, length=True), "fail"),
        (lambda value: mail(value).replace(b"A report.", b"Another."), "fail"),
        (lambda value: mail(value).replace(b"tls@reporter", b"tls@other"), "fail"),
    ],
    ids=["unsigned", "length", "body", "from"],
)
def test_unverified(server, make, why, request):
    name = f"{request.node.callspec.id}.test"
    status, (row,) = take(server, make(report(name, name)))
    assert status == 0 and row["new"] == 1
    assert row["dkim"].startswith(why) and not row["trusted"]
    (day,) = received(server, name)
    assert (day["failed"], day["unverified"]) == (0, 1)
    (detail,) = received(server, name, "show")
    assert detail["failed"] == 303 and not detail["trusted"]


def test_maildir(server, tmp_path):
    """One bad file loses no other."""
    for folder in ("new", "cur", "tmp"):
        (tmp_path / folder).mkdir()
    (tmp_path / "new" / "1").write_bytes(mail(report("box.test", "b1")))
    (tmp_path / "new" / "2").write_bytes(b"Subject: no report\r\n\r\nnothing\r\n")
    (tmp_path / "cur" / "3:2,S").write_bytes(mail(report("box.test", "b2")))
    bomb = gzip.compress(b" " * 40 * 1024 * 1024)
    (tmp_path / "cur" / "4").write_bytes(bomb)
    (tmp_path / "tmp" / "5").write_bytes(mail(report("box.test", "b3")))
    status, rows = take(server, b"", str(tmp_path))
    assert status == 1
    assert sum(row["error"] is None for row in rows) == 2
    errors = {row["error"] for row in rows}
    assert errors >= {"no TLS report in this mail", "unpacks to too much"}
    (day,) = received(server, "box.test")
    assert day["reports"] == 2


def test_hostile(server):
    """Nothing of these gets in, and the server goes on."""
    for data in (
        b'{"policies":' + b"[" * 100000,
        b'{"policies":[' + b"1," * 1000000 + b"1]}",
        b'{"policies":[1e400]}',
        b'{"policies":[],"policies":[]}',
        b'{"organization-name":"a\\u0000"}',
        gzip.compress(b" " * 20 * 1024 * 1024),
        b"\xff\xfe\x00\x01",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n" * 100000,
    ):
        status, (row,) = take(server, data)
        assert status == 1 and row["error"]
    odd = report("odd.test", "\x1b[31m<script>\r\nBcc: x", **{"contact-info": None})
    odd["policies"][0]["summary"]["total-failure-session-count"] = 10**18
    status, (row,) = take(server, json.dumps(odd).encode())
    assert status == 0 and row["oddities"] > 1
    done = server.run("report", "list", "--received")
    assert done.returncode == 0 and b"\x1b" not in done.stdout


def deep(levels: int) -> bytes:
    """Parts in parts."""
    parts = [
        f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"
        for n in range(levels)
    ]
    return ("From: a@reporter.test\r\n" + "".join(parts)).encode()


BOMBS = {
    "gzip": lambda: gzip.compress(b" " * 200 * 1024 * 1024),
    "gzip-in-mail": lambda: mail(
        {"organization-name": " " * 200 * 1024 * 1024}, signed=False
    ),
    "depth": lambda: b'{"policies":' + b"[" * 8 * 1024 * 1024,
    "values": lambda: b'{"policies":[' + b"1," * 7_000_000 + b"1]}",
    "names": lambda: b"{"
    + b",".join(b'"%d":1' % n for n in range(900_000))
    + b',"0":2}',
    "parts": lambda: deep(100_000),
    "nul": lambda: b"\x00" * 15 * 1024 * 1024,
    "header": lambda: b"A: b\r\n" * 2_000_000 + b"\r\n",
}
SECONDS_MAX = 60  # of a build that checks each access; without, a tenth
KIB_MAX = 2 * 1024 * 1024


@pytest.mark.parametrize("name", BOMBS)
def test_bomb(server, name):
    """Refused, in bounded time and memory, and nothing else is held up."""
    data = BOMBS[name]()
    began = time.monotonic()
    peak = peak_kib(server, data)
    assert time.monotonic() - began < SECONDS_MAX
    assert peak < KIB_MAX
    status, (row,) = take(server, json.dumps(report("after.test", name)).encode())
    assert status == 0 and row["new"] == 1


def peak_kib(server, data: bytes) -> int:
    """What an import that is refused takes."""
    argv = ["sealpost", "report", "-c", str(server.config), "import", "--json", "-"]
    argv[0] = str(build_directory() / "sealpost")
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as out:
        file.write(data)
        file.seek(0)
        process = subprocess.Popen(argv, stdin=file, stdout=out, stderr=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read()
    assert process.returncode in (1, 65), said
    return usage.ru_maxrss


def test_names(server):
    """Names as long and as many as there can be, and no answer is lost."""
    value = report("names.test", "n0", **{"organization-name": "x" + "\u00e9" * 120})
    kinds = [{"result-type": f"{n:03}" + "\u20ac" * 70} for n in range(99)]
    for kind in kinds:
        kind |= {"failed-session-count": 1, "receiving-mx-hostname": "\U0001f980" * 60}
    value["policies"][0]["failure-details"] = kinds
    for n in range(5):
        for kind in kinds:
            kind["result-type"] = f"{n}" + kind["result-type"][1:]
        status, _ = take(server, json.dumps(value | {"report-id": f"n{n}"}).encode())
        assert status == 0
    (day,) = received(server, "names.test")
    assert day["reports"] == 5
    assert 5 * 20 < sum(day["result_types"].values()) <= 5 * 99
    assert len(day["result_types"]) <= 101
    assert len(received(server, "names.test", "show")) == 5


def test_one_odd_report_loses_no_other(server, tmp_path):
    """Values that the server refuses end no import."""
    for folder in ("new", "cur"):
        (tmp_path / folder).mkdir()
    for n in range(6):
        value = report("others.test", f"o{n}")
        if n % 2:
            value["date-range"] = {
                "start-datetime": "1901-01-01T00:00:00Z",
                "end-datetime": "9999-12-31T23:59:59Z",
            }
            value["policies"][0]["policy"]["policy-string"] = ["\x1b" * 8000] * 3
            value["policies"][0]["failure-details"] = [
                {"result-type": "\x1b" * 240, "failed-session-count": 10**15}
            ] * 200
        (tmp_path / "new" / str(n)).write_bytes(json.dumps(value).encode())
    status, rows = take(server, b"", str(tmp_path))
    assert status == 1 and len(rows) == 6
    good = [row for row in rows if row["error"] is None]
    assert {row["report_id"] for row in good} >= {"o0", "o2", "o4"}
    assert {row["error"] for row in rows} == {None, "over a limit of the server"}
    (day,) = received(server, "others.test")
    assert day["reports"] == 3


def test_forged_name(server):
    """Who takes a report's name first does not keep it out."""
    value = report("forged.test", "f1")
    forged = copy.deepcopy(value)
    forged["policies"][0]["summary"]["total-failure-session-count"] = 1
    take(server, mail(forged, signed=False))
    status, (row,) = take(server, mail(value))
    assert status == 0 and row["trusted"] and row["new"] == 1
    take(server, mail(forged, signed=False))
    (day,) = received(server, "forged.test")
    assert (day["failed"], day["reports"], day["unverified"]) == (303, 1, 0)


def ours() -> list[Domain]:
    return [
        Domain("good.test", [Host(tlsa=["3 1 1"])]),
        Domain("bad.test", [Host(tlsa=["3 1 1 wrong"])]),
        Domain("bare.test", [Host()]),
    ]


def named(hosts: list[str]) -> dict:
    """A report of failures at these hosts."""
    made = report("ours.test", "own")
    kind = {"result-type": "validation-failure", "failed-session-count": 1}
    made["policies"][0]["failure-details"] = [
        kind | {"receiving-mx-hostname": host} for host in hosts
    ]
    return made


def test_own_side(stage):
    """A failure stands beside the certificate and TLSA that its host has now."""
    lab = stage.lab("tlsrpt-own", ours)
    hosts = [domain.host for domain in lab.world.domains]
    names = [f"mx.{domain.name}" for domain in lab.world.domains]
    take(lab.server, json.dumps(named([*names, names[0], "mx.others.test"])).encode())
    config = lab.server.directory / "own.conf"
    files = [(h.identity.chain_file, h.identity.key_file) for h in hosts]
    sections = [
        f'listen "mx{n}" {{ address = "127.0.0.1:{2500 + n}" inbound = true'
        f' certificate = "{chain}" key = "{key}" }}\n'
        for n, (chain, key) in enumerate(files)
    ]
    config.write_text(lab.server.config.read_text() + "".join(sections))
    argv = ["report", "-c", str(config), "show", "--received", "ours.test"]
    done = subprocess.run(
        [str(build_directory() / "sealpost"), *argv], capture_output=True, timeout=60
    )
    (row,) = json.loads(done.stdout)
    assert [own["host"] for own in row["own"]] == names
    for n, (own, matches) in enumerate(zip(row["own"], (True, False, None))):
        (found,) = [c for c in own["certificates"] if c["covers_host"]]
        assert found["listener"] == f"mx{n}"
        assert found["names"] == [names[n]] and found["valid_now"]
        assert found["record"] == "3 1 1 " + hosts[n].identity.tlsa("3 1 1").split()[-1]
        assert found["tlsa_matches"] is matches
        assert own["tlsa"]["owner"] == f"_25._tcp.{names[n]}"
        assert len(own["tlsa"]["records"]) == (matches is not None)
        assert own["tlsa"]["dnssec"] == "secure"


def test_nothing_of_ours(server):
    take(server, json.dumps(named(["mx.others.test", "192.0.2.1", ""])).encode())
    (row,) = received(server, "ours.test", "show")
    assert row["own"] == []


def test_domains(stage, tmp_path):
    """Whoever has a domain can report about any other: only ours are heard."""
    names = '{"ours.test", "b\u00fccher.test"}'
    lab = stage.lab("tlsrpt-domains", domains, extra=f"report {{ domains = {names} }}\n")
    for name, mine in [
        ("ours.test", True),
        ("mx.ours.test", True),
        ("OURS.test", True),
        ("xn--bcher-kva.test", True),
        ("yours.test", False),
        ("test", False),
        ("ours.test.example", False),
    ]:
        value = report(name, name)
        status, (row,) = take(lab.server, json.dumps(value).encode())
        assert status == (0 if mine else 1), name
        assert ("not ours" in (row["error"] or "")) != mine
    value["policies"] += report("ours.test", "x")["policies"]
    status, (row,) = take(lab.server, json.dumps(value).encode())
    assert (status, row["new"], row["foreign"]) == (0, 1, 1)
    days = json.loads(lab.server.run("report", "list", "--received", "--json").stdout)
    found = {day["domain"].lower() for day in days}
    assert found == {"ours.test", "mx.ours.test", "xn--bcher-kva.test"}


def test_trend(server):
    """Seven days, and the seven before them."""
    for day, failed in [(1, 100), (7, 10), (8, 1)]:
        value = report("trend.test", f"day{day}")
        value["date-range"] = {
            "start-datetime": f"2026-03-{day:02}T00:00:00Z",
            "end-datetime": f"2026-03-{day:02}T23:59:59Z",
        }
        value["policies"][0]["summary"] = {
            "total-successful-session-count": 1000,
            "total-failure-session-count": failed,
        }
        take(server, json.dumps(value).encode())
    trends = {row["day"]: row["trend"] for row in received(server, "trend.test")}
    assert trends["2026-03-07"] == {
        "days": 7,
        "successful": 2000,
        "failed": 110,
        "successful_before": 0,
        "failed_before": 0,
    }
    assert (trends["2026-03-08"]["failed"], trends["2026-03-08"]["failed_before"]) == (11, 100)
    done = server.run("report", "list", "--received", "--json", "--day", "2026-03-08")
    (day,) = json.loads(done.stdout)
    assert day["trend"] == trends["2026-03-08"]


def test_first_failure_is_told(stage):
    lab = stage.lab("tlsrpt-told", domains)
    assert "report.unsigned" in lab.server.log.read_text()
    server = lab.server
    value = report("told.test", "t1", **{"organization-name": "First\r\nX: y"})
    take(server, json.dumps(value).encode())
    take(server, json.dumps(value | {"report-id": "t2"}).encode())
    host = lab.world.domains[1].host.receiver

    def told() -> list[bytes]:
        mails = host.mails("postmaster@sender.test")
        return [m.data for _, m in mails if b"told.test" in m.data]

    host.wait_for(told, 20)
    (data,) = told()
    assert b"Subject: TLS failures are reported for told.test\r\n" in data
    assert b"Reporter: First??X: y\r\n" in data
    assert "report.first_failure" in server.log.read_text()


def test_digest(stage, tmp_path):
    """Behind the first, one mail for all that is new; then none."""
    lab = stage.lab("tlsrpt-digest", domains, extra='report { digest = "4s" }\n')
    host = lab.world.domains[1].host.receiver

    def told(subject: str = "") -> list[str]:
        mails = [m.data.decode() for _, m in host.mails("postmaster@sender.test")]
        return [text for text in mails if f"Subject: {subject}" in text]

    (tmp_path / "new").mkdir()
    for n in range(3):
        data = mail(report("digest.test", f"d{n}"))
        (tmp_path / "new" / str(n)).write_bytes(data)
    take(lab.server, b"", str(tmp_path))
    host.wait_for(lambda: len(told()) == 2, 20)
    assert len(told("TLS failures are reported for digest.test\r\n")) == 1
    (text,) = told("TLS failures that others reported\r\n")
    assert "\r\ndigest.test\r\n" in text
    assert "    406 starttls-not-supported, Company-X (reporter.test)\r\n" in text
    assert lab.server.stop() == 0
    lab.server.start()
    take(lab.server, mail(report("later.test", "l1")))  # an alert of its own
    host.wait_for(lambda: len(told()) == 3, 20)
    assert len(told("TLS failures are reported for later.test\r\n")) == 1


def test_lint_of_a_mail(server):
    done = server.run("lint", "tlsrpt-report", "--json", "-", text=mail(report("l.test", "l")))
    assert done.returncode == 0
    assert json.loads(done.stdout)["value"]["report_id"] == "l"
