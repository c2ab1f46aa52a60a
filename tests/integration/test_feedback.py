"""Scores posted as feedback: whom they are counted for, once each, and what is refused."""
import json
import os
import random
import shutil

import pytest

from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for
from test_rollout_commands import feedback, refused, start, state  # pylint: disable=unused-import


def test_feedback_finds_its_variant(start):
    daemon = start(guards={"quality": {"margin": 0.02}})
    named = feedback(daemon, route="chat", variant="canary", score=0.9)
    assert named.json() == {"route": "chat", "variant": "canary", "metric": "quality", "counted": True, "judged": True}
    served = {u: daemon.ask(headers=[("X-User-Id", u)]).text for u in ("alice", "bob", "carol")}
    for unit, variant in served.items():
        assert feedback(daemon, route="chat", unit=unit, score=1).json()["variant"] == variant
    both = feedback(daemon, route="chat", unit="alice", variant="canary", score=1)
    assert both.json()["variant"] == "canary", "the unit only says whose score it is"

    def scored():
        guard = state(daemon)["guards"][0]
        return guard["baseline"]["requests"] + guard["candidate"]["requests"] == 5
    wait_for(scored, patience(20), "the scores are counted by the guard")
    other = feedback(daemon, route="chat", variant="canary", score=0.5, metric="tone").json()
    assert other["counted"] is True and other["judged"] is False
    assert feedback(daemon, route="plain", variant="canary", score=0.5).json()["judged"] is False


def test_scores_are_in_the_metrics_whoever_asks_for_them(start):
    daemon = start()
    for score in (0.25, 0.5):
        assert feedback(daemon, route="chat", variant="canary", score=score, metric="helpfulness").status == 200
    metrics = daemon.metrics()
    assert metrics.sum("sluice_score_sum", route="chat", variant="canary", metric="helpfulness") == 0.75
    assert metrics.sum("sluice_score_count", route="chat", variant="canary", metric="helpfulness") == 2


def test_the_baselines_scores_count_beside_a_control_slice(start):
    """With `control` requests are compared with a slice of the baseline; scores name the variant, which is all of it."""
    daemon = start(guards={"quality": {"margin": 0.02}}, control=True)
    for variant in ("stable", "canary"):
        assert feedback(daemon, route="chat", variant=variant, score=0.5).json()["judged"] is True
    guard, = wait_for(lambda: [g for g in state(daemon)["guards"] if g["candidate"]["requests"]], patience(10), "judged")
    assert (guard["baseline"]["requests"], guard["candidate"]["requests"]) == (1, 1)


def test_feedback_with_an_id_counts_once(start):
    daemon = start(guards={"quality": {"margin": 0.02}, "tone": {"margin": 0.02}})
    one = {"route": "chat", "variant": "stable", "score": 1, "id": "answer-1"}
    assert feedback(daemon, **one).json()["counted"] is True
    assert feedback(daemon, **one).json()["counted"] is False
    assert feedback(daemon, **dict(one, metric="tone")).json()["counted"] is True, "another metric of the same answer"
    assert feedback(daemon, **dict(one, id="answer-2")).json()["counted"] is True
    without = {k: v for k, v in one.items() if k != "id"}
    assert feedback(daemon, **without).json()["counted"] and feedback(daemon, **without).json()["counted"]


@pytest.mark.parametrize("change, word", [
    ({"route": None}, "route"), ({"variant": None}, "variant"), ({"unit": ""}, "unit"), ({"score": None}, "score"),
    ({"score": 1.01}, "score"), ({"score": -0.1}, "score"), ({"score": "1"}, "score"), ({"metric": "No Good"}, "metric"),
    ({"metric": ""}, "metric"), ({"id": ""}, "id"), ({"id": "x" * 257}, "id"), ({"id": 7}, "id"), ({"extra": 1}, "extra")])
def test_feedback_with_mistakes_is_refused(start, change, word):
    body = {"route": "chat", "variant": "stable", "score": 0.5, **change}
    assert word in refused(feedback(start(), **{k: v for k, v in body.items() if v is not None}), 422, "invalid_feedback")


