"""A fleet whose leader dies, hangs, or has another idea of time, and whose etcd loses its own: it goes on, nothing is passed over,
written twice or brought back, and no request fails. Networks that are cut: test_fleet_cuts.py."""
import pathlib
import re
import shutil
import threading
import time

import pytest

from harness.etcd import Relay
from harness.fleet_story import Trouble, numbers
from harness.process import clocked
from harness.scale import patience, sanitizer, scaled
from harness.wait import wait_for
from test_clock_jumps import LIBRARIES, Clock
from test_fleet import etcd, leaders  # pylint: disable=unused-import
from test_fleet_rollout import LONG, Fleet, begin  # pylint: disable=unused-import
from test_rollout import answering, weight_of
from test_rollout_kill import STEPS, check_decisions, slowly
from test_rollout_world import World

pytestmark = [pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed"), pytest.mark.heavy,
              pytest.mark.once]  # the same code runs in test_fleet_rollout on every build
TTL = 2
ANEW = re.compile("fleet: the watch was lost|fleet: the watch has missed something")
SEEDS = range(scaled(1))


@pytest.fixture
def each(etcd, start_sluice, upstream):  # pylint: disable=redefined-outer-name
    """each(change, …) -> Trouble: proxies whose configurations and processes differ."""
    fleets = []

    def make(change, count=3, skew=None, **rollout):
        store = etcd()

        def start(config):
            return start_sluice(config, **change(config, store))
        proxies = Fleet(start, store.urls, (upstream("stable", answering()), upstream("canary", answering())), count, 60, **rollout)
        proxies.store = store
        fleets.append(proxies)
        return Trouble(proxies, skew=skew)
    yield make
    for proxies in fleets:
        proxies.stop()


@pytest.fixture
def trouble(begin, upstream):  # pylint: disable=redefined-outer-name
    """Rollouts that have everything: a gate, a hook before each step, a pause, a watch."""
    hook = World(upstream, "hook")
    hook.text = slowly

    def canary(request, reply):
        reply.send(200, slowly(request) if request.target == "/smoke" else "well")

    def make(seed, count=3, members=1, rate=60):
        smoke = {"request": {"path": "/smoke"}, "expect": {"status": [200]}}
        proxies = begin(count, canary, rate, members, steps=STEPS, guards={"error_rate": {"margin": 20}}, watch="100ms",
                        before={"smoke_tests": [smoke]}, hooks={"before_step": hook.url + "/step"})
        made = Trouble(proxies, seed)
        made.hook = hook
        return made
    return make


def judged(made, what):
    story = made.finish()
    made.promoted = sum(d["from"]["state"] == "paused" and d["to"]["state"] != "paused" for d in story.decisions)
    check_decisions(story.decisions, made)
    asked = [body["step"] for target, body in made.hook.asked if target == "/step"]
    assert {0, 1} <= set(asked), "the hook was asked before each step"
    print(f"\n{what}: {len(story.leaders)} leaderships, {len(story.writers)} records, {len(story.decisions)} decisions, "
          f"{made.version - 1} versions, {sum(len(w.seen) for w in made.watched)} looks, "
          f"{sum(sum(load.statuses.values()) for load in made.proxies.loads + made.ended)} requests")
    return story


@pytest.mark.parametrize("seed", SEEDS)  # SLUICE_SCALE=10: 50 kills
def test_the_leader_is_killed_at_any_moment(trouble, seed):
    made = trouble(seed)
    for _ in range(min(5, scaled(5, 2))):
        leader = made.proxies.leader()
        made.moment(leader)
        made.kill(leader, made.rng.random() * 1.5 * TTL)
        made.go_on()
    judged(made, "the leader killed")


