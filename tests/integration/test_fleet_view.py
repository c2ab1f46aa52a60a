"""What a fleet shows of itself: status, `sluice status --fleet`, metrics, and how far an instance is behind."""
import json
import os
import re
import shutil
import socket

import pytest

from harness.etcd import Relay
from harness.scale import BINARY, patience
from harness.sluice import ENVIRONMENT
from harness.terminal import Terminal
from harness.wait import wait_for
from test_fleet import TTL, config, etcd, fleet, join, leaders, settled  # noqa: F401

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")
LINE = re.compile(r"(?P<mark>[* ]) (?P<name>\S+) +(?P<role>leader|member) +(?P<version>\S+) +(?P<admin>\S+) +(?P<up>\d.*?)  +(?P<loaded>\d.* ago) +(?P<rollouts>.*)")


def say(store, daemon, routes):
    """As if the instance said that of its routes."""
    key = f"/sluice/test/shared/members/{next(m['id'] for m in fleet(daemon)['members'] if m['self'])}"
    store.put(key, {**store.get(key), "routes": routes})


def shown(daemon, *options):
    """The first line, and the table."""
    done = daemon.cli("status", "--fleet", *options)
    assert done.returncode == 0 and not done.stderr, done
    lines = done.stdout.splitlines()
    return lines[0], [LINE.fullmatch(line).groupdict() for line in lines[3:]]


def test_the_instances_in_status_and_on_the_command_line(start_sluice, upstream, etcd):
    store = etcd()
    daemons = join(start_sluice, store.urls, upstream(), 3)
    daemon = next(d for d in daemons if d not in leaders(daemons))
    told, metrics = fleet(daemon), daemon.metrics()
    assert [m["name"] for m in told["members"]] == ["proxy-0", "proxy-1", "proxy-2"]
    for member, of in zip(told["members"], daemons):
        assert member["pid"] == of.status()["pid"] and 0 <= member["loaded_seconds"] <= member["started_seconds"] < 600
    assert (told["instance"], told["lag_seconds"], told["apart_seconds"]) == (daemon.config["fleet"]["instance"], 0, None)
    assert (told["rejoins"], told["writes_refused"], told["leaderships"]) == (0, 0, 0)
    assert sum(fleet(d)["leaderships"] for d in daemons) == 1
    assert metrics.sum("sluice_fleet_revision") >= told["revision"] > 0
    assert metrics.sum("sluice_fleet_lag_seconds") == metrics.sum("sluice_fleet_writes_refused_total") == 0

    head, rows = shown(daemon)
    assert head.startswith(f"fleet /sluice/test  this is {told['instance']}, member  leader {told['leader']}  lease ")
    assert [(r["name"], r["mark"] == "*", r["role"] == "leader") for r in rows] == [(m["name"], m["self"], m["leader"]) for m in told["members"]]
    assert all(r["version"] and r["admin"].startswith("unix:") for r in rows)
    done = daemon.cli("status", "--fleet", "--json")
    assert done.returncode == 0 and {**json.loads(done.stdout), "members": 0}.keys() == told.keys()
    assert daemon.cli("status", "--fleet", "default").returncode == 2
    assert "--fleet" in daemon.cli("status", "--help").stdout


def test_rollouts_that_differ_are_named(start_sluice, upstream, etcd):
    store = etcd()
    daemons = join(start_sluice, store.urls, upstream(), 3)

    def agreement(of):
        return [(m["agrees"], m["differs"]) for m in fleet(of)["members"]]
    for routes, daemon in zip(({"chat": {"rollout": "aa", "plan": 17}}, {"chat": {"rollout": "aa", "plan": 3}}, {"chat": {"rollout": "bb"}, "search": {"rollout": "cc"}}), daemons):
        say(store, daemon, routes)
    same, other = (True, []), (False, ["chat", "search"])
    wait_for(lambda: agreement(daemons[0]) == [same, same, other], patience(10), "one says other things")
    wait_for(lambda: agreement(daemons[2]) == [other, other, same], patience(10), "seen from there it is the others")
    assert fleet(daemons[1])["members"][0]["routes"] == {"chat": {"rollout": "aa", "plan": 17}}
    assert [r["rollouts"] for r in shown(daemons[0])[1]] == ["same", "same", "differs: chat, search"]
    say(store, daemons[2], {"chat": {"rollout": "aa"}})
    wait_for(lambda: agreement(daemons[2]) == [same] * 3, patience(10), "they agree")


