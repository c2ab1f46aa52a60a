"""What the last hour was: GET /api/v1/routes/ROUTE/history."""
import json
import time

import pytest

from harness.sluice import pool, route
from harness.wait import wait_for

COLUMNS = {"per_second", "errors_per_second", "tokens_per_second", "dollars_per_second", "p50_ms", "p95_ms", "p99_ms", "ttft_p50_ms",
           "ttft_p95_ms", "quality"}


@pytest.fixture
def daemon(start_sluice, upstream):
    def answer(request, reply):
        if request.path == "/bad":
            reply.send(500)
        else:
            reply.send(200, json.dumps({"usage": {"prompt_tokens": 10, "completion_tokens": 40}}),
                       headers=[("Content-Type", "application/json")])
    variants = {"stable": {"pool": "stable", "weight": 100, "price": {"input": 1000, "output": 1000}},
                "canary": {"pool": "stable", "weight": 0}}
    return start_sluice({"pools": {"stable": pool(upstream("stable", answer))}, "routes": [route(variants=variants)]})


def history(daemon, query=""):
    return daemon.admin().get("/api/v1/routes/chat/history" + query)


def test_a_variant_has_a_history_from_its_first_request_on(daemon):
    before = history(daemon)
    assert before["route"] == "chat" and before["seconds"] == 5 and before["at"] == []
    begun = int(time.time())
    for _ in range(20):
        assert daemon.ask().status == 200
    for _ in range(5):
        assert daemon.ask(target="/bad").status == 500
    wait_for(lambda: history(daemon)["at"], 15, "a slot of five seconds is over")
    after = history(daemon)
    assert all(begun <= at <= time.time() + 1 for at in after["at"])
    stable, canary = after["variants"]
    assert (stable["name"], canary["name"]) == ("stable", "canary")
    assert COLUMNS | {"name"} == set(stable) == set(canary)
    assert {len(stable[name]) for name in COLUMNS} == {len(after["at"])} == {len(canary[name]) for name in COLUMNS}
    assert stable["p50_ms"][0] > 0 and stable["quality"][0] is None
    assert canary["per_second"][0] is None, "nothing was kept of it"

    def total(name):
        return 5 * sum(v or 0 for v in history(daemon)["variants"][0][name])
    # what is told of a slot is by its length, which is five seconds and what the timer was late
    wait_for(lambda: total("per_second") > 20, 15)
    assert total("tokens_per_second") == pytest.approx(50 * total("per_second") * 20 / 25, rel=0.1)
    assert total("errors_per_second") == pytest.approx(total("per_second") / 5, rel=0.1)
    assert total("dollars_per_second") > 0
    assert history(daemon, f"?since={after['at'][-1]}")["at"] == history(daemon)["at"][len(after["at"]):]


def test_what_is_asked_for_must_make_sense(daemon):
    for query in ("?since=", "?since=-1", "?since=soon", "?since=5000000000"):
        answer = daemon.admin().ask("GET", "/api/v1/routes/chat/history" + query)
        assert answer.status == 422 and json.loads(answer.body)["error"]["code"] == "invalid_parameter", query
    answer = daemon.admin().ask("GET", "/api/v1/routes/none/history")
    assert answer.status == 404 and json.loads(answer.body)["error"]["code"] == "unknown_route"
