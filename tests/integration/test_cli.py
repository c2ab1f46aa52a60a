"""The command line: what it prints, what it exits with."""
import json
import os
import re

import pytest
import yaml

from harness.load import free_port
from harness.sluice import cli, pool, route
from harness.wait import wait_for

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
GOOD = """listeners: [{address: 127.0.0.1:0}]
pools:
  blue: {endpoints: [http://127.0.0.1:1]}
  green: {endpoints: [http://127.0.0.1:2]}
routes:
  - name: chat
    sticky: {by: [header X-User-Id]}
    variants:
      stable: {pool: blue, weight: 95}
      canary: {pool: green, weight: 5}
"""


def test_check_accepts_a_good_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(GOOD, encoding="utf-8")
    done = cli("check", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert cli("run", "-c", path, "--check").returncode == 0


@pytest.mark.parametrize("change, place, words", [
    (("weight: 5", "weight: 6"), (9, 7), ("100",)),
    (("pool: green", "pool: grene"), (10, 22), ("grene", "green")),
    (("sticky:", "stciky:"), (7, 5), ("stciky", "sticky")),
    (("[header X-User-Id]", "[heder X-User-Id]"), (7, 19), ("heder",)),
    (("http://127.0.0.1:2", "127.0.0.1:2"), (4, 23), ()),
    (("weight: 95", "weight: many"), (9, 36), ("weight",)),
    (("address: 127.0.0.1:0", "address: nonsense"), (1, 23), ()),
])
def test_check_names_every_mistake_with_its_place(tmp_path, change, place, words):
    path = tmp_path / "c.yaml"
    path.write_text(GOOD.replace(*change), encoding="utf-8")
    done = cli("check", path)
    assert done.returncode == 1
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(f"{path}:")]
    assert lines and all(re.match(re.escape(str(path)) + r":\d+:\d+: \S", line) for line in lines), done.stdout + done.stderr
    assert any(line.startswith(f"{path}:{place[0]}:{place[1]}: ") for line in lines), lines
    assert all(word in " ".join(lines) for word in words), lines


