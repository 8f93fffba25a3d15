# SPDX-License-Identifier: Apache-2.0
"""DKIM: what goes out is signed, and another implementation says so.

Signatures are verified by dkimpy, under key records made from the public
halves here, not by the server. The sign role is stopped, killed and renewed;
nothing is lost then, and nothing leaves unsigned.
"""

import atexit
import base64
import json
import os
import shutil
import signal
import smtplib
import subprocess
import tempfile
from email.message import EmailMessage
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from lab.behaviour import replying
from lab.procs import wait_until
from lab.server import SUBMISSION, build_directory, message
from lab.world import Domain, Host
from tests.support.load import Load

OVERSIGNED = (
    "from to cc subject date message-id reply-to mime-version content-type"
    " content-transfer-encoding"
).split()


class Keys:
    """Private keys in files, and the records that a verifier finds."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="sealpost-dkim-"))
        atexit.register(shutil.rmtree, self.directory, ignore_errors=True)
        self.records: dict[str, bytes] = {}

    def make(self, kind: str, selector: str, domain: str) -> Path:
        if kind == "rsa":
            key = rsa.generate_private_key(65537, 2048)
            form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            key = ed25519.Ed25519PrivateKey.generate()
            form = (Encoding.Raw, PublicFormat.Raw)
        public = base64.b64encode(key.public_key().public_bytes(*form)).decode()
        owner = f"{selector}._domainkey.{domain}."
        self.records[owner] = f"v=DKIM1; k={kind}; p={public}".encode()
        path = self.directory / f"{selector}.{domain}.pem"
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(pem)
        path.chmod(0o600)
        return path

    def look_up(self, name, timeout=5) -> bytes | None:
        name = name.decode() if isinstance(name, bytes) else name
        return self.records.get(name if name.endswith(".") else name + ".")


KEYS = Keys()
BOTH = (
    'dkim "sender.test" {{ selector = {{"r1", "e1"}} key = {{"{}", "{}"}} }}\n'
    'dkim "xn--bcher-kva.test" {{ selector = "b1" key = "{}" }}\n'
).format(
    KEYS.make("rsa", "r1", "sender.test"),
    KEYS.make("ed25519", "e1", "sender.test"),
    KEYS.make("ed25519", "b1", "xn--bcher-kva.test"),
)
SETTINGS = {"retry": '"200ms", "500ms", "1s"', "expire": "1h", "extra": BOTH}
SINKS = 4


def text_record(selector: str, *texts: str) -> list[str]:
    def quoted(text: str) -> str:
        return " ".join(f'"{text[i : i + 255]}"' for i in range(0, len(text), 255))

    return [f"{selector}._domainkey TXT {quoted(text)}" for text in texts]


def for_check() -> tuple[list[str], dict[str, tuple[str, Path]]]:
    """Records of check.test, and of each selector the state and the key."""
    lines: list[str] = []
    expected: dict[str, tuple[str, Path]] = {}

    def add(selector: str, state: str, change, kind: str = "ed25519") -> None:
        path = KEYS.make(kind, selector, "check.test")
        own = KEYS.records[f"{selector}._domainkey.check.test."].decode()
        lines.extend(text_record(selector, *change(own)))
        expected[selector] = (state, path)

    other = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    add("rsa", "matches", lambda own: [own], "rsa")
    add("ed", "matches", lambda own: [own])
    add("testing", "matches", lambda own: [own + "; t=y"])
    add("different", "different", lambda own: [other])
    add("revoked", "revoked", lambda own: ["v=DKIM1; p="])
    add("missing", "missing", lambda own: [])
    add("several", "several", lambda own: [own, other])
    add("invalid", "invalid", lambda own: ["v=DKIM1; k=ed25519; p=?"])
    return lines, expected


CHECK_RECORDS, CHECK_STATES = for_check()


def domains() -> list[Domain]:
    sink = Host("mx.sink0.test.", tlsa=["3 1 1"])
    refuses = replying("RCPT", "550 5.1.1 no such user")
    return [
        Domain("good.test", [Host(tlsa=["3 1 1"])]),
        Domain("sender.test", [Host(tlsa=["3 1 1"])]),
        Domain("unknown.test", [Host(behaviour=refuses)]),
        Domain("check.test", records=CHECK_RECORDS),
        *[Domain(f"sink{i}.test", [sink]) for i in range(SINKS)],
    ]


@pytest.fixture
def lab(stage):
    return stage.lab("dkim", domains, **SETTINGS)


def receiver_of(lab, domain: str):
    return next(d for d in lab.world.domains if d.name == domain).host.receiver


def arrived(lab, recipient: str) -> bytes:
    """The one message to a recipient, as it came."""
    receiver = receiver_of(lab, recipient.partition("@")[2])
    receiver.wait_for(lambda: receiver.mails(recipient), 30)
    [(_, mail)] = receiver.mails(recipient)
    return mail.data


def signatures(data: bytes) -> list[dict]:
    """Tags of all signatures, each verified."""
    checker = dkim.DKIM(data)
    found = []
    for name, value in checker.headers:
        if name.lower() == b"dkim-signature":
            tags = dkim.util.parse_tag_value(value)
            found.append({k.decode(): v.decode() for k, v in tags.items()})
    for index in range(len(found)):
        assert dkim.DKIM(data).verify(index, dnsfunc=KEYS.look_up), found[index]
    return found


def algorithms(data: bytes) -> list[str]:
    return [tags["a"] for tags in signatures(data)]


def submit(lab, recipient: str, data: bytes, options=(), sender="a@sender.test"):
    with smtplib.SMTP(*SUBMISSION, timeout=60) as client:
        client.ehlo()
        client.sendmail(sender, [recipient], data, list(options))


def sign_stats(lab) -> dict:
    """Empty while the role is being joined to the others."""
    return lab.server.json("stats").get("sign", {})


def pid_of(lab, role: str) -> int:
    processes = lab.server.json("stats")["processes"]
    return next(p["pid"] for p in processes if p["role"] == role)


def test_relayed_by_two_keys(lab):
    submit(lab, "two@good.test", message("a@sender.test", "two@good.test"))
    data = arrived(lab, "two@good.test")
    there = [name.decode().lower() for name, _ in dkim.DKIM(data).headers]
    found = signatures(data)
    assert [s["a"] for s in found] == ["rsa-sha256", "ed25519-sha256"]
    for tags in found:
        assert tags["c"] == "relaxed/relaxed"
        assert tags["d"] == "sender.test"
        assert "l" not in tags
        names = "".join(tags["h"].lower().split()).split(":")
        for name in OVERSIGNED:
            assert names.count(name) == there.count(name) + 1, name
    # two implementations of the canonical body
    assert found[0]["bh"] == found[1]["bh"]
    trace = lab.server.trace("two@good.test")
    [event] = [e for e in trace["events"] if e["event"] == "resolved"]
    assert event["detail"]["dkim"] == {
        "signed": True, "domain": "sender.test", "signatures": 2
    }  # fmt: skip


def test_an_added_field_breaks_it(lab):
    submit(lab, "added@good.test", message("a@sender.test", "added@good.test"))
    data = arrived(lab, "added@good.test")
    assert len(signatures(data)) == 2
    for name in (b"From", b"To", b"Subject", b"Reply-To", b"Content-Type"):
        changed = name + b": x@sender.test\r\n" + data
        assert not dkim.DKIM(changed).verify(1, dnsfunc=KEYS.look_up), name


def test_only_configured_domains(lab):
    """Who has no keys pays nothing: sign is not even asked."""
    before = sign_stats(lab)
    for sender in ("a@other.test", "a@sub.sender.test", "a@test"):
        recipient = f"{sender.replace('@', '-')}@good.test"
        # by the header's domain, not by the envelope's
        submit(lab, recipient, message(sender, recipient))
        assert b"DKIM-Signature" not in arrived(lab, recipient)
        trace = lab.server.trace(recipient)
        assert [e["event"] for e in trace["events"]] == ["receive", "send"]
    assert sign_stats(lab) == before


def test_report_to_sender_is_signed(lab):
    """From is the postmaster's address; the sender's domain doesn't matter."""
    submit(lab, "no@unknown.test", message("x@other.test", "no@unknown.test"),
           sender="ndr@sender.test")  # fmt: skip
    data = arrived(lab, "ndr@sender.test")
    assert b"multipart/report" in data
    assert algorithms(data) == ["rsa-sha256", "ed25519-sha256"]


