# SPDX-License-Identifier: Apache-2.0
"""Which mail hosts the domains with DANE have: most of them, the same few.

A survey that counts them, month by month, names the twenty largest providers
of MX hosts. Here they keep their shares; of all other domains each has a host
of its own, though many of them too share one. So there are more hosts than
there would be.
"""

import random

#: V. Dukhovni, "Update on stats 2023-03", 1 April 2023.
SOURCE = "https://mail.sys4.de/pipermail/dane-users/2023-April/000650.html"
#: Domains with DANE at every primary MX host that accepts connections.
ALL = 3757347
#: Of them, those at each of the largest providers.
PROVIDERS = [
    1216468,
    291651,
    198402,
    171386,
    168662,
    150632,
    132031,
    131058,
    111481,
    109384,
    105514,
    93365,
    81969,
    70541,
    42507,
    40146,
    38632,
    38462,
    31898,
    29021,
]
SEED = 1


def share() -> float:
    """Of the domains at one of the providers."""
    return sum(PROVIDERS) / ALL


def homes(domains: int) -> list[int | None]:
    """For each of so many domains: the number of its provider, or None for a
    host of its own. In no order, and always the same."""
    found: list[int | None] = []
    for number, customers in enumerate(PROVIDERS):
        found += [number] * round(domains * customers / ALL)
    found += [None] * (domains - len(found))
    random.Random(SEED).shuffle(found)
    return found
