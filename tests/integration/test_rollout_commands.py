"""Rollouts from outside: the admin API's calls and the client's commands (docs/api.md)."""
import copy
import http.client
import json
import re
import socket
import threading

import pytest

from harness.load import free_port
from harness.scale import BINARY, patience
from harness.sluice import cli, pool, route
from harness.wait import wait_for

HOUR = "1h"
STEPS = [{"weight": 5, "for": HOUR}, {"weight": 25, "for": HOUR}, {"pause": "manual"}, {"weight": 100}]


def chat(**rollout):
    """A route whose steps end by a person only."""
    return route("chat", {"stable": {"pool": "stable", "version": "v1", "weight": 100},
                          "canary": {"pool": "canary", "version": "v2", "weight": 0}},
                 sticky={"by": ["header X-User-Id"]},
                 rollout={"strategy": "canary", "steps": copy.deepcopy(STEPS), "guards": {"error_rate": {"margin": 1}},
                          "keep_warm": HOUR, "watch": HOUR, **rollout})


@pytest.fixture
def start(start_sluice, upstream):
    """start(admin=…, **rollout) -> a daemon with the routes chat, with a rollout, and plain, without."""
    def make(admin=None, **rollout):
        config = {"pools": {"stable": pool(upstream("stable")), "canary": pool(upstream("canary"))},
                  "routes": [chat(**rollout), route("plain", {"stable": 95, "canary": 5}, match={"path_prefix": "/plain"})]}
        config["routes"].reverse()  # the first that matches wins
        if admin:
            config["admin"] = admin
        return start_sluice(config)
    return make


def state(daemon):
    return daemon.admin().get("/api/v1/routes/chat")["rollout"]


def weights(daemon, name="chat"):
    return [v["weight"] for v in daemon.admin().get("/api/v1/routes/" + name)["variants"]]


def post(daemon, what, body=None, name="chat"):
    return daemon.admin().ask("POST", f"/api/v1/routes/{name}/{what}", body)


def feedback(daemon, **body):
    return daemon.admin().ask("POST", "/api/v1/feedback", body)


def decisions(daemon, last=100):
    return daemon.admin().get(f"/api/v1/routes/chat/decisions?last={last}")["decisions"]


def refused(response, status, code):
    assert response.status == status, response
    error = response.json()["error"]
    assert error["code"] == code and error["message"], error
    return error["message"]


# ---- the API ---------------------------------------------------------------------------------------------------------
def test_the_status_shows_the_rollout(start):
    daemon = start()
    rollout = state(daemon)
    assert rollout["strategy"] == "canary" and rollout["baseline"] == "stable" and rollout["candidate"] == "canary"
    assert rollout["version"] == "v2" and rollout["state"] == "step" and rollout["hold"] == "none" and rollout["step"] == 0
    assert [s["weight"] for s in rollout["steps"] if not s["pause"]] == [5, 25, 100]
    assert rollout["steps"][0]["for_seconds"] == 3600 and rollout["steps"][2]["pause"] is True
    assert rollout["winner"] is None and rollout["keep_warm"] is False and rollout["because"]
    assert rollout["sample_ratio"]["broken"] is False and set(rollout["sample_ratio"]["units"]) == {"stable", "canary"}
    guard, = rollout["guards"]
    assert guard["name"] == "error_rate" and guard["role"] == "guard" and guard["dry_run"] is False
    assert guard["verdict"] in ("wait", "no_data") and guard["because"] and guard["unit"] == "share"
    assert {"requests", "events", "estimate"} <= set(guard["baseline"]) & set(guard["candidate"])
    assert weights(daemon) == [95, 5]
    routes = {r["name"]: r for r in daemon.status()["routes"]}
    assert routes["plain"]["rollout"] is None and routes["plain"]["weights_from"] == "file"
    assert routes["chat"]["rollout"]["state"] == "step" and routes["chat"]["weights_from"] == "rollout"


