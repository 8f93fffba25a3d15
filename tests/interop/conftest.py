# SPDX-License-Identifier: Apache-2.0
"""One world for all real servers: each has a domain, a host and a TLSA."""

from dataclasses import dataclass

import pytest

from lab.world import Domain, Host
from tests.support.postfix import Postfix
from tests.support.stage import Lab, Stage

POSTFIX_ADDRESS = "127.26.0.1"


@dataclass
class Interop:
    lab: Lab
    postfix: Postfix


def domains() -> list[Domain]:
    real = Host(tlsa=["3 1 1"], addresses=[POSTFIX_ADDRESS], listens=False)
    return [Domain("postfix.test", [real])]


@pytest.fixture(scope="session")
def interop():
    stage = Stage()
    lab = stage.lab("interop", domains)
    directory = lab.world.directory / "postfix"
    directory.mkdir()
    postfix = Postfix(directory, "postfix.test", "mx.postfix.test", POSTFIX_ADDRESS)
    try:
        identity = lab.world.domains[0].host.identity
        postfix.start(identity, lab.world.processes)
        yield Interop(lab, postfix)
    finally:
        stage.clear()
