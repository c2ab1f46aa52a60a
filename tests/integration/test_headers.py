"""What a proxied request and its answer carry, and what they do not."""
import re

import pytest

from harness.sluice import pool, route

UUIDISH = re.compile(r"[0-9A-Za-z_.:-]{8,}")


@pytest.fixture
def pair(start_sluice, upstream):
    server = upstream("stable")
    daemon = start_sluice({"pools": {"stable": pool(server)}, "routes": [route()]})
    return daemon, server


def test_names_for_the_upstream(pair):
    daemon, server = pair
    response = daemon.ask("GET", "/v1/x?q=1", host="api.example.com")
    request = server.requests[0]
    assert request.target == "/v1/x?q=1"
    assert request.header("Host") == "api.example.com"
    assert request.header("X-Sluice-Route") == "chat" and request.header("X-Sluice-Variant") == "stable"
    assert request.header("X-Forwarded-For") == "127.0.0.1"
    assert request.header("X-Forwarded-Proto") == "http"
    assert request.header("X-Forwarded-Host") == "api.example.com"
    assert re.match(r"1\.1 \S+", request.header("Via"))
    assert request.header("Forwarded") is None
    assert UUIDISH.fullmatch(request.header("X-Request-Id"))
    assert response.header("X-Request-Id") == request.header("X-Request-Id")
    assert response.header("X-Sluice-Variant") == "stable"
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", request.header("traceparent"))


def test_request_ids_are_issued_once_each_and_sane_ones_kept(pair):
    daemon, server = pair
    with daemon.client() as client:
        issued = {client.ask().header("X-Request-Id") for _ in range(50)}
        assert len(issued) == 50
        for given in ("abc-123", "6f1c2b1e-9d8a-4f7b-8a51-8a2f5ad4a1a1"):
            assert client.ask(headers=[("X-Request-Id", given)]).header("X-Request-Id") == given
            assert server.requests[-1].header("X-Request-Id") == given
        for insane in ("a b", "x" * 1000, '"><script>', "a,b\\", "é"):
            response = client.ask(headers=[("X-Request-Id", insane)])
            assert response.status == 200 and response.header("X-Request-Id") != insane
            assert server.requests[-1].header("X-Request-Id") == response.header("X-Request-Id")
        response = client.ask(headers=[("X-Request-Id", "one"), ("X-Request-Id", "two")])
        assert "," not in (response.header("X-Request-Id") or "")


def test_a_trace_is_continued(pair):
    daemon, server = pair
    given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    daemon.ask(headers=[("traceparent", given)])
    sent = server.requests[0].header("traceparent").split("-")
    assert sent[1] == "4bf92f3577b34da6a3ce929d0e0e4736" and sent[3] == "01"


def test_a_client_cannot_forge_who_it_is(pair):
    daemon, server = pair
    daemon.ask(host="good.example", headers=[
        ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil"),
        ("Forwarded", "for=6.6.6.6"), ("X-Sluice-Route", "evil"), ("X-Sluice-Variant", "evil"),
        ("X-Sluice-Anything", "evil"), ("X_Sluice_Variant", "evil"), ("x-sluice_error", "evil"),
        ("X_Forwarded_For", "6.6.6.6")])
    request = server.requests[0]
    assert request.header("X-Forwarded-For") == "127.0.0.1" and request.header("X-Forwarded-Host") == "good.example"
    assert request.header("X-Forwarded-Proto") == "http"
    assert not any("evil" in value or "6.6.6.6" in value for _, value in request.headers), request.headers


def test_hop_by_hop_fields_end_here(pair):
    daemon, server = pair
    server.handler = lambda request, reply: reply.send(200, "x", [
        ("Connection", "X-Up"), ("X-Up", "1"), ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "keep-alive"), ("X-Kept", "yes")])
    response = daemon.ask(headers=[
        ("Connection", "X-Foo, keep-alive"), ("X-Foo", "1"), ("Keep-Alive", "timeout=5"), ("TE", "gzip"),
        ("Proxy-Connection", "keep-alive"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
        ("X-Kept", "a"), ("X-Kept", "b")])
    request = server.requests[0]
    for name in ("X-Foo", "Keep-Alive", "TE", "Proxy-Connection", "Upgrade", "HTTP2-Settings"):
        assert request.header(name) is None, name
    assert request.header("X-Kept") == "a, b"
    for name in ("X-Up", "Keep-Alive", "Proxy-Connection"):
        assert response.header(name) is None, name
    assert response.header("X-Kept") == "yes"


def test_connection_cannot_name_away_what_the_proxy_says(pair):
    daemon, server = pair
    daemon.ask(headers=[("Connection", "close, X-Forwarded-For, X-Request-Id, Host, X-Sluice-Route, Via")])
    request = server.requests[0]
    for name in ("X-Forwarded-For", "Host", "X-Sluice-Route", "X-Sluice-Variant", "Via"):
        assert request.header(name), name


def test_via_is_appended(pair):
    daemon, server = pair
    daemon.ask(headers=[("Via", "1.0 before")])
    via = server.requests[0].header("Via")
    assert via.startswith("1.0 before, 1.1 ")


def test_expose_variant_false_hides_it_from_clients_only(start_sluice, upstream):
    server = upstream("stable")
    daemon = start_sluice({"pools": {"stable": pool(server)}, "routes": [route(expose_variant=False)]})
    response = daemon.ask()
    assert response.header("X-Sluice-Variant") is None
    assert server.requests[0].header("X-Sluice-Variant") == "stable"


def test_an_upstream_cannot_claim_another_variant(pair):
    daemon, server = pair
    server.handler = lambda request, reply: reply.send(200, "x", [("X-Sluice-Variant", "evil"), ("X-Sluice-Error", "evil")])
    response = daemon.ask()
    assert response.all("X-Sluice-Variant") == ["stable"] and response.header("X-Sluice-Error") is None


def test_a_variants_header_edits(start_sluice, upstream, tmp_path):
    (tmp_path / "preview.token").write_text("t0ken\n", encoding="utf-8")
    servers = {name: upstream(name) for name in ("stable", "canary")}
    daemon = start_sluice({
        "pools": {name: pool(server) for name, server in servers.items()},
        "routes": [route("chat", {"stable": 100, "canary": {"pool": "canary", "weight": 0, "request": {
            "set_headers": {"X-Prompt-Version": "v2.1", "X-New": "n"}, "remove_headers": ["X-Debug", "x-trace"]}}},
            override={"header": "X-Try", "token_file": "preview.token"})]})
    fields = [("X-Prompt-Version", "v1"), ("X-Debug", "1"), ("X-Trace", "t"), ("X-Debug", "2"), ("X-Other", "o")]
    daemon.ask(headers=[*fields, ("X-Try", "canary;t0ken")])
    daemon.ask(headers=fields)
    edited, plain = servers["canary"].requests[0], servers["stable"].requests[0]
    assert edited.header("X-Prompt-Version") == "v2.1" and edited.header("X-New") == "n"
    assert edited.header("X-Debug") is None and edited.header("X-Trace") is None and edited.header("X-Other") == "o"
    assert plain.header("X-Prompt-Version") == "v1" and plain.header("X-Debug") == "1, 2" and plain.header("X-New") is None


def test_repeated_response_fields_stay_apart_and_in_order(pair):
    daemon, server = pair
    server.handler = lambda request, reply: reply.send(200, "x", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Empty", "")])
    response = daemon.ask()
    assert response.all("Set-Cookie") == ["a=1", "b=2"] and response.header("X-Empty") == ""
