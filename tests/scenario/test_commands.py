# SPDX-License-Identifier: Apache-2.0
"""The commands of `sealpost`: what they print and how they end."""

import json
import os
import subprocess

import pytest

from lab.cert import Certificate
from lab.server import build_directory, tried
from lab.world import Domain, Host
from tests.support.delivery import SENDER

scenario = pytest.mark.scenario
ROW = ["id", "message_id", "sender", "recipient", "size", "received", "status"]
ROW += ["code", "scenario", "reply", "security", "attempts", "next_attempt", "expires"]
AUTHORITY = Certificate(issuer="commands")
MATCH = {"usage": 2, "selector": 1, "matching": 1, "depth": 2}


@pytest.fixture
def server(mail):
    return mail._lab.server


@scenario(Domain("plan.test", [Host(tlsa=["3 1 1", "0 0 1"])]))
def test_policy(mail, server):
    plan = mail.policy()
    assert list(plan)[:8] == (
        ["domain", "verdict", "code", "scenario", "text", "mx", "sts", "hosts"]
    )
    assert plan["mx"] == {"dnssec": "secure", "answer": "records", "why": None}
    host = plan["hosts"][0]
    assert (host["rule"], host["why"]) == ("dane", "tlsa")
    usable = {r["usage"]: r["usable"] for r in host["tlsa"]["records"]}
    assert usable == {3: True, 0: False}
    text = server.run("policy", "PLAN.test.")
    assert text.returncode == 0
    assert b"rule dane" in text.stdout and b"_25._tcp.mx.plan.test" in text.stdout


@scenario(Domain("planless.test", [], exists=False))
def test_policy_of_nothing(mail, server):
    done = server.run("policy", "--json", "planless.test")
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdict"] == "fail"
    assert server.run("policy", "[192.0.2.1]").returncode == 64
    assert server.run("policy", "a..b").returncode == 64


@scenario(Domain("live.test", [Host(tlsa=["2 1 1"], certificate=AUTHORITY)]))
def test_tlsa_make_and_verify(mail, server):
    host = mail.domain.host
    chain = str(host.identity.chain_file)
    spki = host.identity.tlsa("3 1 1")
    for source in (chain, str(host.identity.key_file), "mx.live.test"):
        made = server.run("tlsa", "make", source).stdout.decode().splitlines()
        assert made[0] == spki, source
    assert made[1] == f"_25._tcp.mx.live.test. IN TLSA {spki}"

    def verify(record, *more):
        given = ["--chain", chain, "--record", record, *more]
        done = server.run("tlsa", "verify", "--json", *given)
        return done.returncode, json.loads(done.stdout)

    status, found = verify(spki)
    assert (status, found["verdict"], found["match"]["depth"]) == (0, "authenticated", 0)
    status, found = verify(host.identity.tlsa("2 1 1"), "--name", "mx.live.test")
    assert (status, found["match"]) == (0, MATCH)
    assert found["strict"]["verdict"] == "authenticated"
    status, found = verify(host.identity.tlsa("2 1 1"), "--name", "mx.other.test")
    assert (status, found["verdict"]) == (1, "failed")
    assert found["scenario"] == "cert-name-mismatch"
    status, found = verify(spki, "--at", "2050-01-01T00:00:00Z")
    assert (status, found["verdict"]) == (0, "authenticated")
    assert found["strict"]["verdict"] == "failed"
    status, found = verify(host.identity.tlsa("3 1 1 wrong"))
    assert (status, found["code"]) == (1, "4.7.323")
    assert found["scenario"] == "tlsa-mismatch"
    status, found = verify("0 0 1 " + "00" * 32)
    assert (status, found["verdict"]) == (0, "unauthenticated")


TWO_ADDRESSES = Host(
    certificate=Certificate(issuer="commands", second="rsa"),
    addresses=["127.25.98.1", "127.25.98.2"],
)


@scenario(Domain("shown.test", [TWO_ADDRESSES, Host("own")]))
def test_tlsa_make_of_all_that_a_host_shows(mail, server):
    """RFC 7671 8.1: each of a server's certificates needs a record."""
    identity = TWO_ADDRESSES.identity
    wanted = [identity.tlsa("3 1 1"), identity.tlsa("3 1 1 second")]
    made = server.run("tlsa", "make", "mx.shown.test").stdout.decode().splitlines()
    assert sorted(made[::2]) == sorted(wanted)
    assert made[1::2] == [f"_25._tcp.mx.shown.test. IN TLSA {r}" for r in made[::2]]
    found = server.json("tlsa", "make", "mx.shown.test")
    records = [found["record"], *(other["record"] for other in found["others"])]
    assert records == made[::2]

    issuer = identity.tlsa("2 1 1 issuer")
    for source in (str(identity.chain_file), "mx.shown.test"):
        done = server.run("tlsa", "make", "--usage", "2", source)
        assert done.stdout.decode().splitlines()[0] == issuer, source
    done = server.run("tlsa", "make", "--usage", "2", "own.shown.test")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"usage 2 is of a certificate that issues others" in done.stderr


