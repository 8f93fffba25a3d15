# SPDX-License-Identifier: Apache-2.0
"""One message of a scenario: what the trace says and what the receivers saw."""

from lab.dialogue import Session
from lab.server import tried
from lab.world import Domain, Host
from tests.support.stage import Lab

SENDER = "alice@sender.test"
OVER = ("delivered", "failed")


def recipient(domain: Domain) -> str:
    return f"bob@{domain.name}"


def brief(trace: dict) -> str:
    """A trace in a few lines, for a failed test."""
    lines = [f"{trace['recipient']}: {trace['status']} {trace['reply']}"]
    for event in trace["events"]:
        words = [event["event"], event["code"], event["scenario"], event["security"]]
        lines.append(f"  {event['attempt']}: " + " ".join(map(str, words)))
    return "\n".join(lines)


class Delivery:
    def __init__(self, lab: Lab, domain: Domain) -> None:
        self._lab = lab
        self.domain = domain
        self.recipient = recipient(domain)

    def first_attempt(self) -> dict:
        return self._lab.server.wait_trace(self.recipient, tried)

    def end(self) -> dict:
        """The trace once the message is delivered or given up."""
        return self._lab.server.wait_trace(
            self.recipient, lambda trace: trace["status"] in OVER, 60
        )

    def delivered(self, security: str, host: Host | None = None) -> Session:
        """It arrived at a host (default: the first), secured like that."""
        trace = self.end()
        found = (trace["status"], trace["security"])
        assert found == ("delivered", security), brief(trace)
        host = host or self.domain.host
        arrived = [m for r in host.receivers for m in r.mails(self.recipient)]
        assert len(arrived) == 1, f"{len(arrived)} copies at {host.name}"
        session, mail = arrived[0]
        assert b"Sent through Sealpost in the lab." in mail.data
        assert mail.encrypted == (security != "clear")
        return session

    def deferred(self, code: str, scenario: str | None) -> dict:
        """The first attempt failed with 4.<code>, and nothing was said."""
        self.first_attempt()
        trace = self._lab.server.trace(self.recipient)
        first = next((e for e in trace["events"] if e["event"] == "defer"), None)
        assert first is not None, brief(trace)
        assert first["code"] == f"4.{code}", brief(trace)
        if scenario is not None:
            assert first["scenario"] == scenario, brief(trace)
        self.never_arrived()
        return trace

    def blocked(self, code: str, scenario: str | None) -> dict:
        """As deferred; and when it expires it is 5.<code> of the same cause."""
        self.deferred(code, scenario)
        trace = self.end()
        found = (trace["status"], trace["code"])
        assert found == ("failed", f"5.{code}"), brief(trace)
        self.never_arrived()
        return trace

    def never_arrived(self) -> None:
        for host in self.domain.hosts:
            for receiver in host.receivers:
                assert not receiver.mails(self.recipient), host.name
                heard = {verb for s in receiver.sessions for verb in s.verbs(False)}
                assert not heard & {"MAIL", "RCPT", "DATA"}, host.name

    def policy(self) -> dict:
        """The plan by `sealpost policy`, which asks the DNS on its own."""
        return self._lab.server.json("policy", self.domain.name)

    def questions(self, rdtype: str) -> int:
        """How many questions of a type came for names of the domain."""
        return len(self._lab.world.fronts.questions(rdtype, self.domain.name))
