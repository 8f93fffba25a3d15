# SPDX-License-Identifier: Apache-2.0
"""One world for all real servers, and the table that they leave."""

import pytest

from tests.interop import document
from tests.interop.compare import Comparison
from tests.interop.world import Scene

TABLE = pytest.StashKey[Comparison]()


def pytest_addoption(parser) -> None:
    parser.addoption(
        "--write-doc",
        action="store_true",
        help="put the table into doc/interop.md, if all is well",
    )


@pytest.fixture(scope="session")
def interop(request):
    scene = Scene()
    try:
        interop = scene.start()
        yield interop
        request.config.stash[TABLE] = interop.comparison
    finally:
        scene.stop()


def pytest_terminal_summary(terminalreporter, exitstatus, config) -> None:
    table = config.stash.get(TABLE, None)
    if table is None or not table.rows:
        return
    terminalreporter.section("the same destinations for Sealpost and for Postfix")
    terminalreporter.write_line(table.text())
    if config.getoption("--write-doc"):
        if exitstatus == 0:
            document.write(table)
        terminalreporter.write_line(
            "doc/interop.md: " + ("written" if exitstatus == 0 else "left as it was")
        )
