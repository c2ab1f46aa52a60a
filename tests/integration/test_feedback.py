"""Scores posted as feedback: whom they are counted for, once each, and what is refused."""
import pytest

from harness.scale import patience
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
