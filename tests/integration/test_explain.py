"""`sluice explain`: every kind of decision says when, from where to where, who, what each guard found, and why."""
import re
import threading

from harness.scale import patience
from harness.wait import wait_for
from test_rollout import Paced, baseline_seen, configuration, decisions_of, rollout_of, weight_of

HEAD = re.compile(r"^#(\d+)  (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)  (\w+) by (a person|the controller)", re.M)


def told(daemon):
    """The decisions as printed, one text each."""
    shown = daemon.cli("explain", "chat", "--last", "100").stdout
    begins = [match.start() for match in HEAD.finditer(shown)]
    return [shown[a:b] for a, b in zip(begins, begins[1:] + [len(shown)])]


def check(text, decision):
    number, time, action, who = HEAD.match(text).groups()
    assert (int(number), time, action) == (decision["number"], decision["time"], decision["action"])
    assert who == {"person": "a person", "controller": "the controller"}[decision["who"]]
    for place in (decision["from"], decision["to"]):
        assert place["state"] in text and sum(place["weights"].values()) == 100
        assert all(f"{name} {weight:g} %" in text for name, weight in place["weights"].items()), text
    assert " -> " in text or decision["from"] == decision["to"]
    assert f"because {decision['because']}" in re.sub(r"\s+", " ", text), text
    guard, = decision["guards"]
    assert re.search(rf"error_rate: {guard['verdict']}: ", text), text
    for arm in ("baseline", "candidate"):
        assert {"requests", "events"} <= set(guard[arm])
    assert "e-values: harm " in text and "that suffice" in text
    assert guard["needed_log10_e"] > 0 and guard["needed_log10_e_pass"] > 0
    if guard["baseline"]["requests"] and guard["candidate"]["requests"]:
        assert {"low", "high"} <= set(guard["difference"]), guard
        assert guard["difference"]["low"] <= guard["difference"]["high"]
        assert re.search(r"candidate \d.* baseline \d.* difference .* to .* points", text), text


def test_each_decision_is_told_whole(start_sluice, upstream):
    sick = threading.Event()
    servers = upstream("stable"), upstream("canary", lambda _request, reply: reply.send(500 if sick.is_set() else 200, "x"))
    daemon = start_sluice(configuration(*servers, {
        "guards": {"error_rate": {"margin": 20}}, "watch": "500ms", "horizon": "1s", "keep_warm": "10m",
        "steps": [{"weight": 20, "for": "10m"}, {"weight": 50, "for": "10m"}, {"weight": 100}]}))
    load = Paced(daemon.address, 100, threads=4)
    wait_for(lambda: baseline_seen(daemon) > 50, patience(30))
    for command in (["pause", "chat", "--reason", "lunch"], ["resume", "chat"], ["promote", "chat", "--reason", "looks fine"],
                    ["weight", "chat", "stable=70", "canary=30"], ["resume", "chat"], ["rollback", "chat", "--reason", "odd"],
                    ["retry", "chat"]):
        assert daemon.cli(*command).returncode == 0, command
    wait_for(lambda: baseline_seen(daemon) > 150, patience(30), "what the watch holds the canary against")
    assert daemon.cli("promote", "chat", "--full").returncode == 0
    wait_for(lambda: rollout_of(daemon)["state"] == "promoted", patience(30))
    assert daemon.cli("rollback", "chat").returncode == 0
    sick.set()
    assert daemon.cli("retry", "chat").returncode == 0
    wait_for(lambda: rollout_of(daemon)["state"] == "rolled_back", patience(30))
    load.stop()
    assert weight_of(daemon) == 0
    decisions, texts = decisions_of(daemon), told(daemon)
    assert len(texts) == len(decisions)
    for text, decision in zip(texts, decisions):
        check(text, decision)
    kinds = [(d["action"], d["who"]) for d in decisions]
    assert {("start", "controller"), ("pause", "person"), ("resume", "person"), ("step", "person"), ("weights", "person"),
            ("rollback", "person"), ("start", "person"), ("promote", "person"), ("complete", "controller"),
            ("rollback", "controller")} <= set(kinds), kinds
    assert any("lunch" in text for text in texts) and any("looks fine" in text for text in texts)
    assert "it is worse: e-value" in texts[-1]
