# SPDX-License-Identifier: Apache-2.0
"""An analysis (`sealpost check --json` and its like) as a test looks at it."""

import json
from dataclasses import dataclass


@dataclass
class Analysis:
    status: int
    document: dict

    @property
    def verdict(self) -> str:
        return self.document["verdict"]

    @property
    def scenario(self) -> str | None:
        """What the whole of it says is wrong."""
        return self.document["tree"]["scenario"]

    def steps(self, id: str) -> list[dict]:
        """All steps of that id, in order."""
        return [step for step in walk(self.document["tree"]) if step["id"] == id]

    def step(self, id: str) -> dict:
        """The only step of that id."""
        (step,) = self.steps(id)
        return step

    def found(self) -> set[str]:
        """The scenario names of everything that was found."""
        return {s["scenario"] for s in walk(self.document["tree"]) if s["scenario"]}

    def words(self, id: str) -> tuple:
        """Verdict and scenario of the only step of that id."""
        step = self.step(id)
        return step["verdict"], step["scenario"]


def walk(step: dict):
    yield step
    for child in step["children"]:
        yield from walk(child)


KEYS = ["id", "title", "verdict", "elapsed_ms", "evidence", "code", "scenario"]
KEYS += ["meaning", "action", "children"]
VERDICTS = ["skip", "pass", "warn", "fail"]


def check_shape(step: dict) -> None:
    """A step and all below it: what is wrong has a name, what it means, who
    has to act and how, and nothing is better than what stands below it."""
    assert list(step) == KEYS
    assert isinstance(step["evidence"], dict)
    known = [step[key] is None for key in ("scenario", "meaning", "action")]
    known += ["who" not in step["evidence"]]
    assert len(set(known)) == 1, step
    assert step["code"] is None or step["scenario"], step
    own = VERDICTS.index(step["verdict"])
    below = [VERDICTS.index(child["verdict"]) for child in step["children"]]
    cut = "note" in step["evidence"]
    assert cut or own >= min(max(below, default=0), VERDICTS.index("warn")), step
    if own > VERDICTS.index("pass") and own > max(below, default=0):
        assert step["scenario"], step
    for child in step["children"]:
        check_shape(child)


def analysis(server, *words: str) -> Analysis:
    """Runs such a command with --json."""
    done = server.run(*words, "--json")
    assert done.stdout, done.stderr.decode()
    return Analysis(done.returncode, json.loads(done.stdout))
