"""The access log: one JSON line a request, reopened on USR1."""
import json
import os
import re
import signal

from harness.sluice import pool, route
from harness.wait import wait_for


def start(start_sluice, server, path, **settings):
    return start_sluice({"access_log": {"path": str(path), "format": "json"}, "pools": {"stable": pool(server)},
                         "routes": [route("chat", {"stable": 100}, match={"path_prefix": "/v1/"},
                                          sticky={"by": ["header X-User-Id"]})], **settings})


def lines(path, count):
    """The first `count` lines, once they are all there."""
    def complete():
        if not os.path.exists(path):
            return False
        with open(path, "rb") as f:
            return f.read().count(b"\n") >= count
    wait_for(complete, what=f"{count} lines in {path}")
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f.read().splitlines()]


def test_fields_of_a_request(start_sluice, upstream, tmp_path):
    server = upstream("stable")
    daemon = start(start_sluice, server, tmp_path / "access.log")
    daemon.ask("POST", "/v1/chat?q=secret", [("X-Request-Id", "req-12345678"), ("X-User-Id", "user-7"),
                                             ("User-Agent", 'a"b\\c')], "hello", host="api.example.com")
    entry, = lines(tmp_path / "access.log", 1)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", entry["time"])
    assert entry["request_id"] == "req-12345678" and entry["client"] == "127.0.0.1"
    assert entry["method"] == "POST" and entry["host"] == "api.example.com"
    assert entry["route"] == "chat" and entry["variant"] == "stable" and entry["status"] == 200
    assert entry["endpoint"] == server.url
    assert entry["request_bytes"] == 5 and entry["response_bytes"] == len("stable")
    assert entry["user_agent"] == 'a"b\\c'
    assert 0 < entry["duration_ms"] < 60_000 and 0 < entry["first_byte_ms"] <= entry["duration_ms"]


def test_every_request_has_its_line(start_sluice, upstream, tmp_path):
    daemon = start(start_sluice, upstream(), tmp_path / "access.log")
    with daemon.client() as client:
        for i in range(200):
            client.ask(target=f"/v1/{i}", headers=[("X-Request-Id", f"req-{i:08}")])
        client.ask(target="/nothing")
    entries = lines(tmp_path / "access.log", 201)
    assert [e["request_id"] for e in entries[:200]] == [f"req-{i:08}" for i in range(200)]
    assert entries[200]["status"] == 404 and len(entries) == 201


def test_a_client_that_went_is_logged_as_499(start_sluice, upstream, tmp_path):
    server = upstream("up", lambda request, reply: reply.hang())
    daemon = start(start_sluice, server, tmp_path / "access.log")
    client = daemon.client()
    client.request(target="/v1/x")
    wait_for(lambda: server.count == 1)
    client.reset()
    assert lines(tmp_path / "access.log", 1)[0]["status"] == 499


def test_hostile_bytes_cannot_forge_a_line(start_sluice, upstream, tmp_path):
    daemon = start(start_sluice, upstream(), tmp_path / "access.log")
    with daemon.client() as client:
        client.send(b'GET /v1/%0a{"status":200}"\\ HTTP/1.1\r\nHost: x\r\nUser-Agent: \xff\xfe"}\t{\r\n\r\n')
        status = client.response().status
    with open(tmp_path / "access.log", "rb") as f:
        entry, = lines(tmp_path / "access.log", 1)
        f.read().decode("utf-8")
    assert entry["status"] == status


def test_usr1_reopens_after_a_rotation(start_sluice, upstream, tmp_path):
    path = tmp_path / "access.log"
    daemon = start(start_sluice, upstream(), path)
    daemon.ask(target="/v1/one")
    assert len(lines(path, 1)) == 1
    os.rename(path, tmp_path / "access.log.1")
    daemon.ask(target="/v1/two")
    assert len(lines(tmp_path / "access.log.1", 2)) == 2, "until USR1 the old file is written"
    daemon.child.signal(signal.SIGUSR1)
    wait_for(path.exists, what="the new file is there")
    daemon.ask(target="/v1/three")
    assert len(lines(path, 1)) == 1
    assert len(lines(tmp_path / "access.log.1", 2)) == 2


def test_no_line_is_lost_at_the_end(start_sluice, upstream, tmp_path):
    path = tmp_path / "access.log"
    daemon = start(start_sluice, upstream(), path)
    with daemon.client() as client:
        for i in range(100):
            client.ask(target=f"/v1/{i}")
    assert daemon.stop() == 0
    with open(path, encoding="utf-8") as f:
        assert len(f.readlines()) == 100


def test_a_reload_switches_it_on_elsewhere_and_off(start_sluice, upstream, tmp_path):
    server = upstream()
    daemon = start(start_sluice, server, tmp_path / "a.log")
    daemon.ask(target="/v1/1")
    lines(tmp_path / "a.log", 1)
    config = dict(daemon.config)
    daemon.reload_by_signal({**config, "access_log": {"path": str(tmp_path / "b.log")}})
    daemon.ask(target="/v1/2")
    lines(tmp_path / "b.log", 1)
    config.pop("access_log")
    daemon.config = config
    daemon.write()
    assert daemon.reload().status == 200
    daemon.ask(target="/v1/3")
    assert daemon.stop() == 0
    assert len(lines(tmp_path / "a.log", 1)) == 1 and len(lines(tmp_path / "b.log", 1)) == 1


def test_a_path_that_cannot_be_opened_is_refused_at_reload(start_sluice, upstream, tmp_path):
    server = upstream()
    daemon = start(start_sluice, server, tmp_path / "a.log")
    bad = dict(daemon.config, access_log={"path": str(tmp_path / "no" / "such" / "folder" / "x.log")})
    response = daemon.reload(bad)
    assert response.status >= 400 and "x.log" in response.text
    daemon.ask(target="/v1/x")
    lines(tmp_path / "a.log", 1)


def test_dash_is_stdout(start_sluice, upstream):
    daemon = start(start_sluice, upstream(), "-")
    daemon.ask(target="/v1/x", headers=[("X-Request-Id", "req-12345678")])
    wait_for(lambda: "req-12345678" in daemon.child.stdout())
