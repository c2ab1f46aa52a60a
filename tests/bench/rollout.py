"""What docs say of rollouts in figures, measured: python3 tests/bench/rollout.py [--sluice PROGRAM] WHAT [--runs N]

adoption  from a change of the weights until the last of four workers decides by it, under load; and until the API answers
dead, errors, slow, equal
          a canary at 20 percent of 100 requests a second that fails always, at 5 percent, takes twice as long, or is as good
          as the baseline; how long until it is withdrawn (equal: that it stays for --seconds)
counting  what the counting for a rollout adds to a request, in instructions of the worker (valgrind's callgrind)
"""
import argparse
import glob
import os
import pathlib
import re
import statistics
import sys
import tempfile
import time

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "integration"
sys.path.insert(0, str(FOLDER))
OPTIONS = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
OPTIONS.add_argument("what", choices=["adoption", "dead", "errors", "slow", "equal", "counting"])
OPTIONS.add_argument("--sluice", default=str(FOLDER.parents[1] / "build/release/sluice"))
OPTIONS.add_argument("--runs", type=int, default=20)
OPTIONS.add_argument("--seconds", type=float, default=75)
ARGUMENTS = OPTIONS.parse_args()
os.environ["SLUICE"] = ARGUMENTS.sluice

# pylint: disable=wrong-import-position
from harness.client import Client  # noqa: E402
from harness.sluice import Sluice, pool, route  # noqa: E402
from harness.upstream import Upstream  # noqa: E402
import test_rollout  # noqa: E402

GUARDS = {"error_rate": {"margin": 0.5}, "latency_p95": {"margin": 20}, "ttft_p95": {"margin": 20}}
KINDS = {  # error rate and seconds of the baseline, of the canary
    "dead": ((0, 0), (1, 0)), "errors": ((0.01, 0), (0.05, 0)), "slow": ((0, 0.02), (0, 0.04)), "equal": ((0.01, 0.02), (0.01, 0.02)),
}


def begin(folder, number, kind, **settings):
    """A daemon under load whose canary has not been released yet."""
    servers = [Upstream(name, test_rollout.answering(*how, seed=1000 * i + number))
               for i, (name, how) in enumerate(zip(("stable", "canary"), KINDS[kind]))]
    plan = {"guards": GUARDS, "steps": [{"weight": 20, "for": "10m"}, {"weight": 100}], "keep_warm": "10m"}
    config = {**test_rollout.configuration(*servers, plan, version=None), **settings}
    daemon = Sluice(folder, config, name=f"sluice{number}")
    return daemon, test_rollout.Paced(daemon.address, 100, threads=6)


def release(daemon):
    daemon.config["routes"][0]["variants"]["canary"]["version"] = "v2"
    assert daemon.reload(daemon.config).status == 200


def tell(name, values, unit):
    values = sorted(values)
    print(f"{name}: median {statistics.median(values):.2f}, 95 % {values[int(len(values) * 0.95)]:.2f}, "
          f"most {values[-1]:.2f} {unit} of {len(values)}", flush=True)


def adoption(folder):
    daemon, load = begin(folder, 0, "equal", workers=4)
    release(daemon)
    took, answered = [], []
    for i in range(2 * ARGUMENTS.runs):
        began = time.perf_counter()
        answer = daemon.admin().ask("POST", f"/api/v1/routes/chat/{('rollback', 'promote')[i % 2]}", body="{}")
        answered.append(1000 * (time.perf_counter() - began))
        assert answer.status == 200, answer.text
        took.append(1000 * daemon.metrics().sum("sluice_plan_adoption_seconds"))
        time.sleep(0.05)
    load.stop()
    daemon.finish()
    tell("until the last worker", took, "ms")
    tell("until the answer", answered, "ms")


def withdrawn(daemon, load, began):
    """Seconds, or None when it stayed; says which."""
    while time.monotonic() < began + ARGUMENTS.seconds:
        if test_rollout.rollout_of(daemon)["state"] == "rolled_back":
            break
        time.sleep(0.02)
    took = time.monotonic() - began
    stays = test_rollout.rollout_of(daemon)["state"] == "step"
    load.stop()
    print(f"  {'stays' if stays else f'withdrawn after {took:.1f} s'}: {sum(load.statuses.values())} requests; "
          f"{test_rollout.decisions_of(daemon)[-1]['because']}", flush=True)
    daemon.finish()
    return None if stays else took


def canaries(folder):
    took = []
    for first in range(0, ARGUMENTS.runs, 4):  # as many at once as the load generator can feed
        there = [begin(folder, number, ARGUMENTS.what) for number in range(first, min(first + 4, ARGUMENTS.runs))]
        time.sleep(5)  # the baseline has a history
        began = []
        for daemon, _ in there:
            began.append(time.monotonic())
            release(daemon)
        took += [withdrawn(daemon, load, at) for (daemon, load), at in zip(there, began)]
    gone = [seconds for seconds in took if seconds is not None]
    print(f"{ARGUMENTS.what}: {len(gone)} of {len(took)} were withdrawn")
    if gone:
        tell("withdrawn after", gone, "s")


def instructions(folder, with_rollout, requests):
    """Of the worker, in all."""
    variants = {"stable": {"pool": "p", "weight": 80, "version": "v1"}, "canary": {"pool": "p", "weight": 20, "version": "v2"}}
    rollout = {"rollout": {"strategy": "canary", "steps": [{"weight": 20, "for": "10m"}, {"weight": 100}], "guards": GUARDS}}
    config = {"workers": 1, "pools": {"p": pool(Upstream("both"))},
              "routes": [route("chat", variants, sticky={"by": ["header X-User-Id"]}, **(rollout if with_rollout else {}))]}
    out = os.path.join(folder, f"callgrind-{with_rollout}-{requests}")
    daemon = Sluice(folder, config, name=f"counted{with_rollout}{requests}",
                    argv_prefix=("valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"))
    with Client(daemon.address, timeout=60) as client:
        for number in range(requests):
            assert client.ask("POST", "/v1/chat", [("X-User-Id", f"user-{number % 500}")], "2+2=").status == 200
    daemon.stop()
    file, = glob.glob(out + "-02")  # the first thread after the control thread
    return int(re.search(r"^(?:summary|totals): (\d+)", pathlib.Path(file).read_text(encoding="utf-8"), re.M)[1])


def counting(folder):
    few, many = 1000, 5000
    cost = [(instructions(folder, with_rollout, many) - instructions(folder, with_rollout, few)) / (many - few)
            for with_rollout in (False, True)]
    print(f"instructions of the worker for a request: {cost[0]:.0f} without a rollout, {cost[1]:.0f} with one with three guards")


with tempfile.TemporaryDirectory() as made:
    {"adoption": adoption, "counting": counting}.get(ARGUMENTS.what, canaries)(made)