def test_each_command_answers_when_it_is_done(start):
    daemon = start()
    answer = post(daemon, "promote", {"reason": "looks fine"}).json()
    assert answer["route"] == "chat" and answer["plan"] > 0
    assert answer["rollout"]["state"] == "step" and answer["rollout"]["step"] == 1
    assert answer["decision"]["who"] == "person" and "looks fine" in answer["decision"]["because"]
    assert weights(daemon) == [75, 25]
    assert post(daemon, "pause").json()["rollout"]["hold"] == "person"
    assert post(daemon, "resume").json()["rollout"]["hold"] == "none"
    assert post(daemon, "promote").json()["rollout"]["state"] == "paused"
    assert weights(daemon) == [75, 25], "a pause keeps the weights"
    back = post(daemon, "rollback", {"reason": "we saw enough"}).json()
    assert back["rollout"]["state"] == "rolled_back" and back["rollout"]["keep_warm"] is True
    assert back["decision"]["from"]["weights"] == {"stable": 75, "canary": 25}
    assert back["decision"]["to"]["weights"] == {"stable": 100, "canary": 0}
    assert weights(daemon) == [100, 0]
    assert post(daemon, "retry").json()["rollout"]["step"] == 0
    assert weights(daemon) == [95, 5]
    full = post(daemon, "promote", {"full": True}).json()
    assert full["rollout"]["state"] == "watch" and weights(daemon) == [0, 100]


def test_what_cannot_be_is_refused_and_changes_nothing(start):
    daemon = start()
    before = decisions(daemon)
    message = refused(post(daemon, "resume"), 409, "refused")
    assert "not paused" in message
    refused(post(daemon, "retry"), 409, "refused")
    for what in ("promote", "pause", "resume", "rollback", "retry"):
        refused(post(daemon, what, name="nobody"), 404, "unknown_route")
        refused(post(daemon, what, name="plain"), 409, "no_rollout")
        assert daemon.admin().ask("GET", f"/api/v1/routes/chat/{what}").status == 405
    for what in ("decisions", "report", "plan?rps=1"):
        refused(daemon.admin().ask("GET", f"/api/v1/routes/nobody/{what}"), 404, "unknown_route")
        refused(daemon.admin().ask("GET", f"/api/v1/routes/plain/{what}"), 409, "no_rollout")
    assert decisions(daemon) == before and weights(daemon) == [95, 5]


@pytest.mark.parametrize("what, body, word", [
    ("promote", "not json", "JSON"), ("promote", [], "object"), ("promote", {"ful": True}, "ful"),
    ("promote", {"full": 1}, "full"), ("rollback", {"reason": 7}, "reason"), ("rollback", {"full": True}, "full"),
    ("pause", {"reason": "x" * 301}, "300"), ("pause", '{"reason": "a", "reason": "b"}', "JSON"),
    ("pause", '{"reason": "a\\u0000b"}', "NUL")])
def test_a_body_with_mistakes_is_refused(start, what, body, word):
    daemon = start()
    assert word in refused(post(daemon, what, body), 422, "invalid_body")
    assert state(daemon)["hold"] == "none" and weights(daemon) == [95, 5]


def test_weights_by_hand_hold_the_rollout(start):
    daemon = start()
    answer = post(daemon, "weights", {"weights": {"stable": 60, "canary": 40}}).json()
    assert answer["weights"] == {"stable": 60, "canary": 40} and answer["rollout"]["hold"] == "by_hand"
    assert weights(daemon) == [60, 40]
    assert decisions(daemon)[-1]["action"] == "weights" and decisions(daemon)[-1]["who"] == "person"
    assert post(daemon, "resume").status == 200 and weights(daemon) == [95, 5], "the step's weights come back"
    plain = post(daemon, "weights", {"weights": {"stable": 60, "canary": 40}}, name="plain").json()
    assert "rollout" not in plain and weights(daemon, "plain") == [60, 40]


