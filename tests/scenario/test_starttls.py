# SPDX-License-Identifier: Apache-2.0
"""STARTTLS that is missing, refused, stripped or attacked: A19-A23.

Where the host has TLSA nothing of the message may ever be said in clear.
"""

import pytest

from lab.behaviour import ALERT, CLOSE, NO_STARTTLS, SILENCE, STRIPPED
from lab.behaviour import Behaviour, replying
from lab.world import Domain, Host

scenario = pytest.mark.scenario


WANTS_CERTIFICATE = Behaviour(wants_certificate=True)


def with_tlsa(name: str, behaviour: Behaviour) -> Domain:
    return Domain(name, [Host(tlsa=["3 1 1"], behaviour=behaviour)])


@scenario(with_tlsa("a19.test", NO_STARTTLS))
def test_a19_not_offered(mail):
    mail.blocked("7.321", "starttls-not-offered")


@scenario(with_tlsa("a20-454.test", replying("STARTTLS", "454 4.7.0 not now")))
def test_a20_answered_454(mail):
    mail.blocked("7.321", "starttls-refused")


@scenario(with_tlsa("a20-501.test", replying("STARTTLS", "501 5.5.4 no")))
def test_a20_answered_501(mail):
    mail.blocked("7.321", "starttls-refused")


@scenario(with_tlsa("a20-silence.test", replying("STARTTLS", SILENCE)))
def test_a20_silence(mail):
    mail.blocked("7.321", "starttls-timeout")


@scenario(with_tlsa("a20-garbage.test", replying("STARTTLS", b"\x00\xff\r\n")))
def test_a20_garbage(mail):
    mail.blocked("7.321", "starttls-garbage")


@scenario(with_tlsa("a20-alert.test", Behaviour(handshake=ALERT)))
def test_a20_alert(mail):
    mail.blocked("7.321", "handshake-failed")


@scenario(with_tlsa("a20-close.test", Behaviour(handshake=CLOSE)))
def test_a20_closed_instead_of_handshake(mail):
    mail.blocked("7.321", "handshake-failed")


@scenario(with_tlsa("a20-old.test", Behaviour(tls_versions=("TLSv1", "TLSv1_1"))))
def test_a20_only_old_tls(mail):
    mail.blocked("7.321", "handshake-failed")


@scenario(with_tlsa("a20-502.test", replying("EHLO", "502 5.5.1 what")))
def test_a20_ehlo_not_known(mail):
    mail.blocked("7.321", "starttls-not-offered")


@scenario(with_tlsa("a20-ehlo.test", replying("EHLO", "550 5.7.1 not you")))
def test_a20_ehlo_refused_for_another_reason(mail):
    mail.deferred("7.1", "remote-reply")


@scenario(with_tlsa("a20-late.test", WANTS_CERTIFICATE))
def test_a20_alert_behind_our_half_of_the_handshake(mail):
    mail.blocked("7.321", "handshake-failed")


@scenario(
    with_tlsa("a20-injected.test", Behaviour(injected=b"250 2.0.0 injected\r\n"))
)
def test_a20_text_injected_after_220(mail):
    mail.blocked("7.321", "starttls-garbage")


@scenario(with_tlsa("a21.test", STRIPPED))
def test_a21_stripped_on_the_way(mail):
    mail.blocked("7.321", "starttls-not-offered")


@scenario(Domain("a22.test", [Host(tlsa=["0 1 1", "1 1 1"])]))
def test_a22_only_unusable_with_tls(mail):
    mail.delivered("tls")
    host = mail.policy()["hosts"][0]
    assert (host["rule"], host["why"]) == ("encrypt", "all-unusable")
    records = host["tlsa"]["records"]
    assert [record["usable"] for record in records] == [False, False]
    assert all(record["reason"] for record in records)


@scenario(
    Domain("a23.test", [Host(tlsa=["0 1 1", "1 1 1"], behaviour=NO_STARTTLS)])
)
def test_a23_only_unusable_without_tls(mail):
    mail.blocked("7.321", "starttls-not-offered")


@scenario(Domain("clear.test", [Host(behaviour=NO_STARTTLS)]))
def test_opportunistic_without_starttls(mail):
    mail.delivered("clear")


@scenario(Domain("fallback.test", [Host(behaviour=Behaviour(handshake=ALERT))]))
def test_opportunistic_clear_after_failed_handshake(mail):
    mail.delivered("clear")
    assert len(mail.domain.host.receiver.sessions) == 2


@scenario(Domain("late-alert.test", [Host(behaviour=WANTS_CERTIFICATE)]))
def test_opportunistic_clear_after_a_late_alert(mail):
    mail.delivered("clear")
    first, second = mail.domain.host.receiver.sessions
    assert first.handshake_error and second.tls is None