def large(recipient: str, size: int) -> bytes:
    line = b"x\xc3\xa4 " + b"." * 60 + b"  \r\n"
    head = b"From: a@sender.test\r\nTo: " + recipient.encode() + b"\r\n"
    return head + b"Subject: large\r\n\r\n" + line * (size // len(line)) + b".\r\n\r\n"


@pytest.mark.parametrize("size", [60_000, 65_000, 66_000, 300_000, 2_000_000])
def test_large_bodies(lab, size):
    """Pulled chunk by chunk; 8-bit, blanks at line ends, dots at their start."""
    recipient = f"large{size}@good.test"
    submit(lab, recipient, large(recipient, size), ["BODY=8BITMIME"])
    data = arrived(lab, recipient)
    assert len(data) > size
    assert algorithms(data) == ["rsa-sha256", "ed25519-sha256"]


def test_header_over_a_chunk(lab):
    """From stands behind the first 64 KiB: sign decides whose it is."""
    filler = b"".join(b"X-Filler: %d %s\r\n" % (i, b"y" * 90) for i in range(1000))
    for name, domain, count in (("far", "sender.test", 2), ("farother", "x.test", 0)):
        recipient = f"{name}@good.test"
        data = filler + f"From: a@{domain}\r\n\r\nbody\r\n".encode()
        submit(lab, recipient, data)
        assert len(signatures(arrived(lab, recipient))) == count


def test_internationalised(lab):
    recipient = "intl@good.test"
    mail = EmailMessage()
    mail["From"], mail["To"] = "a@sender.test", recipient
    mail["Subject"] = "x"
    text = mail.as_bytes().replace(b"\n", b"\r\n")
    text = text.replace(b"Subject: x", "Subject: Grüße".encode())
    text = text.replace(b"a@sender.test", "ä <jürg@bücher.test>".encode())
    submit(lab, recipient, text + "Körper\r\n".encode(), ["SMTPUTF8", "BODY=8BITMIME"])
    [tags] = signatures(arrived(lab, recipient))
    assert tags["d"] == "xn--bcher-kva.test"


@pytest.mark.parametrize(
    "name, head",
    [
        ("nofrom", b"To: x@good.test\r\nSubject: x\r\n"),
        ("twofrom", b"From: a@sender.test\r\nFrom: b@sender.test\r\n"),
        ("badfrom", b"From: a@sender.test <b@other.test>\r\n"),
        ("nofield", b"From: a@sender.test\r\nno field\r\n"),
    ],
)
def test_headers_that_say_nobody(lab, name, head):
    """They go as they are: whose signature it should be can't be told."""
    submit(lab, f"{name}@good.test", head + b"\r\nbody\r\n")
    assert b"DKIM-Signature" not in arrived(lab, f"{name}@good.test")


def test_waits_for_sign(lab):
    """Stopped: the message waits and says so. Killed with the queue: it is
    asked for again."""
    stopped = pid_of(lab, "sign")
    os.kill(stopped, signal.SIGSTOP)
    try:
        for recipient in ("wait@good.test", "waitlarge@good.test"):
            submit(lab, recipient, large(recipient, 1000 if "large" not in recipient
                                         else 200_000), ["BODY=8BITMIME"])  # fmt: skip
        rows = lab.server.json("queue", "list")
        assert {row["waits_for"] for row in rows} == {"dkim-signature"}
        assert len(rows) == 2 and all(row["next_attempt"] is None for row in rows)
        shown = lab.server.run("queue", "list").stdout.decode()
        assert shown.count("waiting for DKIM signature") == 2
        assert lab.server.run("queue", "retry", "--all").returncode in (0, 1)
        queue = pid_of(lab, "queue")
        os.kill(queue, signal.SIGKILL)
        wait_until(lambda: pid_of(lab, "queue") not in (0, queue), "the queue", 30)
        wait_until(lambda: len(lab.server.json("queue", "list")) == 2, "its list")
        assert not receiver_of(lab, "good.test").mails("wait@good.test")
    finally:
        os.kill(stopped, signal.SIGKILL)
    for recipient in ("wait@good.test", "waitlarge@good.test"):
        data = arrived(lab, recipient)
        assert algorithms(data) == ["rsa-sha256", "ed25519-sha256"]


def test_sign_killed_under_load(lab):
    """kill -9 again and again: none lost, none unsigned, none twice."""
    sink = receiver_of(lab, "sink0.test")
    load = Load(lambda number: f"sink{number % SINKS}.test")
    load.start(2)
    try:
        for _ in range(5):
            target = sink.taken + 20
            sink.wait_for(lambda: sink.taken >= target, 60)
            victim = pid_of(lab, "sign")
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: pid_of(lab, "sign") not in (0, victim), "sign", 30)
    finally:
        load.stop()
    sink.wait_for(lambda: load.accepted <= set(sink.arrivals()), 60)
    for recipient, times in sink.arrivals().items():
        assert len(times) == 1, recipient
    for _, mail in sink.mails():
        assert len(signatures(mail.data)) == 2