def test_who_is_apart_says_since_when_and_why(start_sluice, upstream, etcd):
    store = etcd()
    daemon, = join(start_sluice, store.urls, upstream(), 1)
    store.kill(store.members[0])
    wait_for(lambda: fleet(daemon)["role"] == "apart", patience(TTL + 8), "it is apart")
    wait_for(lambda: fleet(daemon)["apart_seconds"] > 1, patience(10))
    done = daemon.cli("status", "--fleet")
    assert done.returncode == 0
    assert re.match(r"fleet /sluice/test  this is proxy-0, apart  leader none .*\napart for \S.*: .+; what served last goes on\n$", done.stdout), done.stdout


def test_without_a_fleet_there_is_nothing_to_show(start_sluice, upstream):
    settings = config(["http://127.0.0.1:1"], upstream(), "x")
    del settings["fleet"]
    daemon = start_sluice(settings)
    for options in ((), ("--json",)):
        done = daemon.cli("status", "--fleet", *options)
        assert done.returncode == 1 and done.stdout == "" and "belongs to no fleet" in done.stderr
    assert daemon.metrics().sum("sluice_fleet_lag_seconds") == 0 and daemon.status()["fleet"] is None


def terminal_of(daemon):
    environment = {**os.environ, **ENVIRONMENT, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    return Terminal([BINARY, "status", "--fleet", "--admin", daemon.config["admin"]["address"]], environment, 120, 20)


def test_on_a_terminal_it_is_redrawn(start_sluice, upstream, etcd):
    store, server = etcd(), upstream()
    daemons = join(start_sluice, store.urls, server, 1)
    terminal = terminal_of(daemons[0])
    wait_for(lambda: any("* proxy-0" in line for line in terminal.lines()), patience(20), "it is drawn")
    start_sluice(config(store.urls, server, "another"))
    wait_for(lambda: any("  another " in line for line in terminal.lines()), patience(20), "who comes is shown")
    terminal.type("q")
    assert terminal.wait(patience(20)) == 0
    assert [line.split()[0] for line in terminal.lines() if line].count("fleet") == 1
    terminal.stop()


def test_on_a_terminal_without_a_fleet(start_sluice, upstream):
    settings = config(["http://127.0.0.1:1"], upstream(), "x")
    del settings["fleet"]
    terminal = terminal_of(start_sluice(settings))
    assert terminal.wait(patience(20)) == 1
    assert any("belongs to no fleet" in line for line in terminal.lines())
    terminal.stop()


def test_a_watch_that_brings_nothing_is_known_to_be_behind(start_sluice, upstream, etcd):
    """… although etcd answers everything else."""
    store, server = etcd(), upstream()
    relay = Relay(store.members[0].client)
    daemons = [start_sluice(config(urls, server, name)) for urls, name in ((store.urls, "direct"), ([relay.url], "relayed"))]
    wait_for(lambda: settled(daemons), patience(15), "the fleet knows itself")
    direct, relayed = daemons

    def lag():
        return relayed.metrics().sum("sluice_fleet_lag_seconds")
    relay.hold()
    assert direct.reload(direct.config).status == 200  # it says anew when its configuration was loaded
    wait_for(lambda: lag() > 1, patience(15), "it is behind")
    assert fleet(relayed)["lag_seconds"] > 0 and fleet(relayed)["role"] != "apart"
    assert fleet(relayed)["revision"] < fleet(direct)["revision"] and "  behind for " in shown(relayed)[0]
    assert direct.metrics().sum("sluice_fleet_lag_seconds") == 0
    assert "the watch has missed something" in wait_for(lambda: "missed" in relayed.stderr() and relayed.stderr(), patience(10))
    relay.hold(False)
    wait_for(lambda: lag() == 0 and fleet(relayed)["revision"] == fleet(direct)["revision"], patience(15), "it has caught up")
    # One that brings nothing any more is left for another.
    relay.forget()
    assert direct.reload(direct.config).status == 200
    wait_for(lambda: lag() > 0, patience(15), "it is behind again")
    wait_for(lambda: lag() == 0 and fleet(relayed)["revision"] == fleet(direct)["revision"], patience(15), "another watch brings it")
    assert relayed.metrics().sum("sluice_fleet_rejoins_total") == 0
    for daemon in daemons:
        assert daemon.stop() == 0
    relay.stop()


def test_an_instance_without_a_name_has_its_hosts(start_sluice, upstream, etcd):
    settings = config(etcd().urls, upstream(), "x")
    del settings["fleet"]["instance"]
    daemon = start_sluice(settings)
    wait_for(lambda: settled([daemon]), patience(15), "it leads itself")
    name = socket.gethostname() + ":0"  # the port as the file has it
    assert (fleet(daemon)["instance"], fleet(daemon)["leader"]) == (name, name)
    assert daemon.reload(daemon.config).status == 200
    wait_for(lambda: [m["name"] for m in fleet(daemon)["members"]] == [name], patience(10))
