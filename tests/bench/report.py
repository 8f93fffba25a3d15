# SPDX-License-Identifier: Apache-2.0
"""Medians and ratios of the raw results, for the terminal and for the doc."""

import datetime
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Callable

from lab.server import ROOT
from tests.bench import population, postfix
from tests.bench.survey import PARALLEL
from tests.bench.world import RESIDENTS
from tests.support import debian

FILE = ROOT / "doc" / "performance.md"


def cpu(row: dict, which: str = "cpu_ms") -> float:
    """Milliseconds of a message, a resolver beside the sender included."""
    return sum(row[which].values())


def sender_cpu(row: dict) -> float:
    return row["cpu_ms"]["sender"]


def cpu_with_intake(row: dict) -> float:
    return cpu(row, "with_intake_cpu_ms")


def rate(row: dict) -> float:
    return row["rate"]


def memory(row: dict) -> float:
    return row["peak_total_kib"] / 1024


def memory_of_10000(row: dict) -> float:
    """In proportion to the connections that were open at once."""
    return memory(row) * 10000 / row["peak_connections"]


def line(row: dict) -> str:
    """A row for the terminal."""
    parts = [f"  {row['system']:14} {row['rate']:8.0f} msg/s  {cpu(row):7.3f} ms CPU"]
    if "resolver" in row["cpu_ms"]:
        parts.append(f"({sender_cpu(row):.3f} without its resolver)")
    if "with_intake_cpu_ms" in row:
        parts.append(f"with intake {cpu_with_intake(row):.3f}")
    if sink := row.get("sink"):
        parts.append(
            f"conns {sink['connections']} full {sink['full']} resumed {sink['resumed']}"
            + (f" FAILED {sink['failed']}" if sink["failed"] else "")
            + (f" CLEAR {sink['clear']}" if sink["clear"] else "")
        )
    if "peak_total_kib" in row:
        parts.append(f"peak {memory(row):.1f} MiB")
    if row.get("peak_connections"):
        parts.append(f"at most {row['peak_connections']} open")
    return " ".join(parts)


#: Whom a system is compared to.
RIVALS = {"sealpost": "postfix", "survey": "finger"}


class Results:
    """The rows of all repetitions."""

    def __init__(self, rows: list[dict]) -> None:
        self._rows = rows

    def of(self, case: str, system: str) -> list[dict]:
        return [r for r in self._rows if r["case"] == case and r["system"] == system]

    def median(self, case: str, system: str, value: Callable[[dict], float]) -> float | None:
        mine = self.of(case, system)
        return median(value(row) for row in mine) if mine else None

    def ratio(self, case: str, a: str, b: str, value: Callable[[dict], float]) -> float | None:
        """The median of the ratios of the repetitions, each with the one that
        it was interleaved with: what disturbs the machine disturbs both."""
        pairs = zip(self.of(case, a), self.of(case, b))
        found = [value(x) / value(y) for x, y in pairs if value(y)]
        return median(found) if found else None


def summary(case, rows: list[dict]):
    results = Results(rows)
    for system in case.systems:
        if not results.of(case.name, system):
            continue
        speed = results.median(case.name, system, rate)
        spent = results.median(case.name, system, cpu)
        text = f"  median {system:14} {speed:8.0f} msg/s {spent:7.3f} ms CPU a message"
        others = [o for o in case.systems if o != system]
        for other in others if system in RIVALS else []:
            if (share := results.ratio(case.name, system, other, cpu)) is not None:
                faster = results.ratio(case.name, system, other, rate) or 0
                text += f"; to {other}: CPU {share:.3f}, rate {faster:.2f}"
        yield text


# ---- the targets ----


@dataclass
class Target:
    """`value` of `a` in proportion to `b` (None: the value itself)."""

    what: str
    case: str
    value: Callable[[dict], float]
    limit: float
    most: bool = True
    a: str = "sealpost"
    b: str | None = "postfix"
    unit: str = ""

    def found(self, results: Results) -> float | None:
        if self.b is None:
            return results.median(self.case, self.a, self.value)
        return results.ratio(self.case, self.a, self.b, self.value)

    def met(self, found: float) -> bool:
        return found <= self.limit if self.most else found >= self.limit