def reload(lab, text: str, event: str) -> None:
    said = lab.server.log.read_text().count(event)
    lab.server.config.write_text(text)
    lab.server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: lab.server.log.read_text().count(event) > said, event)


def test_reload(lab):
    """New keys with a reload; a key that can't be used keeps the old ones."""
    text = lab.server.config.read_text()
    bad = KEYS.directory / "bad.pem"
    bad.write_text("no key")
    for path in (bad, KEYS.directory / "missing.pem"):
        worse = text + f'dkim "new.test" {{ selector = "n1" key = "{path}" }}\n'
        reload(lab, worse, "reload.refused")
    assert "bad.pem" in lab.server.log.read_text()
    good = KEYS.make("rsa", "n1", "new.test")
    before = pid_of(lab, "sign")
    reload(lab, text + f'dkim "new.test" {{ selector = "n1" key = "{good}" }}\n',
           "reload.done")  # fmt: skip
    wait_until(lambda: pid_of(lab, "sign") not in (0, before), "a new sign", 30)
    wait_until(lambda: sign_stats(lab).get("keys") == 4, "its keys", 30)
    submit(lab, "new@good.test", message("a@new.test", "new@good.test"))
    [tags] = signatures(arrived(lab, "new@good.test"))
    assert (tags["d"], tags["s"], tags["a"]) == ("new.test", "n1", "rsa-sha256")
    reload(lab, text, "reload.done")
    assert "parent.child_died" not in lab.server.log.read_text().split("reload.done")[-2]