@pytest.mark.parametrize("seed", SEEDS)  # SLUICE_SCALE=10: 30 kills
def test_the_leader_of_etcd_is_killed(trouble, seed):
    made = trouble(seed, members=3)
    store = made.proxies.store
    for _ in range(min(3, scaled(1))):
        first = store.leader()
        made.moment(made.proxies.daemons[0])
        store.kill(first)
        wait_for(lambda: any(m.child.running() and m.leads() for m in store.members), patience(20), "etcd has another leader")
        made.moment(made.proxies.daemons[0], 2.0)
        store.again(first)
        made.go_on()
    judged(made, "the leader of etcd killed")


@pytest.mark.parametrize("seed", range(scaled(1) - 1))  # in the full numbers only: the next one is of the same kind
def test_the_leader_hangs_until_its_lease_is_over(trouble, seed):
    """… and wakes up when another one has gone on: what it has in hand is written by nobody."""
    made = trouble(seed)
    for _ in range(min(3, scaled(1))):
        leader = made.proxies.leader()
        made.moment(leader)
        with made.hanging(leader):
            others = [d for d in made.proxies.daemons if d is not leader]
            wait_for(lambda rest=others: leaders(rest), patience(15), "another one leads")
            made.moment(others[0])
        made.go_on()
    judged(made, "the leader hung")


def test_who_wakes_up_brings_no_weight_back(begin):  # pylint: disable=redefined-outer-name
    """It hung at 20 %; meanwhile all were at 50 % and then at none."""
    made = Trouble(begin(3, rate=60, steps=LONG))
    proxies = made.proxies
    proxies.wait_all("step", 20)
    leader = proxies.leader()
    others = [d for d in proxies.daemons if d is not leader]
    with made.hanging(leader):
        wait_for(lambda: leaders(others), patience(15), "another one leads")
        asked = proxies.store.revision()
        for command in ("promote", "rollback"):
            assert others[0].admin().ask("POST", f"/api/v1/routes/chat/{command}", {"reason": "meanwhile"}).status == 200
        wait_for(lambda: all(weight_of(d) == 0 for d in others), patience(5), "they have taken it back")
    woken = time.monotonic()
    wait_for(lambda: weight_of(leader) == 0, patience(5), "it follows")
    follows = time.monotonic() - woken
    time.sleep(TTL)
    assert leaders(proxies.daemons) != [leader]
    made.person.stop()
    story = made.finish()
    story.nothing_between(leader.config["fleet"]["instance"], asked, 1 << 60)
    assert [d["action"] for d in story.decisions] == ["start", "step", "rollback"]
    print(f"\nit followed {follows * 1000:.0f} ms after it woke up")


def ask(daemon, command):
    told = daemon.admin().ask("POST", f"/api/v1/routes/chat/{command}", {"reason": "a person"})
    assert told.status == 200, told.text


@pytest.fixture
def relayed(each):  # pylint: disable=redefined-outer-name
    """Each proxy has a relay of its own before etcd."""
    relays = {}

    def change(config, store):
        name = config["fleet"]["instance"]
        relays[name] = Relay(store.members[0].client)
        config["fleet"]["etcd"]["endpoints"] = [relays[name].url]
        return {}

    def make():
        made = each(change, steps=LONG)
        made.relay = lambda daemon: relays[daemon.config["fleet"]["instance"]]
        made.proxies.wait_all("step", 20)
        return made
    yield make
    for relay in relays.values():
        relay.stop()


@pytest.mark.parametrize("how", ["nothing_comes", "hung"])
def test_a_member_for_which_all_was_compacted_away(relayed, how):
    """The record has changed many times since it last heard of it; it begins with everything."""
    made = relayed()
    one = made.proxies.member()
    other = next(d for d in made.proxies.daemons if d is not one)
    with made.hanging(one) if how == "hung" else made.deaf(one, made.relay(one)):
        for _ in range(min(40, scaled(12, 2))):
            ask(other, "pause")
            ask(other, "resume")
        ask(other, "promote")
        made.compact()
        wait_for(lambda: how == "hung" or ANEW.search(one.stderr()), patience(20), "it opens its watch anew")
        assert weight_of(other) == 50 and (how == "hung" or weight_of(one) == 20)
    wait_for(lambda: made.settled() and weight_of(one) == 50, patience(15), "it has what all have")
    assert how == "hung" or "the watch begins with everything" in one.stderr()
    made.end()


