# SPDX-License-Identifier: Apache-2.0
"""What must hold over all scenarios of a run, looked at when they are done."""

import pytest

pytestmark = pytest.mark.afterwards


def test_no_tlsa_question_for_an_insecure_host(lab):
    world = lab.world
    asked = {question.name for question in world.fronts.questions("TLSA")}
    # other names are where an alias in a signed zone led
    owners = [name for name in asked if name.startswith("_25._tcp.")]
    homes = {name: world.zone_of(name) for name in owners}
    assert [n for n, home in homes.items() if home is None or not home.signed] == []


def test_no_tlsa_question_at_the_root(lab):
    assert lab.world.fronts.questions("TLSA", "_tcp.") == []


def test_nothing_in_clear_where_tlsa_exists(lab):
    receivers = [
        receiver
        for domain in lab.world.domains
        for host in domain.hosts
        if host.tlsa
        for receiver in host.receivers
    ]
    assert [r.name for r in receivers if r.mail_in_clear()] == []


def test_sni_is_the_host_that_was_asked_for(lab):
    for domain in lab.world.domains:
        for host in domain.hosts:
            right = {host.absolute(domain.name).rstrip(".")}
            if host.alias is not None:
                right.add(f"{host.alias}.{domain.name}")
            for receiver in host.receivers:
                assert {s.sni for s in receiver.sessions if s.tls} <= right
