"""The disk is full: requests are answered, no step is taken, it is told, and it passes by itself when there is room."""
import json
import os

import pytest

from harness.disk import Disk, disks_are_allowed
from harness.load import Loop
from harness.sluice import pool, route
from harness.wait import wait_for


@pytest.fixture
def disk(tmp_path):
    if not disks_are_allowed(str(tmp_path)):
        pytest.skip("no file system can be mounted here")
    made = Disk(str(tmp_path))
    yield made
    made.close()


def lines(path):
    with open(path, encoding="utf-8") as file:
        return file.read().split("\n")[:-1]


def test_the_access_log_loses_lines_and_goes_on(disk, start_sluice, upstream):
    path = os.path.join(disk.path, "access.log")
    daemon = start_sluice({"workers": 2, "access_log": {"path": path}, "pools": {"stable": pool(upstream())}, "routes": [route()]})
    assert daemon.ask().status == 200
    wait_for(lambda: len(lines(path)) == 1, 5)
    disk.fill()
    with daemon.client() as client:
        def lost():
            assert client.ask(target="/" + "x" * 2000).status == 200
            return daemon.metrics().sum("sluice_access_log_dropped_total") > 0
        wait_for(lost, 20, "lines are counted as lost")
        assert daemon.stderr().count("access log lines are lost") == 1
        disk.empty()

        def back():
            assert client.ask(target="/later").status == 200
            return any('"/later"' in line for line in lines(path))
        wait_for(back, 10, "lines are written again")
        wait_for(lambda: "the access log is written again" in daemon.stderr(), 5)
    broken = 0
    for line in lines(path):
        try:
            json.loads(line)
        except ValueError:
            broken += 1
    assert broken <= 1  # the one that the disk took a part of


def rollout(state_dir, server, canary):
    return {"workers": 1, "state_dir": state_dir, "pools": {"stable": pool(server), "canary": pool(canary)},
            "routes": [route(variants={"stable": {"pool": "stable", "weight": 100, "version": "v1"},
                                       "canary": {"pool": "canary", "weight": 0, "version": "v2"}},
                             rollout={"strategy": "canary", "baseline": "stable", "candidate": "canary", "start": "manual",
                                      "steps": [{"weight": 10, "for": "1s", "min_requests": 1}, {"weight": 50, "for": "1s"},
                                                {"weight": 100}],
                                      "guards": {"error_rate": {"margin": 50}}})]}


def test_a_rollout_takes_no_step_that_cannot_be_written_down(disk, start_sluice, upstream):
    """A person's command wins all the same; the controller itself goes no further until it can write."""
    state = os.path.join(disk.path, "state")
    os.makedirs(state)
    daemon = start_sluice(rollout(state, upstream("stable"), upstream("canary")))
    disk.fill()
    load = Loop(daemon.address, threads=2, make=lambda i: ("GET", "/", [("X-User-Id", str(i))], None))

    def weight():
        return daemon.metrics().sum("sluice_variant_weight", variant="canary")
    assert "held (journal)" in daemon.cli("promote", "chat").stdout
    assert daemon.metrics().sum("sluice_rollout_journal_failing", route="chat") == 1
    assert "the journal cannot be written, rollouts hold" in daemon.stderr() and "No space left" in daemon.stderr()
    wait_for(lambda: daemon.metrics().sum("sluice_requests_total", variant="canary") > 500, 30, "evidence comes in")
    assert "held (journal)" in daemon.cli("status", "chat").stdout
    assert weight() == 10
    disk.empty()
    wait_for(lambda: weight() > 10, 30, "the next step is taken by itself")
    assert daemon.metrics().sum("sluice_rollout_journal_failing", route="chat") == 0
    load.stop()
    assert not load.failures and set(load.statuses) == {200}


def test_a_start_without_room_serves_and_says_what_is_missing(disk, start_sluice, upstream):
    """No key of request ids can be made: ids carry nothing, and requests are answered."""
    state = os.path.join(disk.path, "state")
    os.makedirs(state)
    disk.fill()
    daemon = start_sluice({"workers": 1, "state_dir": state, "pools": {"stable": pool(upstream())}, "routes": [route()]})
    assert daemon.ask().status == 200
    assert "no key of request ids can be made" in daemon.stderr()
    assert daemon.cli("reload").returncode == 0


def test_tasks_are_written_when_there_is_room_again(disk, start_sluice, upstream):
    state = os.path.join(disk.path, "state")
    os.makedirs(state)
    number = [0]

    def begin(_request, reply):
        number[0] += 1
        reply.send(200, json.dumps({"id": f"task-{number[0]}-" + "x" * 200}), [("Content-Type", "application/json")])
    config = {"workers": 1, "state_dir": state, "pools": {"stable": pool(upstream(handler=begin))},
              "routes": [route(affinity={"learn": ["json /id"], "use": ["path_segment"]})]}
    daemon = start_sluice(config)
    disk.fill()
    with daemon.client() as client:
        def told():
            assert client.ask("POST", "/", [("Content-Type", "application/json")], "{}").status == 200
            return "tasks cannot be written" in daemon.stderr()
        wait_for(told, 20, "it is told")
        disk.empty()
        wait_for(lambda: "tasks can be written again" in daemon.stderr(), 20, "the next look finds room")
    known = len(lines(os.path.join(state, "tasks.jsonl")))
    assert known == number[0]  # also those that were learned while the disk was full
