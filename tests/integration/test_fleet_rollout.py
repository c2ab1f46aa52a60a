"""One rollout of many proxies beside a real etcd: judged by the traffic of all, decided by one, carried out by each."""
import base64
import shutil
import time

import pytest

from harness.scale import patience
from harness.successor import upgrade
from harness.wait import wait_for
from test_fleet import etcd, fleet, leaders, settled  # pylint: disable=unused-import
from test_rollout import Paced, answering, configuration, decisions_of, rollout_of, weight_of

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")
TTL = 2
STEPS = [{"weight": 20, "for": "2s"}, {"weight": 50, "for": "2s"}, {"weight": 100}]
LONG = [{"weight": 20, "for": "10m"}, {"weight": 50, "for": "10m"}, {"weight": 100}]


def settings(urls, servers, name, **rollout):
    plan = {"steps": STEPS, "guards": {"error_rate": {"margin": 5}}, "horizon": "1s", "watch": "3s", **rollout}
    return {"workers": 1, **configuration(*servers, plan),
            "fleet": {"instance": name, "etcd": {"endpoints": urls, "prefix": "/sluice/test", "ttl": f"{TTL}s"}}}


class Fleet:
    """Proxies, requests on each of them, and what they are asked together."""

    def __init__(self, start, urls, servers, count, rate, **rollout):
        self.start, self.urls, self.servers, self.rate, self.rollout = start, urls, servers, rate, rollout
        self.daemons, self.loads = [], []
        for _ in range(count):
            self.more(False)
        wait_for(lambda: settled(self.daemons), patience(15), "the fleet has one leader and knows itself")
        for daemon in self.daemons:
            self.load(daemon)

    def more(self, load=True, **rollout):
        name = f"proxy-{len(self.daemons)}"
        self.daemons.append(self.start(settings(self.urls, self.servers, name, **{**self.rollout, **rollout})))
        if load:
            self.load(self.daemons[-1])
        return self.daemons[-1]

    def load(self, daemon):
        if self.rate:
            self.loads.append(Paced(daemon.address, self.rate, threads=2))

    def leader(self):
        return wait_for(lambda: leaders(self.daemons), patience(15), "somebody leads")[0]

    def member(self):
        return next(d for d in self.daemons if d is not self.leader())

    def all(self, state, weight=None):
        """All show the state, and live by the weight."""
        told = [rollout_of(d) for d in self.daemons]
        return (all(t["state"] == state for t in told)
                and (weight is None or all(weight_of(d) == weight for d in self.daemons)))

    def wait_all(self, state, weight=None, seconds=30):
        wait_for(lambda: self.all(state, weight), patience(seconds), f"all are in {state}")

    def stop(self):
        for load in self.loads:
            load.stop()
        return self.loads


@pytest.fixture
def begin(start_sluice, upstream, etcd):  # pylint: disable=redefined-outer-name
    fleets = []

    def make(count=3, canary=None, rate=60, members=1, **rollout):
        store = etcd(members)
        made = Fleet(start_sluice, store.urls, (upstream("stable", answering()), upstream("canary", canary or answering())),
                     count, rate, **rollout)
        made.store = store
        fleets.append(made)
        return made
    yield make
    for made in fleets:
        made.stop()


def listed(daemon):
    return [(d["number"], d["action"], d["to"]["state"], d["to"]["weights"]["canary"]) for d in decisions_of(daemon)]


def test_a_good_canary_goes_all_the_way_everywhere(begin):
    proxies = begin(5, members=3)
    proxies.wait_all("promoted", 100, 60)
    assert not [load.failures for load in proxies.stop() if load.failures]
    lists = [listed(d) for d in proxies.daemons]
    assert all(one == lists[0] for one in lists), lists
    assert [number for number, *_ in lists[0]] == list(range(1, len(lists[0]) + 1))
    assert [(action, weight) for _, action, _, weight in lists[0]] == [
        ("start", 20), ("step", 50), ("promote", 100), ("complete", 100)]


