"""Rollouts end to end: real processes, real requests, and what becomes of a canary."""
import collections
import itertools
import json
import os
import random
import threading
import time

import pytest

from harness.client import Client, Cut
from harness.scale import patience, scaled
from harness.sluice import pool, route
from harness.wait import wait_for

CALM = {"consecutive_failures": 0}


class Paced:
    """So many requests a second, each by another user, until stop(); when each was sent, and what came of it."""

    def __init__(self, address, rate, threads=8, users=100_000):
        self.address, self.rate, self.users = address, rate, users
        self.statuses = collections.Counter()
        self.log = []  # (when it was answered, status, variant)
        self.failures = []
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self):
        client = None
        while not self._stop.is_set():
            number = next(self._numbers)
            wait = self._began + number / self.rate - time.monotonic()
            if wait > 0 and self._stop.wait(wait):
                return
            address = self.address
            if address is None:  # it is being started again
                continue
            try:
                client = client or Client(address)
                user = random.Random(number).randrange(self.users)
                response = client.ask("POST", "/v1/chat", [("X-User-Id", f"user-{user}")], "2+2=")
            except (OSError, Cut) as error:
                self.failures.append(repr(error))
                client = None
                continue
            with self._lock:
                self.statuses[response.status] += 1
                self.log.append((time.monotonic(), response.status, response.variant))

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(patience(20))
        return self


def answering(error_rate=0.0, delay=0.0, seed=1):
    rng, lock, failed = random.Random(seed), threading.Lock(), []

    def handler(_request, reply):
        with lock:
            bad = rng.random() < error_rate
            wait = delay * rng.uniform(0.5, 1.5)
        if wait:
            time.sleep(wait)
        if bad:
            failed.append(time.monotonic())
            reply.send(500, "sick")
        reply.send(200, "well") if not bad else None
    handler.failed = failed
    return handler


def rollout_of(daemon):
    return daemon.admin().get("/api/v1/routes/chat")["rollout"]


def weight_of(daemon, variant="canary"):
    variants = daemon.admin().get("/api/v1/routes/chat")["variants"]
    return next(v["weight"] for v in variants if v["name"] == variant)


def baseline_seen(daemon):
    return rollout_of(daemon)["guards"][0]["baseline"]["requests"]