@scenario(Domain("traced.test", [Host(tlsa=["3 1 1 wrong"])]))
def test_trace(mail, server):
    mail.first_attempt()
    row = server.json_lines("trace", "bob@traced.test")[0]
    assert [key for key in row if key in ROW] == ROW and "events" not in row
    assert (row["code"], row["scenario"]) == ("4.7.323", "tlsa-mismatch")
    detail = server.run("trace", "--detail", row["id"]).stdout.decode()
    assert "450 4.7.323 tlsa-invalid: " in detail
    address = mail.domain.host.addresses[0]
    assert "[LastAttemptedServerName=mx.traced.test]" in detail
    assert f"[LastAttemptedIP={address}:25] [Scenario=tlsa-mismatch]" in detail
    csv = server.run("trace", "--csv", "--domain", "traced.test").stdout.decode()
    assert csv.split("\r\n")[0] == ",".join(ROW)
    assert server.run("trace", "--size-max", "1B").returncode == 1
    assert server.run("trace", "--status", "lost").returncode == 64


@scenario(Domain("queued.test", [Host(tlsa=["3 1 1"])]))
def test_queue(mail, server):
    for verb in ("retry", "hold", "release", "remove"):
        assert server.run("queue", verb).returncode == 64
        assert server.run("queue", verb, "--limit", "3").returncode == 64
        assert server.run("queue", verb, "NOSUCHID").returncode == 1
    mail.delivered("dane")
    assert server.run("queue", "list", "--domain", "queued.test").returncode == 1
    assert server.run("queue", "frob").returncode == 64


@scenario(Domain("sendmail.test", [Host(tlsa=["3 1 1"])]))
def test_sendmail(mail, server, tmp_path):
    mail.delivered("dane")
    program = tmp_path / "sendmail"
    os.symlink((build_directory() / "sealpost").resolve(), program)
    command = [program, "-C", server.config]

    def run(*arguments, text=b""):
        return subprocess.run(
            [*command, *arguments], input=text, capture_output=True, timeout=60
        )

    text = b"To: A B <to@sendmail.test>\nBcc: bcc@sendmail.test\n\nhi\n.\nlost\n"
    assert run("-t", "-f", SENDER, text=text).returncode == 0
    for name in ("to", "bcc"):
        server.wait_trace(f"{name}@sendmail.test", tried)
    receiver = mail.domain.host.receiver
    _, arrived = receiver.mails("bcc@sendmail.test")[0]
    assert b"Bcc" not in arrived.data and b"lost" not in arrived.data
    assert run("-oi", text=b"x").returncode == 64
    assert run("no address").returncode == 65
    smtp = run("-bs", text=b"EHLO x\r\nQUIT\r\n")
    assert smtp.returncode == 0 and smtp.stdout.startswith(b"220 ")


@scenario(Domain("send.test", [Host(tlsa=["3 1 1"])]))
def test_send(mail, server):
    mail.delivered("dane")
    sent = server.run("send", "--json", "-f", SENDER, "x@send.test", text=b"S: y\n\nz\n")
    assert sent.returncode == 0
    assert server.json_lines("trace", json.loads(sent.stdout)["id"])
    over = b"S: y\n\n" + b"x" * 100000 + b"\n"
    refused = server.run("send", "x@send.test", text=over)
    assert refused.returncode == 1 and b"sealpost: message: 5" in refused.stderr


@scenario(Domain("looked.test", [Host(tlsa=["3 1 1"])]))
def test_lint_stats_sessions(mail, server):
    good, short = b"3 1 1 " + b"00" * 32, b"3 1 1 00"
    done = server.run("lint", "tlsa", "--json", "-", text=good)
    assert done.returncode == 0 and json.loads(done.stdout)["value"]["usable"]
    done = server.run("lint", "tlsa", "--json", "-", text=short)
    assert done.returncode == 1
    assert json.loads(done.stdout)["reason"] == "digest has the wrong length"
    assert server.run("lint", "config", str(server.config)).returncode == 0
    done = server.run("lint", "config", "--json", "-", text=b"colour = 1\n")
    assert done.returncode == 1 and not json.loads(done.stdout)["valid"]
    stats = server.json("stats")
    assert {"processes", "queue", "receive", "transport", "resolve", "fetch"} <= set(stats)
    assert isinstance(server.json("sessions"), list)


@scenario(Domain("stuck.test", [Host(tlsa=["3 1 1 wrong"])]))
def test_stats_name_what_fails(mail, server):
    mail.first_attempt()
    rows = [r for r in server.json("stats")["failing"] if r["domain"] == "stuck.test"]
    assert [r["scenario"] for r in rows] == ["tlsa-mismatch"]
    assert rows[0]["waiting"] >= 1 and rows[0]["since"] <= rows[0]["failed"]
    lines = server.run("stats").stdout.decode().splitlines()
    assert any("stuck.test" in line and "tlsa-mismatch" in line for line in lines)