def test_a_leader_for_which_all_was_compacted_away(relayed):
    """What it wrote last is written, and comes back with everything."""
    made = relayed()
    leader = made.proxies.leader()
    others = [d for d in made.proxies.daemons if d is not leader]
    with made.deaf(leader, made.relay(leader)):
        person = threading.Thread(target=leader.admin().ask, args=("POST", "/api/v1/routes/chat/promote", {}))
        person.start()
        wait_for(lambda: {weight_of(d) for d in others} == {50}, patience(10), "the others have it")
        made.compact()
        wait_for(lambda: ANEW.search(leader.stderr()), patience(20), "it opens its watch anew")
    wait_for(lambda: weight_of(leader) == 50, patience(15), "it has what all have")
    person.join(20)
    ask(others[0], "rollback")
    story = made.finish()
    assert len(story.leaders) == 1 and len(story.decisions) == 3


@pytest.mark.parametrize("first", ["list", "state"])
def test_a_crash_between_the_list_and_the_state(begin, first):  # pylint: disable=redefined-outer-name
    """Whichever of the two had reached the disk: the list has each decision once."""
    made = Trouble(begin(2, rate=20, steps=LONG))
    made.proxies.wait_all("step", 20)
    one = made.proxies.member()
    folder = pathlib.Path(one.config["state_dir"])
    behind = folder / ("rollouts/chat.json" if first == "list" else "decisions.jsonl")
    before = behind.read_bytes()
    ask(one, "promote")
    wait_for(lambda: weight_of(one) == 50 and numbers(one)[-1] == 2, patience(10), "it has followed")
    made.kill(one, then=lambda: behind.write_bytes(before))
    wait_for(lambda: numbers(one) == [1, 2], patience(10), "the list is whole")
    made.end()


HOUR = 3600


def test_clocks_that_are_hours_apart(each, tmp_path):  # pylint: disable=redefined-outer-name
    """By the wall, and jumping; by the monotonic one too, where a process may have another: leases and steps take their time."""
    if not LIBRARIES or sanitizer():
        pytest.skip("no clock can be set here")
    ahead = {"proxy-0": 5 * HOUR, "proxy-1": -7 * HOUR, "proxy-2": 0}
    clocks, jumped = {}, [float("inf")]

    def change(config, _store):
        name = config["fleet"]["instance"]
        if not ahead[name]:
            return {"argv_prefix": clocked(1_000_000)}
        folder = tmp_path / name
        folder.mkdir()
        clocks[name] = Clock(str(folder))
        clocks[name].set(ahead[name])
        return {"env": clocks[name].env}
    made = each(change, skew=lambda name, revision: ahead[name] * (1 if revision <= jumped[0] else -1), watch="1s",
                steps=[{"weight": w, "for": "1s"} for w in (10, 20, 50)] + [{"weight": 100}], guards={"error_rate": {"margin": 20}})
    made.proxies.wait_all("step", 20)
    first = made.proxies.leader()
    made.kill(first)
    made.proxies.wait_all("step", 50)
    jumped[0] = made.proxies.store.revision()
    for name, clock in clocks.items():
        clock.set(-ahead[name])
    made.proxies.wait_all("promoted", 100)
    story = made.finish()
    assert len(story.leaders) == 2 and {d["action"] for d in story.decisions} == {"start", "step", "promote", "complete"}
    took = [b["at"] - a["at"] for a, b in zip(story.decisions, story.decisions[1:])]
    assert all(0.9 <= seconds < patience(20) for seconds in took), took
    assert not sum(d.metrics().sum("sluice_fleet_rejoins_total") for d in made.proxies.daemons), "a lease was over too early"
