"""docs/howto/from-argo-flagger.md: their files are what the page says, ours say the same and run: with a good version and a bad one."""
import json

import pytest
import yaml

from harness.coming import examples, load, ours
from harness.load import Loop
from harness.scale import patience
from harness.wait import wait_for

pytestmark = pytest.mark.once

PAGE = "from-argo-flagger.md"
ARGO, FLAGGER = examples(PAGE, "argo"), examples(PAGE, "flagger")


def theirs(text):
    return [document for document in yaml.safe_load_all(text) if document]


def steps(our_text):
    return load(our_text)["routes"][-1]["rollout"]["steps"]


def test_their_files_are_what_the_page_says():
    kinds = [[(d["apiVersion"], d["kind"]) for d in theirs(text)] for text, _ in ARGO + FLAGGER]
    assert kinds == [[("argoproj.io/v1alpha1", "Rollout"), ("argoproj.io/v1alpha1", "AnalysisTemplate")],
                     [("argoproj.io/v1alpha1", "Rollout")],
                     [("flagger.app/v1beta1", "Canary")], [("flagger.app/v1beta1", "Canary")]]


def test_argos_steps_are_ours():
    told = theirs(ARGO[0][0])[0]["spec"]["strategy"]["canary"]["steps"]
    made = []
    for step in told:
        if "setWeight" in step:
            made.append({"weight": step["setWeight"]})
        elif "duration" in step["pause"]:
            made[-1]["for"] = step["pause"]["duration"]
        else:
            made.append({"pause": "manual"})
    assert steps(ARGO[0][1]) == [*made, {"weight": 100}]


def test_argos_condition_is_our_limit():
    condition = theirs(ARGO[0][0])[1]["spec"]["metrics"][0]["successCondition"]
    least = float(condition.rpartition(">=")[2])
    assert load(ARGO[0][1])["routes"][0]["rollout"]["limits"]["error_rate"] == pytest.approx(100 * (1 - least))


def test_argos_blue_green_is_ours():
    told = theirs(ARGO[1][0])[0]["spec"]["strategy"]["blueGreen"]
    rollout = load(ARGO[1][1])["routes"][0]["rollout"]
    assert told["autoPromotionEnabled"] is False and rollout["switch"] == "manual"
    assert told["scaleDownDelaySeconds"] == 600 and rollout["keep_warm"] == "10m"


def test_flaggers_steps_and_lines_are_ours():
    analysis = theirs(FLAGGER[0][0])[0]["spec"]["analysis"]
    each = [{"weight": weight, "for": analysis["interval"]}
            for weight in range(analysis["stepWeight"], analysis["maxWeight"] + 1, analysis["stepWeight"])]
    assert steps(FLAGGER[0][1]) == [*each, {"weight": 100}]
    success, duration = (metric["thresholdRange"] for metric in analysis["metrics"])
    assert load(FLAGGER[0][1])["routes"][0]["rollout"]["limits"] == {"error_rate": 100 - success["min"], "latency_p99": f"{duration['max']}ms"}


# ---- ours run

@pytest.fixture
def world(start_sluice, upstream):
    """world(our text) -> (daemon, servers, load): users come, and `servers["green"].bad` makes every answer of the new version a 500."""
    loads = []

    def make(text):
        servers = {name: upstream(name) for name in ("blue", "green", "gate")}
        green = servers["green"]
        green.bad = False
        green.handler = lambda request, reply: reply.send(500 if green.bad and request.path != "/health" else 200, "green")
        config = ours(text, p8001=servers["blue"].port, p8002=green.port, p8004=servers["gate"].port)
        daemon = start_sluice(config)
        loads.append(Loop(daemon.address, threads=2, make=lambda i: ("GET", "/v1/chat", [("X-User-Id", f"user-{i}")], None)))
        return daemon, servers, loads[-1]
    yield make
    for one in loads:
        one.stop()
        assert not one.failures


def rollout(daemon, route="chat"):
    return next(one for one in daemon.status()["routes"] if one["name"] == route)["rollout"]


def reaches(daemon, *states):
    wait_for(lambda: rollout(daemon)["state"] in states, patience(30), f"the rollout is {states}")


def weight(daemon, variant="canary"):
    route = next(one for one in daemon.status()["routes"] if one["name"] == "chat")
    return next(one["weight"] for one in route["variants"] if one["name"] == variant)


def taken_back(daemon, servers):
    servers["green"].bad = True
    reaches(daemon, "rolled_back")
    assert weight(daemon) == 0
    because = daemon.cli("explain", "chat", "--last", "1").stdout
    assert "failed requests" in because, because


@pytest.mark.parametrize("text, first", [(ARGO[0][1], 5), (FLAGGER[0][1], 10)], ids=["argo", "flagger"])
def test_a_canary(world, text, first):
    daemon, servers, _ = world(text)
    reaches(daemon, "step")
    assert weight(daemon) == first
    wait_for(lambda: servers["green"].count > 20, patience(30), "the new version has users")
    assert rollout(daemon)["state"] == "step"
    if first == 10:
        asked = json.loads(servers["gate"].requests[0].body)
        assert (asked["hook"], asked["weight"]) == ("before_step", 10)
    taken_back(daemon, servers)


def test_blue_green(world):
    daemon, servers, load_ = world(ARGO[1][1])
    reaches(daemon, "paused")
    assert [request.path for request in servers["green"].requests] == ["/health"]
    wait_for(lambda: load_.statuses[200] > 300, patience(30), "blue has been judged")
    assert daemon.cli("promote", "chat").returncode == 0
    reaches(daemon, "watch")
    assert weight(daemon) == 100
    taken_back(daemon, servers)


def test_insiders_first(world):
    daemon, servers, load_ = world(FLAGGER[1][1])
    wait_for(lambda: load_.statuses[200] > 300, patience(30), "users have come")
    assert servers["green"].count == 0 and rollout(daemon)["state"] == "idle"
    assert daemon.ask("GET", "/v1/chat", [("X-Canary", "insider")]).text == "green"
    assert daemon.cli("promote", "chat").returncode == 0
    reaches(daemon, "step")
    assert weight(daemon) == 10
    taken_back(daemon, servers)
    assert daemon.ask("GET", "/v1/chat", [("X-Canary", "insider")]).status == 500
