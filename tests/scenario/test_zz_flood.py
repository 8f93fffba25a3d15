import time, os, statistics
import pytest
from lab import front
from lab.world import BEHIND, LEAF_SERVER, Domain, Host
from tests.support.delivery import SENDER
from tests.support.load import Load
from tests.support.usage import Usage

MANY = int(os.environ.get("MANY", "1000"))
MODE = os.environ.get("MODE", "drop")
LATE = float(os.environ.get("LATE", "0"))
SINK = "127.0.53.99"
sink = Host("mx.good0.test.", tlsa=["3 1 1"])
GOOD = [Domain(f"good{i}.test", [sink]) for i in range(6)]
LARGE = [Domain(f"large{i}.test", [Host(tlsa=[f"3 1 1 ={i:064x}" for i in range(100)]+["3 1 1"])]) for i in range(6)]
FLOOD = Domain("flood.test", records=[r for i in range(MANY) for r in (f"d{i} NS ns.d{i}", f"ns.d{i} A {SINK}")])
SETTINGS = {"retry": '"1h"'}

def domains():
    return [*GOOD, *LARGE, FLOOD]

def test_flood(stage):
    lab = stage.lab("zz-flood", domains, **SETTINGS)
    f = lab.world.fronts
    f.listen(SINK, BEHIND[LEAF_SERVER])
    fault = {"drop": front.DROP, "drip": front.dripping(1000.0), "cut": front.TRUNCATED, "slow": front.dripping(0.04)}[MODE]
    f.set_fault("*.flood.test", "*", fault, SINK)
    if LATE:
        for i in range(6):
            f.set_fault(f"_25._tcp.mx.large{i}.test", "TLSA", front.delayed(LATE))
    usage = Usage(lab.server)
    load = Load(lambda n: f"d{n}.flood.test", MANY)
    began = time.monotonic()
    load.start(4)
    res = {}
    time.sleep(float(os.environ.get("AFTER", "3")))
    sent = {}
    for d in [*GOOD, *LARGE]:
        sent[d.name] = time.monotonic()
        lab.server.submit(SENDER, f"x@{d.name}")
    load.join()
    print("load", time.monotonic() - began)
    for d in [*GOOD, *LARGE]:
        try:
            t = lab.server.wait_trace(f"x@{d.name}", lambda t: t["status"] == "delivered" or any(e["event"] in ("send","defer","fail") for e in t["events"]), 90)
            last=[e for e in t["events"] if e["event"] in ("send","defer","fail")][-1]
            import datetime
            print(d.name, t["status"], last["code"], last["scenario"], last.get("time"), f"{time.monotonic()-sent[d.name]:.2f}")
        except Exception as e:
            print(d.name, "NONE", str(e)[:200])
    print({r: (round(c.cpu,2), c.kib) for r, c in usage.since().items()})
    q = f.questions()
    print("questions", len(q), "tcp", sum(x.transport=="tcp" for x in q), "sink", sum(x.server==SINK for x in q), "sinktcp", sum(x.server==SINK and x.transport=="tcp" for x in q))
