# SPDX-License-Identifier: Apache-2.0
"""The cases: a further one is a further entry.

A case is a mode of measure.py with its numbers, and for each system that takes
part the settings that are its own: arguments of Sealpost or Postfix, or those
of the program floor.
"""

from dataclasses import dataclass, field


@dataclass
class Case:
    """`messages` are those of one round, of which a repetition has `rounds`.
    `warm`: each domain has got a message before the first repetition, and
    connections that were left idle are gone before each round. `fresh`: the
    systems start anew, with empty queues and caches, for each repetition."""

    name: str
    title: str
    mode: str
    messages: int
    systems: dict[str, object]
    targets: str = "many"
    rounds: int = 1
    connections: int = 50
    sink: dict[str, int] = field(default_factory=dict)
    warm: bool = False
    fresh: bool = False
    reps: int | None = None


#: Connections reused, which pays where one destination has much mail.
REUSE = {
    "smtp_tls_connection_reuse": "yes",
    "smtp_connection_cache_on_demand": "yes",
    "senders": 10,
}

#: Dead domains are tried once and then for hours not again.
PATIENT = {
    "general": 'retry = {"6h"} expire = "3d" delay_notice = "0"',
    "smtp": 'domain_pause = "3h"',
}

CASES = [
    Case(
        "wrong",
        "a domain whose TLSA does not match: nothing may be delivered",
        "wrong",
        1,
        {"sealpost": {}, "postfix": {}},
        targets="wrong",
        fresh=True,
        reps=1,
    ),
    Case(
        "intake",
        "intake alone",
        "intake",
        5000,
        {"sealpost": {}, "postfix": {}},
    ),
    Case(
        "many",
        "delivery to 1,000 domains, a full handshake each",
        "delivery",
        1000,
        {"sealpost": {}, "postfix": {}, "floor": ["-t", "8"]},
        rounds=3,
        warm=True,
    ),
    Case(
        "tickets",
        "the same, the sink gives tickets and has been visited before",
        "delivery",
        1000,
        {"sealpost": {}, "postfix": {}, "floor": ["-t", "8", "-r"]},
        rounds=3,
        warm=True,
        sink={"tickets": 1},
    ),
    Case(
        "ten",
        "ten messages for each of 1,000 domains due at once",
        "delivery",
        10000,
        {"sealpost": {}, "postfix": {}, "floor": ["-t", "8", "-k", "10"]},
        warm=True,
    ),
    Case(
        "one",
        "one domain, connections reused",
        "delivery",
        5000,
        {"sealpost": {}, "postfix": REUSE, "floor": ["-t", "8", "-k", "100"]},
        targets="one",
        warm=True,
    ),
    Case(
        "one-end-to-end",
        "one domain, connections reused, intake and delivery at once",
        "end_to_end",
        5000,
        {"sealpost": {}, "postfix": REUSE},
        targets="one",
        warm=True,
    ),
    Case(
        "end-to-end",
        "intake and delivery at once, 1,000 domains, a full handshake each",
        "end_to_end",
        1000,
        {"sealpost": {}, "postfix": {}},
        rounds=3,
        warm=True,
    ),
    Case(
        "counting",
        "delivery to 1,000 domains, with and without counts for TLS reports",
        "delivery",
        1000,
        {"sealpost": {}, "sealpost-uncounted": {"general": "report { count = false }"}},
        rounds=3,
        warm=True,
        reps=9,
    ),
    Case(
        "many-cold",
        "delivery to 1,000 domains, a full handshake each, empty DNS caches",
        "delivery",
        1000,
        {"sealpost": {}, "postfix": {}},
        fresh=True,
    ),
    Case(
        "latency",
        "every reply comes after 100 ms; 2,000 connections",
        "delivery",
        5000,
        {
            "sealpost": {"smtp": "max_connections = 2000"},
            "postfix": {"senders": 2000, "default_process_limit": "2000"},
        },
        sink={"latency_ms": 100},
        warm=True,
    ),
    Case(
        "memory-500",
        "memory at 500 concurrent deliveries",
        "memory",
        1500,
        {
            "sealpost": {"smtp": "max_connections = 500"},
            "postfix": {"senders": 500, "default_process_limit": "500"},
        },
        sink={"latency_ms": 1000},
        fresh=True,
    ),
    Case(
        "slow-servers",
        "10,000 concurrent deliveries to servers that answer after 60 s",
        "memory",
        13000,
        {"sealpost": {"smtp": "max_connections = 10000"}},
        targets="wide",  # four or five at a time for each to begin with
        sink={"final_ms": 60000},
        warm=True,
        reps=1,
    ),
    Case(
        "slow-clients",
        "10,000 clients that stop in the middle of a message",
        "slow_clients",
        10000,
        {"sealpost": {"receive": "sessions_max = 20000 sessions_per_client = 20000"}},
        fresh=True,
        reps=1,
    ),
    Case(
        "deferred-100k",
        "end to end beside 100,000 deferred messages",
        "end_to_end",
        1000,
        {
            "sealpost": PATIENT,
            "sealpost-100k": {**PATIENT, "deferred": 100000},
            "postfix": {},
            "postfix-100k": {"deferred": 100000},
        },
        rounds=3,
        warm=True,
    ),
    Case(
        "deferred-1m",
        "end to end beside 1,000,000 deferred messages",
        "end_to_end",
        1000,
        {"sealpost": PATIENT, "sealpost-1m": {**PATIENT, "deferred": 1000000}},
        rounds=3,
        warm=True,
    ),
    Case(
        "survey-population",
        "5,000 domains looked at that share hosts as domains with DANE do; empty DNS caches",
        "survey",
        5000,
        {"survey": {}, "finger": {}},
        targets="population",
        fresh=True,
    ),
    Case(
        "survey-population-latency",
        "the same, every reply comes after 100 ms",
        "survey",
        5000,
        {"survey": {}, "finger": {}},
        targets="population",
        sink={"latency_ms": 100},
        fresh=True,
    ),
    Case(
        "survey-own-hosts",
        "1,000 domains looked at, every domain at a host of its own; empty DNS caches",
        "survey",
        1000,
        {"survey": {}, "finger": {}},
        fresh=True,
    ),
    Case(
        "survey-own-hosts-latency",
        "2,600 domains, every domain at a host of its own, every reply comes after 100 ms",
        "survey",
        2600,
        {"survey": {"jobs": 1000}, "finger": {}},
        targets="wide",
        sink={"latency_ms": 100},
        fresh=True,
    ),
]