def test_a_bad_canary_is_taken_back_everywhere_by_what_all_have_seen(begin):
    proxies = begin(5, canary=answering(0.5), rate=30, steps=LONG)
    proxies.wait_all("rolled_back", 0)
    last = {d.pid: decisions_of(d)[-1] for d in proxies.daemons}
    assert {one["action"] for one in last.values()} == {"rollback"} and len({one["number"] for one in last.values()}) == 1
    # The evidence is more than what one of them has seen.
    seen = next(iter(last.values()))["guards"][0]["candidate"]["requests"]
    each = [sum(1 for _, _, variant in load.log if variant == "canary") for load in proxies.stop()]
    assert max(each) < seen <= sum(each), (seen, each)
    assert not [load.failures for load in proxies.loads if load.failures]


def test_a_command_to_any_of_them_is_the_leaders(begin):
    proxies = begin(3, rate=0, steps=LONG)
    proxies.wait_all("step", 20)
    told = proxies.member().admin().ask("POST", "/api/v1/routes/chat/promote", {"reason": "looks well"})
    assert told.status == 200 and told.json()["rollout"]["weights"]["canary"] == 50, told.text
    proxies.wait_all("step", 50, 5)
    refused = proxies.member().admin().ask("POST", "/api/v1/routes/chat/retry", {})
    assert refused.status == 409, refused.text
    assert proxies.member().admin().ask("POST", "/api/v1/routes/chat/weights",
                                              {"weights": {"stable": 70, "canary": 30}}).status == 200
    proxies.wait_all("step", 30, 5)
    assert {rollout_of(d)["hold"] for d in proxies.daemons} == {"by_hand"}
    assert proxies.member().admin().ask("POST", "/api/v1/routes/chat/rollback", {}).status == 200
    proxies.wait_all("rolled_back", 0, 5)
    assert len({str(listed(d)) for d in proxies.daemons}) == 1


def test_a_leader_that_is_killed_is_followed_by_one_that_goes_on(begin):
    """… with the evidence of all: no decision is missing, made twice, or other than the machine's own."""
    proxies = begin(4, rate=40, steps=[{"weight": w, "for": "2s"} for w in (10, 20, 30, 40, 50)] + [{"weight": 100}])
    for _ in range(2):
        proxies.wait_all("step")
        before = rollout_of(proxies.leader())["step"]
        leader = proxies.leader()
        seen = rollout_of(leader)["guards"][0]["baseline"]["requests"]
        leader.expected_exit = None
        leader.child.kill()
        index = proxies.daemons.index(leader)
        proxies.daemons.remove(leader)
        proxies.loads.pop(index).stop()
        after = rollout_of(proxies.leader())
        assert after["step"] >= before and after["guards"][0]["baseline"]["requests"] >= seen * 0.5
    proxies.wait_all("promoted", 100, 60)
    lists = [listed(d) for d in proxies.daemons]
    assert all(one == lists[0] for one in lists), lists
    assert [weight for *_, weight in lists[0]] == [10, 20, 30, 40, 50, 100, 100]
    assert [number for number, *_ in lists[0]] == list(range(1, 8))


def test_without_etcd_only_the_hard_limits_act_and_the_lower_weight_wins(begin):
    ill = {"rate": 0.0}
    sick = answering(1.0)

    def canary(request, reply):
        return sick(request, reply) if ill["rate"] else reply.send(200, "well")
    proxies = begin(2, canary=canary, rate=60, steps=LONG, guards={"error_rate": {"margin": 60}},
                    limits={"error_rate": 20})
    proxies.wait_all("step", 20)
    proxies.store.kill(proxies.store.members[0])
    wait_for(lambda: all(fleet(d)["role"] == "apart" for d in proxies.daemons), patience(TTL + 8), "all are apart")
    refused = proxies.daemons[0].admin().ask("POST", "/api/v1/routes/chat/promote", {})
    assert refused.status == 409 and "etcd" in refused.text
    assert all(weight_of(d) == 20 for d in proxies.daemons)
    # One by its limits, before the other; then that one by a person's word.
    ill["rate"] = 1.0
    wait_for(lambda: any(weight_of(d) == 0 for d in proxies.daemons), patience(20), "a limit takes it back here")
    for daemon in proxies.daemons:
        assert daemon.admin().ask("POST", "/api/v1/routes/chat/rollback", {}).status in (200, 409)
    assert all(weight_of(d) == 0 for d in proxies.daemons)
    assert all(rollout_of(d)["fleet"]["alone"] for d in proxies.daemons)
    alone = next(d for d in decisions_of(proxies.daemons[0]) if "alone" in d["because"])
    assert (alone["action"], alone["from"]["weights"]["canary"], alone["to"]["weights"]["canary"]) == ("rollback", 20, 0)
    proxies.daemons[1].restart()
    proxies.loads[1].address = proxies.daemons[1].address
    assert weight_of(proxies.daemons[1]) == 0 and rollout_of(proxies.daemons[1])["fleet"]["alone"]
    ill["rate"] = 0.0
    proxies.store.again(proxies.store.members[0])
    proxies.wait_all("rolled_back", 0)
    wait_for(lambda: not any(rollout_of(d)["fleet"]["alone"] for d in proxies.daemons), patience(10), "it is the fleet's now")


