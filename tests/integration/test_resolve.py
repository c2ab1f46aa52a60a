"""Endpoint names: all addresses used, followed when they change, and no request pays for a DNS server."""
import socket
import threading
import time

import pytest

from harness.dns import AAAA
from harness.load import Loop
from harness.scale import patience
from harness.sluice import cli, pool, route
from harness.upstream import Upstream
from harness.wait import wait_for

NAME = "model.test"


@pytest.fixture
def servers():
    """servers(host, …) -> an Upstream on each of these addresses, all on one port, named after the address."""
    made = []

    def start(*hosts):
        for _ in range(20):
            first = Upstream(hosts[0], host=hosts[0])
            made.append(first)
            started = [first]
            try:
                for host in hosts[1:]:
                    started.append(Upstream(host, port=first.port, host=host))
                    made.append(started[-1])
                return started
            except OSError:  # another program has that port there
                for server in started:
                    server.stop()
        raise AssertionError("no port is free on all of " + " ".join(hosts))
    yield start
    for server in made:
        server.stop()


def settings(dns, port, name=NAME, pools=None, resolver=None, **more):
    """No connection is kept, so that every request shows an address."""
    return {"resolver": {"servers": [dns.address], "timeout": "1s", **(resolver or {})}, "workers": 2,
            "pools": pools or {"stable": pool(f"http://{name}:{port}", keepalive=0, **more)}, "routes": [route()]}


def answers(daemon, count=20):
    return {daemon.ask().text for _ in range(count)}


def follows(daemon, *names):
    wait_for(lambda: answers(daemon) == set(names), patience(15), f"only {names} answer")


def url_of(port, name=NAME):
    return f"http://{name}:{port}"


def test_all_addresses_of_a_name_take_turns(start_sluice, dns, servers):
    hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    ups = servers(*hosts)
    server = dns({NAME: (300, hosts)})
    daemon = start_sluice({**settings(server, ups[0].port), "workers": 1})
    with daemon.client() as client:
        for _ in range(30):
            assert client.ask().status == 200
    assert [up.count for up in ups] == [10, 10, 10]
    endpoint, = daemon.status()["pools"][0]["endpoints"]
    assert endpoint["url"] == url_of(ups[0].port), "it stays one endpoint"
    assert endpoint["addresses"] == [f"{host}:{ups[0].port}" for host in hosts]
    assert daemon.metrics().sum("sluice_endpoint_addresses", endpoint=endpoint["url"]) == 3
    assert "3 addresses" in daemon.cli("status").stdout
    assert server.asked(NAME) == 1, "not once per connection"


def test_ipv4_and_ipv6_addresses_of_a_name(start_sluice, dns, servers):
    try:
        ups = servers("127.0.0.2", "::1")
    except OSError:
        pytest.skip("no IPv6 here")
    server = dns({NAME: (300, ["::1", "127.0.0.2"])})
    daemon = start_sluice(settings(server, ups[0].port))
    assert answers(daemon) == {"127.0.0.2", "::1"}
    assert server.asked(NAME, AAAA) == 1


def test_an_alias_leads_to_its_addresses(start_sluice, dns, servers):
    up, = servers("127.0.0.2")
    server = dns({NAME: (300, "real.test"), "real.test": (300, ["127.0.0.2"])})
    assert answers(start_sluice(settings(server, up.port))) == {"127.0.0.2"}


def test_an_answer_too_long_for_one_packet_is_asked_for_over_tcp(start_sluice, dns, servers):
    up, = servers("127.0.0.2")
    server = dns({NAME: (300, [f"127.0.1.{i}" for i in range(1, 60)] + ["127.0.0.2"])})
    daemon = start_sluice(settings(server, up.port))
    assert daemon.metrics().sum("sluice_endpoint_addresses") == 60
    assert server.over_tcp


