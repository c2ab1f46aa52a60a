"""`fleet: {evidence: {prometheus: URL}}`: what all have counted is read from a real Prometheus that scrapes them once a second."""
import base64
import os
import shutil
import signal

import pytest

from harness.load import free_port
from harness.prometheus import Prometheus, promtool
from harness.scale import patience
from harness.wait import wait_for
from test_fleet import etcd, fleet  # pylint: disable=unused-import
from test_fleet_rollout import Fleet, LONG, listed, settings
from test_rollout import answering, decisions_of, rollout_of

pytestmark = [pytest.mark.skipif(not (shutil.which("etcd") and shutil.which("prometheus")), reason="etcd or Prometheus is not installed"),
              pytest.mark.once]
FIGURES, RATIO = "sluice_fleet_evidence", "sluice_fleet_evidence_sample_ratio"


class Scraped(Fleet):
    """Each has an admin port that is known before Prometheus starts."""

    def __init__(self, start, urls, servers, count, rate, prometheus, **rollout):
        self.ports, self.url = [free_port() for _ in range(count)], None
        self.prometheus = prometheus([f"127.0.0.1:{port}" for port in self.ports])
        super().__init__(start, urls, servers, count, rate, **rollout)

    def more(self, load=True, **rollout):
        number = len(self.daemons)
        config = settings(self.urls, self.servers, f"proxy-{number}", **{**self.rollout, **rollout})
        config["admin"] = {"address": f"127.0.0.1:{self.ports[number]}"}
        config["fleet"]["evidence"] = {"prometheus": f"http://127.0.0.1:{self.prometheus.port}"}
        self.daemons.append(self.start(config))
        if load:
            self.load(self.daemons[-1])
        return self.daemons[-1]


@pytest.fixture
def begin(start_sluice, upstream, etcd, child, tmp_path):  # pylint: disable=redefined-outer-name
    fleets = []

    def make(count=3, canary=None, rate=60, **rollout):
        store = etcd()
        made = Scraped(start_sluice, store.urls, (upstream("stable", answering()), upstream("canary", canary or answering())), count, rate,
                       lambda targets: Prometheus(child, str(tmp_path), targets), **rollout)
        made.store = store
        fleets.append(made)
        return made
    yield make
    for made in fleets:
        made.stop()


def keys(store):
    """Of the evidence in etcd, without the prefix."""
    first, end = (base64.b64encode(text.encode()).decode() for text in ("/sluice/test/evidence/", "/sluice/test/evidence0"))
    return {base64.b64decode(pair["key"]).decode().removeprefix("/sluice/test/evidence/")
            for pair in store.post("/v3/kv/range", key=first, range_end=end, keys_only=True).get("kvs", [])}


def heard(proxies):
    return fleet(proxies.leader())["evidence"]


def seen(proxies):
    """Requests that the fleet has judged."""
    guard = rollout_of(proxies.leader())["guards"][0]
    return guard["baseline"]["requests"] + guard["candidate"]["requests"]


def counting(begin):  # pylint: disable=redefined-outer-name
    """Every request of them is counted: they begin when counting has."""
    proxies = begin(3, rate=0, steps=LONG)
    proxies.wait_all("step", 20)
    wait_for(lambda: heard(proxies)["instances"] == 3, patience(15), "the figures of all are heard")
    proxies.rate = 50
    for daemon in proxies.daemons:
        proxies.load(daemon)
    return proxies


def test_a_bad_canary_is_taken_back_by_what_prometheus_has_of_all(begin):
    proxies = begin(3, canary=answering(0.2), rate=30, steps=LONG)
    proxies.wait_all("rolled_back", 0, 60)
    last = [decisions_of(d)[-1] for d in proxies.daemons]
    assert {one["action"] for one in last} == {"rollback"} and len({one["number"] for one in last}) == 1
    # The evidence is more than what one of them has seen.
    seen = last[0]["guards"][0]["candidate"]["requests"]
    each = [sum(1 for _, _, variant in load.log if variant == "canary") for load in proxies.stop()]
    assert max(each) < seen <= sum(each), (seen, each)
    assert not [key for key in keys(proxies.store) if not key.endswith("/groups")]


def test_a_good_canary_goes_all_the_way_by_what_prometheus_has(begin):
    proxies = begin(3, rate=60)
    proxies.wait_all("step", 20)
    wait_for(lambda: heard(proxies)["instances"] == 3, patience(15), "the figures of all are heard")
    assert heard(proxies)["source"] == "prometheus" and heard(proxies)["error"] is None and heard(proxies)["age_seconds"] < 5
    member = proxies.member()
    assert fleet(member)["evidence"] == {"source": "prometheus", "age_seconds": None, "instances": None, "error": None}
    proxies.wait_all("promoted", 100, 60)
    lists = [listed(d) for d in proxies.daemons]
    assert all(one == lists[0] for one in lists), lists
    assert [(action, weight) for _, action, _, weight in lists[0]] == [("start", 20), ("step", 50), ("promote", 100), ("complete", 100)]
    assert not [key for key in keys(proxies.store) if not key.endswith("/groups")]
    assert not [load.failures for load in proxies.stop() if load.failures]


