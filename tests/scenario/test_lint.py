# SPDX-License-Identifier: Apache-2.0
"""`sealpost lint` of policies, records and reports: exit status and JSON."""

import gzip
import json
import subprocess
from pathlib import Path

import jsonschema
import pytest

from lab.server import build_directory

TOP = Path(__file__).resolve().parents[2]
EXAMPLE = (TOP / "tests/fuzz/corpus/tlsrpt/example").read_bytes()
POLICY = "version: STSv1\nmode: enforce\nmx: *.d.test\nmx: MX.e.test.\nmax_age: 86400\n"
MIB = 1024 * 1024


def lint(kind: str, text: bytes | str, *more: str) -> tuple[int, dict]:
    data = text.encode() if isinstance(text, str) else text
    argv = [str(build_directory() / "sealpost"), "lint", kind, "--json", *more, "-"]
    done = subprocess.run(argv, input=data, capture_output=True, timeout=60)
    assert done.stderr == b""
    return done.returncode, json.loads(done.stdout)


def check(kind: str, text, value, *more: str):
    assert lint(kind, text, *more) == (0, {"valid": True, "reason": None, "value": value})


def refuse(kind: str, text, reason: str):
    status, answer = lint(kind, text)
    assert status == 1 and answer["valid"] is False and answer["value"] is None
    assert reason in answer["reason"]


def test_sts_policy():
    value = {"mode": "enforce", "max_age": 86400, "mx": ["*.d.test", "mx.e.test"]}
    check("mta-sts-policy", POLICY, value)
    check("mta-sts-policy", POLICY.replace("\n", "\r\n"), value)
    for host, covers in [
        ("a.d.test", True),
        ("A.D.test.", True),
        ("d.test", False),
        ("a.b.d.test", False),
        ("mx.e.test", True),
    ]:
        check("mta-sts-policy", POLICY, {**value, "covers": covers}, "--mx", host)
    refuse("mta-sts-policy", POLICY.replace("86400", "31557601"), "max_age")
    refuse("mta-sts-policy", "version: STSv1\nmode: testing\nmax_age: 1\n", "no mx")
    refuse("mta-sts-policy", POLICY + "x: " + "a" * 65536, "longer than 64 KiB")


def test_records():
    check("mta-sts-txt", '"v=STSv1; " "id=20261123T1;"\n', {"id": "20261123T1"})
    check("mta-sts-txt", "v=spf1 -all\nv=STSv1; id=1\n", {"id": "1"})
    refuse("mta-sts-txt", "v=STSv1; id=1\nv=STSv1; id=2\n", "several")
    refuse("mta-sts-txt", '"v=STSv1; id=1', "quote")
    check(
        "tlsrpt-txt",
        "v=TLSRPTv1; rua=mailto:a@b.test,http://c.test,https://d.test/x",
        {"rua": ["mailto:a@b.test", "https://d.test/x"], "ignored": ["http://c.test"]},
    )
    refuse("tlsrpt-txt", "v=TLSRPTv1;", "no rua")
    refuse("tlsrpt-txt", "v=TLSRPTv1; rua=ftp://x", "no usable URI")


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["json", "gzip"])
def test_report(pack):
    status, answer = lint("tlsrpt-report", pack(EXAMPLE))
    assert status == 0 and answer["valid"]
    value = answer["value"]
    assert value["organization_name"] == "Company-X" and value["oddities"] == []
    assert value["start"] == "2016-04-01T00:00:00Z"
    first = value["policies"][0]
    assert (first["type"], first["successful"], first["failed"]) == ("sts", 5326, 303)
    assert first["mx_hosts"] == ["*.mail.c.example"]
    assert first["failures"][1]["result_type"] == "starttls-not-supported"
    assert first["failures"][1]["count"] == 203


def test_schema():
    schema = json.loads((TOP / "doc/tlsrpt.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    validator.validate(json.loads(EXAMPLE))
    odd = json.loads((TOP / "tests/fuzz/corpus/tlsrpt/odd").read_text())
    assert not validator.is_valid(odd)


@pytest.mark.parametrize(
    "text, reason",
    [
        (gzip.compress(b" " * 17 * MIB), "unpacks to too much"),
        (gzip.compress(b" " * MIB), "unpacks to too much"),
        (b"\x1f\x8b" + b"\0" * 10 * MIB, "too long"),
        (b'{"policies":[]}' + b" " * 16 * MIB, "too long"),
        (b'{"policies":' + b"[" * 33 + b"]" * 33 + b"}", "too deep"),
        (b'{"policies":[' + b"1," * 1000000 + b"1]}", "too many values"),
        (b'{"policies":[1e400]}', "overflow"),
        (b'{"policies":[18446744073709551616]}', "integer"),
        (b'{"policies":[],"policies":[]}', "duplicate"),
        (b'{"report-id":"a\\u0000"}', "u0000"),
        (b'{"report-id":"a\0"}', "NUL"),
        (gzip.compress(EXAMPLE)[:-9], "cut off"),
        (b"[]", "nothing of a TLS report"),
        (b"", "line 1"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_hostile_report(text, reason):
    refuse("tlsrpt-report", text, reason)