SURVEY = {"a": "survey", "b": "finger"}
SHARED, ALONE = "hosts shared as out there", "every domain at a host of its own"


def survey_targets(of: str, case: str) -> list[Target]:
    """The three of a survey, of one kind of list."""
    slow = f"{case}-latency"
    return [
        Target(f"checks a second to posttls-finger, {of}", case, rate, 8, most=False, **SURVEY),
        Target(f"the same at 100 ms latency, {of}", slow, rate, 15, most=False, **SURVEY),
        Target(f"CPU a check to posttls-finger, {of}", case, cpu, 0.2, **SURVEY),
    ]


TARGETS = [
    Target("CPU a message, end to end, many domains, full handshakes", "end-to-end", cpu, 0.33),
    Target("CPU a message, delivery and intake, with tickets", "tickets", cpu_with_intake, 0.22),
    Target("CPU a message, delivery and intake, ten a domain", "ten", cpu_with_intake, 0.12),
    Target("CPU a message, one domain, end to end", "one-end-to-end", cpu, 0.12),
    Target("CPU a message, delivery alone, ten a domain", "ten", cpu, 0.12),
    Target("CPU a message, delivery alone, one domain", "one", cpu, 0.12),
    Target("CPU a message, intake", "intake", cpu, 0.10),
    Target("messages a second, end to end, many domains", "end-to-end", rate, 2.5, most=False),
    Target("messages a second, one domain, end to end", "one-end-to-end", rate, 5, most=False),
    Target("messages a second at 100 ms latency", "latency", rate, 2, most=False),
    Target("memory at 500 concurrent deliveries", "memory-500", memory, 0.08),
    Target(
        "messages a second beside 1,000,000 deferred, to an empty queue",
        "deferred-1m",
        rate,
        0.95,
        most=False,
        a="sealpost-1m",
        b="sealpost",
    ),
    Target(
        "CPU a message with counts for TLS reports, to without",
        "counting",
        cpu,
        1.02,
        b="sealpost-uncounted",
    ),
    *survey_targets(SHARED, "survey-population"),
    *survey_targets(ALONE, "survey-own-hosts"),
    Target("rate to the floor, full handshakes", "many", rate, 0.8, most=False, b="floor"),
    Target(
        "memory of 10,000 slow deliveries, by those open at once",
        "slow-servers",
        memory_of_10000,
        400,
        b=None,
        unit=" MiB",
    ),
    Target("memory of 10,000 slow clients", "slow-clients", memory, 400, b=None, unit=" MiB"),
]


def target_table(results: Results) -> str:
    lines = ["| what | target | measured | met |", "|---|---|---|---|"]
    for target in TARGETS:
        found = target.found(results)
        sign = "≤" if target.most else "≥"
        shown = "not measured" if found is None else f"{found:.3g}{target.unit}"
        met = "" if found is None else "yes" if target.met(found) else "**no**"
        lines.append(f"| {target.what} | {sign} {target.limit:g}{target.unit} | {shown} | {met} |")
    return "\n".join(lines)


# ---- the table of all cases ----


def _number(value: float | None, form: str = ".3g") -> str:
    return "" if value is None else format(value, form)


def _spread(results: Results, case: str, system: str) -> str:
    """Smallest and largest processor time of a repetition."""
    values = [cpu(row) for row in results.of(case, system)]
    return f"{min(values):.3g}-{max(values):.3g}"


def case_row(results: Results, case, system: str) -> str:
    def mid(value: Callable[[dict], float]) -> float | None:
        return results.median(case.name, system, value)

    first = results.of(case.name, system)[0]
    sink = first.get("sink", {})
    shake = f"{sink['full']} + {sink['resumed']}" if sink.get("connections") else ""
    without = _number(mid(sender_cpu), ".3f") if "resolver" in first["cpu_ms"] else ""
    ratios = ["", "", ""]
    rival = RIVALS.get(system, "")
    if results.of(case.name, rival):
        pair = (case.name, system, rival)
        ratios = [
            _number(results.ratio(*pair, cpu), ".3f"),
            _number(results.ratio(*pair, sender_cpu), ".3f"),
            _number(results.ratio(*pair, rate), ".2f"),
        ]
    cells = [
        case.name,
        system,
        str(first["messages"]),
        str(len(results.of(case.name, system))),
        _number(mid(cpu), ".3f"),
        _spread(results, case.name, system),
        without,
        _number(mid(cpu_with_intake), ".3f") if "with_intake_cpu_ms" in first else "",
        _number(mid(rate), ".0f"),
        str(sink.get("connections") or ""),
        shake,
        _number(mid(memory), ".1f") if "peak_total_kib" in first else "",
        str(first.get("peak_connections") or ""),
        *ratios,
    ]
    return "| " + " | ".join(cells) + " |"