def test_a_dead_address_among_them_costs_no_request(start_sluice, dns, servers):
    up, = servers("127.0.0.2")  # nobody listens on 127.0.0.3
    server = dns({NAME: (300, ["127.0.0.2", "127.0.0.3"])})
    daemon = start_sluice(settings(server, up.port, ejection={"consecutive_failures": 1, "base_time": "60s", "max_share": 100}))
    for _ in range(20):
        response = daemon.ask("POST", body="once")
        assert (response.status, response.text) == (200, "127.0.0.2")
    assert up.count == 20
    assert daemon.counted("sluice_request_errors_total", 0)
    assert daemon.metrics().sum("sluice_endpoint_up") == 1


def test_a_silent_address_among_them_costs_part_of_the_connect_timeout(start_sluice, dns, servers):
    up, = servers("127.0.0.2")
    # a queue of accepted connections that is full: the next SYN gets no answer
    with socket.socket() as full:
        full.bind(("127.0.0.3", up.port))
        full.listen(0)
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.3", up.port))
            fillers.append(filler)
        server = dns({NAME: (300, ["127.0.0.2", "127.0.0.3"])})
        daemon = start_sluice({**settings(server, up.port), "timeouts": {"connect": "1s"}})
        for _ in range(20):
            assert daemon.ask().status == 200
        for filler in fillers:
            filler.close()


def test_all_addresses_dead_is_one_failure(start_sluice, dns, servers):
    up, = servers("127.0.0.2")
    up.stop()
    server = dns({NAME: (300, ["127.0.0.2", "127.0.0.3", "127.0.0.4"])})
    daemon = start_sluice(settings(server, up.port))
    response = daemon.ask()
    assert (response.status, response.header("X-Sluice-Error")) == (502, "connect_failed")
    assert daemon.counted("sluice_request_errors_total", 1, reason="connect")


def test_traffic_follows_a_changed_record_and_loses_nothing(start_sluice, dns, servers):
    old, new = servers("127.0.0.2", "127.0.0.3")
    server = dns({NAME: (1, ["127.0.0.2"])})
    config = settings(server, old.port)
    config["pools"]["stable"]["keepalive"] = 128
    daemon = start_sluice(config)
    burst = Loop(daemon.address, threads=8)
    wait_for(lambda: burst.total > 50 and old.open > 4)
    burst.stop()
    load = Loop(daemon.address, threads=2)  # the newest connection is used first: the burst's others stay idle
    wait_for(lambda: load.total > 50)
    server.records[NAME] = (1, ["127.0.0.3"])
    wait_for(lambda: new.count > 50, patience(15), "traffic reaches the new address")
    wait_for(lambda: old.open == 0, patience(10), "idle connections to the old address are closed")
    seen = old.count
    total = load.total
    wait_for(lambda: load.total > total + 100)
    assert old.count == seen, "nothing goes to the old address any more"
    load.stop()
    assert not burst.failures + load.failures and set(burst.statuses + load.statuses) == {200}
    assert "a name has other addresses" in daemon.stderr()


def test_addresses_in_another_order_are_no_change(start_sluice, dns, servers):
    ups = servers("127.0.0.2", "127.0.0.3")
    server = dns({NAME: (1, ["127.0.0.2", "127.0.0.3"])})
    daemon = start_sluice(settings(server, ups[0].port))
    wait_for(lambda: server.asked(NAME) >= 3, patience(15))
    assert "other addresses" not in daemon.stderr()


def test_the_time_to_live_is_kept(start_sluice, dns, servers):
    up, = servers("127.0.0.2")
    server = dns({NAME: (1, ["127.0.0.2"]), "long.test": (3600, ["127.0.0.2"]), "none.test": (0, ["127.0.0.2"])})
    daemon = start_sluice(settings(server, up.port, pools={"stable": pool(
        url_of(up.port), url_of(up.port, "long.test"), url_of(up.port, "none.test"))}, resolver={"refresh": "2s"}))
    wait_for(lambda: server.asked("none.test") >= 2, patience(15), "without a time to live it is `refresh`")
    wait_for(lambda: server.asked(NAME) >= 3, patience(15))
    assert server.asked("long.test") == 1
    assert daemon.ask().status == 200


