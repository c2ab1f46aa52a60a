"""`sluice demo`: everything at once, and nothing left behind."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios

import pytest

from harness.client import ask
from harness.load import free_port
from harness.process import Child
from harness.scale import BINARY, patience, sanitizer, scaled
from harness.sluice import ENVIRONMENT, cli
from harness.wait import wait_for


def group_members(group):
    """The processes of a process group or session."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if group in (int(fields[2]), int(fields[3])) and fields[0] != "Z":
                found.append(int(name))
    return found


@pytest.fixture
def demo(tmp_path):
    made = []

    def make(*arguments):
        process = Child([BINARY, "demo", *arguments], str(tmp_path), f"demo{len(made)}", env=ENVIRONMENT, new_session=True)
        made.append(process)
        return process
    yield make
    for process in made:
        if process.running():
            process.signal(signal.SIGTERM)
        code = process.wait(20)
        left = group_members(process.pid)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left, f"the demo left processes behind: {left}"
        assert code in (0, 1, 3), f"exit {code}\n{process.stderr()[-3000:]}"
        assert not process.reports(), process.reports()


def test_demo_serves_shows_its_table_and_ends_by_itself(demo):
    port = free_port()
    process = demo("--port", port, "--admin-port", free_port(), "--duration", "5s")

    def serves():
        assert process.running(), process.stderr()
        try:
            return ask(("127.0.0.1", port), "POST", "/v1/chat/completions", [("Content-Type", "application/json")],
                       json.dumps({"model": "demo", "messages": [{"role": "user", "content": "hi"}]})).status == 200
        except OSError:
            return False
    wait_for(serves, patience(10), "the demo serves")
    assert process.wait(30) == 0
    text = process.stdout()
    assert f"http://127.0.0.1:{port}" in text or f"localhost:{port}" in text
    for word in ("stable", "canary", "share", "req/s", "error", "p50", "p95"):
        assert word in text.lower(), word
    assert re.search(r"canary\D+\d", text)
    assert not group_members(process.pid)


def last_decision(text):
    """Of what the demo leaves behind: the first lines of `sluice explain` of it, and what each guard said."""
    told = re.search(r"^ The last decision\n#\d+ .*?  (\w+) by the controller.*?\n    (.*)\n    because (.*)\n((?:    .*\n)+)", text, re.M)
    assert told, text[-4000:]
    guards = dict(re.findall(r"^    (\w+): (\w+): ", told[4], re.M))
    return told[1], told[2], told[3], guards


def read_terminal(master, timeout):
    """What came; nothing once the other side has closed."""
    assert select.select([master], [], [], timeout)[0], "the demo shows nothing any more"
    try:
        return os.read(master, 65536)
    except OSError:  # EIO: so a terminal says that nobody has it open any more
        return b""


# A rate that every build can serve here; then what the evidence needs takes longer than the steps.
RATE = ("--rate", scaled(500, 250), "--port", 0, "--admin-port", 0)


@pytest.mark.alone
@pytest.mark.once
def test_a_good_canary_is_promoted_and_ends_the_demo(demo):
    process = demo(*RATE, "--step", "1s")
    assert process.wait(patience(120)) == 0, process.stdout()[-4000:]
    text = process.stdout()
    action, way, _, guards = last_decision(text)
    assert action == "complete" and way.endswith("-> promoted (stable 0 %, canary 100 %)")
    assert set(guards) == {"error_rate", "latency_p95", "ttft_p95", "cost_per_request", "quality"}
    happened = text.split(" What happened\n")[1]
    ways = re.findall(r" by the controller: (.*?): ", happened)
    assert [re.sub(r" \(.*?\)", "", w) for w in ways] == [
        "idle -> step 1", "step 1 -> step 2", "step 2 -> step 3", "step 3 -> watch", "watch -> promoted"]
    for way in ways:  # each was told when it happened, too
        assert text.count(way) >= 2
    assert re.search(r"error_rate +(pass|wait) .* of \d+ +.* of 20\n", text), "the evidence beside what it needs"


# A failed request counts as slow, so either of the two may have seen enough first.
SLOWER = {"latency_p95", "ttft_p95"}
FAULTS = [("errors", {"error_rate"} | SLOWER), ("quality", {"quality"}), ("latency", SLOWER), ("cost", {"cost_per_request"})]


