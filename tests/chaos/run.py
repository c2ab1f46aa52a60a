#!/usr/bin/env python3
"""Chaos by seed: a daemon, model servers that fail, clients that go away, and an operator who does everything at once;
then an oracle judges every request.

    run.py --seed 7                    one seed, with its story
    run.py --first 1 --count 200 --jobs 4 --seconds 20
The daemon is build/release/sluice, or what SLUICE names. A seed says what is done and to whom, not when the machine lets it happen: run a failing one again until it shows."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from datetime import datetime

HERE = pathlib.Path(__file__).resolve().parent
os.environ.setdefault("SLUICE", str(HERE.parents[1] / "build" / "release" / "sluice"))
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]
# pylint: disable=wrong-import-position
from clients import Visitor  # noqa: E402
from endpoints import Endpoint  # noqa: E402
from entitlement import Ledger  # noqa: E402
from operate import Operator, Watcher  # noqa: E402
from oracle import Oracle  # noqa: E402
from world import VARIANTS, World  # noqa: E402
from harness.sluice import Sluice  # noqa: E402
from harness.successor import adopt_orphans  # noqa: E402

CLIENTS = 6


@dataclass
class Happened:
    world: World
    operator: Operator
    accounts: list
    book: list
    lines: list
    ledgers: dict
    counted: float = 0.0  # requests, by the metrics; None: they began anew


class Stage:
    """One seed's daemon, endpoints and clients."""

    def __init__(self, seed, folder):
        rng = random.Random(seed)
        self.seed, self.folder = seed, folder
        self.world = World(rng, faults=seed % 2 == 1)
        self.log = os.path.join(folder, "access.log")
        self.book, self.accounts = [], []
        self.endpoints = {n: Endpoint(n, f"{seed}-{n}", self.book) for n in self.world.names()}
        self.ledgers = {name: Ledger(VARIANTS[name]) for name in ("chat", "session")}
        self.stop, self.watched = threading.Event(), threading.Event()
        self.daemon = Sluice(folder, self.world.config(self.endpoints, self.log), name="chaos")
        self.operator = Operator(f"{seed}-operator", self.world, self.daemon, self.endpoints, self.log, self.ledgers)
        self.operator.upgrades = seed % 3 != 0  # the metrics of the other seeds are those of one process

    def play(self, seconds):
        watcher = Watcher(self.daemon, self.ledgers, self.watched)
        watcher.start()
        visitors = [Visitor(f"s{self.seed}c{i}", f"{self.seed}-client-{i}", self.daemon.address, self.accounts, self.stop, self.world.faults)
                    for i in range(CLIENTS)]
        for visitor in visitors:
            visitor.start()
        self.operator.work(seconds, self.stop)
        self.operator.finish()
        self.stop.set()
        for visitor in visitors:
            visitor.join(60)
            assert not visitor.is_alive(), f"{visitor.name} never ended"
            assert not visitor.failure, visitor.failure
        self.operator.old_ones_ended()
        self.operator.at_rest()
        self.watched.set()
        watcher.join(30)
        assert not watcher.failure, f"the status was not to be had: {watcher.failure}"

    def judge(self):
        for decision in self.daemon.admin().get("/api/v1/routes/chat/decisions?last=1000")["decisions"]:
            at = datetime.fromisoformat(decision["time"].replace("Z", "+00:00")).timestamp()
            self.ledgers["chat"].decision(at, decision["from"]["weights"], decision["to"]["weights"])
        counted = self.daemon.metrics().sum("sluice_requests_total")
        upgraded = "upgrade" in self.operator.done
        self.daemon.finish()
        lines = [json.loads(line) for line in pathlib.Path(self.log).read_text(encoding="utf-8").splitlines()]
        happened = Happened(self.world, self.operator, self.accounts, self.book, lines, self.ledgers, None if upgraded else counted)
        violations = self.operator.wrong + Oracle(happened).judge()
        if happened.counted is not None and happened.counted != len(lines):
            violations.append(f"{len(lines)} requests in the log, {happened.counted:g} in the metrics")
        return happened, violations

    def close(self):
        self.stop.set()
        self.watched.set()
        for process in [*self.operator.old, self.daemon.child]:
            process.kill()
        for endpoint in self.endpoints.values():
            if endpoint.name in self.operator.down:
                continue
            unexpected = endpoint.stop()
            assert not unexpected, unexpected


def one(seed, seconds, keep=False):
    """(a line about it, violations)"""
    folder = tempfile.mkdtemp(prefix=f"chaos-{seed}-")
    stage = Stage(seed, folder)
    try:
        stage.play(seconds)
        happened, violations = stage.judge()
    finally:
        stage.close()
    ends = {}
    for account in happened.accounts:
        key = account.end if account.end != "answered" else str(account.status)
        ends[key] = ends.get(key, 0) + 1
    if not violations and not keep:
        shutil.rmtree(folder)
    told = " ".join(f"{k}={v}" for k, v in sorted(ends.items()))
    acts = " ".join(f"{a}={stage.operator.done.count(a)}" for a in sorted(set(stage.operator.done)))
    return f"seed {seed}: {len(happened.accounts)} requests: {told}; {acts}; {len(violations)} violations" + (
        f"; kept in {folder}" if violations or keep else ""), violations


def apart(seed, seconds):
    """A seed in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--seed", str(seed), "--seconds", str(seconds)], capture_output=True, text=True,
                          timeout=seconds * 10 + 240, check=False)
    return seed, done.returncode, done.stdout + done.stderr


def many(first, count, seconds, jobs):
    bad, requests = [], 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for seed, code, output in pool.map(lambda s: apart(s, seconds), range(first, first + count)):
            line = next((l for l in output.splitlines() if l.startswith("seed ")), f"seed {seed}: did not end well")
            print(line if code == 0 else output[-6000:], flush=True)
            requests += int(line.split()[2]) if code == 0 else 0
            if code:
                bad.append(seed)
    print(f"{count} seeds of {seconds} s, {requests} requests, {len(bad)} seeds with violations {bad or ''}")
    return 1 if bad else 0


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int)
    options.add_argument("--first", type=int, default=1)
    options.add_argument("--count", type=int, default=10)
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--keep", action="store_true", help="the seed's folder, also without violations")
    given = options.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 20000)), hard))
    if given.seed is None:
        return many(given.first, given.count, given.seconds, given.jobs)
    adopt_orphans()
    line, violations = one(given.seed, given.seconds, given.keep)
    print(line)
    for violation in violations[:20]:
        print(f"  {violation}")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
