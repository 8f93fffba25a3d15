# SPDX-License-Identifier: Apache-2.0
"""profile = exchange: usage 3 with dates and names as well: A25, A26."""

import pytest

from lab.cert import Certificate
from lab.world import Domain, Host

scenario = pytest.mark.scenario
SETTINGS = {"extra": 'dane { profile = "exchange" }\n'}


def certified(name: str, certificate: Certificate) -> Domain:
    return Domain(name, [Host(tlsa=["3 1 1"], certificate=certificate)])


@scenario(certified("good.test", Certificate()))
def test_good_certificate(mail):
    mail.delivered("dane")


@scenario(certified("expired.test", Certificate(ends=-0.5)))
def test_a25_expired(mail):
    mail.blocked("7.322", "cert-expired")


@scenario(certified("future.test", Certificate(starts=2)))
def test_a26_not_yet_valid(mail):
    mail.blocked("7.323", "cert-not-yet-valid")


@scenario(certified("other.test", Certificate(names=("name.test",))))
def test_other_name(mail):
    mail.blocked("7.325", "cert-name-mismatch")
