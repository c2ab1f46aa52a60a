#!/usr/bin/python3
"""How soon the last instance of a fleet has taken a candidate back, from the decision on.

    SLUICE=build/release/sluice /usr/bin/python3 tests/bench/fleet_rollback.py [--runs 20] [--proxies 5] [--members 3] [--rate 40]

Each run: a candidate at 20 percent, requests on all proxies; it is taken back once by a person's command to a proxy that does not
lead, and once because it fails. The decision's time stands in its record. An instance has it when its log says so, plus what its
workers took to adopt the weights (sluice_plan_adoption_seconds). One machine, one clock, milliseconds. Must be: the last instance
below 1 s, the median below 100 ms; exit code 1 otherwise."""
import argparse
import datetime
import multiprocessing
import pathlib
import re
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
# pylint: disable=wrong-import-position
from harness.etcd import Etcd  # noqa: E402
from harness.sluice import Sluice  # noqa: E402
from harness.upstream import Upstream  # noqa: E402
from harness.wait import wait_for  # noqa: E402
import test_rollout  # noqa: E402
from test_fleet import leaders, settled  # noqa: E402

CAME = re.compile(r"^(\S+) info rollout, as the fleet has it route=chat state=rolled_back", re.M)


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def load(addresses, rate, end):
    """A process of its own: who measures does not wait for it."""
    paced = [test_rollout.Paced(address, rate, threads=2) for address in addresses]
    end.wait()
    failures = [failure for one in paced for failure in one.stop().failures]
    print(f"{sum(sum(one.statuses.values()) for one in paced)} requests, {len(failures)} failures {failures[:3]}", flush=True)


def config(store, servers, number):
    plan = {"steps": [{"weight": 20, "for": "10m"}, {"weight": 100}], "guards": {"error_rate": {"margin": 1}}, "horizon": "1s"}
    return {"workers": 1, **test_rollout.configuration(*servers, plan),
            "fleet": {"instance": f"proxy-{number}", "etcd": {"endpoints": store.urls, "prefix": "/sluice/test", "ttl": "5s"}}}


class Bench:
    def __init__(self, folder, settings):
        self.ill = False
        self.store = Etcd(folder, settings.members)
        self.servers = [Upstream("stable"), Upstream("canary", self.canary)]
        self.daemons = [Sluice(folder, config(self.store, self.servers, n), name=f"sluice{n}") for n in range(settings.proxies)]
        wait_for(lambda: settled(self.daemons), 30, "the fleet knows itself")

    def canary(self, _request, reply):
        reply.send(500 if self.ill else 200, "as told")

    def all_have(self, state, weight):
        def have():
            return all(test_rollout.rollout_of(d)["state"] == state and test_rollout.weight_of(d) == weight for d in self.daemons)
        wait_for(have, 60, f"all are in {state}", interval=0.05)

    def begin(self):
        if test_rollout.rollout_of(self.daemons[0])["state"] == "rolled_back":
            assert self.daemons[0].admin().ask("POST", "/api/v1/routes/chat/retry", {}).status == 200
        self.all_have("step", 20)
        time.sleep(1.5)

    def taken_back(self, began=None):
        """Milliseconds of each proxy that follows, from the decision on; and until the decision, from `began` on."""
        self.all_have("rolled_back", 0)
        decided = seconds(test_rollout.decisions_of(self.daemons[0])[-1]["time"])
        followers = [d for d in self.daemons if d not in leaders(self.daemons)]
        took = [seconds(CAME.findall(d.stderr())[-1]) - decided + d.metrics().sum("sluice_plan_adoption_seconds") for d in followers]
        return [1000 * t for t in took], began and 1000 * (decided - began)

    def command(self):
        self.begin()
        member = next(d for d in self.daemons if d not in leaders(self.daemons))
        began = time.time()
        answer = member.admin().ask("POST", "/api/v1/routes/chat/rollback", {"reason": "measured"})
        assert answer.status == 200, answer.text
        return self.taken_back(began)

    def evidence(self):
        self.begin()
        self.ill = True
        took = self.taken_back()
        self.ill = False
        time.sleep(1.5)  # what failed before is not counted in the next one
        return took

    def stop(self):
        for one in [*self.daemons, self.store, *self.servers]:
            one.stop()


def tell(name, values):
    values = sorted(values)
    print(f"{name}: median {statistics.median(values):.1f} ms, 95 % {values[int(len(values) * 0.95)]:.1f} ms, "
          f"most {values[-1]:.1f} ms of {len(values)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--proxies", type=int, default=5)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--rate", type=float, default=40, help="requests a second on each proxy")
    settings = parser.parse_args()
    last = {"command": [], "evidence": []}
    each, until = [], []
    with tempfile.TemporaryDirectory() as folder:
        bench, end = Bench(folder, settings), multiprocessing.Event()
        loads = multiprocessing.Process(target=load, args=([d.address for d in bench.daemons], settings.rate, end))
        loads.start()
        try:
            for _ in range(settings.runs):
                for name, run in (("command", bench.command), ("evidence", bench.evidence)):
                    took, before = run()
                    last[name].append(max(took))
                    each += took
                    until += [before] if before else []
        finally:
            end.set()
            loads.join()
            bench.stop()
    tell("from a command to a member until the decision", until)
    tell("from the decision until each of the followers has no traffic for it", each)
    for name, values in last.items():
        tell(f"… until the last one, by {name}", values)
    worst = [v for values in last.values() for v in values]
    return 0 if max(worst) < 1000 and statistics.median(worst) < 100 else 1


if __name__ == "__main__":
    sys.exit(main())
