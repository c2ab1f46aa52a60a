"""Requests about a long-running task go to the variant and the endpoint that began it."""
import gzip
import json
import os
import threading

import pytest

from harness.scale import patience
from harness.sluice import pool, route
from harness.successor import upgrade
from harness.wait import wait_for

AFFINITY = {"learn": ["json /id", "header Location"], "use": ["path_segment", "header X-Task", "query task", "json /task"]}
JSON = [("Content-Type", "application/json")]


class Jobs:
    """A server that begins a task at each POST and knows only its own."""

    def __init__(self, upstream, name, answer=None):
        self.name, self.begun, self.lock = name, [], threading.Lock()
        self.answer = answer or self.by_id
        self.server = upstream(name, self.handle)
        self.url = self.server.url

    def handle(self, request, reply):
        if request.method == "POST" and request.path == "/v1/batches":
            with self.lock:
                task = f"batch_{self.name}_{len(self.begun):032x}"
                self.begun.append(task)
            self.answer(task, request, reply)
        else:
            known = [task for task in self.begun if task in request.target + str(request.header("X-Task")) + str(request.body)]
            reply.send(200 if known else 404, json.dumps({"id": (known or [""])[0], "by": self.name}), JSON)

    @staticmethod
    def by_id(task, _request, reply):
        reply.send(200, json.dumps({"object": "batch", "errors": {"id": "x"}, "id": task}), JSON)


def config(stable, canary, weight=50, **settings):
    return {"workers": 4, "pools": {"stable": pool(*stable), "canary": pool(*canary)},
            "routes": [route("jobs", {"stable": 100 - weight, "canary": weight}, affinity=settings.pop("affinity", AFFINITY),
                             **settings.pop("route", {}))], **settings}


def begin(daemon, headers=(), count=1):
    """Begins tasks, each on a connection of its own, so on any worker."""
    tasks = []
    for _ in range(count):
        answer = daemon.ask("POST", "/v1/batches", JSON + list(headers), "{}")
        assert answer.status == 200, answer
        tasks.append(answer.json()["id"])
    return tasks


def found(daemon, tasks):
    """Each poll, and on any worker, finds the server that began the task."""
    for task in tasks:
        answer = daemon.ask("GET", f"/v1/batches/{task}")
        assert (answer.status, answer.json()["id"]) == (200, task), (task, answer, answer.text)
        assert daemon.ask("POST", f"/v1/batches/{task}/cancel", JSON, "{}").json()["id"] == task


@pytest.fixture
def four(upstream):
    return [Jobs(upstream, name) for name in ("s0", "s1", "c0", "c1")]


@pytest.mark.usefixtures("orphans")
def test_a_task_that_begins_while_the_binary_is_upgraded(start_sluice, upstream):
    """Its id is in an answer that comes through the old binary when the new one serves already: both know it."""
    go = threading.Event()

    def late(task, request, reply):
        if request.header("X-Late"):
            assert go.wait(patience(20))
        Jobs.by_id(task, request, reply)
    servers = [Jobs(upstream, name, late) for name in ("s0", "s1", "c0", "c1")]
    daemon = start_sluice(config(servers[:2], servers[2:]))
    before = begin(daemon, count=8)
    with daemon.client() as client:
        client.request("POST", "/v1/batches", [*JSON, ("X-Late", "yes")], "{}")
        wait_for(lambda: sum(len(server.begun) for server in servers) == 9)
        old = upgrade(daemon)
        found(daemon, before)
        go.set()
        task = client.response().json()["id"]
    assert old.wait() == 0
    assert daemon.counted("sluice_tasks", 9, route="jobs")
    found(daemon, [task, *before])
    daemon.restart()
    found(daemon, [task, *before])


def test_through_weights_reloads_and_restarts(start_sluice, four):
    settings = config(four[:2], four[2:])
    daemon = start_sluice(settings)
    tasks = begin(daemon, count=40)
    assert all(jobs.begun for jobs in four)
    found(daemon, tasks)
    for weights in ({"stable": 0, "canary": 100}, {"stable": 100, "canary": 0}):
        daemon.admin().post("/api/v1/routes/jobs/weights", {"weights": weights})
        found(daemon, tasks)
    assert daemon.reload(settings).status == 200
    found(daemon, tasks)
    daemon.restart()
    found(daemon, tasks)
    last = begin(daemon)
    path = os.path.join(daemon.config["state_dir"], "tasks.jsonl")
    wait_for(lambda: last[0] in open(path, encoding="utf-8").read())
    daemon.child.kill()
    daemon.start()
    found(daemon, tasks + last)
    assert daemon.metrics().sum("sluice_tasks") == 41
    assert daemon.metrics().sum("sluice_task_requests_total", result="found") == 82
    assert daemon.metrics().sum("sluice_task_requests_total", result="gone") == 0