HEAD = """\
| case | system | messages | runs | CPU ms | from-to | without resolver | with intake | msg/s \
| connections | handshakes full + resumed | peak MiB | at most open | CPU ratio \
| without Unbound | speed ratio |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"""


def case_table(results: Results, cases: list) -> str:
    lines = [HEAD]
    for case in cases:
        lines += [
            case_row(results, case, system)
            for system in case.systems
            if case.mode != "wrong" and results.of(case.name, system)
        ]
    return "\n".join(lines)


# ---- the page ----

PAGE = """\
# Speed

What a message costs, here and with Postfix on the same machine in the same
run. Written by

```
make bench ARGS={arguments}
```

on {date}. {machine}. {versions}. Processor time by {meter}.{others}

## How it is measured

A signed world in a network namespace: root, a top-level domain, and {domains}
domains below it, each a zone with a key of its own, an MX host with an address
of its own, and TLSA 3 1 1. The list of a survey is another one. Knot serves the
zones. All hosts are one sink (tests/bench/sink.c), which speaks SMTP with
STARTTLS, PIPELINING and CHUNKING, keeps nothing, and counts connections,
handshakes and messages. An injector submits messages of 4 KiB. Everything runs
on this one machine over loopback with an MTU of 1500: senders, sink, name
servers and injector share its processors, which limits the messages a second;
the processor time of a message is that of the sender alone.

- Systems take turns: A B A B. Numbers are medians of the runs, ratios medians
  of the ratios of neighbours.
- **CPU ms**: processor time of a message, user and system, of all processes of
  the sender, those that have ended too, until it is idle again. Sealpost
  resolves and validates itself; Postfix needs a validating resolver, so that
  the time of its Unbound counts. "Without resolver" is Postfix alone, which
  Sealpost with its resolver is then compared to.
- In cases of "delivery" the queue is filled first and then released; "with
  intake" adds the processor time of filling it.
- Handshakes are counted at the sink, in the first run. Before anything is
  measured each system has refused a host whose key does not match its TLSA.
- In the cases of `survey` a message stands for a domain that is looked at, by
  `sealpost survey` or by posttls-finger (`-c -l dane`, {parallel} at a time, with
  Unbound); all caches are empty when a run begins. More about them is below.
- Memory is the sum of proportional set sizes, resolver included.
- **floor**: a bare OpenSSL client with threads (tests/bench/floor.c) that does
  the same handshakes and sends the same messages, and nothing else: no queue,
  no DNS, no log.
- Raw results are in build/bench/, a JSON object a line.

Sealpost is the release build with its default configuration, where the case
says nothing else (tests/bench/cases.py). {postfix}

## Targets

{targets}

Ratios are to Postfix, where the line does not say otherwise. The walls behind
what is missed are measured elsewhere: delivery alone over connections that are
there (the commits of the queue and two flights a message), and domains whose
DNS is cold, in doc/design/0007; the memory of a slow session in
doc/design/0009; the rate of a survey where every domain has a host of its own,
so that each costs a millisecond of signatures while sink and name servers have
the same two processors, in doc/design/0010.

## What a survey looks at

{survey}

## Cases

{titles}

{table}
"""


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [text.partition(":")[2].strip() for text in lines if text.startswith("model name")]
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    return (
        f"{models[0] if models else platform.machine()}, {os.cpu_count()} processors, "
        f"{memory_kib / 2**20:.0f} GiB, Linux {platform.release()}"
    )


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def _versions() -> str:
    commit = _output("git", "log", "-1", "--format=%h")
    return ", ".join(
        [
            f"Sealpost {commit}",
            f"Postfix {debian.version('postfix')}",
            f"Unbound {debian.version('unbound')}",
            "Knot " + _output("knotd", "-V").split()[-1],
            " ".join(_output("openssl", "version").split()[:2]),
            _output(os.environ.get("CC") or "gcc", "--version").splitlines()[0],
        ]
    )


