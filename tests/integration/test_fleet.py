"""Several proxies in one fleet beside a real etcd: each knows who is there and who leads, and serves whatever happens to etcd."""
import os
import shutil
import signal

import pytest

from harness.etcd import Etcd, unreachable
from harness.load import Ticker
from harness.scale import patience
from harness.sluice import Sluice, cli, pool, route
from harness.successor import upgrade
from harness.wait import wait_for

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")
TTL = 2


@pytest.fixture
def etcd(tmp_path):
    made = []

    def make(members=1):
        made.append(Etcd(tmp_path, members))
        return made[-1]
    yield make
    for one in made:
        one.stop()


def config(urls, server, name, **settings):
    return {"workers": 1, "pools": {"stable": pool(server)}, "routes": [route()],
            "fleet": {"instance": name, "etcd": {"endpoints": urls, "prefix": "/sluice/test", "ttl": f"{TTL}s"}}, **settings}


def fleet(daemon):
    """What it says of it: nothing for a moment, when it has just begun to serve."""
    return wait_for(lambda: daemon.status()["fleet"], patience(5), "it says what it is in its fleet")


def leaders(daemons):
    return [d for d in daemons if fleet(d)["role"] == "leader"]


def settled(daemons):
    """One leads, and all know all and whom."""
    told = [fleet(d) for d in daemons]
    if not all(told):
        return False  # it is only starting
    leading = [t for t in told if t["role"] == "leader"]
    return (len(leading) == 1 and all(len(t["members"]) == len(daemons) for t in told)
            and {t["leader"] for t in told} == {m["name"] for m in leading[0]["members"] if m["self"]})


def join(start_sluice, urls, server, count, **settings):
    daemons = [start_sluice(config(urls, server, f"proxy-{n}", **settings)) for n in range(count)]
    wait_for(lambda: settled(daemons), patience(15), "the fleet has one leader and knows itself")
    return daemons


def test_five_proxies_and_three_members_of_etcd(start_sluice, upstream, etcd):
    store = etcd(3)
    daemons = join(start_sluice, store.urls, upstream(), 5)
    for daemon in daemons:
        told, metrics = fleet(daemon), daemon.metrics()
        assert sorted(m["name"] for m in told["members"]) == [f"proxy-{n}" for n in range(5)]
        assert [m["name"] for m in told["members"] if m["self"]] == [daemon.config["fleet"]["instance"]]
        assert all(m["version"] and m["admin"].startswith("unix:") for m in told["members"])
        assert told["error"] is None and 0 < told["lease_seconds"] <= TTL and told["watch_age_seconds"] < 10
        assert metrics.sum("sluice_fleet_members") == 5
        assert metrics.sum("sluice_fleet_role", role=told["role"]) == 1 and metrics.sum("sluice_fleet_role") == 1
        assert metrics.sum("sluice_fleet_leaderships_total") == (told["role"] == "leader")
        assert daemon.ask().status == 200

    # Who is told to end is followed at once; who is killed, when its lease has run out.
    for killed in (False, True):
        first = leaders(daemons)[0]
        if killed:
            first.expected_exit = None
            first.child.kill()
        else:
            assert first.stop() == 0
        daemons.remove(first)
        wait_for(lambda: settled(daemons), patience(TTL + 8), "another one leads")
    # A member of etcd is lost: nobody notices.
    store.kill(store.leader())
    daemons.append(start_sluice(config(store.urls, upstream("late"), "late")))
    wait_for(lambda: settled(daemons), patience(20), "one more belongs to it")
    assert all(daemon.ask().status == 200 for daemon in daemons)


def test_without_etcd_they_serve_and_say_so(start_sluice, upstream, etcd):
    store = etcd()
    daemons = join(start_sluice, store.urls, upstream(), 3)
    store.kill(store.members[0])
    wait_for(lambda: all(fleet(d)["role"] == "apart" for d in daemons), patience(TTL + 8), "all are apart")
    for daemon in daemons:
        assert fleet(daemon)["error"] and daemon.metrics().sum("sluice_fleet_role", role="apart") == 1
        assert daemon.ask().status == 200 and daemon.reload().status == 200
    store.again(store.members[0])
    wait_for(lambda: settled(daemons), patience(20), "they meet again")
    assert all(d.metrics().sum("sluice_fleet_rejoins_total") >= 1 for d in daemons)