def test_through_a_promotion_and_a_rollback(start_sluice, four):
    rollout = {"strategy": "canary", "start": "manual", "steps": [{"weight": 50, "for": "1h"}, {"weight": 100}], "keep_warm": "1h"}
    daemon = start_sluice(config(four[:2], four[2:], 0, route={"rollout": rollout}))
    tasks = begin(daemon, count=5)
    assert daemon.cli("promote", "jobs").returncode == 0
    tasks += begin(daemon, count=20)
    assert daemon.cli("promote", "jobs", "--full").returncode == 0
    tasks += begin(daemon, count=5)
    found(daemon, tasks)
    assert {task.split("_")[1][0] for task in tasks[:5]} == {"s"} and {task.split("_")[1][0] for task in tasks[-5:]} == {"c"}
    daemon.restart()
    found(daemon, tasks)
    assert daemon.cli("rollback", "jobs").returncode == 0
    found(daemon, tasks)


def location(task, _request, reply):
    reply.send(202, "", [("Location", f"https://models.internal/v1/batches/{task}?x=1")])


def chunks(size, packed=False):
    def answer(task, _request, reply):
        data = json.dumps({"x": "\\u00e4\u20ac" * 20, "id": task, "rest": [1, {"id": 2}]}).encode()
        reply.begin_chunked(200, JSON + ([("Content-Encoding", "gzip")] if packed else []))
        data = gzip.compress(data) if packed else data
        for at in range(0, len(data), size):
            reply.chunk(data[at:at + size])
        reply.end_chunked()
    return answer


@pytest.mark.parametrize("answer", [location, chunks(1), chunks(7), chunks(1, True), chunks(1000, True)])
def test_ids_are_learned_however_they_come(start_sluice, upstream, answer):
    servers = [Jobs(upstream, "s0", answer), Jobs(upstream, "c0", answer)]
    daemon = start_sluice(config(servers[:1], servers[1:]))
    for _ in range(10):
        assert daemon.ask("POST", "/v1/batches", JSON, "{}").status < 300
    found(daemon, servers[0].begun + servers[1].begun)
    assert servers[0].begun and servers[1].begun


@pytest.mark.parametrize("ask", [
    lambda task: {"target": f"/v1/x/y/{task}"}, lambda task: {"target": f"/v1/x?a=1&task={task}"},
    lambda task: {"target": "/v1/x", "headers": [("X-Task", task)]},
    lambda task: {"target": "/v1/x", "method": "POST", "headers": JSON, "body": json.dumps({"task": task})}])
def test_ids_are_found_wherever_they_stand(start_sluice, four, ask):
    daemon = start_sluice(config(four[:2], four[2:]))
    for task in begin(daemon, count=12):
        assert daemon.ask(**ask(task)).json()["id"] == task


def test_a_drained_endpoint_serves_its_tasks_and_a_dead_one_does_not(start_sluice, upstream, four):
    daemon = start_sluice(config(four[:2], four[2:], 0, route={"retry": {"attempts": 1, "on": ["connect"]}}))
    tasks = begin(daemon, count=20)
    daemon.admin().post("/api/v1/pools/stable/drain", {"endpoint": four[0].url})
    found(daemon, tasks)
    before = len(four[0].begun)
    assert before and len(begin(daemon, count=5)) == 5 and len(four[0].begun) == before
    four[0].server.stop()
    for task in four[0].begun:  # its server is gone: another of the variant is asked, which does not know it
        assert daemon.ask("GET", f"/v1/batches/{task}").json()["by"] == "s1"
    found(daemon, four[1].begun)


def test_what_only_reads_begins_nothing_and_errors_neither(start_sluice, upstream):
    server = upstream("s", lambda request, reply: reply.send(500 if "bad" in request.target else 200, '{"id":"abc"}', JSON))
    daemon = start_sluice(config([server], [server]))
    assert daemon.ask("GET", "/v1/batches/abc").status == 200
    assert daemon.ask("POST", "/bad", JSON, "{}").status == 500
    assert daemon.metrics().sum("sluice_tasks") == 0
    assert daemon.ask("POST", "/v1/batches", JSON, "{}").status == 200
    assert daemon.metrics().sum("sluice_tasks") == 1


