# SPDX-License-Identifier: Apache-2.0
"""Servers with keys of two kinds: A34, and A49 with them."""

import pytest

from lab.behaviour import Behaviour
from lab.cert import Certificate
from lab.world import Domain, Host

scenario = pytest.mark.scenario
TWO_KEYS = Certificate(key="ecdsa", second="rsa")
TWO_KEYS_OF_A_CA = Certificate(key="ecdsa", second="rsa", issuer="lab")
TLS_1_2 = Behaviour(tls_versions=("TLSv1_2", "TLSv1_2"))


def two_keys(name: str, *tlsa: str, **more) -> Domain:
    return Domain(name, [Host(certificate=TWO_KEYS, tlsa=list(tlsa), **more)])


def tries(trace: dict) -> list[dict]:
    """What was tried in the attempt that delivered, or failed last."""
    found = [event["detail"] or {} for event in trace["events"]]
    return [detail for detail in found if "tries" in detail][-1]["tries"]


def keys(attempt: dict) -> tuple[str | None, str | None]:
    """The key that decided, and the one that was shown besides."""
    shown = [attempt.get(name) or {} for name in ("tls", "other_key_tls")]
    return tuple((tls.get("certificate") or {}).get("key") for tls in shown)


@scenario(two_keys("a34-ecdsa.test", "3 1 1"))
def test_a34_tlsa_of_the_ecdsa_key(mail):
    mail.delivered("dane")
    assert len(mail.domain.host.receiver.sessions) == 1


@scenario(two_keys("a34-rsa.test", "3 1 1 second"))
def test_a34_tlsa_of_the_rsa_key(mail, lab):
    mail.delivered("dane")
    assert len(mail.domain.host.receiver.sessions) == 2
    (attempt,) = tries(mail.end())
    assert keys(attempt) == ("RSA 2048", "ECDSA 256")
    assert attempt["tls"]["match"]["usage"] == 3
    assert attempt["other_key_tls"]["match"] is None
    shown = lab.server.run("trace", "--detail", mail.end()["id"]).stdout
    assert shown.index(b"key RSA 2048") < shown.index(b"key ECDSA 256")


@scenario(two_keys("a34-tls12.test", "3 1 1 second", behaviour=TLS_1_2))
def test_a34_tlsa_of_the_rsa_key_in_tls_1_2(mail):
    assert mail.delivered("dane").tls == "TLSv1.2"


@scenario(two_keys("a34-both.test", "3 1 1", "3 1 1 second"))
def test_a34_tlsa_of_both_keys(mail):
    mail.delivered("dane")
    assert len(mail.domain.host.receiver.sessions) == 1


@scenario(two_keys("a34-full.test", "3 1 0 second"))
def test_a34_whole_key_in_the_record(mail):
    mail.delivered("dane")
    (attempt,) = tries(mail.end())
    assert keys(attempt)[0] == "RSA 2048"


@scenario(
    Domain(
        "a34-ca.test", [Host(certificate=TWO_KEYS_OF_A_CA, tlsa=["3 0 1 second"])]
    )
)
def test_a34_chain_of_an_authority_with_another_key(mail):
    mail.delivered("dane")


@scenario(two_keys("a34-neither.test", "3 1 1 wrong"))
def test_a34_tlsa_of_neither_key(mail):
    trace = mail.blocked("7.323", "tlsa-mismatch")
    (attempt,) = tries(trace)
    assert keys(attempt) == ("ECDSA 256", "RSA 2048")
    assert "asked for its rsa key" in attempt["evidence"]


@scenario(Domain("a34-one.test", [Host(tlsa=["3 1 1 wrong"])]))
def test_a34_server_with_one_key_is_asked_for_another(mail):
    trace = mail.blocked("7.323", "tlsa-mismatch")
    (attempt,) = tries(trace)
    assert keys(attempt) == ("ECDSA 256", None)
    assert "error" in attempt["other_key_tls"]
    attempts = trace["attempts"]
    sessions = mail.domain.host.receiver.sessions
    assert len(sessions) == 2 * attempts  # bounded: two for each attempt


@scenario(
    Domain(
        "a34-next.test",
        [
            Host("mx1", 10, ["3 1 1 wrong"], certificate=TWO_KEYS),
            Host("mx2", 20, ["3 1 1 second"], certificate=TWO_KEYS),
        ],
    )
)
def test_a34_the_next_host_has_its_own_turn(mail):
    mail.delivered("dane", mail.domain.hosts[1])


SHARED = Host("mx.a49-keys.test.", tlsa=["3 1 1 second"], certificate=TWO_KEYS)


@scenario(
    Domain("a49-keys.test", [SHARED]),
    Domain("a49-keys-insecure.test", [SHARED], signed=False),
)
def test_a49_key_of_one_policy_is_not_the_others(mail, lab):
    mail.delivered("dane")
    recipient = "bob@a49-keys-insecure.test"
    lab.server.submit("alice@sender.test", recipient)
    trace = lab.server.wait_trace(recipient, lambda t: t["status"] == "delivered")
    assert trace["security"] == "half-dane"
    ((first, _),) = SHARED.receiver.mails(mail.recipient)
    ((second, _),) = SHARED.receiver.mails(recipient)
    assert first is not second and not second.resumed
