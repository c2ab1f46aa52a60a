"""A/B tests: scores come in as feedback, the better variant wins, equal ones do not."""
import json
import random
import threading

import pytest

from harness.admin import Admin
from harness.scale import patience, scaled
from harness.sluice import pool, route
from harness.wait import wait_for
from test_rollout import Paced, answering, decisions_of, rollout_of, weight_of


def start(start_sluice, upstream, **rollout):
    names = ("stable", "canary")
    settings = {"strategy": "ab", "goal": {"metric": "quality", "direction": "up"}, **rollout}
    variants = {n: {"pool": n, "weight": 50, "version": f"{n}-1"} for n in names}
    return start_sluice({"pools": {n: pool(upstream(n)) for n in names},
                         "routes": [route("chat", variants, sticky={"by": ["header X-User-Id"]}, rollout=settings)]})


def post_scores(daemon, quality, most, seed=1):
    """One score after the other, 0 or 1, until somebody has won; how many there were."""
    rng = random.Random(seed)
    admin = Admin(daemon.config["admin"]["address"][5:])
    for number in range(most):
        variant = ("stable", "canary")[number % 2]
        body = {"route": "chat", "variant": variant, "score": 1 if rng.random() < quality[variant] else 0}
        assert admin.ask("POST", "/api/v1/feedback", body=json.dumps(body)).status == 200
        if number % 200 == 199 and rollout_of(daemon)["winner"]:
            return number + 1
    return most


def test_the_better_quality_wins(start_sluice, upstream):
    """Three points more: found within some thousand scores, and the right one."""
    daemon = start(start_sluice, upstream, on_winner="promote", watch="500ms")
    quality = {"stable": 0.80, "canary": 0.83} if scaled(10) == 10 else {"stable": 0.6, "canary": 0.9}
    count = post_scores(daemon, quality, 60_000)
    wait_for(lambda: rollout_of(daemon)["winner"] == "canary", patience(10), f"a winner after {count} scores")
    wait_for(lambda: weight_of(daemon) == 100, patience(10), "it is promoted")
    won = next(d for d in decisions_of(daemon) if d["action"] == "winner")
    assert "canary wins by quality" in won["because"] and "stable" in won["because"]
    report = daemon.cli("report", "chat")
    assert report.returncode == 0 and "winner: canary" in report.stdout, report.stdout
    measured = json.loads(daemon.cli("report", "chat", "--json").stdout)
    for variant in measured["variants"]:
        metric = next(m for m in variant["metrics"] if m["name"] == "quality")
        assert 0 < metric["low"] < metric["estimate"] < metric["high"] < 1, metric
        assert metric["low"] < quality[variant["name"]] < metric["high"], (metric, quality)


def test_equal_variants_have_no_winner(start_sluice, upstream):
    daemon = start(start_sluice, upstream)
    post_scores(daemon, {"stable": 0.8, "canary": 0.8}, scaled(6000, 600), seed=7)
    report = daemon.cli("report", "chat")
    assert rollout_of(daemon)["winner"] is None and rollout_of(daemon)["state"] == "step"
    assert "no winner yet" in report.stdout and "better than" in report.stdout, report.stdout
    assert weight_of(daemon) == 50


def test_a_test_ends_after_max_duration(start_sluice, upstream):
    daemon = start(start_sluice, upstream, max_duration="1s")
    wait_for(lambda: rollout_of(daemon)["state"] == "stopped", patience(15))
    assert weight_of(daemon) == 50 and "without a winner" in rollout_of(daemon)["because"]


@pytest.mark.parametrize("on_winner", ["hold", "promote"])
def test_what_was_counted_survives_a_restart(start_sluice, upstream, on_winner):
    daemon = start(start_sluice, upstream, on_winner=on_winner)
    post_scores(daemon, {"stable": 0.6, "canary": 0.7}, 400)
    before = daemon.admin().get("/api/v1/routes/chat/report")
    assert daemon.stop() == 0
    daemon.start()
    after = daemon.admin().get("/api/v1/routes/chat/report")
    assert [v["metrics"] for v in after["variants"]] == [v["metrics"] for v in before["variants"]]
    assert rollout_of(daemon)["state"] == "step"


