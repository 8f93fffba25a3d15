# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the scenarios.

All scenarios that are marked with `scenario(...)` share one world and one
sealpostd; those of a module with SETTINGS have theirs. Their messages are all
sent when it is up, and each test then waits for its own, so that the slow ones
wait together.
"""

import pytest

from lab.world import Domain
from tests.support import lane
from tests.support.delivery import SENDER, Delivery, recipient
from tests.support.stage import Lab, Stage

MANDATORY = ("none", "half", "unusable")
ROUTE = 'route "{}.mandatory.test" {{ dane = "mandatory" }}\n'
LASTING = 'route "stuck.test" { expire = "1h" }\n'  # waits as long as it is looked at
SHARED = {
    "retry": '"1s", "1s", "2s"',
    "expire": "8s",
    "smtp": 'greeting_timeout = "2s"  command_timeout = "2s"',
    "resolver": 'timeout = "3s"',
    "extra": "".join(map(ROUTE.format, MANDATORY)) + LASTING,
}


def _declared(item) -> list[Domain]:
    """The domains of a test: the first one gets its message."""
    mark = item.get_closest_marker("scenario")
    return list(mark.args) if mark else []


def _settings(item) -> dict:
    """What a module's tests want set otherwise; they get a lab of their own."""
    return getattr(item.module, "SETTINGS", {})


def _key(item) -> str:
    return item.module.__name__ if _settings(item) else "shared"


def _order(item) -> int:
    if item.get_closest_marker("first"):
        return 0
    if item.get_closest_marker("afterwards"):
        return 2
    if _declared(item):
        return 3 if _settings(item) else 1
    return 4


def _group(item) -> str:
    """The tests that one run has to have together, of several side by side."""
    return "shared" if _order(item) < 3 else item.module.__name__


CLAIMS = lane.Claims()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    """True: it is another run's."""
    return None if CLAIMS.take(_group(item)) else True


def pytest_configure(config) -> None:
    config.addinivalue_line("markers", "scenario(domains): the world of a test")
    config.addinivalue_line("markers", "first: looks at the lab itself")
    config.addinivalue_line("markers", "afterwards: looks back at all scenarios")
    config.addinivalue_line("markers", "long: only where it is asked for")


def pytest_collection_modifyitems(config, items) -> None:
    items.sort(key=_order)
    if config.getoption("-m"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="long: run with -m long"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failed test shows the end of the server's log."""
    report = (yield).get_result()
    stage = getattr(item, "funcargs", {}).get("stage")
    if report.failed and stage is not None:
        report.sections.append(("sealpostd", stage.log_tail()))


@pytest.fixture(scope="session")
def stage():
    stage = Stage()
    yield stage
    stage.clear()


@pytest.fixture
def lab(request, stage) -> Lab:
    """The world of this test's scenarios, their messages on the way."""
    key = _key(request.node)
    items = [item for item in request.session.items if _key(item) == key]
    # the items of a parametrized test share their domains
    declared = list({id(d[0]): d for d in map(_declared, items) if d}.values())
    if not declared:
        pytest.skip("no scenario was selected")

    def domains() -> list[Domain]:
        return [domain for group in declared for domain in group]

    fresh = not stage.is_up(key)
    lab = stage.lab(key, domains, **{**SHARED, **_settings(request.node)})
    if fresh:
        for group in declared:
            lab.server.submit(SENDER, recipient(group[0]))
    return lab


@pytest.fixture
def mail(request, lab) -> Delivery:
    """The message of this scenario."""
    return Delivery(lab, _declared(request.node)[0])