def test_decisions_are_listed_newest_last(start):
    daemon = start()
    post(daemon, "pause", {"reason": "lunch"})
    post(daemon, "resume")
    post(daemon, "rollback")
    found = decisions(daemon)
    assert [d["action"] for d in found][-3:] == ["pause", "resume", "rollback"]
    numbers = [d["number"] for d in found]
    assert numbers == sorted(set(numbers)) and all(d["route"] == "chat" for d in found)
    assert found[0]["who"] == "controller" and found[0]["version"] == "v2"
    for decision in found:
        assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z$", decision["time"]) and decision["because"]
        assert {"state", "step", "weights"} <= set(decision["from"]) & set(decision["to"])
        assert [g["name"] for g in decision["guards"]] == ["error_rate"]
    assert decisions(daemon, 2) == found[-2:]
    for bad in ("0", "-1", "x", "", "1001", "1.5"):
        refused(daemon.admin().ask("GET", f"/api/v1/routes/chat/decisions?last={bad}"), 422, "invalid_parameter")


def test_plan_needs_a_positive_rate(start):
    daemon = start()
    for bad in ("", "?rps=", "?rps=0", "?rps=-1", "?rps=nan", "?rps=1e10", "?rps=ten", "?rps=1x"):
        refused(daemon.admin().ask("GET", "/api/v1/routes/chat/plan" + bad), 422, "invalid_parameter")
    plan = daemon.admin().get("/api/v1/routes/chat/plan?rps=100")
    assert plan["route"] == "chat" and plan["rps"] == 100
    assert [s["weight"] for s in plan["steps"]] == [5, 25], "where there is something to compare"
    slow = daemon.admin().get("/api/v1/routes/chat/plan?rps=10")["steps"]
    for fast_step, slow_step in zip(plan["steps"], slow):
        for one, other in zip(fast_step["guards"], slow_step["guards"]):
            assert one["detects"] and one["requests"] == other["requests"]
            assert one["seconds"] is None or other["seconds"] == pytest.approx(10 * one["seconds"], rel=0.05, abs=1)


def test_the_report_shows_each_variant(start):
    daemon = start()
    for _ in range(8):
        assert daemon.ask(headers=[("X-User-Id", "u1")]).status == 200

    def counted():
        report = daemon.admin().get("/api/v1/routes/chat/report")
        return report if sum(v["requests"] for v in report["variants"]) >= 8 else None
    report = wait_for(counted, patience(20), "the report counts the requests")
    assert report["route"] == "chat" and report["strategy"] == "canary" and report["winner"] is None
    assert {v["name"]: v["weight"] for v in report["variants"]} == {"stable": 95, "canary": 5}


# ---- events ----------------------------------------------------------------------------------------------------------
class Follower:
    """Reads /api/v1/events in a thread of its own until the stream ends."""

    def __init__(self, daemon):
        where = daemon.admin().where
        self.socket = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
        self.socket.settimeout(patience(30))
        self.socket.connect(where)
        self.connection = http.client.HTTPConnection("localhost")
        self.connection.sock = self.socket
        self.connection.request("GET", "/api/v1/events")
        self.response = self.connection.getresponse()
        self.events = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        name = None
        try:
            for line in self.response:
                text = line.decode().rstrip("\n")
                if text.startswith("event: "):
                    name = text[7:]
                elif text.startswith("data: "):
                    self.events.append((name, json.loads(text[6:])))
        except (OSError, ValueError, http.client.HTTPException):
            pass  # it ended in the middle

    def of(self, name):
        return [data for kind, data in self.events if kind == name]

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the daemon was first
        self.thread.join(patience(10))
        self.response.close()
        self.connection.close()


