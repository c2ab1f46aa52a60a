"""Linked experiments (docs/experiments.md): routes and sluices that share one give a unit the same arm."""
import json

import pytest

from harness.client import Client
from harness.pipeline import ask_for_all
from harness.scale import patience, scaled
from harness.sluice import cli, pool, route
from harness.split import bucket_of
from harness.wait import wait_for

USERS = 100_000
TOKEN = "s3cret-token"
TRUSTED = ["127.0.0.1"]


def users(count):
    return [f"user-{n:07}" for n in range(count)]


def linked(name="chat", stable=80, **settings):
    """A route of the experiment `prompts`: stable and canary."""
    return route(name, {"stable": stable, "canary": 100 - stable},
                 **{"experiment": "prompts", "sticky": {"by": ["header X-User-Id"]}, **settings})


def own(unit, canary=20, name="prompts"):
    return "canary" if bucket_of(unit, f"experiment/{name}") < canary * 100 else "stable"


def one_of(arm, canary=20):
    """A user that has that arm by the salt."""
    return next(u for u in users(1000) if own(u, canary) == arm)


def baggage(request):
    return request.header("baggage")


@pytest.fixture
def start(start_sluice, upstream):
    """start(routes, trusted=…) -> daemon, {variant: server}."""
    def make(routes, trusted=(), **settings):
        servers = {name: upstream(name) for name in ("stable", "canary")}
        return start_sluice({"pools": {n: pool(s) for n, s in servers.items()}, "trusted_proxies": list(trusted),
                             "routes": routes, **settings}), servers
    return make


# ---- by the salt alone -------------------------------------------------------------------------------------------------
def assigned(path, name, units):
    done = cli("assign", "-c", path, name, "-", stdin="\n".join(units) + "\n")
    assert done.returncode == 0, done.stderr
    return dict(line.split("\t")[::2] for line in done.stdout.splitlines())


def test_two_sluices_that_know_nothing_of_each_other_agree(start):
    variants = {"stable": {"pool": "stable", "version": "v7", "weight": 70}, "canary": {"pool": "canary", "version": "v8", "weight": 30}}
    first, _ = start([linked("chat", 70)])
    second, _ = start([route("elsewhere", {"all": {"pool": "stable"}}, match={"path": "/none"}),
                       route("search", variants, experiment="prompts", sticky={"by": ["query user", "header X-User-Id"]})])
    units = users(scaled(USERS, 5000))
    arms = assigned(first.path, "chat", units)
    assert arms == assigned(second.path, "search", units)
    for unit in units[:200]:
        assert arms[unit] == own(unit, 30), "the documented salt"
    for unit in units[:50]:
        assert first.ask(headers={"X-User-Id": unit}).variant == second.ask(target=f"/?user={unit}").variant == arms[unit]
    shown = second.admin().get("/api/v1/routes/search/assign?unit=" + units[0])
    assert (shown["variant"], shown["salt"]) == (arms[units[0]], "experiment/prompts")
    assert second.admin().get("/api/v1/routes/search")["experiment"] == "prompts"


# ---- by baggage --------------------------------------------------------------------------------------------------------
@pytest.mark.heavy
def test_two_sluices_in_a_chain_agree_on_the_arm_of_100000_users(start_sluice, nginx):
    """The second has other weights, and no unit at all: it splits at random what comes without baggage."""
    servers = {name: nginx(f'location / {{ return 200 "{name}"; }}', name) for name in ("stable", "canary")}
    inner = start_sluice({"trusted_proxies": TRUSTED, "pools": {n: pool(s) for n, s in servers.items()},
                          "routes": [linked(stable=35, sticky={"by": ["header X-Nobody"]})]})
    edit = {"request": {"remove_headers": ["X-User-Id"]}, "pool": "inner"}
    outer = start_sluice({"pools": {"inner": pool(inner)},
                          "routes": [route("front", {"stable": {"weight": 80, **edit}, "canary": {"weight": 20, **edit}},
                                           experiment="prompts", sticky={"by": ["header X-User-Id"]})]})
    units = users(scaled(USERS, 4000))
    answers = ask_for_all(outer.address, units)
    assert len(answers) == len(units)
    wrong = [(unit, *arms) for unit, arms in answers.items() if arms != (own(unit),) * 2]
    assert not wrong, (len(wrong), wrong[:5])
    assert {arms[0] for arms in answers.values()} == {"stable", "canary"}
    direct = ask_for_all(inner.address, units[:2000])
    assert any(direct[unit][0] != answers[unit][0] for unit in direct), "without baggage they would differ"