def test_files_that_differ_hold_it_and_a_version_waits_for_all(begin):
    proxies = begin(3, rate=20, steps=LONG)
    proxies.wait_all("step", 20)
    one = proxies.member()
    # Another margin: everybody goes on by the record, nobody steps on.
    one.config["routes"][0]["rollout"]["guards"]["error_rate"]["margin"] = 7
    assert one.reload(one.config).status == 200
    wait_for(lambda: rollout_of(proxies.leader())["hold"] == "fleet", patience(10), "the leader holds")
    name = one.config["fleet"]["instance"]
    assert name in rollout_of(proxies.leader())["because"] and not rollout_of(one)["fleet"]["agrees"]
    assert all(weight_of(d) == 20 for d in proxies.daemons)
    one.config["routes"][0]["rollout"]["guards"]["error_rate"]["margin"] = 5
    assert one.reload(one.config).status == 200
    wait_for(lambda: {rollout_of(d)["hold"] for d in proxies.daemons} == {"none"}, patience(10), "it goes on")
    # Another version: no traffic for it there until all have it, whoever gets it first.
    for daemon in [proxies.leader(), *(d for d in proxies.daemons if d is not proxies.leader())]:
        if daemon is not proxies.leader() and daemon.config["routes"][0]["variants"]["canary"]["version"] == "v3":
            continue
        daemon.config["routes"][0]["variants"]["canary"]["version"] = "v3"
        assert daemon.reload(daemon.config).status == 200
        left = [d for d in proxies.daemons if d.config["routes"][0]["variants"]["canary"]["version"] == "v2"]
        if left:
            assert weight_of(daemon) == 0 and not rollout_of(daemon)["fleet"]["exposed"]
            assert all(weight_of(d) == 20 for d in left)
    proxies.wait_all("step", 20)
    assert {rollout_of(d)["version"] for d in proxies.daemons} == {"v3"}
    assert len({str(listed(d)[-2:]) for d in proxies.daemons}) == 1


def test_one_that_comes_later_follows_at_once(begin):
    """… although its own file would begin anew, and the fleet has taken the candidate back."""
    proxies = begin(2, canary=answering(1.0), rate=60, steps=LONG)
    proxies.wait_all("rolled_back", 0)
    late = proxies.more(load=False)
    weights = set()
    until = time.monotonic() + 3
    while time.monotonic() < until:
        weights.add(weight_of(late))
    assert weights == {0} and rollout_of(late)["state"] == "rolled_back"
    assert listed(late) == listed(proxies.daemons[0])  # what was decided before it came, too
    assert proxies.member().admin().ask("POST", "/api/v1/routes/chat/retry", {"reason": "fixed"}).status == 200
    wait_for(lambda: weight_of(late) == 20, patience(10), "all try it again")