# The last two differ from the first two in figures only: a sanitizer would find nothing else in them.
@pytest.mark.alone
@pytest.mark.once
@pytest.mark.parametrize("kind, guards", FAULTS[:2] if sanitizer() else FAULTS)
def test_a_canary_that_gets_worse_is_rolled_back_with_the_reason(demo, kind, guards):
    process = demo(*RATE, "--step", "2s", "--fail", kind)
    assert process.wait(patience(120)) == 3, process.stdout()[-4000:]
    text = process.stdout()
    action, way, because, verdicts = last_decision(text)
    assert action == "rollback" and way.endswith("-> rolled_back (stable 100 %, canary 0 %)")
    assert any(verdicts[guard] == "fail" for guard in guards), verdicts
    assert re.search(r"it is worse: e-value [\d.e+]+, \d+ suffices", because)
    slower = "(first token )?slower than the baseline's p95 plus 50 %: "
    start = {"errors": f"(failed requests|{slower[:-2]}): ", "latency": slower,
             "cost": "cost_per_request, mean: ", "quality": "quality, mean: "}[kind]
    assert re.search(r"at once: " + start + r"candidate [\d.e-]+ of \d+", because)
    assert f"--fail {kind}: the canary " in text
    assert " 0 failed" in text


def test_a_duration_ends_the_demo_before_its_rollout(demo):
    process = demo(*RATE, "--duration", "3s", "--fail", "--step", "1h")
    assert process.wait(patience(30)) == 0
    assert "The rollout\n  canary canary v1.1: step 1 of 3 at 5 %" in process.stdout()


@pytest.mark.alone
@pytest.mark.once
def test_on_a_terminal_the_screen_fits_and_is_given_back(tmp_path):
    rows, columns = 24, 90
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {**os.environ, **ENVIRONMENT, "TERM": "xterm", "NO_COLOR": "1", "TMPDIR": str(tmp_path)}
    with subprocess.Popen([BINARY, "demo", *map(str, RATE), "--duration", "5s", "--step", "1h"], stdin=slave, stdout=slave,
                          stderr=subprocess.PIPE, env=environment, start_new_session=True) as process:
        os.close(slave)
        seen = b""
        try:
            while piece := read_terminal(master, patience(60)):
                seen += piece
            code = process.wait(patience(20))
        finally:
            process.kill()
            os.close(master)
    text = seen.decode().replace("\r\n", "\n")
    assert code == 0, text[-2000:]
    assert text.count("\033[?1049h") == text.count("\033[?1049l") == 1
    shown, left = text.split("\033[?1049h")[1].split("\033[?1049l")
    frames = shown.split("\033[H")[1:]
    assert len(frames) >= 4
    assert all(frame.count("\n") < rows for frame in frames)
    assert re.search(r"canary v1.1: step 1 of 3 at 5 %", frames[-1]) and "worse: e-value" in frames[-1]
    news = frames[-1].split("quality ")[1].split("requests, 0 failed")[0]  # decisions are broken where the screen ends
    assert "start by the controller" in news
    assert all(len(re.sub(r"\033\[\??\w+", "", line)) <= columns for line in news.split("\n")[1:]), news
    assert " The last decision\n" in left and " What happened\n" in left


def test_an_unknown_way_to_fail_is_refused():
    result = cli("demo", "--fail", "nonsense")
    assert result.returncode == 2
    assert "nonsense" in result.stderr and "errors, latency, cost or quality" in result.stderr


def test_demo_says_that_its_port_is_taken(demo):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for arguments in (("--port", port, "--admin-port", free_port()), ("--port", free_port(), "--admin-port", port)):
            process = demo(*arguments, "--duration", "5s")
            assert process.wait(20) == 1
            assert str(port) in process.stderr() + process.stdout()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_ends_on_a_signal_and_takes_its_servers_along(demo, number):
    port = free_port()
    process = demo("--port", port, "--admin-port", free_port())

    def open_port():
        assert process.running(), process.stderr()
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) == 0
    wait_for(open_port, patience(10))
    process.signal(number)
    assert process.wait(20) == 0
    wait_for(lambda: not group_members(process.pid), patience(5), "no process is left")


def test_simulated_model_server(simulate):
    model = simulate("m")
    whole = model.chat().json()
    assert whole["choices"][0]["message"]["role"] == "assistant" and whole["usage"]["completion_tokens"] > 0
    stream = model.chat(stream=True)
    assert stream.header("Content-Type").startswith("text/event-stream")
    events = [e.removeprefix("data: ") for e in stream.text.split("\n\n") if e]
    assert events[-1] == "[DONE]" and json.loads(events[0])["choices"][0]["delta"]
    assert ask(model.address, target="/v1/models").json()["data"]
    assert ask(model.address, target="/nothing").status == 404
    assert ask(model.address, "POST", "/v1/chat/completions", (), "not json").status == 400