@pytest.mark.parametrize("tcp", [False, True])
def test_events_tell_status_and_decisions(start, tcp):
    daemon = start(admin={"address": f"127.0.0.1:{free_port()}"} if tcp else None)
    follower = Follower(daemon)
    assert follower.response.status == 200
    assert follower.response.getheader("Content-Type").startswith("text/event-stream")
    wait_for(lambda: len(follower.of("status")) >= 3, patience(20), "a status each second")
    status = follower.of("status")[-1]
    assert {r["name"] for r in status["routes"]} == {"chat", "plain"}
    assert not follower.of("decision")
    post(daemon, "pause", {"reason": "lunch"})
    told = wait_for(lambda: follower.of("decision"), patience(10), "the decision is told")[0]
    assert told == decisions(daemon)[-1] and told["action"] == "pause" and "lunch" in told["because"]
    assert daemon.stop() == 0, "who follows does not keep it"
    follower.thread.join(patience(10))
    assert not follower.thread.is_alive()
    follower.close()


def joined(daemon):
    """One more that follows; waits for room where earlier ones have just left."""
    def join():
        follower = Follower(daemon)
        if follower.response.status == 200:
            return follower
        follower.close()
        return None
    return wait_for(join, patience(20), "there is room")


def test_a_client_that_left_is_forgotten(start):
    daemon = start()
    for _ in range(3):
        followers = [joined(daemon) for _ in range(30)]
        wait_for(lambda all_of=followers: all(f.of("status") for f in all_of), patience(20), "all are served")
        for follower in followers:
            follower.close()
    many = [joined(daemon) for _ in range(64)]
    last = Follower(daemon)
    assert last.response.status == 503 and many[0].of("status"), "the 65th at a time is refused, the others stay"
    for follower in [last, *many]:
        follower.close()
    joined(daemon).close()


# ---- commands --------------------------------------------------------------------------------------------------------
def test_commands_print_what_happened(start):
    daemon = start()
    done = daemon.cli("promote", "chat", "--reason", "looks fine")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("chat: step 2 of 4 at 25 % from 5 % to 25 %\n") and "looks fine" in done.stdout
    assert daemon.cli("pause", "chat").stdout.startswith("chat: paused")
    assert daemon.cli("resume", "chat").stdout.startswith("chat: resumed")
    back = daemon.cli("rollback", "chat", "--reason", "too slow")
    assert back.returncode == 0 and back.stdout.startswith("chat: rolled back from 25 % to 0 %\n")
    assert "too slow" in back.stdout
    again = daemon.cli("rollback", "chat")
    assert again.returncode == 1 and "already" in again.stderr and not again.stdout
    assert daemon.cli("retry", "chat").returncode == 0
    full = daemon.cli("promote", "chat", "--full")
    assert full.stdout.startswith("chat: promoted from 5 % to 100 %")
    for command in ("promote", "pause", "resume", "rollback", "retry", "explain", "report"):
        assert daemon.cli(command, "nobody").returncode == 1
        assert daemon.cli(command, "plain").returncode == 1
    assert daemon.cli("rollback", "chat", "--full").returncode == 2


def test_status_shows_the_rollout_and_its_guards(start):
    daemon = start()
    daemon.cli("pause", "chat")
    shown = daemon.cli("status", "chat").stdout
    assert re.search(r"canary canary v2: step 1 of 4 at 5 %, held \(person\)", shown), shown
    assert re.search(r"^ +error_rate +(wait|no_data) +\S", shown, re.M), shown


def test_explain_tells_everything(start):
    daemon = start()
    daemon.cli("promote", "chat")
    daemon.cli("rollback", "chat", "--reason", "too slow")
    shown = daemon.cli("explain", "chat").stdout
    assert shown.count("#") >= 3 and "by the controller" in shown
    last = daemon.cli("explain", "chat", "--last", "1").stdout
    assert last.count("#") == 1 and "rollback by a person" in last and "too slow" in last
    assert "step 2 (stable 75 %, canary 25 %) -> rolled_back (stable 100 %, canary 0 %)" in last
    assert re.search(r"error_rate: (wait|no_data|pass): .*\n +candidate .* baseline ", last), last
    assert "e-values: harm" in last


