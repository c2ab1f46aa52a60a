"""Rollouts that judge what answers cost, how fast their tokens come, and streams that fail behind their head."""
import json
import random
import threading
import time

import pytest

from harness.scale import patience
from harness.wait import wait_for
from test_rollout import Paced, configuration, decisions_of, rollout_of, weight_of

PRICE = {"input": 2.5, "output": 10}
EVEN = [{"weight": 50, "for": "1s"}, {"weight": 100}]
JSON = [("Content-Type", "application/json")]


def telling(completion, delay=0.0, seed=1):
    """Answers that take 100 prompt tokens and about so many completion tokens; None: they tell nothing."""
    rng, lock = random.Random(seed), threading.Lock()

    def handler(_request, reply):
        with lock:
            spread, wait = rng.uniform(0.8, 1.2), delay * rng.uniform(0.9, 1.1)
        if wait:
            time.sleep(wait)
        usage = {"prompt_tokens": 100, "completion_tokens": int(completion * spread)} if completion else None
        reply.send(200, json.dumps({"choices": [], "usage": usage}), JSON)
    return handler


@pytest.fixture
def begin(start_sluice, upstream):
    loads = []

    def make(stable, canary, rollout, rate=150):
        config = configuration(upstream("stable", stable), upstream("canary", canary),
                               {"steps": EVEN, "horizon": "1s", "watch": "500ms", **rollout})
        for variant in config["routes"][0]["variants"].values():
            variant["price"] = PRICE
        daemon = start_sluice(config)
        loads.append(Paced(daemon.address, rate))
        return daemon
    yield make
    for load in loads:
        load.stop()


def judged(daemon, name):
    return next(g for g in rollout_of(daemon)["guards"] if g["name"] == name)


def test_a_canary_that_costs_half_as_much_again_is_rolled_back(begin):
    daemon = begin(telling(200), telling(312, seed=2), {"guards": {"cost_per_request": {"margin": 10}}})
    wait_for(lambda: rollout_of(daemon)["state"] == "rolled_back", patience(30))
    assert weight_of(daemon) == 0
    last = decisions_of(daemon)[-1]
    assert last["action"] == "rollback" and last["who"] == "controller"
    assert "cost_per_request" in last["because"] and "it is worse" in last["because"], last["because"]
    guard, = last["guards"]
    assert guard["baseline"]["estimate"] == pytest.approx((100 * 2.5 + 200 * 10) / 1e6, rel=0.05)
    assert guard["candidate"]["estimate"] == pytest.approx((100 * 2.5 + 312 * 10) / 1e6, rel=0.05)
    assert guard["baseline"]["requests"] >= 200 and guard["candidate"]["requests"] >= 200
    # What the guard saw is what was paid.
    metrics = daemon.metrics()
    for variant in "stable", "canary":
        prompt, completion = (metrics.sum("sluice_tokens_total", variant=variant, type=t) for t in ("prompt", "completion"))
        assert metrics.sum("sluice_cost_dollars_total", variant=variant) == pytest.approx((prompt * 2.5 + completion * 10) / 1e6)


def test_a_canary_that_costs_the_same_is_promoted(begin):
    daemon = begin(telling(200), telling(200, seed=2), {"guards": {"cost_per_request": {"margin": 10}}})
    wait_for(lambda: rollout_of(daemon)["state"] == "promoted", patience(40))


def test_answers_without_usage_are_no_cheap_answers(begin):
    """They give no value at all: the rollout steps no further and says that it knows nothing."""
    daemon = begin(telling(200), telling(None), {"guards": {"cost_per_request": {"margin": 10}}})
    wait_for(lambda: judged(daemon, "cost_per_request")["baseline"]["requests"] >= 200, patience(30))
    wait_for(lambda: rollout_of(daemon)["step_requests"] >= 300, patience(30))
    guard = judged(daemon, "cost_per_request")
    assert guard["verdict"] == "no_data" and guard["candidate"]["requests"] == 0 and "no values" in guard["because"]
    assert rollout_of(daemon)["state"] == "step" and weight_of(daemon) == 50


def test_slow_tokens_are_a_signal(begin):
    """Evidence of harm; but it rolls nothing back."""
    daemon = begin(telling(100, delay=0.02), telling(100, delay=0.06, seed=2),
                   {"signals": {"tokens_per_second": {"margin": 15}}, "steps": [{"weight": 50, "for": "5m"}, {"weight": 100}]})
    wait_for(lambda: judged(daemon, "tokens_per_second")["verdict"] == "fail", patience(40))
    signal = judged(daemon, "tokens_per_second")
    assert signal["role"] == "signal" and signal["unit"] == "per_second" and "it is worse" in signal["because"]
    assert signal["candidate"]["estimate"] < 0.85 * signal["baseline"]["estimate"]
    assert signal["baseline"]["estimate"] < 120 / 0.018  # no faster than the answers can have come
    assert rollout_of(daemon)["state"] == "step" and weight_of(daemon) == 50


def test_streams_that_fail_behind_their_head_are_errors(begin):
    def failing(_request, reply):
        reply.begin_sse()
        reply.event(json.dumps({"choices": [{"delta": {"content": "Hel"}}]}))
        reply.event(json.dumps({"error": {"message": "CUDA out of memory", "code": 500}}))
        reply.end_chunked()
    daemon = begin(telling(200), failing, {"guards": {"error_rate": {"margin": 1}}})
    wait_for(lambda: rollout_of(daemon)["state"] == "rolled_back", patience(20))
    assert "failed" in decisions_of(daemon)[-1]["because"]
    assert daemon.metrics().sum("sluice_request_errors_total", variant="canary", reason="error_event") >= 5
