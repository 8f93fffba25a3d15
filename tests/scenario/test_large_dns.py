# SPDX-License-Identifier: Apache-2.0
"""Answers that are large and honest, in a world without hostile neighbours."""

import pytest

from lab.world import Domain, Host

scenario = pytest.mark.scenario

SETTINGS = {"retry": '"1h"', "expire": "1d", "resolver": 'timeout = "30s"'}


@scenario(Domain("many-tlsa.test", [Host(tlsa=[f"3 1 1 ={i:064x}" for i in range(400)])]))
def test_hundreds_of_tlsa_records(mail):
    mail.deferred("7.323", "tlsa-mismatch")
    assert mail.questions("TLSA") >= 1