def test_a_start_without_etcd(start_sluice, upstream):
    """The daemon serves; it belongs to the fleet when there is one."""
    held, nowhere = unreachable()
    with held:
        daemon = start_sluice(config([nowhere], upstream(), "alone"))
        assert daemon.ask().status == 200
        wait_for(lambda: fleet(daemon)["error"], patience(10), "it says why it is apart")
        assert fleet(daemon)["role"] == "apart" and "127.0.0.1" in fleet(daemon)["error"]
        assert daemon.stop() == 0


def test_a_proxy_that_hung_is_no_longer_the_leader(start_sluice, upstream, etcd):
    daemons = join(start_sluice, etcd().urls, upstream(), 3)
    first = leaders(daemons)[0]
    others = [d for d in daemons if d is not first]
    first.child.signal(signal.SIGSTOP)
    wait_for(lambda: settled(others), patience(TTL + 8), "another one leads")
    first.child.signal(signal.SIGCONT)
    wait_for(lambda: settled(daemons), patience(15), "it is a member again")
    assert leaders(daemons) != [first]
    assert first.metrics().sum("sluice_fleet_rejoins_total") == 1


def test_a_reload_with_another_fleet_waits_for_the_next_start(start_sluice, upstream, etcd):
    store = etcd()
    daemons = join(start_sluice, store.urls, upstream(), 2)
    daemon = daemons[0]
    daemon.config["fleet"]["etcd"]["ttl"] = "9s"
    answer = daemon.reload(daemon.config)
    assert answer.status == 200 and "fleet: what is said here takes effect at the next start" in answer.text
    del daemon.config["fleet"]
    assert "takes effect at the next start" in daemon.reload(daemon.config).text
    assert settled(daemons)


@pytest.mark.usefixtures("orphans")
def test_a_binary_that_was_replaced_belongs_to_it_no_more(start_sluice, upstream, etcd):
    """… although it still finishes its requests."""
    ticker = Ticker()
    server = upstream(handler=lambda request, reply: ticker(request, reply) if request.path == "/s" else reply.send(200))
    daemons = join(start_sluice, etcd().urls, server, 2)
    old = leaders(daemons)[0]
    with old.client() as client:
        client.request("GET", "/s")
        assert client.head().status == 200
        upgrade(old)
        wait_for(lambda: settled(daemons), patience(TTL + 10), "the new binary has the old one's place")
        ticker.tick()
        assert client.event() == "0"
    ticker.end()


def test_who_may_not_write_there_says_so(start_sluice, upstream, etcd, tmp_path):
    store = etcd()
    store.lock("reader")
    (tmp_path / "password").write_text("secret\n")
    os.chmod(tmp_path / "password", 0o600)
    settings = config(store.urls, upstream(), "reader")
    settings["fleet"]["etcd"].update(username="reader", password_file=str(tmp_path / "password"))
    daemon = start_sluice(settings)
    wait_for(lambda: "permission denied" in (fleet(daemon)["error"] or ""), patience(10), "it says what it may not")
    assert fleet(daemon)["role"] == "apart" and daemon.ask().status == 200
    tries = store.count("Txn")
    for _ in range(3):  # it tries again, and not as fast as it can
        told = store.count("Txn")
        wait_for(lambda told=told: store.count("Txn") > told, patience(10))
    assert store.count("Txn") - tries < 12
    assert daemon.stderr().count("fleet: apart") == 1 and "secret" not in daemon.stderr()


def test_endpoints_that_fail_are_told_of_once(start_sluice, upstream):
    """Each has words of its own and is asked again and again."""
    asked = [0, 0, 0]

    def failing(index):
        def handler(_request, reply):
            asked[index] += 1
            reply.send(500 + index, "no")
        return handler
    urls = [upstream(f"etcd-{i}", failing(i)).url for i in range(3)]
    daemon = start_sluice(config(urls, upstream(), "alone"))
    wait_for(lambda: min(asked) > 3, patience(20), "each is asked in turn")
    assert fleet(daemon)["role"] == "apart" and daemon.stderr().count("fleet: apart") == 1
    assert daemon.metrics().sum("sluice_fleet_rejoins_total") == 0  # it never was in one


def test_a_rolling_update_cannot_be_shared(tmp_path, upstream):
    daemon = Sluice(tmp_path, config(["http://127.0.0.1:1"], upstream(), "x"), start=False)
    daemon.config["routes"][0]["rollout"] = {"strategy": "rolling", "update": "http://127.0.0.1:1/"}
    daemon.write()
    checked = cli("check", daemon.path)
    assert checked.returncode == 1 and "a fleet cannot share a rolling update" in checked.stderr + checked.stdout