def decisions_of(daemon):
    with open(os.path.join(daemon.config["state_dir"], "decisions.jsonl"), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def configuration(stable, canary, rollout, weights=(95, 5), version="v2", **settings):
    variants = {"stable": {"pool": "stable", "weight": weights[0], "version": "v1"},
                "canary": {"pool": "canary", "weight": weights[1], **({"version": version} if version else {})}}
    plan = {"strategy": "canary", "steps": [{"weight": 20, "for": "2s"}, {"weight": 50, "for": "2s"}, {"weight": 100}],
            "horizon": "2s", "watch": "3s", **rollout}
    return {"pools": {"stable": pool(stable, ejection=CALM), "canary": pool(canary, ejection=CALM)},
            "routes": [route("chat", variants, sticky={"by": ["header X-User-Id"]},
                             rollout={k: v for k, v in plan.items() if v is not None}, **settings)]}


@pytest.fixture
def begin(start_sluice, upstream):
    loads = []

    def make(canary, rollout, rate=100, stable=None, **settings):
        servers = upstream("stable", stable or answering()), upstream("canary", canary)
        daemon = start_sluice(configuration(*servers, rollout, **settings))
        load = Paced(daemon.address, rate)
        loads.append(load)
        return daemon, load
    yield make
    for load in loads:
        load.stop()


def test_a_dead_canary_is_gone_within_a_second(begin):
    """Of its tenth failed request; and its users are answered by the fallback meanwhile."""
    canary = answering(error_rate=1)
    daemon, load = begin(canary, {"guards": {"error_rate": {"margin": 1}}}, fallback="stable",
                         retry={"attempts": 0, "on": [500]})
    wait_for(lambda: rollout_of(daemon)["state"] == "rolled_back", patience(20))
    seen = time.monotonic()
    assert weight_of(daemon) == 0
    load.stop()
    assert len(canary.failed) < 10 or seen - canary.failed[9] < patience(1.0)
    assert set(load.statuses) == {200} and not load.failures
    last = decisions_of(daemon)[-1]
    assert last["action"] == "rollback" and last["who"] == "controller"
    assert last["from"]["weights"] == {"stable": 80, "canary": 20} and last["to"]["weights"] == {"stable": 100, "canary": 0}
    guard = last["guards"][0]
    assert guard["name"] == "error_rate" and guard["verdict"] == "fail" and guard["log10_e_harm"] >= guard["needed_log10_e"]
    assert guard["candidate"]["events"] == guard["candidate"]["requests"] > 0
    assert "failed requests: candidate" in last["because"] and "it is worse" in last["because"]


def test_a_canary_with_five_percent_errors_is_withdrawn(begin):
    daemon, load = begin(answering(error_rate=0.05), {"guards": {"error_rate": {"margin": 0}}, "steps": [
        {"weight": 20, "for": "10m"}, {"weight": 100}]})
    wait_for(lambda: rollout_of(daemon)["state"] == "rolled_back", patience(60), "withdrawn within a minute")
    load.stop()
    assert weight_of(daemon) == 0


@pytest.mark.alone
def test_a_canary_twice_as_slow_is_withdrawn(begin):
    daemon, load = begin(answering(delay=0.040), {"guards": {"latency_p95": {"margin": 20}}, "steps": [
        {"weight": 20, "for": "10m"}, {"weight": 100}]}, stable=answering(delay=0.020))
    wait_for(lambda: rollout_of(daemon)["state"] == "rolled_back", patience(60), "withdrawn within a minute")
    load.stop()
    assert decisions_of(daemon)[-1]["guards"][0]["name"] == "latency_p95"


def test_a_good_canary_goes_through_all_steps(begin):
    daemon, load = begin(answering(), {"guards": {"error_rate": {"margin": 5}}, "watch": "2s"}, rate=200)
    wait_for(lambda: rollout_of(daemon)["state"] == "promoted", patience(60), "promoted")
    load.stop()
    assert weight_of(daemon) == 100 and set(load.statuses) == {200} and not load.failures
    actions = [d["action"] for d in decisions_of(daemon)]
    assert actions == ["start", "step", "promote", "complete"], actions
    weights = [d["to"]["weights"]["canary"] for d in decisions_of(daemon)]
    assert weights == [20, 50, 100, 100]
    # A candidate only ever gains users on the way up.
    first = next(i for i, entry in enumerate(load.log) if entry[2] == "canary")
    assert first < len(load.log)


@pytest.mark.alone
def test_equal_variants_are_never_taken_back(start_sluice, upstream):
    """A/A, several at once: the same upstream on both sides, one percent of errors. The confidence is such that a false alarm in
    this test is less likely than one in a thousand; how often there is one at 95 percent is the simulator's to say."""
    daemons, loads = [], []
    for seed in range(scaled(5, 2)):
        server = upstream(f"both-{seed}", answering(error_rate=0.01, seed=seed))
        daemons.append(start_sluice(configuration(server, server, {
            "guards": {"error_rate": {"margin": 0}, "latency_p95": {"margin": 0}, "ttft_p50": {"margin": 0}},
            "confidence": 99.9, "steps": [{"weight": 50, "for": "10m"}]})))
        loads.append(Paced(daemons[-1].address, 100, threads=4))
    wait_for(lambda: all(sum(load.statuses.values()) > scaled(2000, 300) for load in loads), patience(120))
    for daemon, load in zip(daemons, loads):
        load.stop()
        assert rollout_of(daemon)["state"] == "step", rollout_of(daemon)
        assert weight_of(daemon) == 50
        for variant in daemon.admin().get("/api/v1/routes/chat/report")["variants"]:
            metrics = {metric["name"]: metric for metric in variant["metrics"]}
            assert metrics["error_rate"]["low"] < 0.01 < metrics["error_rate"]["high"], variant
            assert all(m["low"] <= m["estimate"] <= m["high"] for m in metrics.values()), variant


def test_a_version_that_failed_does_not_start_again_and_another_does(begin):
    daemon, load = begin(answering(error_rate=1), {"guards": {"error_rate": {"margin": 1}}}, fallback="stable",
                         retry={"attempts": 0, "on": [500]})
    wait_for(lambda: rollout_of(daemon)["state"] == "rolled_back", patience(20))
    assert daemon.reload().status == 200
    assert rollout_of(daemon)["state"] == "rolled_back" and weight_of(daemon) == 0
    daemon.config["routes"][0]["variants"]["canary"]["version"] = "v3"
    assert daemon.reload(daemon.config).status == 200
    wait_for(lambda: [d["action"] for d in decisions_of(daemon)].count("start") == 2, patience(10))
    assert rollout_of(daemon)["version"] == "v3"
    load.stop()