def test_a_service_between_two_sluices_carries_the_arm_on(start_sluice, start, upstream):
    """As services do that pass tracing headers on: with more of its own, on a call of its own."""
    inner, _ = start([linked(stable=50, sticky={"by": ["query call"]})], TRUSTED)

    def service(request, reply):
        passed = [("baggage", baggage(request)), ("baggage", "service=chat;v = 2")]
        reply.send(200, inner.ask(target=f"/rank?call={request.number}", headers=passed).text)
    chat = upstream("chat", service)
    outer = start_sluice({"pools": {"stable": pool(chat), "canary": pool(chat)}, "routes": [linked(stable=80)]})
    for unit in users(40):
        response = outer.ask(headers=[("X-User-Id", unit), ("baggage", "tenant=42")])
        assert response.variant == response.text == own(unit)


def test_the_arm_goes_upstream_and_other_members_stay(start):
    daemon, servers = start([linked()])
    for arm in ("stable", "canary"):
        daemon.ask(headers=[("X-User-Id", one_of(arm)), ("baggage", "a=1;p = %20 , b=2"), ("Baggage", "a=3")])
        request = servers[arm].requests[-1]
        assert [v for n, v in request.headers if n.lower() == "baggage"] == [f"a=1;p = %20 , b=2,a=3,sluice.prompts={arm}"]
        daemon.ask(headers=[("X-User-Id", one_of(arm))])
        assert baggage(servers[arm].requests[-1]) == f"sluice.prompts={arm}"
    full = ",".join(f"k{n}=v" for n in range(64))
    daemon.ask(headers=[("X-User-Id", one_of("canary")), ("baggage", full)])
    assert baggage(servers["canary"].requests[-1]) == full, "no room for a 65th"


def test_a_client_that_is_not_trusted_cannot_choose(start):
    daemon, servers = start([route("plain", {"stable": 100}, match={"path": "/plain"}), linked()], trusted=["127.0.0.9"])
    stable, canary = one_of("stable"), one_of("canary")
    for value, told in (("sluice.prompts=canary", "sluice.prompts=stable"),
                        ("a=1,sluice.prompts=canary;override", "a=1,sluice.prompts=stable"),
                        ("%73luice.prompts=canary,a=1", "sluice.prompts=stable,a=1"),
                        ("sluice.prompts=canary,sluice.prompts=stable,sluice.prompts=canary", "sluice.prompts=stable")):
        response = daemon.ask(headers=[("X-User-Id", stable), ("baggage", value), ("baggage", "sluice.other=x")])
        assert response.variant == response.text == "stable"
        assert baggage(servers["stable"].requests[-1]) == told
    assert daemon.ask(headers=[("X-User-Id", canary), ("baggage", "sluice.prompts=stable")]).variant == "canary"
    # Nor does a route of no experiment pass on what another sluice would believe.
    for value, told in (("sluice.prompts=canary", None), ("a=1 , sluice.x=1,b=2", "a=1 ,b=2"), ("a=1, b=2", "a=1, b=2")):
        daemon.ask(target="/plain", headers=[("baggage", value)])
        assert baggage(servers["stable"].requests[-1]) == told
    daemon.ask(target="/plain", headers=[("baggage", "a=1"), ("baggage", "b=2")])
    assert [v for n, v in servers["stable"].requests[-1].headers if n == "baggage"] == ["a=1", "b=2"], "as they came"
    # The one that is trusted may, and is passed on.
    with Client(daemon.address, source="127.0.0.9") as client:
        assert client.ask(headers=[("X-User-Id", stable), ("baggage", "sluice.prompts=canary")]).variant == "canary"
        client.ask(target="/plain", headers=[("baggage", "sluice.prompts=canary")])
    assert baggage(servers["stable"].requests[-1]) == "sluice.prompts=canary"


