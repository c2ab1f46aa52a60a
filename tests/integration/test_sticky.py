"""Where the unit comes from, the issued cookie, sessions and testers' overrides."""
import base64
import json
import re

import pytest

from harness.client import ask
from harness.sluice import pool, route
from harness.split import bucket_of

SALT = "salt-1"
UNITS = [f"user-{i}" for i in range(40)]


def config(upstream, canary=50, sticky=None, **settings):
    return {"pools": {name: pool(upstream(name)) for name in ("stable", "canary")},
            "routes": [route("chat", {"stable": 100 - canary, "canary": canary},
                             sticky={"salt": SALT, **(sticky or {})}, **settings)]}


def expected(unit, canary=50):
    return "canary" if bucket_of(unit, SALT) < canary * 100 else "stable"


def token(claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    return f"{part({'alg': 'none'})}.{part(claims)}.c2ln"


SOURCES = {
    "header X-User-Id": lambda u: {"headers": [("x-user-id", u)]},
    "cookie session": lambda u: {"headers": [("Cookie", f"a=b; session={u}; z=1")]},
    "jwt sub": lambda u: {"headers": [("Authorization", f"Bearer {token({'iss': 'x', 'sub': u})}")]},
    "query user": lambda u: {"target": f"/v1/x?a=1&user={u}&b"},
    "json /user": lambda u: {"method": "POST", "body": json.dumps({"model": "m", "user": u}),
                             "headers": [("Content-Type", "application/json")]},
    "json /metadata/user": lambda u: {"method": "POST", "body": json.dumps({"metadata": {"user": u}}),
                                      "headers": [("Content-Type", "application/json")]},
}


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_of_the_unit(start_sluice, upstream, source):
    daemon = start_sluice(config(upstream, sticky={"by": [source]}))
    with daemon.client() as client:
        got = {u: client.ask(**SOURCES[source](u)).variant for u in UNITS}
    assert got == {u: expected(u) for u in UNITS}
    assert set(got.values()) == {"stable", "canary"}


def test_a_number_in_the_body_is_the_unit_as_written(start_sluice, upstream):
    daemon = start_sluice(config(upstream, sticky={"by": ["json /user_id"]}))
    for number in range(20):
        response = daemon.ask("POST", body=json.dumps({"user_id": number}), headers=[("Content-Type", "application/json")])
        assert response.variant == expected(str(number))


def test_client_ip(start_sluice, upstream):
    daemon = start_sluice(config(upstream, sticky={"by": ["client_ip"]}))
    seen = set()
    for last in range(1, 25):
        address = f"127.0.0.{last}"
        with daemon.client(source=address) as client:
            variant = client.ask().variant
        assert variant == expected(address)
        seen.add(variant)
    assert seen == {"stable", "canary"}


def test_the_first_source_that_is_present_wins(start_sluice, upstream):
    daemon = start_sluice(config(upstream, sticky={"by": ["header X-User-Id", "query user", "cookie session"]}))
    units = [u for u in UNITS if expected(u) != expected(u + "-q")][:5]
    for unit in units:
        cookie = ("Cookie", f"session={unit}-c")
        assert daemon.ask(target=f"/?user={unit}-q", headers=[("X-User-Id", unit), cookie]).variant == expected(unit)
        assert daemon.ask(target=f"/?user={unit}-q", headers=[cookie]).variant == expected(unit + "-q")
        assert daemon.ask(target=f"/?user={unit}-q", headers=[("X-User-Id", ""), cookie]).variant == expected(unit + "-q")
        assert daemon.ask(headers=[cookie]).variant == expected(unit + "-c")


def test_a_body_is_passed_on_whole_after_it_was_read_for_the_unit(start_sluice, upstream):
    server = upstream("stable")
    daemon = start_sluice({"pools": {"stable": pool(server)},
                           "routes": [route("chat", sticky={"by": ["json /user"], "salt": SALT})]})
    body = json.dumps({"user": "u", "prompt": "x" * 300_000})
    assert daemon.ask("POST", body=body, headers=[("Content-Type", "application/json")]).status == 200
    assert server.requests[-1].body == body.encode()
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[:10].encode(), body[10:].encode())) + b"0\r\n\r\n"
    with daemon.client() as client:
        client.request("POST", "/", [("Transfer-Encoding", "chunked"), ("Content-Type", "application/json")])
        client.send(chunked)
        assert client.response().status == 200
    assert server.requests[-1].body == body.encode()


def test_requests_without_a_unit_are_split_at_random_and_get_no_cookie(start_sluice, upstream):
    daemon = start_sluice(config(upstream, sticky={"by": ["header X-User-Id"]}))
    count = 400
    with daemon.client() as client:
        responses = [client.ask() for _ in range(count)]
    canary = sum(r.variant == "canary" for r in responses)
    assert abs(canary - count / 2) <= 4 * (count * 0.25) ** 0.5, canary
    assert not any(r.header("Set-Cookie") for r in responses)


def test_an_issued_cookie_sticks(start_sluice, upstream):
    daemon = start_sluice(config(upstream, sticky={"by": ["header X-User-Id"], "cookie": "sluice_unit"}))
    seen = set()
    for _ in range(30):
        first = daemon.ask()
        cookie = first.header("Set-Cookie")
        assert re.search(r"(?i)path=/", cookie) and re.search(r"(?i)httponly", cookie) and "ame" in cookie
        unit = re.match(r"sluice_unit=([0-9A-Za-z._-]+)", cookie)[1]
        assert first.variant == expected(unit), "the unit that was issued is the one that was hashed"
        again = daemon.ask(headers=[("Cookie", f"sluice_unit={unit}")])
        assert again.variant == first.variant and again.header("Set-Cookie") is None
        seen.add(first.variant)
    assert seen == {"stable", "canary"}
    assert daemon.ask(headers=[("X-User-Id", "u")]).header("Set-Cookie") is None


