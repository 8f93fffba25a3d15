# SPDX-License-Identifier: Apache-2.0
"""TLS reports that others send us: taken in, counted once, told of."""

import base64
import copy
import gzip
import json
from email.message import EmailMessage
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

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


def take(server, data: bytes, *paths: str) -> tuple[int, list[dict]]:
    done = server.run("report", "import", "--json", *(paths or ("-",)), text=data)
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


def test_first_failure_is_told(server, stage):
    value = report("told.test", "t1", **{"organization-name": "First\r\nX: y"})
    take(server, json.dumps(value).encode())
    take(server, json.dumps(value | {"report-id": "t2"}).encode())
    host = stage.lab("tlsrpt-in", domains).world.domains[1].host.receiver

    def told() -> list[bytes]:
        mails = host.mails("postmaster@sender.test")
        return [m.data for _, m in mails if b"told.test" in m.data]

    host.wait_for(told, 20)
    (data,) = told()
    assert b"Subject: TLS failures are reported for told.test\r\n" in data
    assert b"Reporter: First??X: y\r\n" in data
    assert "report.first_failure" in server.log.read_text()


def test_lint_of_a_mail(server):
    done = server.run("lint", "tlsrpt-report", "--json", "-", text=mail(report("l.test", "l")))
    assert done.returncode == 0
    assert json.loads(done.stdout)["value"]["report_id"] == "l"