def test_what_baggage_decides_is_told_and_garbage_decides_nothing(start, tmp_path):
    log = tmp_path / "access.log"
    daemon, servers = start([linked(sticky={"by": ["header X-User-Id"], "cookie": "unit", "mode": "session"})], TRUSTED,
                            access_log={"path": str(log)})
    stable = one_of("stable")
    response = daemon.ask(headers=[("X-User-Id", stable), ("baggage", "a=1, sluice.prompts = %63anary ;k=v , b=2")])
    assert response.variant == "canary" and not response.header("Set-Cookie")
    assert baggage(servers["canary"].requests[-1]) == "a=1,sluice.prompts=canary, b=2"
    lines = wait_for(lambda: log.exists() and log.read_text(encoding="utf-8").splitlines())
    assert json.loads(lines[0])["decided_by"] == "baggage" and json.loads(lines[0])["bucket"] == bucket_of(stable, "experiment/prompts")
    for value in ("", ",", "sluice.prompts", "sluice.prompts=", "sluice.prompts=nobody", "sluice.prompts=%63anar%7",
                  "sluice.other=canary", "x;sluice.prompts=canary", "sluice.prompts=\"canary\"", "\x80\xff=;,=", "=" * 8000):
        response = daemon.ask(headers=[("X-User-Id", stable), ("baggage", value)])
        assert (response.status, response.variant) == (200, "stable"), value


def test_a_variant_that_was_rolled_back_here_takes_nobody(start):
    daemon, servers = start([linked()], TRUSTED)
    stable = [("X-User-Id", one_of("stable")), ("baggage", "sluice.prompts=canary")]
    assert daemon.ask(headers=stable).variant == "canary"
    assert daemon.cli("weight", "chat", "stable=100", "canary=0").returncode == 0
    assert daemon.ask(headers=stable).variant == "stable"
    assert daemon.ask(headers=stable[:1] + [("baggage", "sluice.prompts=canary;override")]).variant == "stable"
    assert baggage(servers["stable"].requests[-1]) == "sluice.prompts=stable"
    assert servers["canary"].count == 1


def test_a_testers_arm_travels_also_to_what_has_no_weight_yet(start_sluice, start, tmp_path):
    (tmp_path / "preview.token").write_text(TOKEN + "\n", encoding="utf-8")
    testers = {"override": {"token_file": "preview.token"}}
    inner, servers = start([linked(stable=100, **testers)], TRUSTED)
    outer = start_sluice({"pools": {"stable": pool(inner), "canary": pool(inner)}, "routes": [linked(stable=100, **testers)]})
    tester = [("X-Sluice-Variant", f"canary;{TOKEN}"), ("X-User-Id", "tester")]
    response = outer.ask(headers=tester)
    assert response.variant == response.text == "canary"
    assert baggage(servers["canary"].requests[-1]) == "sluice.prompts=canary;override"
    assert outer.ask(headers=[("X-Sluice-Variant", "canary;wrong"), ("X-User-Id", "tester")]).text == "stable"
    assert baggage(servers["stable"].requests[-1]) == "sluice.prompts=stable"
    # An own override goes before what comes in baggage.
    response = inner.ask(headers=[("X-Sluice-Variant", f"canary;{TOKEN}"), ("baggage", "sluice.prompts=stable")])
    assert response.variant == "canary"


def test_the_fallback_travels_as_the_arm_that_answers(start, upstream):
    broken = upstream("broken", lambda _request, reply: reply.send(503))
    daemon, servers = start([linked(fallback="stable", retry={"attempts": 0, "on": [503]})])
    config = {**daemon.config, "pools": {**daemon.config["pools"], "canary": pool(broken)}}
    assert daemon.reload(config).status == 200
    assert daemon.ask(headers=[("X-User-Id", one_of("canary"))]).text == "stable"
    assert baggage(broken.requests[-1]) == "sluice.prompts=canary"
    assert baggage(servers["stable"].requests[-1]) == "sluice.prompts=stable"


def test_a_variants_own_edit_of_baggage_has_the_last_word(start):
    variants = {"stable": {"pool": "stable", "weight": 50, "request": {"set_headers": {"baggage": "mine=1"}}},
                "canary": {"pool": "canary", "weight": 50, "request": {"remove_headers": ["Baggage"]}}}
    daemon, servers = start([route("chat", variants, experiment="prompts", sticky={"by": ["header X-User-Id"]})])
    for arm, told in (("stable", "mine=1"), ("canary", None)):
        daemon.ask(headers=[("X-User-Id", one_of(arm, 50)), ("baggage", "a=1,sluice.prompts=x")])
        assert baggage(servers[arm].requests[-1]) == told


# ---- one set of weights ------------------------------------------------------------------------------------------------
def weights(daemon, name):
    return [v["weight"] for v in daemon.admin().get("/api/v1/routes/" + name)["variants"]]