@pytest.mark.parametrize("how", ["silent", "refusing", "gone"])
def test_a_server_that_fails_stops_neither_traffic_nor_the_admin_api(start_sluice, dns, servers, how):
    up, after = servers("127.0.0.2", "127.0.0.3")
    server = dns({NAME: (1, ["127.0.0.2"])})
    daemon = start_sluice(settings(server, up.port, health={"interval": "100ms", "timeout": "1s"}))
    load = Loop(daemon.address, threads=2)
    if how == "gone":
        server.records.clear()
    else:
        setattr(server, how, True)
    wait_for(lambda: daemon.metrics().sum("sluice_resolve_failures_total", endpoint=url_of(up.port)) >= 2, patience(30))
    for _ in range(20):  # nobody waits for the resolver: each of these is far quicker than one question
        assert daemon.status()["pools"][0]["endpoints"][0]["addresses"] == [f"127.0.0.2:{up.port}"]
    assert daemon.stderr().count("a name does not resolve, its last addresses stay") == 1
    assert daemon.metrics().sum("sluice_endpoint_up") == 1
    server.silent = server.refusing = False
    server.records[NAME] = (1, ["127.0.0.3"])
    wait_for(lambda: after.count > 10, patience(30), "it is asked again and followed")
    assert "a name resolves again" in daemon.stderr()
    load.stop()
    assert not load.failures and set(load.statuses) == {200}


def test_one_lost_packet_is_asked_again(start_sluice, dns, servers):
    up, = servers("127.0.0.2")
    server = dns({NAME: (300, ["127.0.0.2"])})
    server.silent = True
    config = settings(server, up.port)
    config["resolver"]["timeout"] = "10s"

    def speak():
        wait_for(lambda: server.asked(NAME) >= 1, patience(20))
        server.silent = False
    speaker = threading.Thread(target=speak)
    speaker.start()
    daemon = start_sluice(config)
    speaker.join()
    assert daemon.ask().status == 200


@pytest.mark.parametrize("how", ["unknown", "silent", "no address"])
def test_a_name_that_does_not_resolve_refuses_start_with_its_places(tmp_path, dns, how):
    server = dns({NAME: (300, [])} if how == "no address" else {})
    server.silent = how == "silent"
    path = tmp_path / "c.yaml"
    path.write_text("listeners: [{address: '127.0.0.1:0'}]\n"
                    f"admin: {{address: 'unix:{tmp_path}/a'}}\n"
                    f"state_dir: {tmp_path}\n"
                    f"resolver: {{servers: ['{server.address}'], timeout: 500ms}}\n"
                    "pools:\n"
                    "  stable:\n"
                    "    endpoints:\n"
                    "      - http://127.0.0.1:1\n"
                    "      - http://model.test:8000\n"
                    "      - http://other.test:8000\n"
                    "routes: [{name: chat, variants: {all: {pool: stable}}}]\n")
    done = cli("run", "-c", path)
    assert done.returncode == 1
    assert f'{path}:9:9: cannot resolve "model.test": ' in done.stderr
    assert f'{path}:10:9: cannot resolve "other.test": ' in done.stderr


def test_a_new_name_that_does_not_resolve_refuses_the_reload_and_blocks_nobody(start_sluice, dns, servers):
    up, = servers("127.0.0.2")
    server = dns({NAME: (300, ["127.0.0.2"])})
    config = settings(server, up.port, resolver={"timeout": "3s"})
    daemon = start_sluice(config)
    server.silent = True
    config["pools"]["stable"]["endpoints"].append("http://new.test:8000")
    outcome = []
    reload = threading.Thread(target=lambda: outcome.append(daemon.reload(config)))
    reload.start()
    wait_for(lambda: server.asked("new.test") >= 1, patience(10))
    for _ in range(10):
        assert daemon.ask().status == 200
        assert daemon.status()["config"]["last_reload"] is None
    assert not outcome, "all of that happened while the reload waited for DNS"
    reload.join()
    assert outcome[0].status == 422 and 'cannot resolve \\"new.test\\"' in outcome[0].text
    assert outcome[0].json()["error"]["diagnostics"][0]["line"] > 1
    assert daemon.ask().status == 200
    assert server.asked(NAME) == 1, "a name that is known keeps its addresses in a reload"