def _meters(rows: list[dict]) -> str:
    kinds = {row["meter"] for row in rows if row["system"] != "floor"}
    return " and ".join(sorted(kinds))


SURVEY_TEXT = """\
Most domains with DANE have the mail hosts of a few providers. Of {all} counted
on 1 April 2023, {at_providers} ({share:.1%}) were at one of twenty, {largest} of
them at the first ([V. Dukhovni's survey]({source})). The list of
`survey-population` has that shape: of {residents} domains {at_home} name the host
of one of twenty providers, in the proportions that were counted, and each of the
other {alone} has a host of its own, though out there many of those share one
too; a provider has one host, and out there often some. Every domain is a signed zone with a key of its own, and so is the zone of a
provider's host. Both programs get the same list, in an order that was shuffled
once. A run counts if `sealpost survey` says of each domain that mail would be
delivered under DANE; how many posttls-finger verified stands below (it gives up
after one question that Unbound does not answer in time).

**They do not do the same work.** `sealpost survey` does not connect again for a
domain whose host it has found good under the same policy in the last ten minutes
(src/deliver/probed.c; its row says `shared`); nor do other domains connect
to a host while the first look at it is under way. posttls-finger connects
for each domain. Nothing but DNS is left for the other domains: the signatures of
the domain's own zone, and those of the host from the cache.{connections}

In `survey-own-hosts` every domain has a host of its own: nothing can be shared,
and each domain costs a handshake and the DNS of a host. It is the worst case,
measured for what a look costs, and not what a survey meets. Both stand among
the targets."""


def _connections(results: Results, cases: list) -> str:
    """Of each survey, in the first run."""
    lines = []
    for case in cases:
        seen = [results.of(case.name, system) for system in ("survey", "finger")]
        if case.mode == "survey" and all(seen):
            ours, theirs = (rows[0]["sink"]["connections"] for rows in seen)
            domains = seen[0][0]["messages"]
            verified = min(row["verified"] for row in seen[1])
            cells = [f"`{case.name}`", *(f"{n:,}" for n in (domains, ours, theirs, verified))]
            lines.append("| " + " | ".join(cells) + " |")
    if not lines:
        return ""
    head = [
        "| case | domains | connections of survey | of posttls-finger | verified by it, at least |",
        "|---|---|---|---|---|",
    ]
    return " At the sink arrived:\n\n" + "\n".join(head + lines)


def _survey(results: Results, cases: list) -> str:
    alone = population.homes(RESIDENTS).count(None)
    return SURVEY_TEXT.format(
        all=f"{population.ALL:,}",
        at_providers=f"{sum(population.PROVIDERS):,}",
        share=population.share(),
        largest=f"{population.PROVIDERS[0]:,}",
        source=population.SOURCE,
        residents=f"{RESIDENTS:,}",
        at_home=f"{RESIDENTS - alone:,}",
        alone=f"{alone:,}",
        connections=_connections(results, cases),
    )


def _tuning() -> str:
    """What the head of postfix.py says."""
    return postfix.__doc__.split("\n\n", 1)[1].strip()


def write_doc(rows: list[dict], cases: list, arguments: str, domains: int) -> None:
    results = Results(rows)
    titles = "\n".join(f"- `{c.name}`: {c.title}" for c in cases if c.mode != "wrong")
    load = os.getloadavg()[2]
    others = f" The load average of 15 minutes was {load:.1f} at the end."
    FILE.write_text(
        PAGE.format(
            arguments=arguments,
            date=datetime.date.today().isoformat(),
            machine=_machine(),
            versions=_versions(),
            meter=_meters(rows),
            others=others,
            domains=f"{domains:,}",
            parallel=PARALLEL,
            postfix="Postfix is tuned:\n\n" + _tuning(),
            targets=target_table(results),
            survey=_survey(results, cases),
            titles=titles,
            table=case_table(results, cases),
        )
    )