def test_the_pooled_evidence_is_what_all_have_sent(begin):
    proxies = begin(3, rate=0, steps=LONG)
    proxies.wait_all("step", 20)
    proxies.rate = 50
    time.sleep(1)  # counting begins with the next tick
    for daemon in proxies.daemons:
        proxies.load(daemon)
    time.sleep(4)
    sent = sum(sum(load.statuses.values()) for load in proxies.stop())

    def seen():
        guard = rollout_of(proxies.leader())["guards"][0]
        return guard["baseline"]["requests"] + guard["candidate"]["requests"]
    wait_for(lambda: seen() == sent, patience(15), "all of it has matured")
    time.sleep(2)
    assert seen() == sent


@pytest.mark.usefixtures("orphans")
def test_a_leader_whose_binary_is_replaced_goes_on(begin):
    proxies = begin(2, rate=40, steps=[{"weight": w, "for": "3s"} for w in (10, 20, 30)] + [{"weight": 100}])
    proxies.wait_all("step")
    upgrade(proxies.leader())
    wait_for(lambda: settled(proxies.daemons), patience(TTL + 10), "the new binary belongs to the fleet")
    proxies.wait_all("promoted", 100, 40)
    assert listed(proxies.daemons[0]) == listed(proxies.daemons[1])
    assert [weight for *_, weight in listed(proxies.daemons[0])] == [10, 20, 30, 100, 100]
    assert all(set(load.statuses) == {200} for load in proxies.stop())  # idle connections were closed with the old binary


def test_who_has_it_promoted_and_starts_anew_serves_the_same(begin):
    proxies = begin(2, rate=30)
    proxies.wait_all("promoted", 100, 40)
    for daemon, load in zip(proxies.daemons, proxies.loads):
        load.address = None
        daemon.restart()
        assert weight_of(daemon) == 100  # from its own journal, before it has met the others
        load.address = daemon.address
    wait_for(lambda: settled(proxies.daemons), patience(15), "they meet again")
    proxies.wait_all("promoted", 100, 5)
    assert len({str(listed(d)) for d in proxies.daemons}) == 1


def put(store, key, value):
    coded = base64.b64encode(("/sluice/test/" + key).encode()).decode()
    if value is None:
        store.post("/v3/kv/deleterange", key=coded)
    else:
        store.post("/v3/kv/put", key=coded, value=base64.b64encode(value.encode()).decode())


def test_a_record_that_cannot_be_used_changes_nothing(begin):
    proxies = begin(2, rate=0, steps=LONG)
    proxies.wait_all("step", 20)
    number = len(listed(proxies.daemons[0]))
    for garbage in ("nonsense", '{"format":9}', '{"format":1,"serial":5}'):
        put(proxies.store, "shared/routes/chat", garbage)
        wait_for(lambda: all(d.stderr().count("the fleet's record cannot be used") for d in proxies.daemons), patience(10))
        refused = proxies.leader().admin().ask("POST", "/api/v1/routes/chat/promote", {})
        assert refused.status == 409 and "cannot be used" in refused.text
        assert all(weight_of(d) == 20 for d in proxies.daemons)
    put(proxies.store, "shared/routes/chat", None)
    assert wait_for(lambda: proxies.leader().admin().ask("POST", "/api/v1/routes/chat/promote", {}).status == 200, patience(10),
                    "the leader writes what it knows", interval=0.3)
    proxies.wait_all("step", 50)
    assert [len(listed(d)) for d in proxies.daemons] == [number + 1] * 2


def test_a_rollout_that_comes_by_a_reload_joins_the_fleets(begin):
    proxies = begin(2, rate=0, steps=LONG)
    proxies.wait_all("step", 20)
    daemon = proxies.member()
    plan = daemon.config["routes"][0].pop("rollout")
    assert daemon.reload(daemon.config).status == 200
    wait_for(lambda: rollout_of(proxies.leader())["hold"] == "fleet", patience(10), "the leader holds")
    assert "no such rollout" in rollout_of(proxies.leader())["because"]
    daemon.config["routes"][0]["rollout"] = plan
    assert daemon.reload(daemon.config).status == 200
    proxies.wait_all("step", 20)
    wait_for(lambda: {rollout_of(d)["hold"] for d in proxies.daemons} == {"none"}, patience(10), "it goes on")
    assert len({str(listed(d)) for d in proxies.daemons}) == 1