def test_an_issued_unit_moves_with_the_weights_in_mode_unit(start_sluice, upstream):
    daemon = start_sluice(config(upstream, 0, sticky={"cookie": "sluice_unit"}))
    cookie = daemon.ask().header("Set-Cookie").split(";")[0]
    assert daemon.cli("weight", "chat", "stable=0", "canary=100").returncode == 0
    assert daemon.ask(headers=[("Cookie", cookie)]).variant == "canary"


def test_session_mode_keeps_a_seen_unit_and_weight_zero_unpins_at_once(start_sluice, upstream):
    daemon = start_sluice(config(upstream, 50, sticky={"cookie": "sluice_unit", "mode": "session"}))

    def new():
        response = daemon.ask()
        return response.header("Set-Cookie").split(";")[0], response.variant

    def again(cookie):
        return daemon.ask(headers=[("Cookie", cookie)])
    sessions = [new() for _ in range(30)]
    assert {v for _, v in sessions} == {"stable", "canary"}
    assert daemon.cli("weight", "chat", "stable=1", "canary=99").returncode == 0
    for cookie, variant in sessions:
        response = again(cookie)
        assert response.variant == variant, "a session keeps its variant"
        assert response.header("Set-Cookie") is None
    assert sum(new()[1] == "canary" for _ in range(20)) >= 15, "new sessions follow the weights"
    assert daemon.cli("weight", "chat", "stable=100", "canary=0").returncode == 0
    assert {again(cookie).variant for cookie, _ in sessions} == {"stable"}, "an abort unpins at once"


def test_session_mode_pins_named_users_too(start_sluice, upstream):
    daemon = start_sluice(config(upstream, 50, sticky={"by": ["header X-User-Id"], "cookie": "s", "mode": "session"}))
    unit = next(u for u in UNITS if expected(u) == "stable")
    first = daemon.ask(headers=[("X-User-Id", unit)])
    assert first.variant == "stable"
    cookie = first.header("Set-Cookie").split(";")[0]
    assert unit not in cookie, "a user's name is not written into a cookie"
    assert daemon.cli("weight", "chat", "stable=1", "canary=99").returncode == 0
    assert daemon.ask(headers=[("X-User-Id", unit), ("Cookie", cookie)]).variant == "stable"
    assert daemon.ask(headers=[("X-User-Id", unit + "-x"), ("Cookie", cookie)]).variant == "canary", \
        "another user's pin is not used"


@pytest.mark.parametrize("cookie", ["", "~", "~~", "x~canary~00000000", "x~nobody~12345678", "a b", "\x7f", "é" * 20,
                                    "x" * 5000, "../../etc", "%00", '"q"', "x~canary~1~2"])
def test_a_forged_or_broken_cookie_is_no_pin_and_no_crash(start_sluice, upstream, cookie):
    daemon = start_sluice(config(upstream, 1, sticky={"cookie": "sluice_unit", "mode": "session", "salt": "q"}))
    response = daemon.ask(headers=[("Cookie", f"sluice_unit={cookie}")])
    assert response.status in (200, 400)
    if response.status == 200 and cookie.startswith("x~canary"):
        assert response.variant == "stable"


@pytest.fixture
def overridable(start_sluice, upstream, tmp_path):
    (tmp_path / "preview.token").write_text("s3cret-token\n", encoding="utf-8")
    servers = {name: upstream(name) for name in ("stable", "canary")}
    daemon = start_sluice({
        "pools": {name: pool(server) for name, server in servers.items()},
        "routes": [route("chat", {"stable": 100, "canary": 0}, sticky={"by": ["header X-User-Id"]},
                         override={"header": "X-Sluice-Variant", "token_file": "preview.token"})]})
    return daemon, servers


def test_a_tester_with_the_token_chooses_the_variant(overridable):
    daemon, servers = overridable
    response = daemon.ask(headers=[("X-Sluice-Variant", "canary;s3cret-token"), ("X-User-Id", "u")])
    assert response.variant == "canary" and response.text == "canary"
    assert servers["canary"].requests[0].header("X-Sluice-Variant") == "canary", "without the token"


@pytest.mark.parametrize("value", ["canary", "canary;", "canary;wrong", "canary;s3cret-toke", "canary;s3cret-token2",
                                   "nobody;s3cret-token", ";s3cret-token", "canary;s3cret-tokens3cret-token"])
def test_without_the_token_the_override_is_ignored(overridable, value):
    daemon, servers = overridable
    response = daemon.ask(headers=[("X-Sluice-Variant", value)])
    assert response.status == 200 and response.variant == "stable"
    assert servers["stable"].requests[0].header("X-Sluice-Variant") == "stable"


def test_the_default_salt_follows_the_candidates_version(start_sluice, upstream):
    def at(version):
        return {"pools": {name: pool(servers[name]) for name in servers},
                "routes": [{"name": "chat", "sticky": {"by": ["header X-User-Id"]}, "variants": {
                    "stable": {"pool": "stable", "weight": 50},
                    "canary": {"pool": "canary", "weight": 50, "version": version}}}]}
    servers = {name: upstream(name) for name in ("stable", "canary")}
    daemon = start_sluice(at("v1"))

    def chosen():
        return {u for u in UNITS if ask(daemon.address, headers=[("X-User-Id", u)]).variant == "canary"}
    first = chosen()
    assert first == {u for u in UNITS if bucket_of(u, "chat-v1") < 5000}
    daemon.reload_by_signal(at("v2"))
    assert chosen() == {u for u in UNITS if bucket_of(u, "chat-v2") < 5000} != first