@pytest.mark.parametrize("goal", ["latency_p50", "ttft_p95", "error_rate"])
def test_less_wins(start_sluice, upstream, goal):
    """The metrics of which less is better need no `direction`."""
    worse = answering(error_rate=0.3) if goal == "error_rate" else answering(delay=0.030)
    better = answering() if goal == "error_rate" else answering(delay=0.010)
    variants = {n: {"pool": n, "weight": 50, "version": f"{n}-1"} for n in ("stable", "canary")}
    daemon = start_sluice({"pools": {"stable": pool(upstream("stable", worse), ejection={"consecutive_failures": 0}),
                                     "canary": pool(upstream("canary", better))},
                           "routes": [route("chat", variants, sticky={"by": ["header X-User-Id"]}, rollout={
                               "strategy": "ab", "goal": {"metric": goal}, "on_winner": "hold", "horizon": "1s"})]})
    load = Paced(daemon.address, 100, threads=6)
    try:
        wait_for(lambda: rollout_of(daemon)["winner"], patience(60), "a winner")
    finally:
        load.stop()
    assert rollout_of(daemon)["winner"] == "canary" and rollout_of(daemon)["state"] == "stopped"
    assert f"canary wins by {goal}" in decisions_of(daemon)[-1]["because"]
    assert daemon.cli("watch", "chat", "--exit-status").returncode == 0


def three(start_sluice, upstream, third, **rollout):
    weights = {"stable": 34, "second": 33, "third": 33}
    handlers = {"stable": answering(), "second": answering(), "third": third}
    variants = {n: {"pool": n, "weight": w, "version": f"{n}-1"} for n, w in weights.items()}
    settings = {"strategy": "ab", "baseline": "stable", "candidate": "second", "goal": {"metric": "quality"}, "horizon": "1s", **rollout}
    return start_sluice({"pools": {n: pool(upstream(n, handlers[n]), ejection={"consecutive_failures": 0}) for n in weights},
                         "routes": [route("chat", variants, sticky={"by": ["header X-User-Id"]}, rollout=settings)]})


def test_each_of_several_candidates_is_guarded(start_sluice, upstream):
    daemon = three(start_sluice, upstream, answering(error_rate=1), guards={"error_rate": {"margin": 1}})
    load = Paced(daemon.address, 100, threads=6)
    wait_for(lambda: rollout_of(daemon)["state"] == "rolled_back", patience(20))
    load.stop()
    guards = {guard["variant"]: guard["verdict"] for guard in rollout_of(daemon)["guards"]}
    assert guards["third"] == "fail" and guards["second"] != "fail", guards
    last = decisions_of(daemon)[-1]
    assert last["because"].startswith("back from 66 % to 0 % at once: third: failed"), last["because"]
    assert weight_of(daemon, "stable") == 100
    assert "error_rate of third" in daemon.cli("status", "chat").stdout
    report = json.loads(daemon.cli("report", "chat", "--json").stdout)
    assert {(c["metric"], c["of"]) for c in report["comparisons"] if "of" in c} == {("error_rate", "second"), ("error_rate", "third")}


def test_the_best_of_three_wins_and_is_watched(start_sluice, upstream):
    """Its guard goes on after the others have no traffic any more; and a restart forgets none of them."""
    sick = threading.Event()
    daemon = three(start_sluice, upstream, lambda _request, reply: reply.send(500 if sick.is_set() else 200, "x"),
                   guards={"error_rate": {"margin": 5}}, on_winner="promote", watch="10m")
    load = Paced(daemon.address, 100, threads=6)
    wait_for(lambda: all(g["baseline"]["requests"] > 150 for g in rollout_of(daemon)["guards"]), patience(30))
    load.address = None
    daemon.restart()
    load.address = daemon.address
    assert all(g["baseline"]["requests"] > 100 for g in rollout_of(daemon)["guards"])
    admin = Admin(daemon.config["admin"]["address"][5:])
    rng = random.Random(3)
    for number in range(6000):
        variant = ("stable", "second", "third")[number % 3]
        body = {"route": "chat", "variant": variant, "score": 1 if rng.random() < (0.9 if variant == "third" else 0.5) else 0}
        assert admin.ask("POST", "/api/v1/feedback", body=json.dumps(body)).status == 200
        if number % 100 == 99 and rollout_of(daemon)["winner"]:
            break
    wait_for(lambda: rollout_of(daemon)["state"] == "watch", patience(20))
    assert rollout_of(daemon)["winner"] == "third" and weight_of(daemon, "third") == 100
    sick.set()
    wait_for(lambda: rollout_of(daemon)["state"] == "rolled_back", patience(20))
    load.stop()
    assert weight_of(daemon, "stable") == 100 and "third: failed" in decisions_of(daemon)[-1]["because"]