def test_simulated_embeddings(simulate):
    address = simulate("m").address

    def embed(body):
        return ask(address, "POST", "/v1/embeddings", (), json.dumps(body))
    one, two = embed({"input": "hello water"}), embed({"model": "e", "input": ["hello water", "gate"]}).json()
    first = one.json()["data"][0]["embedding"]
    assert one.json()["usage"] == {"prompt_tokens": 2, "total_tokens": 2} and one.json()["model"]
    assert len(first) == 16 and all(-1 <= x <= 1 for x in first) and len(set(first)) > 10
    assert [each["index"] for each in two["data"]] == [0, 1] and two["model"] == "e" and two["usage"]["total_tokens"] == 3
    assert two["data"][0]["embedding"] == first != two["data"][1]["embedding"]  # the same text, the same vector
    for wrong in ({}, {"input": []}, {"input": [1]}, {"input": {"text": "x"}}, {"input": ["x", None]}):
        assert (embed(wrong).status, embed(wrong).json()["error"]["type"]) == (400, "invalid_request_error"), wrong


def test_simulated_plain_paths(simulate):
    address = simulate("m").address
    assert ask(address, target="/b/70000").body == b"x" * 70000
    assert ask(address, target="/b/0").body == b""
    assert [ask(address, target=f"/b/{n}").status for n in ("x", "-1", "1073741825", "")] == [400] * 4
    echo = ask(address, "PUT", "/echo?x", [("Content-Type", "text/x")], b"a\0b")
    assert (echo.body, echo.header("Content-Type")) == (b"a\0b", "text/x")
    assert ask(address, "POST", "/echo", (), "y").header("Content-Type") == "application/octet-stream"
    seen = ask(address, "GET", "/headers?a=b", [("X-One", "1"), ("X-Two", "2"), ("x-one", "3")]).json()
    assert (seen["server"], seen["target"]) == ("simulated", "/headers?a=b")
    assert (seen["headers"]["X-One"], seen["headers"]["X-Two"]) == ("1, 3", "2") and "x-one" not in seen["headers"]
    refused = ask(address, "GET", "/v1/embeddings")
    assert (refused.status, refused.header("Allow")) == (405, "POST")


def test_simulate_is_changed_as_it_runs(simulate):
    model = simulate("m")

    def change(body):
        return ask(model.address, "POST", "/simulate", (), body)
    before = ask(model.address, target="/simulate").json()
    wrong = ("", "[]", "not json", '{"tokens": -1}', '{"tokens": 1.5}', '{"tokens": 1000001}', '{"error_rate": 101}',
             '{"error_rate": -1}', '{"error_rate": "5"}', '{"latency_ms": -1}', '{"jitter_ms": "1"}', '{"token_delay_ms": 600001}',
             '{"name": "n"}', '{"tokens": 3, "colour": "red"}')
    assert [change(body).status for body in wrong] == [400] * len(wrong)
    after = ask(model.address, target="/simulate").json()
    assert {**after, "requests": 0} == {**before, "requests": 0}  # all of it or nothing
    told = change('{"tokens": 2, "latency_ms": 0, "jitter_ms": 0, "token_delay_ms": 0.5, "error_rate": 0}').json()
    assert (told["tokens"], told["latency_ms"], told["token_delay_ms"]) == (2, 0, 0.5)
    assert model.chat().json()["usage"]["completion_tokens"] == 2
    change('{"error_rate": 100}')
    assert model.chat().status == 500


def test_simulate_can_fail_on_purpose(simulate):
    model = simulate("sick", "--error-rate", "100")
    assert model.chat().status >= 500


def test_simulate_listens_where_it_is_told(simulate):
    """In a container the others are not on loopback."""
    model = simulate("m", "--bind", "127.0.0.2")
    assert model.address[0] == "127.0.0.2" and model.chat().status == 200
    with pytest.raises(ConnectionRefusedError):
        ask(("127.0.0.1", model.address[1]))
    assert simulate("all", "--bind", "0.0.0.0").address[0] == "0.0.0.0"
    for wrong in ("localhost", "::1", "10.0.0.300"):
        refused = cli("simulate", "--bind", wrong)
        assert (refused.returncode, refused.stderr) == (2, f"sluice: --bind: {wrong} is not an IPv4 address\n")
    elsewhere = cli("simulate", "--bind", "192.0.2.1", "--port", "8001")
    assert elsewhere.returncode == 1 and "cannot listen on 192.0.2.1:8001: Cannot assign requested address" in elsewhere.stderr


def test_simulate_refuses_nonsense():
    assert cli("simulate", "--nonsense").returncode == 2