def test_the_table_is_bounded(start_sluice, four):
    daemon = start_sluice(config(four[:2], four[2:], affinity={**AFFINITY, "size": 10}))
    tasks = begin(daemon, count=15)
    assert daemon.metrics().sum("sluice_tasks") == 10
    found(daemon, tasks[5:])
    daemon.restart()
    found(daemon, tasks[5:])
    assert daemon.metrics().sum("sluice_tasks") == 10


def test_tasks_are_forgotten_when_nobody_asks(start_sluice, four):
    daemon = start_sluice(config(four[:2], four[2:], affinity={**AFFINITY, "ttl": "1s"}))
    begin(daemon, count=3)

    def forgotten():
        daemon.ask("GET", "/v1/batches/other")
        return daemon.metrics().sum("sluice_tasks") == 0
    wait_for(forgotten, patience(10))


def test_a_testers_choice_wins_and_nothing_is_evidence(start_sluice, four, tmp_path):
    (tmp_path / "token").write_text("secret\n")
    rollout = {"strategy": "canary", "start": "manual", "steps": [{"weight": 50, "for": "1h"}, {"weight": 100}],
               "guards": {"error_rate": {"margin": 5}}}
    daemon = start_sluice(config(four[:2], four[2:], 0, access_log={"path": "access.log"}, route={
        "override": {"token_file": "token"}, "rollout": rollout, "sticky": {"by": ["header X-User"]}}))
    daemon.cli("promote", "jobs")
    tasks = begin(daemon, [("X-Sluice-Variant", "canary;secret")], 3)
    assert all("_c" in task for task in tasks)
    for user, task in enumerate(tasks * 2):
        assert daemon.ask("GET", f"/v1/batches/{task}", [("X-User", f"u{user}")]).status == 200
    answer = daemon.ask("GET", f"/v1/batches/{tasks[0]}", [("X-Sluice-Variant", "stable;secret")])
    assert answer.status == 404 and answer.variant == "stable"
    for user in range(5):  # five whose units count, so that it is seen that the others' do not
        assert daemon.ask("GET", "/v1/batches/unknown", [("X-User", f"v{user}")]).status == 404
    wait_for(lambda: sum(daemon.status()["routes"][0]["rollout"]["sample_ratio"]["units"].values()) >= 5)
    assert sum(daemon.status()["routes"][0]["rollout"]["sample_ratio"]["units"].values()) == 5

    def logged():
        with open(tmp_path / "access.log", encoding="utf-8") as f:
            return [json.loads(line)["decided_by"] for line in f]
    wait_for(lambda: len(logged()) == 15)
    assert [logged().count(reason) for reason in ("task", "override", "unit")] == [6, 4, 5]


def test_a_damaged_file_is_read_as_far_as_it_goes(start_sluice, four):
    daemon = start_sluice(config(four[:2], four[2:]))
    tasks = begin(daemon, count=4)
    assert daemon.stop() == 0
    path = os.path.join(daemon.config["state_dir"], "tasks.jsonl")
    with open(path, "a", encoding="utf-8") as f:
        f.write('nonsense\n{"route":"jobs"}\n\n{"route":"jobs","id":"torn')
    daemon.start()
    assert "broken=3" in daemon.stderr()
    found(daemon, tasks)
    more = begin(daemon, count=2)
    daemon.restart()
    found(daemon, tasks + more)


def test_two_daemons_do_not_share_a_file(start_sluice, four):
    """Each would replace it by what it alone knows: the second one goes without and says so, until the first is gone."""
    first = start_sluice(config(four[:2], four[2:]))
    tasks = begin(first, count=4)
    second = start_sluice(config(four[:2], four[2:], state_dir=first.config["state_dir"]))
    assert "tasks will not survive a restart" in second.stderr() and "another sluice uses it" in second.stderr()
    begin(second, count=4)
    assert first.stop() == 0
    first.start()
    found(first, tasks)
    assert "another sluice" not in first.stderr()
    path = os.path.join(first.config["state_dir"], "tasks.jsonl")
    with open(path, encoding="utf-8") as f:
        assert {json.loads(line)["id"] for line in f} == set(tasks)