def test_feedback_for_what_is_not_there(start):
    daemon = start()
    refused(feedback(daemon, route="nobody", variant="stable", score=1), 404, "unknown_route")
    refused(feedback(daemon, route="chat", variant="nobody", score=1), 404, "unknown_variant")
    refused(daemon.admin().ask("POST", "/api/v1/feedback", ""), 422, "invalid_feedback")


# ---- by request id

def asked(daemon, user=None, headers=()):
    """The id that a request was given, and who answered it."""
    answer = daemon.ask(headers=[*headers, *([("X-User-Id", user)] if user else [])])
    assert answer.status == 200
    return answer.header("X-Request-Id"), answer.variant


def test_a_request_id_tells_its_variant(start):
    daemon = start(guards={"quality": {"margin": 0.02}})
    ids = dict(asked(daemon, f"user-{i}") for i in range(40))
    assert len(ids) == 40 and set(ids.values()) == {"stable", "canary"}
    for request_id, variant in ids.items():
        told = feedback(daemon, request_id=request_id, score=0.5)
        assert told.json() == {"route": "chat", "variant": variant, "metric": "quality", "counted": True, "judged": True}
        assert feedback(daemon, request_id=request_id, score=0.5).json()["counted"] is False
        assert feedback(daemon, request_id=request_id, score=0.5, metric="tone").json()["counted"] is True
    daemon.cli("rollback", "chat")
    late = [request_id for request_id, variant in ids.items() if variant == "canary"][0]
    assert feedback(daemon, request_id=late, score=1, metric="later").json()["variant"] == "canary"
    daemon.restart()
    assert feedback(daemon, request_id=late, score=1).json()["variant"] == "canary"


def test_replicas_with_the_same_key_know_each_others_ids(start, start_sluice, tmp_path):
    one = start()
    path = os.path.join(one.config["state_dir"], "request_id.key")
    assert os.stat(path).st_mode & 0o777 == 0o600
    request_id, variant = asked(one, "alice")
    config = {key: one.config[key] for key in ("pools", "routes")}
    stranger = start_sluice(config)
    assert "unknown_request" in feedback(stranger, request_id=request_id, score=1).text
    folder = tmp_path / "twin.state"
    folder.mkdir()
    shutil.copy(path, folder / "request_id.key")
    twin = start_sluice({**config, "state_dir": str(folder)})
    assert feedback(twin, request_id=request_id, score=1).json()["variant"] == variant


@pytest.mark.parametrize("change", [lambda i: i[:-1] + ("0" if i[-1] != "0" else "1"), lambda i: "f" + i[1:] if i[0] != "f" else "0" + i[1:],
                                    lambda i: i[:32], lambda i: i + "0", lambda i: "my-own-id", lambda i: ""])
def test_forged_ids_are_refused(start, change):
    daemon = start()
    request_id, _ = asked(daemon)
    refused(feedback(daemon, request_id=change(request_id), score=1), 404, "unknown_request")
    assert daemon.metrics().sum("sluice_score_count") == 0


def test_a_request_id_stands_alone_and_the_clients_own_says_nothing(start):
    daemon = start()
    request_id, variant = asked(daemon)
    refused(feedback(daemon, request_id=request_id, variant=variant, score=1), 422, "invalid_feedback")
    refused(feedback(daemon, request_id=request_id, unit="u", score=1), 422, "invalid_feedback")
    own, _ = asked(daemon, headers=[("X-Request-Id", "my-own-0123456789")])
    assert own == "my-own-0123456789"
    refused(feedback(daemon, request_id=own, score=1), 404, "unknown_request")


def test_without_a_key_ids_carry_nothing(start_sluice, upstream):
    server = upstream("stable")
    daemon = start_sluice({"pools": {"stable": pool(server)}, "routes": [route("chat", {"stable": 100})]})
    assert daemon.stop() == 0
    with open(os.path.join(daemon.config["state_dir"], "request_id.key"), "w", encoding="utf-8") as f:
        f.write("no key\n")
    daemon.start()
    request_id, _ = asked(daemon)
    assert len(request_id) == 32 and "the key of request ids cannot be used" in daemon.stderr()
    refused(feedback(daemon, request_id=request_id, score=1), 409, "no_key")


