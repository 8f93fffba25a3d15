# SPDX-License-Identifier: Apache-2.0
"""Other ways of a TLS report: by https, into a directory, and over crashes."""

import gzip
import json
import os
import signal
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lab import netns
from lab.cert import Certificate
from lab.procs import wait_until
from lab.world import Domain, Host

ADDRESS = "127.26.200.1"
PRIVATE = "127.27.0.1"
DOMAINS = ("taken", "refused", "guarded", "mailed")
RECEIVER = "reports.test"


def rua(uri: str) -> list[str]:
    return [f'_smtp._tls TXT "v=TLSRPTv1; rua={uri}"']


def domains() -> list[Domain]:
    return [
        Domain("taken.test", [Host()], rua(f"https://post.{RECEIVER}/good")),
        Domain("refused.test", [Host()], rua(f"https://post.{RECEIVER}/bad")),
        Domain("guarded.test", [Host()], rua(f"https://inside.{RECEIVER}/good")),
        Domain("mailed.test", [Host()], rua(f"mailto:box@{RECEIVER}")),
        Domain(
            RECEIVER, [Host()], records=[f"post A {ADDRESS}", f"inside A {PRIVATE}"]
        ),
    ]


class Collector:
    """An https receiver of reports."""

    def __init__(self, identity) -> None:
        self.posts: list[tuple[str, str, bytes]] = []
        posts = self.posts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posts.append((self.path, self.headers["Content-Type"], body))
                self.send_response(201 if self.path == "/good" else 500)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words):
                pass

        netns.add_address(ADDRESS)
        self._server = ThreadingHTTPServer((ADDRESS, 443), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.chain_file, identity.key_file)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def traffic(server) -> None:
    for name in DOMAINS:
        server.submit("a@sender.test", f"b@{name}.test")
    for name in DOMAINS:
        server.wait_trace(f"b@{name}.test", lambda t: t["status"] == "delivered", 30)


def close_day(server) -> dict[str, list[dict]]:
    done = server.run("report", "close-day", "--json")
    assert done.returncode == 0, done.stderr
    return {row["domain"]: row["sent_to"] for row in json.loads(done.stdout)}


def kill(server, role: str) -> None:
    processes = server.json("stats")["processes"]
    pid = next(p["pid"] for p in processes if p["role"] == role)
    os.kill(pid, signal.SIGKILL)

    def renewed() -> bool:
        rows = server.json("stats")["processes"]
        return any(r["role"] == role and r["pid"] != pid and r["running"] for r in rows)

    wait_until(renewed, f"a new {role}", 30)


class Day:
    """A day with mail, closed while the collectors answer."""

    def __init__(self, lab) -> None:
        self.server, self.world = lab.server, lab.world
        certificate = Certificate(issuer="lab")
        identity = lab.world.workshop.make(f"post.{RECEIVER}", certificate)
        self.collector = Collector(identity)
        try:
            traffic(lab.server)
            self.rows = close_day(lab.server)
        finally:
            self.collector.stop()


@pytest.fixture(scope="module")
def day(stage):
    return Day(stage.lab("tlsrpt-out", domains))


def test_https(day):
    rows, collector = day.rows, day.collector
    (taken,), (refused,) = rows["taken.test"], rows["refused.test"]
    assert (taken["state"], taken["tries"]) == ("sent", 1)
    assert (refused["state"], refused["tries"]) == ("waiting", 1)
    assert refused["why"] == "answered with status 500" and refused["next"]
    (guarded,) = rows["guarded.test"]
    assert guarded["state"] == "waiting" and PRIVATE in guarded["why"]
    path, media, body = next(p for p in collector.posts if p[0] == "/good")
    assert media == "application/tlsrpt+gzip"
    report = json.loads(gzip.decompress(body))
    assert report["policies"][0]["policy"]["policy-domain"] == "taken.test"
    assert len(collector.posts) == 2
    assert "Report-ID" not in report


def test_crash(day):
    """What was sent is not sent again, whoever is killed; counts stay."""
    server = day.server
    before = server.json("report", "list")
    host = day.world.domains[4].host.receiver
    host.wait_for(lambda: len(host.mails(f"box@{RECEIVER}")) == 1, 20)
    for role in ("report", "queue"):
        kill(server, role)
        again = close_day(server)
        assert again["mailed.test"] == before_of(before, "mailed.test")
        assert again["taken.test"] == before_of(before, "taken.test")
    after = server.json("report", "list")
    assert [row | {"sent_to": 0} for row in after] == [
        row | {"sent_to": 0} for row in before
    ]
    assert len(host.mails(f"box@{RECEIVER}")) == 1


def before_of(rows: list[dict], domain: str) -> list[dict]:
    return next(row["sent_to"] for row in rows if row["domain"] == domain)


def test_directory(stage, tmp_path):
    extra = f'report {{ directory = "{tmp_path}" }}\n'
    lab = stage.lab("tlsrpt-files", domains, extra=extra)
    traffic(lab.server)
    rows = close_day(lab.server)
    assert {t["state"] for targets in rows.values() for t in targets} == {"sent"}
    names = {path.name.split("!")[1]: path for path in tmp_path.iterdir()}
    assert set(names) == {f"{name}.test" for name in DOMAINS}
    done = lab.server.run("lint", "tlsrpt-report", "--json", str(names["taken.test"]))
    assert json.loads(done.stdout)["value"]["oddities"] == []
    shown = json.loads(lab.server.run("report", "show", "--json", "taken.test").stdout)
    assert json.loads(names["taken.test"].read_text()) == shown