def test_starts_with_good_keys_only(lab):
    """`-t` and a start say which key is bad."""
    bad = KEYS.directory / "bad.pem"
    bad.write_text("no key")
    other = KEYS.directory / "other.conf"
    text = lab.server.config.read_text().replace("587", "588").replace("25\"", "26\"")
    text = text.replace("sealpost.db", "other.db").replace("/control", "/control2")
    other.write_text(text + f'dkim "d.test" {{ selector = "s" key = "{bad}" }}\n')
    for flag in ("-t", "-f"):
        argv = [str(build_directory() / "sealpostd"), flag, "-c", str(other)]
        done = subprocess.run(argv, capture_output=True, timeout=60)
        assert done.returncode == 78
        assert "bad.pem: not a private key" in done.stderr.decode()


def with_keys(lab, name: str, keys: dict[str, Path]) -> Path:
    """A configuration that has these keys for check.test too."""
    selectors = ", ".join(f'"{selector}"' for selector in keys)
    files = ", ".join(f'"{path}"' for path in keys.values())
    path = KEYS.directory / f"{name}.conf"
    section = f'dkim "check.test" {{ selector = {{{selectors}}} key = {{{files}}} }}\n'
    path.write_text(lab.server.config.read_text() + section)
    return path


def dkim_command(config: Path, *words: str):
    argv = [str(build_directory() / "sealpost"), "dkim", "-c", str(config), *words]
    return subprocess.run(argv, capture_output=True, timeout=60, text=True)


def check(config: Path, *words: str) -> tuple[int, dict]:
    done = dkim_command(config, "check", "check.test", "--json", *words)
    shown = json.loads(done.stdout)
    assert shown["good"] == (done.returncode == 0)
    return done.returncode, {key["selector"]: key for key in shown["keys"]}


def batches():
    """As many keys at one time as a domain may have."""
    names = list(CHECK_STATES)
    return [names[i : i + 8] for i in range(0, len(names), 8)]


def test_check(lab):
    for names in batches():
        keys = {name: CHECK_STATES[name][1] for name in names}
        status, found = check(with_keys(lab, "check", keys))
        assert status == 1
        for name in names:
            assert found[name]["state"] == CHECK_STATES[name][0], found[name]
            assert found[name]["dnssec"] == "secure"
            assert found[name]["testing"] == (name == "testing")
    good = {name: CHECK_STATES[name][1] for name in ("rsa", "ed")}
    config = with_keys(lab, "good", good)
    assert check(config)[0] == 0
    shown = dkim_command(config, "check", "check.test")
    assert shown.stdout.count("the record is that of the key (DNSSEC: secure)") == 2
    missing = with_keys(lab, "gone", {"rsa": KEYS.directory / "no.pem"})
    status, found = check(missing)
    assert (status, found["rsa"]["state"]) == (1, "unreadable")


def test_check_without_keys(lab):
    done = dkim_command(lab.server.config, "check", "check.test")
    assert done.returncode == 78


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_make(lab, kind):
    config = with_keys(lab, "make", {"old": CHECK_STATES["ed"][1]})
    path = KEYS.directory / f"made.{kind}.key"
    words = ["make", "check.test", "--selector", "new", "--type", kind]
    words += ["--key", str(path), "--service", "email:tlsrpt", "--json"]
    done = dkim_command(config, *words)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert path.stat().st_mode & 0o777 == 0o600
    public = load_pem_private_key(path.read_bytes(), None).public_key()
    if kind == "rsa":
        assert public.key_size == 2048
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        form = (Encoding.Raw, PublicFormat.Raw)
    text = base64.b64encode(public.public_bytes(*form)).decode()
    assert made["owner"] == "new._domainkey.check.test"
    assert made["record"] == f"v=DKIM1; k={kind}; s=email:tlsrpt; p={text}"
    # the line replaces the section that there is
    text = lab.server.config.read_text() + made["configuration"] + "\n"
    config.write_text(text)
    status, found = check(config)
    assert status == 1 and found["new"]["state"] == "missing"
    assert dkim_command(config, *words).returncode == 64  # selector in use
    words[words.index("new")] = "other"
    again = dkim_command(config, *words)
    assert again.returncode == 74 and "exists" in again.stderr
