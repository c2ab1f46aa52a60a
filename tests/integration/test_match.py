"""Which route a request belongs to: the first that matches."""
import json

import pytest

from harness.sluice import pool, route


def test_match_rules(start_sluice, upstream):
    server = upstream("up", lambda request, reply: reply.send(200, request.header("X-Sluice-Route")))
    rules = {
        "exact-path": {"path": "/v1/models"},
        "gold": {"path_prefix": "/v1/", "headers": {"X-Tier": "gold"}},
        "gpt": {"path_prefix": "/v1/", "methods": ["POST"], "json": {"/model": "gpt-4o"}},
        "temperature": {"path_prefix": "/v1/", "methods": ["POST"], "json": {"/options/temperature": 0.5}},
        "posts": {"path_prefix": "/v1/", "methods": ["POST", "PUT"]},
        "api": {"host": "api.example.com"},
        "wild": {"host": "*.example.org"},
        "v1": {"path_prefix": "/v1/"},
    }
    daemon = start_sluice({"pools": {"p": pool(server)}, "routes": [
        route(name, {"only": {"pool": "p", "weight": 100}}, match=match) for name, match in rules.items()]})

    def body(value):
        return {"method": "POST", "body": json.dumps(value), "headers": [("Content-Type", "application/json")]}
    cases = [
        (dict(target="/v1/models"), "exact-path"),
        (dict(target="/v1/models?x=1"), "exact-path"),
        (dict(target="/v1/models/"), "v1"),
        (dict(target="/v1/Models"), "v1"),
        (dict(target="/v1/%6dodels"), "exact-path"),
        (dict(target="/v1/x/../models"), "exact-path"),
        (dict(target="/v1/x", headers=[("x-tier", "gold")]), "gold"),
        (dict(target="/v1/x", headers=[("X-Tier", "silver")]), "v1"),
        (dict(target="/v1/chat", **body({"model": "gpt-4o"})), "gpt"),
        (dict(target="/v1/chat", **body({"model": "gpt-4o-mini"})), "posts"),
        (dict(target="/v1/chat", **body({"options": {"temperature": 0.50}})), "temperature"),
        (dict(target="/v1/chat", method="POST", body="not json"), "posts"),
        (dict(target="/v1/chat", method="POST"), "posts"),
        (dict(target="/v1/chat", method="PUT", body="x"), "posts"),
        (dict(target="/v1/chat", method="DELETE"), "v1"),
        (dict(target="/", host="api.example.com"), "api"),
        (dict(target="/", host="API.Example.Com:8080"), "api"),
        (dict(target="/", host="a.example.org"), "wild"),
        (dict(target="/", host="example.org"), None),
        (dict(target="/", host="xexample.org"), None),
        (dict(target="/v2/"), None),
        (dict(target="/v1"), None),
        (dict(target="http://api.example.com/", host="other"), "api"),
    ]
    wrong = []
    for case, expected in cases:
        response = daemon.ask(**case)
        got = response.text if response.status == 200 else None
        if expected is None and response.status != 404 or got != expected:
            wrong.append((case, expected, response))
    assert not wrong, wrong


def test_a_route_without_match_takes_everything(start_sluice, upstream):
    daemon = start_sluice({"pools": {"stable": pool(upstream())}, "routes": [route()]})
    for target in ("/", "/x?y", "/%20"):
        assert daemon.ask(target=target).status == 200
    assert daemon.ask("OPTIONS", "*").status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods_pass(start_sluice, upstream, method):
    server = upstream()
    daemon = start_sluice({"pools": {"stable": pool(server)}, "routes": [route()]})
    body = "data" if method in ("POST", "PUT", "PATCH") else None
    assert daemon.ask(method, "/x", body=body).status == 200
    assert server.requests[0].method == method and server.requests[0].body == (body or "").encode()