def test_a_variant_that_is_gone_and_one_that_came_back(start_sluice, upstream):
    server = upstream("s")
    both = {"pools": {"p": pool(server)}, "routes": [route("chat", {"a": {"pool": "p", "weight": 100}, "b": {"pool": "p", "weight": 0}})]}
    other = {"pools": {"p": pool(server)}, "routes": [route("chat", {"c": {"pool": "p", "weight": 100}})]}
    daemon = start_sluice(both)
    request_id, _ = asked(daemon)
    assert daemon.reload(other).status == 200
    refused(feedback(daemon, request_id=request_id, score=1), 404, "unknown_request")
    assert daemon.reload(both).status == 200
    assert feedback(daemon, request_id=request_id, score=1).json()["variant"] == "a"


def test_what_a_tester_chose_is_counted_and_no_evidence(start_sluice, upstream, tmp_path):
    (tmp_path / "token").write_text("secret\n")
    server = upstream("s")
    rollout = {"strategy": "canary", "start": "manual", "steps": [{"weight": 50, "for": "1h"}, {"weight": 100}],
               "guards": {"quality": {"margin": 0.1}}}
    daemon = start_sluice({"pools": {"p": pool(server)}, "routes": [
        route("chat", {"a": {"pool": "p", "weight": 100}, "b": {"pool": "p", "weight": 0}}, override={"token_file": "token"},
              rollout=rollout)]})
    daemon.cli("promote", "chat")
    chosen, variant = asked(daemon, headers=[("X-Sluice-Variant", "b;secret")])
    told = feedback(daemon, request_id=chosen, score=0).json()
    assert variant == "b" and (told["variant"], told["counted"], told["judged"]) == ("b", True, False)
    assert feedback(daemon, request_id=asked(daemon)[0], score=0).json()["judged"] is True


# ---- batches

def batch(daemon, items):
    return daemon.admin().ask("POST", "/api/v1/feedback", json.dumps(items))


def test_a_batch_is_taken_one_by_one(start):
    daemon = start(guards={"quality": {"margin": 0.02}})
    request_id, variant = asked(daemon, "alice")
    answer = batch(daemon, [{"request_id": request_id, "score": 1}, {"route": "chat", "score": 1}, {"request_id": request_id, "score": 1},
                            7, {"route": "nobody", "variant": "x", "score": 1}, {"route": "chat", "variant": "stable", "score": 0.25}])
    assert answer.status == 200
    told = answer.json()
    assert (told["taken"], told["refused"]) == (3, 3)
    first, missing, again, seven, nobody, last = told["results"]
    assert first == {"route": "chat", "variant": variant, "metric": "quality", "counted": True, "judged": True}
    assert again["counted"] is False and last["counted"] is True
    assert [entry["error"]["code"] for entry in (missing, seven, nobody)] == ["invalid_feedback", "invalid_feedback", "unknown_route"]
    assert daemon.metrics().sum("sluice_score_count") == 2
    assert batch(daemon, []).json() == {"results": [], "taken": 0, "refused": 0}


def test_large_batches(start):
    daemon = start()
    one = {"route": "chat", "variant": "stable", "score": 0.5, "unit": "u" * 100}
    assert batch(daemon, [one] * 1000).json()["taken"] == 1000
    refused(batch(daemon, [one] * 1001), 413, "too_many")
    assert daemon.metrics().sum("sluice_score_count") == 1000


def test_scores_by_request_id_take_a_bad_canary_back(start):
    """The same units' scores hang together, and harm is found."""
    daemon = start(guards={"quality": {"margin": 0.02}}, steps=[{"weight": 50, "for": "1h"}, {"weight": 100}])

    def judged():
        scores = []
        for i in range(100):
            request_id, variant = asked(daemon, f"user-{random.randrange(10000)}")
            scores.append({"request_id": request_id, "score": (0.9 if variant == "stable" else 0.4) + 0.1 * (i % 2)})
        assert batch(daemon, scores).json()["refused"] == 0
        return state(daemon)["state"] == "rolled_back"
    wait_for(judged, patience(60), "rolled back")
    assert "quality" in state(daemon)["because"]
