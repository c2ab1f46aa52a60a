"""A secret that is sent, or stands in the configuration, is found nowhere that people look: logs, status, metrics, decisions."""
import json
import os
import urllib.parse

from harness.load import free_port
from harness.sluice import cli, pool, route
from harness.wait import wait_for

MARK = "Zx9canary"  # every secret below has it


def secret(name):
    return f"{MARK}-{name}-0123456789abcdef"


def write(path, text):
    path.write_text(text + "\n", encoding="ascii")
    path.chmod(0o600)
    return str(path)


def traffic(daemon):
    headers = [("Authorization", "Bearer " + secret("bearer")), ("Cookie", "session=" + secret("cookie")), ("X-Api-Key", secret("header")),
               ("Proxy-Authorization", "Basic " + secret("proxy")), ("X-Sluice-Variant", "canary;" + secret("wrong-override")),
               ("X-User-Id", "alice")]
    query = urllib.parse.urlencode({key: secret(key) for key in (
        "api_key", "key", "token", "access_token", "X-Amz-Signature", "client_secret", "password")})
    body = json.dumps({"model": "m", "api_key": secret("body"), "messages": []})
    for target in ("/v1/chat?user=alice&" + query, "/none?" + query, "http://user:" + secret("userinfo") + "@a.example/v1/x?" + query):
        daemon.ask("POST", target, [*headers, ("Content-Type", "application/json")], body, host="a.example")
    daemon.ask("GET", "/v1/fail?" + query, headers)
    daemon.ask("GET", "/v1/preview", [("X-Sluice-Variant", "canary;" + secret("override"))])
    broken = daemon.client()
    broken.send(f"GET /v1/x?{query} HTTP/9.9\r\nAuthorization: {secret('broken')}\r\n\r\n")
    broken.close()


def admin(daemon):
    """Everything that can be read there, after wrong and right tokens; and what commands print."""
    daemon.admin(secret("wrong-token")).post("/api/v1/reload")
    right = daemon.admin(secret("admin-token"))
    assert right.post("/api/v1/reload").status == 200
    texts = [right.ask("POST", f"/api/v1/reload?token={secret('admin-query')}", headers=[("Cookie", secret("admin-cookie"))]).text]
    for target in ("/metrics", "/api/v1/status", "/api/v1/routes/chat", "/api/v1/routes/chat/decisions", "/api/v1/routes/chat/report",
                   "/readyz", f"/nothing?token={secret('nothing')}"):
        texts.append(right.ask("GET", target).text)
    for command in (("status",), ("explain", "chat"), ("report", "chat"), ("promote", "chat")):
        done = daemon.cli(*command, env={"SLUICE_TOKEN": secret("admin-token")})
        texts += [done.stdout, done.stderr]
    done = daemon.cli("promote", "chat", env={"SLUICE_TOKEN": secret("wrong-command")})
    return texts + [done.stdout, done.stderr]


def found(texts):
    return [text[max(0, text.find(MARK) - 200):text.find(MARK) + 100] for text in texts if MARK in text]


def test_what_was_sent_or_configured_is_shown_nowhere(start_sluice, upstream, tmp_path):
    def answer(request, reply):
        reply.send(500 if request.target.startswith("/v1/fail") else 200, b"ok")
    stable, canary = upstream("stable", answer), upstream("canary", answer)
    dead = f"http://127.0.0.1:{free_port()}/hook/{secret('hook')}?key={secret('hook-key')}"
    health = {"interval": "100ms", "request": {"path": f"/health?api_key={secret('health-query')}",
                                               "headers": {"Authorization": "Bearer " + secret("health")}},
              "expect": {"body_contains": "what never comes"}}
    daemon = start_sluice({
        "access_log": {"path": str(tmp_path / "access.log")},
        "pools": {"stable": pool(stable), "canary": pool(canary), "sick": pool(canary, health=health)},
        "routes": [route("chat", {
            "stable": {"pool": "stable", "version": "v1", "weight": 100},
            "canary": {"pool": "canary", "version": "v2", "weight": 0,
                       "request": {"set_headers": {"Authorization": "Bearer ${UPSTREAM_KEY}"}}}},
            match={"path_prefix": "/v1/"}, sticky={"by": ["header X-User-Id"]}, override={"token_file": write(tmp_path / "preview.token", secret("override"))},
            rollout={"strategy": "canary", "start": "manual", "steps": [{"weight": 5, "for": "1h"}],
                     "guards": {"refusals": {"prometheus": {"url": f"http://u:{secret('prometheus')}@127.0.0.1:{free_port()}", "query": "up"}, "max": 0.5}},
                     "before": {"smoke_tests": [{"request": {"path": f"/v1/fail?token={secret('smoke')}", "headers": {"X-Api-Key": secret("smoke-header")}}}]},
                     "hooks": {"before_step": dead, "on_promote": dead, "on_rollback": dead}, "notify": [{"url": dead}]})]},
        env={"UPSTREAM_KEY": secret("environment")})
    daemon.config["admin"]["token_file"] = write(tmp_path / "admin.token", secret("admin-token"))
    daemon.write()
    assert daemon.reload().status == 200
    traffic(daemon)
    assert canary.requests[-1].header("Authorization") == "Bearer " + secret("environment"), "it goes where it should"
    texts = admin(daemon)
    wait_for(lambda: "unhealthy" in daemon.stderr())
    wait_for(lambda: (tmp_path / "access.log").read_text(encoding="utf-8").count('"target"') >= 4)
    assert daemon.stop() == 0
    for folder, _, files in os.walk(daemon.config["state_dir"]):
        texts += [open(os.path.join(folder, name), encoding="utf-8", errors="replace").read() for name in files]
    log = (tmp_path / "access.log").read_text(encoding="utf-8")
    texts += [daemon.stderr(), daemon.child.stdout(), log]
    assert not found(texts)
    assert "/v1/chat?user=alice&api_key=***&key=***&token=***" in log


def test_mistakes_do_not_show_what_the_environment_holds(tmp_path):
    path = tmp_path / "sluice.yaml"
    path.write_text("""listeners: [{address: "${KEY}"}]
workers: ${KEY}
access_log: {path: "-", format: "${KEY}"}
${KEY}: 1
pools: {blue: {endpoints: ["http://${KEY}/x", "https://user:${KEY}@host:1"], balance: "${KEY}"}}
routes:
  - {name: "${KEY} x", match: {host: "${KEY}/", path: "${KEY}"}, variants: {stable: {pool: "${KEY}", weight: "${KEY}"}}}
""", encoding="utf-8")
    for key in (secret("short"), secret("long") * 20):
        done = cli("check", path, env={"KEY": key})
        assert done.returncode == 1 and done.stderr.count("\n") >= 8, done.stderr
        assert not found([done.stderr, done.stdout]), done.stderr
