"""The comparison's own tools (tests/bench): what the load generator says happened did happen, and compare.py runs."""
import contextlib
import json
import os
import socket
import subprocess
import threading

import pytest

from harness.scale import BINARY, patience

pytestmark = [pytest.mark.alone, pytest.mark.once]  # rates and streams keep the time
BENCH = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "bench"))


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tools")
    parts = {"load": ("load", "answer", "times", "transport", "wire"), "origin": ("origin", "wire")}
    for program, sources in parts.items():
        subprocess.run([os.environ.get("CC", "cc"), "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined",
                        "-o", folder / program, *(f"{BENCH}/traffic/{s}.c" for s in sources), "-lssl", "-lcrypto"],
                       check=True, timeout=patience(60))
    return folder


@pytest.fixture
def origin(tools):
    process = subprocess.Popen([tools / "origin", "2"], stdout=subprocess.PIPE, text=True)
    yield [int(port) for port in process.stdout.readline().split()]
    assert process.poll() is None, "the origin ended by itself"
    process.terminate()
    process.wait(patience(5))


def load(tools, port, *words):
    """What it printed: the last line, read."""
    done = subprocess.run([tools / "load", words[0], str(port), *words[1:]], capture_output=True, text=True, timeout=patience(30))
    assert done.returncode == 0, done.stderr
    start, end, told = done.stdout.splitlines()
    assert (start, end) == ("start", "end")
    return json.loads(told)


@pytest.mark.parametrize("size", (0, 1, 1024, 70000, 3000000))
def test_answers_are_counted_whole(tools, origin, size):
    told = load(tools, origin[1], "closed", "-c", "4", "-d", "0.3", "-p", f"/b/{size}")
    assert told["requests"] > 0 and told["errors"] == 0 and told["other_status"] == 0
    head = 200 * (told["requests"] + 4)  # and of each connection a part of an answer that had begun
    assert size * told["requests"] <= told["bytes"] <= size * (told["requests"] + 4) + head


def test_uploads_arrive(tools, origin):
    told = load(tools, origin[0], "closed", "-c", "4", "-d", "0.3", "-p", "/u", "-b", "300000")
    assert told["requests"] > 0 and told["errors"] == 0


def test_a_rate_is_kept(tools, origin):
    told = load(tools, origin[0], "rate", "-c", "16", "-d", "1", "-r", "500")
    assert told["errors"] == 0 and 0 < told["requests"] <= 500 * told["seconds"] + 1  # never ahead of what is due
    assert 0 < told["p50_us"] <= told["p99_us"]


def test_streams_tell_when_their_events_were_sent(tools, origin):
    told = load(tools, origin[0], "sse", "-c", "10", "-d", "1.5", "-p", "/sse/20/20")
    assert told["errors"] == 0 and told["requests"] > 0
    assert 20 * told["requests"] <= told["events"] <= 20 * (told["requests"] + 10)  # whole streams, and ten begun ones
    assert 0 < told["p50_us"] <= told["p99_us"] <= 1e6 * told["seconds"]


def test_a_connection_per_request(tools, origin):
    told = load(tools, origin[0], "conn", "-c", "4", "-d", "0.3")
    assert told["requests"] > 0 and told["errors"] == 0


def answer_with(text):
    """A server whose answer to everything is the text; its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        with connection, contextlib.suppress(ConnectionError):
            while connection.recv(65536):
                connection.sendall(text)

    def accept():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return server


def test_other_answers_are_counted(tools):
    with answer_with(b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno") as server:
        told = load(tools, server.getsockname()[1], "closed", "-c", "2", "-d", "0.2")
    assert told["other_status"] >= told["requests"] > 0


def test_what_is_no_answer_fails(tools):
    with answer_with(b"SSH-2.0-OpenSSH\r\n\r\n") as server:
        done = subprocess.run([tools / "load", "closed", str(server.getsockname()[1]), "-d", "0.2"], capture_output=True, text=True,
                              timeout=patience(60))
    assert done.returncode == 1 and "requests failed" in done.stderr


def compare(*words):
    return subprocess.run(["/usr/bin/python3", f"{BENCH}/compare.py", *words], capture_output=True, text=True, timeout=patience(120),
                          env={**os.environ, "SLUICE": os.path.abspath(BINARY)})


def test_the_comparison_runs(tmp_path):
    """One kind of each scenario: proxies beside each other, one beside itself, memory, TLS, streams."""
    scenarios = ("canary64", "up1m", "sse", "tlsresume", "routes", "split")
    out = tmp_path / "out.json"
    done = compare(*scenarios, "--repeats", "2", "--seconds", "0.2", "--json", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(out.read_text())["scenarios"]
    assert list(told) == list(scenarios)
    for name, scenario in told.items():
        assert f"### {name}: " in done.stdout
        for samples in scenario["samples"].values():
            assert len(samples) == 2 and all(s["figure"] > 0 and s["errors"] == s["other_status"] == 0 for s in samples)
        assert scenario["ratios"] and all(r["least"] <= r["median"] <= r["most"] for r in scenario["ratios"])
    assert {r["to"] for r in told["canary64"]["ratios"]} == {"nginx", "haproxy"}
    assert {(r["of"], r["to"]) for r in told["split"]["ratios"]} == {(f"{p}, then", p) for p in ("nginx", "haproxy", "sluice")}
    assert all(s["resumed"] > 0 for s in told["tlsresume"]["samples"]["sluice"])


def test_what_is_unknown_is_named():
    for words, told in ((("small65",), "small65 is none of: canary64"), (("small64", "--peers", "apache"), "apache is none of: nginx"),
                        (("--sluice", "old"), "--sluice wants NAME=PATH")):
        done = compare(*words)
        assert done.returncode == 2 and told in done.stderr
