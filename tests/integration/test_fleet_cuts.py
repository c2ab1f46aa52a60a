"""A fleet and its etcd in a network that is cut, in both directions or in one, and healed: who is cut off writes nothing and keeps
its weights, the others go on, and all agree afterwards. No request of a client fails meanwhile."""
import shutil
import time

import pytest

from harness.etcd import Etcd
from harness.fleet_story import Trouble
from harness.lan import Lan, networks_are_allowed
from harness.scale import patience, scaled
from harness.wait import wait_for
from test_fleet import fleet, leaders
from test_fleet_rollout import LONG, Fleet
from test_rollout import answering, rollout_of, weight_of

pytestmark = [pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed"), pytest.mark.heavy,
              pytest.mark.once]  # the same code runs in test_fleet_rollout on every build
TTL = 2
MANY = [{"weight": w, "for": "100ms"} for w in (5, 10, 15, 20, 30, 40, 50)] + [{"weight": 100}]


class Cuts(Trouble):
    def __init__(self, lan, proxies, seed=0):
        super().__init__(proxies, seed)
        self.lan = lan
        self.store_nodes = [m.node for m in proxies.store.members]

    def apart(self, daemon):
        wait_for(lambda: fleet(daemon)["role"] == "apart", patience(TTL + 8), "it is apart")

    def heal(self, *daemons):
        self.lan.heal()
        for daemon in daemons:
            self.back(daemon)

    def steps(self, daemons, count):
        """Those go on by so many decisions."""
        before = max(d.status()["routes"][0]["rollout"]["step"] for d in daemons)
        wait_for(lambda: all(rollout_of(d)["step"] >= min(before + count, 7) for d in daemons), patience(30), "they go on")


@pytest.fixture
def lan():
    if not networks_are_allowed():
        pytest.skip("no network namespace can be made here")
    made = Lan()
    yield made
    made.close()


@pytest.fixture
def store(lan, tmp_path):  # pylint: disable=redefined-outer-name
    made = Etcd(tmp_path, nodes=[lan.node() for _ in range(3)])
    yield made
    made.stop()


@pytest.fixture
def cuts(lan, store, start_sluice, upstream):  # pylint: disable=redefined-outer-name
    fleets = []

    def start(config):
        node = lan.node()
        config["listeners"] = [{"address": node.address + ":0"}]
        daemon = start_sluice(config, argv_prefix=node.prefix)
        daemon.node = node
        return daemon

    def make(count=3, steps=None, seed=0):
        servers = [upstream(name, answering(), host=lan.here) for name in ("stable", "canary")]
        proxies = Fleet(start, store.urls, servers, count, 60, steps=steps or MANY, watch="100ms",
                        guards={"error_rate": {"margin": 20}})
        proxies.store = store
        fleets.append(proxies)
        return Cuts(lan, proxies, seed)
    yield make
    lan.heal()
    for proxies in fleets:
        proxies.stop()


def other_leads(made, first):
    others = [d for d in made.proxies.daemons if d is not first]
    wait_for(lambda: leaders(others), patience(TTL + 12), "another one leads")
    return others


@pytest.mark.parametrize("lost", ["both", "answered", "asked"][:scaled(2)])
def test_the_leader_is_cut_off_from_etcd(cuts, lost):
    """All that is lost, or only what the leader sends, or only what etcd answers it: it may be written, and is not known to be."""
    made = cuts()
    first = made.proxies.leader()
    made.moment(first, 1.0)
    made.one(first).excuse()
    for node in made.store_nodes:
        if lost != "answered":
            first.node.mute(node)
        if lost != "asked":
            node.mute(first.node)
    made.apart(first)
    kept = weight_of(first)
    others = other_leads(made, first)
    led = made.proxies.store.revision()
    made.steps(others, 1)
    assert weight_of(first) == kept and fleet(first)["role"] == "apart"
    healed = made.proxies.store.revision()
    made.heal(first)
    story = made.end()
    story.nothing_between(first.config["fleet"]["instance"], led, healed)
    assert len({name for _, name in story.leaders}) >= 2


