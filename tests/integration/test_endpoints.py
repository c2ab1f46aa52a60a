"""Endpoints on unix sockets and IPv6 addresses: requests, health checks, commands."""
import os
import shutil
import socket
import tempfile

import pytest

from harness.load import Loop
from harness.scale import patience
from harness.sluice import pool, route
from harness.upstream import Upstream
from harness.wait import wait_for

CHECK = {"interval": "50ms", "timeout": "1s", "healthy_after": 1, "unhealthy_after": 2, "request": {"path": "/check"}}


@pytest.fixture
def folder():
    """Short: a unix socket's path has at most 107 bytes."""
    path = tempfile.mkdtemp(prefix="slc-")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def where(request, folder):
    """A unix socket's path, or ::1."""
    if request.param == "unix":
        return os.path.join(folder, "model.sock")
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return "::1"
    except OSError:
        pytest.skip("no IPv6 here")


both = pytest.mark.parametrize("where", ["unix", "ipv6"], indirect=True)


def config(*servers, **settings):
    return {"pools": {"stable": pool(*servers, **settings)}, "routes": [route()]}


@both
def test_requests_and_bodies_both_ways(start_sluice, upstream, where):
    def echo(request, reply):
        reply.send(200, request.body, [("X-Host", request.header("Host")), ("X-Path", request.target)])
    server = upstream("up", echo, host=where)
    daemon = start_sluice(config(server))
    body = os.urandom(300_000)
    with daemon.client() as client:
        for _ in range(3):
            response = client.ask("POST", "/v1/x?y=1", body=body, host="chat.example")
            assert (response.status, response.body) == (200, body)
            assert response.header("X-Path") == "/v1/x?y=1"
            assert response.header("X-Host") == "chat.example"
    assert server.connections == 1, "the connection is kept"


@both
def test_streams_arrive_event_by_event(start_sluice, upstream, where):
    def stream(_request, reply):
        reply.begin_sse()
        for number in range(5):
            reply.event(number)
        reply.end_chunked()
    daemon = start_sluice(config(upstream("up", stream, host=where)))
    with daemon.client() as client:
        client.request()
        client.final_head()
        client.events = b""
        assert [client.event() for _ in range(5)] == list("01234")


@both
def test_health_checks(start_sluice, upstream, where):
    status = [200]
    server = upstream("up", lambda request, reply: reply.send(status[0] if request.path == "/check" else 200, "x"), host=where)
    daemon = start_sluice(config(server, upstream("other"), health=CHECK))

    def up():
        return daemon.metrics().sum("sluice_endpoint_up", pool="stable", endpoint=server.url)
    wait_for(lambda: sum(r.path == "/check" for r in server.requests) >= 3, patience(10))
    host = next(r.header("Host") for r in server.requests if r.path == "/check")
    assert host == ("localhost" if where.startswith("/") else f"[::1]:{server.port}")
    assert up() == 1
    status[0] = 500
    wait_for(lambda: up() == 0, patience(10))
    status[0] = 200
    wait_for(lambda: up() == 1, patience(10))


@both
def test_commands_and_status_name_it_by_its_url(start_sluice, upstream, where):
    server = upstream("up", host=where)
    daemon = start_sluice(config(server, upstream("other")))
    done = daemon.cli("drain", "stable", server.url)
    assert done.returncode == 0, done.stderr
    endpoint = daemon.status()["pools"][0]["endpoints"][0]
    assert (endpoint["url"], endpoint["state"]) == (server.url, "drained")
    assert endpoint["addresses"] == [server.url.removeprefix("http://")]
    assert {daemon.ask().text for _ in range(10)} == {"other"}


@both
def test_one_that_is_not_there_is_a_refused_connection(start_sluice, upstream, where):
    server = upstream("up", host=where)
    daemon = start_sluice(config(server))
    assert daemon.ask().status == 200
    server.stop()
    response = daemon.ask()
    assert (response.status, response.header("X-Sluice-Error")) == (502, "connect_failed")


def test_a_server_that_starts_again_on_its_path(start_sluice, folder):
    path = os.path.join(folder, "model.sock")
    first = Upstream("first", host=path)
    daemon = start_sluice(config(first))
    assert daemon.ask().text == "first"
    first.stop()
    os.unlink(path)
    assert daemon.ask().status == 502
    second = Upstream("second", host=path)
    try:
        assert daemon.ask().text == "second"
    finally:
        second.stop()


def test_a_reload_between_kinds_under_load(start_sluice, upstream, folder):
    plain, local = upstream("plain"), upstream("local", host=os.path.join(folder, "model.sock"))
    daemon = start_sluice(config(plain))
    load = Loop(daemon.address, threads=4)
    wait_for(lambda: load.total > 30)
    for server, other in ((local, plain), (plain, local)):
        daemon.reload_by_signal(config(server))
        seen = server.count
        wait_for(lambda: server.count > seen + 30)
        wait_for(lambda: other.open == 0, patience(10), "what was kept to the one that left is closed")
    load.stop()
    assert not load.failures and set(load.statuses) == {200}
