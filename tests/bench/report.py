# SPDX-License-Identifier: Apache-2.0
"""Medians and ratios of the raw results, for the terminal and for the doc."""

from statistics import median


def total(row: dict, which: str = "cpu_ms") -> float:
    return sum(row[which].values())


def line(row: dict) -> str:
    parts = [f"  {row['system']:10} {row['rate']:8.0f} msg/s  {total(row):7.3f} ms CPU"]
    if "resolver" in row["cpu_ms"]:
        parts.append(f"({row['cpu_ms']['sender']:.3f} without its resolver)")
    if "with_intake_cpu_ms" in row:
        parts.append(f"with intake {total(row, 'with_intake_cpu_ms'):.3f}")
    if sink := row.get("sink"):
        parts.append(
            f"conns {sink['connections']} full {sink['full']} resumed {sink['resumed']}"
            + (f" FAILED {sink['failed']}" if sink["failed"] else "")
            + (f" CLEAR {sink['clear']}" if sink["clear"] else "")
        )
    if "peak_total_kib" in row:
        parts.append(f"peak {row['peak_total_kib'] / 1024:.1f} MiB")
    if row.get("peak_connections"):
        parts.append(f"at most {row['peak_connections']} open")
    return " ".join(parts)


def of(rows: list[dict], case: str, system: str) -> list[dict]:
    return [row for row in rows if row["case"] == case and row["system"] == system]


def summary(case, rows: list[dict]):
    for system in case.systems:
        mine = of(rows, case.name, system)
        if not mine:
            continue
        rate, cpu = (median(r["rate"] for r in mine), median(total(r) for r in mine))
        text = f"  median {system:10} {rate:8.0f} msg/s {cpu:7.3f} ms CPU a message"
        others = of(rows, case.name, "postfix")
        if others and rate and system == "sealpost":
            with_dns = median(total(r) for r in others)
            without = median(r["cpu_ms"]["sender"] for r in others)
            speed = rate / median(r["rate"] for r in others)
            text += f"; to Postfix: CPU {cpu / with_dns:.3f}"
            text += f" ({cpu / without:.3f} without Unbound), rate {speed:.2f}"
        yield text


def write_doc(rows: list[dict]) -> None:
    raise NotImplementedError