def test_weights_set_by_hand_move_all_routes_of_the_experiment(start):
    daemon, _ = start([linked("other", match={"path": "/other"}, experiment="more"), linked("search", match={"path": "/search"}),
                       linked("chat")])
    assert daemon.cli("weight", "search", "stable=40", "canary=60").returncode == 0
    assert weights(daemon, "chat") == weights(daemon, "search") == [40, 60] and weights(daemon, "other") == [80, 20]
    assert {r["name"]: r["weights_from"] for r in daemon.status()["routes"]} == {
        "other": "file", "search": "command", "chat": "command"}
    for unit in users(100):
        arms = {daemon.ask(target=target, headers={"X-User-Id": unit}).variant for target in ("/search", "/")}
        assert arms == {own(unit, 60)}


def test_one_rollout_moves_all_routes_of_the_experiment(start):
    variants = {"stable": {"pool": "stable", "weight": 100}, "canary": {"pool": "canary", "version": "v2", "weight": 0}}
    routes = [route("search", variants, match={"path": "/search"}, experiment="prompts"),
              route("chat", variants, experiment="prompts", sticky={"by": ["header X-User-Id"]},
                    rollout={"strategy": "canary", "steps": [{"weight": 5, "for": "1h"}, {"weight": 25, "for": "1h"}, {"weight": 100}],
                             "guards": {"error_rate": {"margin": 1}}, "keep_warm": "1h", "watch": "1h"})]
    daemon, _ = start(routes, TRUSTED)
    assert weights(daemon, "search") == weights(daemon, "chat") == [95, 5]
    assert daemon.cli("promote", "chat").returncode == 0
    assert weights(daemon, "search") == weights(daemon, "chat") == [75, 25]
    assert daemon.admin().get("/api/v1/routes/search")["weights_from"] == "rollout"
    refused = daemon.admin().post("/api/v1/routes/search/weights", {"weights": {"stable": 100}})
    assert refused.status == 409 and refused.json()["error"]["code"] == "linked" and "route chat" in refused.text
    told = daemon.cli("promote", "search")
    assert told.returncode == 1 and "route chat" in told.stderr
    daemon.restart()
    assert weights(daemon, "search") == weights(daemon, "chat") == [75, 25], "after a restart"
    assert daemon.reload(daemon.config).status == 200
    assert weights(daemon, "search") == weights(daemon, "chat") == [75, 25], "after a reload"
    carried = [("baggage", "sluice.prompts=canary")]
    assert daemon.ask(target="/search", headers=carried).variant == "canary"
    assert daemon.cli("rollback", "chat").returncode == 0
    assert weights(daemon, "search") == weights(daemon, "chat") == [100, 0]
    assert daemon.ask(target="/search", headers=carried).variant == "stable"


def test_what_baggage_decides_is_evidence_but_no_arrival_and_a_testers_is_neither(start):
    variants = {"stable": {"pool": "stable", "weight": 100}, "canary": {"pool": "canary", "version": "v2", "weight": 0}}
    daemon, _ = start([route("chat", variants, experiment="prompts", sticky={"by": ["header X-User-Id"]},
                             rollout={"strategy": "canary", "steps": [{"weight": 50, "for": "1h"}, {"weight": 100}],
                                      "guards": {"error_rate": {"margin": 1}}, "horizon": "1s"})], TRUSTED)

    units = [u for u in users(200) if own(u, 50) == "stable"]
    for unit in units[:25]:
        for value in ("sluice.prompts=canary;override", "sluice.prompts=canary"):
            assert daemon.ask(headers=[("X-User-Id", unit), ("baggage", value)]).variant == "canary"
    for unit in (u for u in users(8) if own(u, 50) == "canary"):
        assert daemon.ask(headers=[("X-User-Id", unit)]).variant == "canary"
    arrived = sum(own(u, 50) == "canary" for u in users(8))
    assert arrived

    def rollout():
        return daemon.admin().get("/api/v1/routes/chat")["rollout"]
    # A tick counts once it has matured: what comes last has the others before it.
    wait_for(lambda: rollout()["step_requests"] >= 25 + arrived, patience(20), "those of baggage and of buckets count")
    assert rollout()["step_requests"] == 25 + arrived, "the testers' do not"
    assert rollout()["sample_ratio"]["units"] == {"stable": 0, "canary": arrived}
