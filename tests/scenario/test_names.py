# SPDX-License-Identifier: Apache-2.0
"""Aliases, implicit and null MX, families of addresses: A36-A40, A44, A50."""

import pytest

from lab import front, zone
from lab.behaviour import NO_STARTTLS
from lab.world import Domain, Host

scenario = pytest.mark.scenario


@scenario(Domain("a36a.test", [Host("target", alias="mx", tlsa=["3 1 1"])]))
def test_a36_alias_with_tlsa_at_the_target(mail):
    assert mail.delivered("dane").sni == "target.a36a.test"
    assert mail.policy()["hosts"][0]["tlsa"]["base"] == "target.a36a.test"


@scenario(
    Domain(
        "a36b.test",
        [Host("target", alias="mx", tlsa=["3 1 1"], tlsa_owner="_25._tcp.mx")],
    )
)
def test_a36_alias_with_tlsa_at_the_original_only(mail):
    assert mail.delivered("dane").sni == "mx.a36b.test"


@scenario(
    Domain(
        "a36c.test",
        [
            Host(
                "mx.a36c-hosts.test.",
                alias="mx",
                tlsa=["3 1 1"],
                tlsa_owner="_25._tcp.mx",
            )
        ],
    ),
    Domain("a36c-hosts.test", signed=False),
)
def test_a36_alias_to_unsigned_target_with_tlsa(mail):
    assert mail.delivered("dane").sni == "mx.a36c.test"


@scenario(
    Domain("a36d.test", [Host("mx.a36d-hosts.test.", alias="mx")]),
    Domain("a36d-hosts.test", signed=False),
)
def test_a36_alias_to_unsigned_target_without_tlsa(mail):
    mail.delivered("tls")


@scenario(
    Domain(
        "a37a.test",
        [Host(tlsa=["3 1 1"], tlsa_owner="tlsa-311")],
        records=["_25._tcp.mx CNAME tlsa-311"],
    )
)
def test_a37_cname_at_the_tlsa_owner(mail):
    assert mail.delivered("dane").sni == "mx.a37a.test"


@scenario(
    Domain("a37b.test", [Host()], records=["_25._tcp.mx CNAME t.a37b-far.test."]),
    Domain("a37b-far.test", signed=False, records=["t TLSA 3 1 1 00"]),
)
def test_a37_insecure_step_from_the_tlsa_owner(mail):
    mail.delivered("tls")


@scenario(
    Domain("a37c.test", [Host()], records=["_25._tcp.mx CNAME t.a37c-far.test."]),
    Domain("a37c-far.test", signing={"window": zone.EXPIRED}),
)
def test_a37_bogus_step_from_the_tlsa_owner(mail):
    mail.blocked("7.324", None)


@scenario(Domain("a38.test", [Host("@", mx=False, tlsa=["3 1 1"])]))
def test_a38_implicit_mx(mail):
    assert mail.delivered("dane").sni == "a38.test"
    host = mail.policy()["hosts"][0]
    assert host["implicit"] and host["tlsa"]["owner"] == "_25._tcp.a38.test"


@scenario(Domain("a39a.test", records=["@ MX 0 ."]))
def test_a39_null_mx(mail):
    trace = mail.end()
    assert (trace["status"], trace["code"]) == ("failed", "5.1.10")
    assert trace["reply"].startswith("556 ") and trace["attempts"] == 1


@scenario(Domain("a39b.test", [Host(tlsa=["3 1 1"])], records=["@ MX 0 ."]))
def test_a39_null_mx_beside_another(mail, lab):
    mail.delivered("dane")
    asked = {q.name.rstrip(".") for q in lab.world.fronts.questions("TLSA")}
    assert "_25._tcp.mx.a39b.test" in asked
    assert not asked & {"_25._tcp", "_tcp", ""}


@scenario(Domain("a39c.test", [Host(tlsa=["3 1 1"])], records=["@ MX 10 ."]))
def test_a39_null_mx_of_equal_preference(mail):
    mail.delivered("dane")


@scenario(Domain("absent.test", exists=False))
def test_domain_does_not_exist(mail):
    trace = mail.end()
    assert (trace["status"], trace["code"]) == ("failed", "5.4.310")
    assert "DNS domain absent.test does not exist" in trace["reply"]


@scenario(
    Domain("a40.test", [Host("mx.a40-hosts.test.", tlsa=["3 1 1"])], signed=False),
    Domain("a40-hosts.test"),
)
def test_a40_insecure_mx_at_a_host_with_tlsa(mail):
    mail.delivered("half-dane")


@scenario(
    Domain("a40b.test", [Host("mx.a40b-hosts.test.", tlsa=["3 1 1 wrong"])], signed=False),
    Domain("a40b-hosts.test"),
)
def test_a40_insecure_mx_mismatch(mail):
    mail.blocked("7.323", "tlsa-mismatch")


@scenario(Domain("none.mandatory.test", [Host()]))
def test_a44_mandatory_without_tlsa(mail):
    mail.blocked("7.324", "dane-required")


@scenario(
    Domain(
        "half.mandatory.test",
        [Host("mx.half-hosts.test.", tlsa=["3 1 1"])],
        signed=False,
    ),
    Domain("half-hosts.test"),
)
def test_a44_mandatory_with_half_dane(mail):
    mail.blocked("7.324", "dane-required")


@scenario(Domain("unusable.mandatory.test", [Host(tlsa=["1 1 1"])]))
def test_a44_mandatory_with_all_unusable(mail):
    mail.blocked("7.324", "dane-required")


@scenario(
    Domain(
        "a50a.test",
        [Host(tlsa=["3 1 1"], addresses=["fd00::25:1"])],
        faults={("mx", "A"): front.SERVFAIL},
    )
)
def test_a50_one_family_fails_the_other_answers(mail):
    mail.delivered("dane")


@scenario(
    Domain(
        "a50b.test",
        [Host(behaviour=NO_STARTTLS)],
        faults={("mx", "A"): front.SERVFAIL},
    )
)
def test_a50_one_family_fails_the_other_is_empty(mail):
    mail.blocked("4.312", "address-lookup-failed")