def test_check_names_all_mistakes_at_once_in_order(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(GOOD.replace("stable: {pool: blue", "stable: {pool: bleu").replace("weight: 5}", "weihgt: 5}")
                    + "workers: -1\nbogus: 1\n", encoding="utf-8")
    done = cli("check", path)
    places = [tuple(map(int, m)) for m in re.findall(re.escape(str(path)) + r":(\d+):(\d+): ", done.stdout + done.stderr)]
    assert done.returncode == 1 and len(places) >= 4 and places == sorted(places)


def test_check_of_a_file_that_is_not_there(tmp_path):
    done = cli("check", tmp_path / "none.yaml")
    assert done.returncode == 1 and "none.yaml:1:1: " in done.stdout + done.stderr


def test_the_examples_are_valid_and_start():
    folder = os.path.join(ROOT, "config")
    names = sorted(n for n in os.listdir(folder) if n.endswith(".yaml"))
    assert {"minimal.yaml", "canary.yaml", "ab-test.yaml", "reference.yaml"} <= set(names)
    for name in names:
        done = cli("check", os.path.join(folder, name), cwd=folder)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("arguments", [("nonsense",), (), ("check",), ("run", "--nonsense"), ("weight", "chat"),
                                       ("drain", "pool"), ("assign", "chat"), ("status", "--nonsense"),
                                       ("reload", "too", "many")])
def test_usage_errors_exit_2_and_say_how(arguments):
    done = cli(*arguments)
    said = (done.stderr + done.stdout).lower()
    assert done.returncode == 2 and ("usage" in said or "--help" in said), done


def test_a_command_that_is_nearly_right_gets_a_hint():
    done = cli("stauts")
    assert done.returncode == 2 and "status" in done.stderr


def test_version_and_help():
    done = cli("version")
    assert done.returncode == 0 and re.match(r"sluice \d+\.\d+\.\d+", done.stdout)
    for arguments in (("--help",), ("help",)):
        text = cli(*arguments)
        assert text.returncode == 0
        for command in ("run", "check", "demo", "status", "weight", "drain", "assign", "reload", "version"):
            assert re.search(rf"\b{command}\b", text.stdout), command


def test_an_admin_that_cannot_be_reached_exits_5(tmp_path):
    for admin in (f"http://127.0.0.1:{free_port()}", f"unix:{tmp_path}/none.sock"):
        for command in (("status",), ("reload",), ("weight", "chat", "a=100"), ("assign", "chat", "u")):
            done = cli(*command, "--admin", admin)
            assert done.returncode == 5, (command, done)
            assert admin.split("//")[-1].removeprefix("unix:") in done.stderr
        assert cli("status", env={"SLUICE_ADMIN": admin}).returncode == 5


@pytest.fixture
def daemon(start_sluice, upstream):
    return start_sluice({"pools": {"stable": pool(upstream("stable")), "canary": pool(upstream("canary"))},
                         "routes": [route("chat", {"stable": 95, "canary": 5}, sticky={"by": ["header X-User-Id"]})]})


def test_status_names_what_runs(daemon):
    for _ in range(5):
        daemon.ask()
    done = daemon.cli("status")
    assert done.returncode == 0
    for word in ("chat", "stable", "canary", "95", "5"):
        assert word in done.stdout
    data = json.loads(daemon.cli("status", "--json").stdout)
    assert data == json.loads(json.dumps(data)) and data["routes"][0]["name"] == "chat"
    one = daemon.cli("status", "chat")
    assert one.returncode == 0 and "canary" in one.stdout
    assert daemon.cli("status", "nobody").returncode == 1


def test_weight(daemon):
    done = daemon.cli("weight", "chat", "stable=60", "canary=40")
    assert done.returncode == 0, done.stderr
    assert [(v["name"], v["weight"]) for v in daemon.status()["routes"][0]["variants"]] == [("stable", 60), ("canary", 40)]
    half = daemon.cli("weight", "chat", "stable=99.5", "canary=0.5")
    assert half.returncode == 0, half.stderr
    for bad in (("stable=60", "canary=30"), ("stable=100", "nobody=0"), ("stable=101", "canary=-1"),
                ("stable=x", "canary=1"), ("stable=50", "stable=50")):
        refused = daemon.cli("weight", "chat", *bad)
        assert refused.returncode in (1, 2) and refused.stderr, bad
    assert daemon.cli("weight", "nobody", "a=100").returncode == 1
    assert [v["weight"] for v in daemon.status()["routes"][0]["variants"]] == [99.5, 0.5], "what was refused changed nothing"


def test_json_is_the_apis_answer(daemon):
    for command in (("status",), ("assign", "chat", "u"), ("weight", "chat", "stable=50", "canary=50"), ("reload",)):
        done = daemon.cli(*command, "--json")
        assert done.returncode == 0, (command, done.stderr)
        json.loads(done.stdout)
    refused = daemon.cli("weight", "nobody", "a=100", "--json")
    assert refused.returncode == 1 and json.loads(refused.stdout or refused.stderr)["error"]["code"]


def test_assign_explains(daemon):
    done = daemon.cli("assign", "chat", "user-1")
    assert done.returncode == 0 and re.search(r"\b(stable|canary)\b", done.stdout)
    assert daemon.cli("assign", "nobody", "user-1").returncode == 1


def test_reload_waits_and_prints_the_outcome(daemon):
    done = daemon.cli("reload")
    assert done.returncode == 0 and done.stdout.strip()
    assert daemon.reloads() == 1


def test_admin_errors_have_one_form(daemon):
    admin = daemon.admin()
    cases = [("GET", "/api/v1/nothing", None, 404), ("GET", "/api/v1/routes/nobody", None, 404),
             ("POST", "/api/v1/status", {}, 405), ("GET", "/api/v1/reload", None, 405),
             ("POST", "/api/v1/routes/chat/weights", "not json", 422), ("POST", "/api/v1/routes/chat/weights", {}, 422),
             ("POST", "/api/v1/pools/nobody/drain", {"endpoint": "http://x:1"}, 404),
             ("POST", "/api/v1/pools/stable/drain", {}, 422)]
    for method, target, body, status in cases:
        response = admin.ask(method, target, body)
        assert response.status == status, (method, target, response)
        error = response.json()["error"]
        assert error["code"] and error["message"]


def with_admin(start_sluice, upstream, tmp_path, token):
    if token:
        (tmp_path / "admin.token").write_text(token + "\n", encoding="utf-8")
    return start_sluice({
        "admin": {"address": f"127.0.0.1:{free_port()}", **({"token_file": "admin.token"} if token else {})},
        "pools": {"stable": pool(upstream("stable")), "canary": pool(upstream("canary"))},
        "routes": [route("chat", {"stable": 95, "canary": 5})]})


def test_with_a_token_every_change_needs_it(start_sluice, upstream, tmp_path):
    daemon = with_admin(start_sluice, upstream, tmp_path, "t0p-secret")
    change = ("weight", "chat", "stable=50", "canary=50")
    assert daemon.cli("status").returncode == 0, "reading needs no token"
    none = daemon.cli(*change)
    assert none.returncode == 1 and "token" in none.stderr
    assert daemon.cli(*change, env={"SLUICE_TOKEN": "wrong"}).returncode == 1
    assert daemon.admin().post("/api/v1/reload").status == 401
    assert daemon.admin("wrong").post("/api/v1/reload").status in (401, 403)
    assert daemon.reloads() == 0
    assert daemon.cli(*change, env={"SLUICE_TOKEN": "t0p-secret"}).returncode == 0
    assert daemon.cli(*change, "--token-file", tmp_path / "admin.token").returncode == 0
    assert "t0p-secret" not in daemon.stderr()


def test_without_a_token_only_this_machine_and_no_foreign_page(start_sluice, upstream, tmp_path):
    daemon = with_admin(start_sluice, upstream, tmp_path, None)
    assert daemon.cli("reload").returncode == 0
    admin = daemon.admin()
    for headers in ([("Origin", "https://evil.example")], [("Sec-Fetch-Site", "cross-site")]):
        assert admin.ask("POST", "/api/v1/reload", "", headers).status == 403, headers
    from harness.client import ask  # pylint: disable=import-outside-toplevel
    assert ask(admin.where, "POST", "/api/v1/reload", (), "", host="evil.example").status == 403, "DNS rebinding"
    assert daemon.reloads() == 1


def test_run_refuses_what_cannot_start(tmp_path, start_sluice, upstream):
    import socket  # pylint: disable=import-outside-toplevel
    broken = tmp_path / "broken.yaml"
    broken.write_text(GOOD.replace("pool: green", "pool: red"), encoding="utf-8")
    done = cli("run", "-c", broken)
    assert done.returncode == 1 and f"{broken}:10:22: " in done.stderr + done.stdout
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        path = tmp_path / "taken.yaml"
        path.write_text(yaml.safe_dump({"listeners": [{"address": address}],
                                        "admin": {"address": f"unix:{tmp_path}/a.sock"}, "state_dir": str(tmp_path),
                                        "pools": {"stable": pool("http://127.0.0.1:1")}, "routes": [route()]}), encoding="utf-8")
        done = cli("run", "-c", path)
        assert done.returncode == 1 and address in done.stderr


def test_two_daemons_cannot_share_an_admin_address(start_sluice, upstream, tmp_path):
    daemon = with_admin(start_sluice, upstream, tmp_path, None)
    other = dict(daemon.config, listeners=[{"address": "127.0.0.1:0"}])
    path = tmp_path / "second.yaml"
    path.write_text(yaml.safe_dump(other), encoding="utf-8")
    done = cli("run", "-c", path)
    assert done.returncode == 1 and daemon.config["admin"]["address"] in done.stderr
    assert daemon.ask().status == 200


def test_environment_variables_expand(start_sluice, upstream):
    server = upstream("stable")
    daemon = start_sluice({"pools": {"stable": pool("http://127.0.0.1:${MODEL_PORT}")}, "routes": [
        route(sticky={"by": ["header ${UNIT_HEADER:-X-User-Id}"]})]}, env={"MODEL_PORT": str(server.port)})
    assert daemon.ask().text == "stable"


def test_healthz_and_readyz(daemon):
    admin = daemon.admin()
    assert admin.ask("GET", "/healthz").status == 200
    wait_for(lambda: admin.ask("GET", "/readyz").status == 200)
    assert admin.ask("HEAD", "/healthz").status == 200