def test_what_prometheus_has_is_what_all_have_sent(begin):
    """… however often it is asked; few series, that say whose they are; and nobody's are left when nothing is tried any more."""
    proxies = counting(begin)
    wait_for(lambda: all(sum(load.statuses.values()) > 150 for load in proxies.loads), patience(20), "some requests")
    sent = sum(sum(load.statuses.values()) for load in proxies.stop())
    wait_for(lambda: seen(proxies) == sent, patience(20), "all of it has matured and was scraped")
    ids = {m["id"] for m in fleet(proxies.leader())["members"]}
    for daemon in proxies.daemons:
        samples = [labels for name, labels, _ in daemon.metrics().samples if name in (FIGURES, RATIO)]
        assert 4 <= len(samples) <= 12, samples
        assert {(labels["fleet"], labels["route"]) for labels in samples} == {("/sluice/test", "chat")}
        assert len({labels["member"] for labels in samples}) == 1 and {labels["member"] for labels in samples} <= ids
        assert len({labels["epoch"] for labels in samples}) == 1
        assert (daemon.metrics().sum("sluice_fleet_evidence_age_seconds") > 0) == (daemon is proxies.leader())
        done = promtool("check", "metrics", text=daemon.admin().ask("GET", "/metrics").text)
        assert done.returncode == 0 and not (done.stdout + done.stderr).strip(), done.stdout + done.stderr
    assert seen(proxies) == sent
    wait_for(lambda: any(key.endswith("/groups") for key in keys(proxies.store)), patience(20), "groups go through etcd")
    assert not [key for key in keys(proxies.store) if not key.endswith("/groups")]
    assert proxies.member().admin().ask("POST", "/api/v1/routes/chat/rollback", {}).status == 200
    proxies.wait_all("rolled_back", 0)
    assert not [name for d in proxies.daemons for name, _, _ in d.metrics().samples if name in (FIGURES, RATIO)]


def test_without_prometheus_steps_wait_and_it_says_so(begin):
    proxies = begin(2, rate=60, steps=[{"weight": 20, "for": "12s"}, {"weight": 100}])
    proxies.wait_all("step", 20)
    wait_for(lambda: heard(proxies)["instances"] == 2, patience(15), "the figures of all are heard")
    os.kill(proxies.prometheus.process.pid, signal.SIGSTOP)
    leader = proxies.leader()
    try:
        wait_for(lambda: rollout_of(leader)["hold"] == "fleet", patience(20), "the step is held")
        wait_for(lambda: heard(proxies)["error"], patience(15), "the question failed")
        assert "Prometheus" in rollout_of(leader)["because"] and heard(proxies)["age_seconds"] > 5
        assert leader.metrics().sum("sluice_fleet_evidence_age_seconds") > 5
        assert "evidence" in leader.cli("status", "--fleet").stdout
        assert all(rollout_of(d)["state"] == "step" for d in proxies.daemons)
    finally:
        os.kill(proxies.prometheus.process.pid, signal.SIGCONT)
    wait_for(lambda: heard(proxies)["error"] is None and rollout_of(proxies.leader())["hold"] != "fleet", patience(20), "it goes on")
    assert leader.stderr().count("evidence cannot be read from Prometheus") == leader.stderr().count("read from Prometheus again") == 1
    proxies.wait_all("promoted", 100, 60)


def test_a_leader_that_is_killed_loses_and_repeats_nothing(begin):
    proxies = counting(begin)
    wait_for(lambda: seen(proxies) > 200, patience(30), "some evidence")
    leader = proxies.leader()
    leader.expected_exit = None
    leader.child.kill()
    index = proxies.daemons.index(leader)
    proxies.daemons.remove(leader)
    gone = proxies.loads.pop(index).stop()
    rest = sum(sum(load.statuses.values()) for load in proxies.stop())
    # Of those that live every request is counted, once; of the one that is gone at most what it had answered.
    wait_for(lambda: rest <= seen(proxies) <= rest + sum(gone.statuses.values()), patience(20), "the next leader has what all have sent")


def test_without_the_setting_nothing_of_it_is_shown(start_sluice, upstream, etcd):  # pylint: disable=redefined-outer-name
    store = etcd()
    proxies = Fleet(start_sluice, store.urls, (upstream("stable", answering()), upstream("canary", answering())), 2, 20, steps=LONG)
    proxies.wait_all("step", 20)
    wait_for(lambda: [key for key in keys(store) if not key.endswith("/groups")], patience(15), "tallies are in etcd")
    for daemon in proxies.daemons:
        assert not [name for name, _, _ in daemon.metrics().samples if name.startswith(FIGURES)]
        assert FIGURES not in daemon.metrics().text
        assert fleet(daemon)["evidence"] == {"source": "etcd", "age_seconds": None, "instances": None, "error": None}
    proxies.stop()