def test_report_and_plan_are_printed(start):
    daemon = start()
    report = daemon.cli("report", "chat")
    assert report.returncode == 0 and "stable v1 at 95 %" in report.stdout and "canary v2 at 5 %" in report.stdout
    plan = daemon.cli("plan", "chat", "--rps", "100")
    assert plan.returncode == 0 and "chat at 100 requests a second" in plan.stdout
    assert re.search(r"step 1 at 5 %", plan.stdout) and "error_rate" in plan.stdout
    assert daemon.cli("plan", "chat").returncode == 2
    assert daemon.cli("plan", "chat", "--rps", "many").returncode == 2


def test_json_is_the_apis_answer(start):
    daemon = start()
    for command in (("promote", "chat"), ("pause", "chat"), ("resume", "chat"), ("explain", "chat"), ("report", "chat"),
                    ("plan", "chat", "--rps", "10"), ("rollback", "chat"), ("retry", "chat")):
        done = daemon.cli(*command, "--json")
        assert done.returncode == 0, (command, done.stderr)
        assert json.loads(done.stdout)["route"] == "chat"
    no = daemon.cli("resume", "chat", "--json")
    assert no.returncode == 1 and json.loads(no.stdout)["error"]["code"] == "refused"


def watch(daemon, child, *options):
    return child([BINARY, "watch", "chat", "--admin", daemon.config["admin"]["address"], *options], "watch" + "".join(options))


def begun(watching):
    wait_for(lambda: "step 1 of 4" in watching.stdout(), patience(20), "watch has begun")


def test_watch_follows_to_the_rollback(start, child):
    daemon = start()
    watching, lines = watch(daemon, child, "--exit-status"), watch(daemon, child, "--json")
    begun(watching)
    wait_for(lambda: lines.stdout().strip(), patience(20), "the other has begun")
    daemon.cli("promote", "chat")
    wait_for(lambda: "step 2 of 4 at 25 %" in watching.stdout(), patience(20), "the step is told")
    daemon.cli("rollback", "chat", "--reason", "too slow")
    assert watching.wait(patience(20)) == 3
    assert re.search(r"rollback by a person: .*too slow", watching.stdout()) and watching.stdout().endswith("rolled back, one command switches back\n")
    assert lines.wait(patience(20)) == 0, "without --exit-status"
    assert all(json.loads(line) for line in lines.stdout().splitlines())


def test_watch_ends_well_with_a_promotion(start, child):
    daemon = start(watch="0s", keep_warm="0s")
    watching = watch(daemon, child, "--exit-status")
    begun(watching)
    assert daemon.cli("promote", "chat", "--full").returncode == 0
    assert watching.wait(patience(30)) == 0, watching.stdout()
    assert daemon.cli("watch", "chat", "--exit-status").returncode == 0, "one that is over ends at once"


def test_watch_outlives_a_restart(start, child):
    daemon = start()
    watching = watch(daemon, child, "--exit-status")
    begun(watching)
    daemon.restart()
    daemon.cli("rollback", "chat")
    assert watching.wait(patience(30)) == 3, watching.stderr()


def test_watch_needs_a_rollout_and_a_daemon(start, tmp_path):
    daemon = start()
    assert daemon.cli("watch", "plain").returncode == 1
    assert daemon.cli("watch", "nobody", "--exit-status").returncode == 1
    assert cli("watch", "chat", "--admin", f"unix:{tmp_path}/none.sock", "--exit-status").returncode == 5


def test_changes_need_the_token(start, tmp_path):
    (tmp_path / "admin.token").write_text("t0p-secret\n", encoding="utf-8")
    daemon = start(admin={"address": f"127.0.0.1:{free_port()}", "token_file": "admin.token"})
    for what in ("promote", "pause", "resume", "rollback", "retry"):
        assert post(daemon, what).status == 401
    assert feedback(daemon, route="chat", variant="stable", score=1).status == 401
    assert daemon.cli("explain", "chat").returncode == 0, "reading needs none"
    assert daemon.cli("pause", "chat", env={"SLUICE_TOKEN": "t0p-secret"}).returncode == 0
