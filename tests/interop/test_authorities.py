# SPDX-License-Identifier: Apache-2.0
"""BIND and NSD as authorities: what they answer has to validate.

The zones are in tests/interop/world.py; each is there with NSEC, NSEC3 and
opt-out, signed by BIND itself, and by us for NSD.
"""

import pytest

from lab.server import tried
from tests.interop.world import AUTHORITIES, DENIALS

SENDER = "alice@sender.test"

#: The name below the zone that mail goes to, the state of its MX, the rule, and
#: what is known of the TLSA answer.
SHAPES = [
    ("", "secure", "dane", "secure", "records"),
    ("star.", "secure", "dane", "secure", "records"),
    ("chain.", "secure", "dane", "secure", "records"),
    ("dname.", "secure", "dane", "secure", "records"),
    ("alias.", "secure", "dane", "secure", "records"),
    ("any.wild.", "secure", "dane", "secure", "records"),
    ("x.old.", "secure", "dane", "secure", "records"),
    ("text.", "secure", "opportunistic", "secure", "nodata"),
    ("plain.", "secure", "opportunistic", "secure", "nxdomain"),
]
#: Where a name does not exist, opt-out proves nothing; so neither that no TLSA
#: is there nor that a wildcard applies (RFC 5155 section 9.2).
OPTOUT = {
    "star.": ("secure", "opportunistic", "insecure", "records"),
    "any.wild.": ("insecure", "half-dane", "secure", "records"),
    "plain.": ("secure", "opportunistic", "insecure", "nxdomain"),
}
NAMES = ["zone", *(shape[0].rstrip(".") for shape in SHAPES[1:])]


@pytest.fixture(scope="module", params=[f"{a}-{d}" for a in AUTHORITIES for d in DENIALS])
def zone(request, interop) -> str:
    """A zone; a message for each of its names is on the way."""
    name = f"{request.param}.test"
    for prefix, *_ in SHAPES:
        interop.lab.server.submit(SENDER, f"bob@{prefix}{name}")
    return name


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_answers_validate(interop, zone, shape):
    prefix, *expected = shape
    if "optout" in zone:
        expected = OPTOUT.get(prefix, expected)
    policy = interop.lab.server.json("policy", f"{prefix}{zone}")
    (host,) = policy["hosts"]
    assert [a["dnssec"] for a in host["addresses"]] == ["secure"], host
    tlsa = host["tlsa"]
    found = policy["mx"]["dnssec"], host["rule"], tlsa["dnssec"], tlsa["answer"]
    assert found == tuple(expected), policy
    trace = interop.lab.server.wait_trace(f"bob@{prefix}{zone}", tried)
    security = "tls" if host["rule"] == "opportunistic" else host["rule"]
    assert (trace["status"], trace["security"]) == ("delivered", security), trace