def test_a_member_is_cut_off_from_etcd(cuts):
    """It keeps the weight that it has, below what the others come to and above what they take back."""
    made = cuts(steps=LONG)
    made.proxies.wait_all("step", 20)
    one = made.proxies.member()
    others = [d for d in made.proxies.daemons if d is not one]
    made.one(one).excuse()
    made.lan.cut([one.node], made.store_nodes)
    made.apart(one)
    promoted = others[0].admin().ask("POST", "/api/v1/routes/chat/promote", {"reason": "go on"})
    assert promoted.status == 200, promoted.text
    wait_for(lambda: {weight_of(d) for d in others} == {50}, patience(10))
    assert weight_of(one) == 20 and one.admin().ask("POST", "/api/v1/routes/chat/promote", {}).status == 409
    assert others[0].admin().ask("POST", "/api/v1/routes/chat/rollback", {"reason": "ill"}).status == 200
    wait_for(lambda: {weight_of(d) for d in others} == {0}, patience(10))
    assert weight_of(one) == 20, "nobody can tell it"
    began = time.monotonic()
    made.lan.heal()
    wait_for(lambda: weight_of(one) == 0, patience(15), "it follows")
    print(f"\nit followed {time.monotonic() - began:.1f} s after the network was whole again")
    made.back(one)
    made.finish()


def test_the_leader_of_etcd_is_cut_off_from_its_peers(cuts, store):
    """It still answers, as a minority: nobody believes it."""
    made = cuts()
    made.moment(made.proxies.daemons[0], 1.0)
    for _ in range(min(4, scaled(1))):
        first = store.leader()
        made.lan.cut([first.node], [n for n in made.store_nodes if n is not first.node])
        wait_for(lambda old=first: any(m.leads() for m in store.members if m is not old), patience(20), "the others have a leader")
        if rollout_of(made.proxies.daemons[0])["state"] != "promoted":
            made.steps(made.proxies.daemons, 1)
        made.lan.heal()
        wait_for(first.healthy, patience(20), "it is one of them again")
    made.end()


def test_the_leader_is_on_the_wrong_side_with_a_member_of_etcd(cuts, store):
    """Each half has proxies; only one has most of etcd."""
    made = cuts(4)
    daemons = made.proxies.daemons
    first = made.proxies.leader()
    other = next(d for d in daemons if d is not first)
    alone = next(m for m in store.members if not m.leads())
    mine, theirs = [first, other], [d for d in daemons if d not in (first, other)]
    made.moment(first, 1.0)
    for daemon in mine:
        made.one(daemon).excuse()
    made.lan.cut([d.node for d in mine] + [alone.node],
                 [d.node for d in theirs] + [n for n in made.store_nodes if n is not alone.node])
    for daemon in mine:
        made.apart(daemon)
    wait_for(lambda: leaders(theirs), patience(TTL + 12), "one of the others leads")
    if rollout_of(theirs[0])["state"] != "promoted":
        made.steps(theirs, 1)
    made.heal(*mine)
    made.end()


@pytest.mark.parametrize("seed", range(scaled(1) - 1))  # in the full numbers only
def test_cuts_at_random(cuts, seed):
    """Any pair, in any direction, for any time, often; then it is healed and all agree."""
    made = cuts(4, seed=seed)
    nodes = made.lan.nodes
    for daemon in made.proxies.daemons:
        made.one(daemon).excuse()
    for _ in range(min(6, scaled(3, 2))):
        for _ in range(made.rng.randrange(1, 6)):
            one, other = made.rng.sample(nodes, 2)
            one.mute(other)
            if made.rng.random() < 0.5:
                other.mute(one)
        time.sleep(made.rng.random() * 3)
        if made.rng.random() < 0.5:
            made.lan.heal()
    made.heal(*made.proxies.daemons)
    made.proxies.wait_all("promoted", 100, 60)
    story = made.finish()
    print(f"\n{len(story.leaders)} leaderships, {len(story.writers)} records, {len(story.decisions)} decisions")