def test_a_reload_brings_new_names_and_forgets_old_ones(start_sluice, dns, servers):
    old, new = servers("127.0.0.2", "127.0.0.3")
    server = dns({NAME: (1, ["127.0.0.2"]), "new.test": (1, ["127.0.0.3"])})
    daemon = start_sluice(settings(server, old.port))
    assert daemon.reload(settings(server, old.port, "new.test")).status == 200
    follows(daemon, "127.0.0.3")
    seen = server.asked("new.test")
    asked = server.asked(NAME)
    wait_for(lambda: server.asked("new.test") >= seen + 2, patience(15))
    assert server.asked(NAME) <= asked + 1, "nobody asks for a name that is not there any more"
    assert new.count


def test_a_reload_with_other_servers_asks_them(start_sluice, dns, servers):
    old, new = servers("127.0.0.2", "127.0.0.3")
    first, second = dns({NAME: (3600, ["127.0.0.2"])}), dns({NAME: (3600, ["127.0.0.3"])})
    daemon = start_sluice(settings(first, old.port))
    assert daemon.ask().text == "127.0.0.2"
    assert daemon.reload(settings(second, old.port)).status == 200
    follows(daemon, "127.0.0.3")
    assert new.count


def test_stopping_does_not_wait_for_a_reload_that_waits_for_dns(start_sluice, dns, servers):
    up, = servers("127.0.0.2")
    server = dns({NAME: (300, ["127.0.0.2"])})
    config = settings(server, up.port, resolver={"timeout": "60s"})
    daemon = start_sluice(config)
    server.silent = True
    config["pools"]["stable"]["endpoints"].append("http://new.test:8000")
    daemon.config = daemon.complete(config)
    daemon.write()
    daemon.hup()
    wait_for(lambda: server.asked("new.test") >= 1, patience(10))
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < patience(10)


def test_a_name_of_the_hosts_file(start_sluice, dns, servers):
    up, = servers("127.0.0.1")
    server = dns()
    daemon = start_sluice(settings(server, up.port, "localhost", health={"interval": "100ms", "timeout": "1s"}))
    assert answers(daemon) == {"127.0.0.1"}
    assert not server.questions
    wait_for(lambda: any(r.header("User-Agent", ).startswith("sluice-health") for r in up.requests
                         if r.header("User-Agent")), patience(10))


def test_health_checks_go_to_the_same_addresses(start_sluice, dns, servers):
    ups = servers("127.0.0.2", "127.0.0.3")
    server = dns({NAME: (300, ["127.0.0.2", "127.0.0.3", "127.0.0.4"])})  # nobody is on the last one
    daemon = start_sluice(settings(server, ups[0].port, health={"interval": "50ms", "timeout": "1s"}))
    wait_for(lambda: all(up.count >= 3 for up in ups), patience(15), "each address is checked in its turn")
    assert {r.header("Host") for up in ups for r in up.requests} == {f"{NAME}:{ups[0].port}"}
    assert daemon.metrics().sum("sluice_endpoint_up") == 1
    assert server.asked(NAME) == 1


def test_two_pools_with_one_name_ask_once_and_both_follow(start_sluice, dns, servers):
    ups = servers("127.0.0.2", "127.0.0.3")
    others = servers("127.0.0.2", "127.0.0.3")
    server = dns({NAME: (1, ["127.0.0.2"])})
    pools = {"stable": pool(url_of(ups[0].port), keepalive=0), "canary": pool(url_of(others[0].port), keepalive=0)}
    daemon = start_sluice({**settings(server, 0, pools=pools), "routes": [
        route("b", {"canary": 100}, match={"path": "/b"}), route("a")]})
    assert server.asked(NAME) == 1
    server.records[NAME] = (1, ["127.0.0.3"])

    def both():
        return daemon.ask().text == "127.0.0.3" and daemon.ask(target="/b").text == "127.0.0.3"
    wait_for(both, patience(15))
    assert ups[1].count and others[1].count
