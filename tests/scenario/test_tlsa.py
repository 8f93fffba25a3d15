# SPDX-License-Identifier: Apache-2.0
"""TLSA records against the certificate: A15-A18, A24-A30, A31-A33b."""

import hashlib

import pytest

from lab.cert import Certificate
from lab.world import Domain, Host

scenario = pytest.mark.scenario
LAB_CA = Certificate(issuer="lab")


def others(count: int) -> list[str]:
    """Well-formed 3 1 1 records, each for another key than the host's."""
    digests = [hashlib.sha256(b"key %d" % i).hexdigest() for i in range(count)]
    return [f"3 1 1 ={digest}" for digest in digests]


@scenario(Domain("a15.test", [Host(tlsa=["3 1 1 wrong"])]))
def test_a15_mismatch_on_the_only_host(mail):
    trace = mail.blocked("7.323", "tlsa-mismatch")
    assert "tlsa-invalid: The domain failed DANE validation." in trace["reply"]
    sessions = mail.domain.host.receiver.sessions
    assert sessions and sessions[0].sni == "mx.a15.test"


@scenario(
    Domain("a16.test", [Host("mx1", 10, ["3 1 1 wrong"]), Host("mx2", 20, ["3 1 1"])])
)
def test_a16_mismatch_then_match(mail):
    mail.delivered("dane", mail.domain.hosts[1])
    assert mail.domain.hosts[0].receiver.mails() == []


@scenario(Domain("a17.test", [Host("mx1", 10, ["3 1 1 wrong"]), Host("mx2", 20)]))
def test_a17_mismatch_then_host_without_tlsa(mail):
    mail.delivered("tls", mail.domain.hosts[1])
    assert mail.domain.hosts[0].receiver.mails() == []


@scenario(
    Domain(
        "a18.test", [Host("mx1", 10, ["3 1 1 wrong"]), Host("mx2", 20, ["3 1 1 wrong"])]
    )
)
def test_a18_all_mismatch(mail):
    mail.blocked("7.323", "tlsa-mismatch")
    assert all(host.receiver.sessions for host in mail.domain.hosts)


@scenario(Domain("a24.test", [Host(tlsa=["1 1 1", "3 1 1"])]))
def test_a24_usage_1_beside_matching_3(mail):
    mail.delivered("dane")
    records = mail.policy()["hosts"][0]["tlsa"]["records"]
    usable = {record["usage"]: record["usable"] for record in records}
    assert usable == {1: False, 3: True}


@scenario(
    Domain("a25.test", [Host(tlsa=["3 1 1"], certificate=Certificate(ends=-0.5))])
)
def test_a25_usage_3_certificate_expired(mail):
    mail.delivered("dane")


@scenario(
    Domain("a26.test", [Host(tlsa=["3 1 1"], certificate=Certificate(starts=2))])
)
def test_a26_usage_3_certificate_not_yet_valid(mail):
    mail.delivered("dane")


@scenario(Domain("ta.test", [Host(tlsa=["2 1 1"], certificate=LAB_CA)]))
def test_usage_2_matches_the_root(mail):
    mail.delivered("dane")


@scenario(Domain("issuer.test", [Host(tlsa=["2 0 1 issuer"], certificate=LAB_CA)]))
def test_usage_2_matches_the_intermediate(mail):
    mail.delivered("dane")


@scenario(
    Domain(
        "a27.test",
        [Host(tlsa=["2 1 1"], certificate=Certificate(issuer="lab", ends=-0.5))],
    )
)
def test_a27_usage_2_leaf_expired(mail):
    mail.blocked("7.322", "cert-expired")


@scenario(
    Domain(
        "a28.test",
        [
            Host(
                tlsa=["2 1 1"],
                certificate=Certificate(issuer="lab", names=("other.test",)),
            )
        ],
    )
)
def test_a28_usage_2_other_name(mail):
    mail.blocked("7.325", "cert-name-mismatch")


@scenario(
    Domain(
        "a29.test",
        [Host(tlsa=["2 1 1"], certificate=Certificate(issuer="lab", sends=("issuer",)))],
    )
)
def test_a29_usage_2_anchor_not_sent(mail):
    mail.blocked("7.323", "ta-not-in-chain")


@scenario(
    Domain(
        "a30.test",
        [Host(tlsa=["2 0 0"], certificate=Certificate(issuer="lab", sends=("issuer",)))],
    )
)
def test_a30_usage_2_anchor_in_the_record(mail):
    mail.delivered("dane")


@scenario(
    Domain(
        "a31.test",
        [Host(tlsa=["0 1 1", "1 0 1", "3 1 1 =00ff", "3 9 1", "3 1 9", "3 1 1"])],
    )
)
def test_a31_unusable_records_and_one_good(mail):
    mail.delivered("dane")
    records = mail.policy()["hosts"][0]["tlsa"]["records"]
    assert sorted(record["usable"] for record in records) == [False] * 5 + [True]


@scenario(Domain("a32.test", [Host(tlsa=[*others(1), "3 1 1"])]))
def test_a32_second_of_two_matches(mail):
    mail.delivered("dane")


@scenario(Domain("a33.test", [Host(tlsa=[*others(12), "3 1 1"])]))
def test_a33_one_of_many_matches(mail):
    mail.delivered("dane")


@scenario(Domain("a33a.test", [Host(tlsa=["3 1 1", "3 1 2 wrong"])]))
def test_a33a_stronger_digest_does_not_match(mail):
    mail.blocked("7.323", "tlsa-mismatch")


@scenario(Domain("a33b.test", [Host(tlsa=["3 1 1", "3 1 2 =00ff"])]))
def test_a33b_stronger_digest_is_malformed(mail):
    mail.delivered("dane")
