"""The dashboard, by a real browser, over real daemons and real traffic. UPDATE_IMAGES=1 writes the pictures of docs/images."""
import json
import os
import re
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness.dashboard import (browser, confirm, daemon, demo, drawn, findings, on_chat, opened, pace, picture,  # noqa: F401
                               rollout_of, stays_at_home)
from harness.load import free_port
from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for


# ---- a rollout from its beginning to its end

def test_a_canary_is_promoted(browser, demo, tmp_path):
    url = demo("--step", pace("4s", "25s"))
    page = opened(browser, url)
    page.wait_text("#sentence", "canary v1.1 has 5 % of the traffic")
    assert page.text(".question") == "chat: is the canary fine?"
    page.wait_text("#answer", "Yes, it is fine.", patience(90))
    page.wait_text("#sentence", pace("All 5 guards have", "canary v1.1 has 25 %"), 60)
    page.wait_text("#sentence", "All 5 guards have shown it to be no worse.")
    if pace(False, True):
        wait_for(lambda: float(page.run("return await page.locator('progress').first().getAttribute('value')")) > 0.4, patience(40))
    picture(page, "running", tmp_path)
    assert not findings(page)
    page.wait_text("#answer", "Yes. It was promoted.", patience(120))
    assert "✓ chat" in page.run("return await page.title()")
    assert page.run("return await page.locator('.stop.done').count()") == 6
    assert page.run("return await page.locator('.part').getAttribute('title')") == "canary: buckets 0 to 9999"
    log = page.run("return await page.locator('.decision summary strong').allInnerTexts()")
    assert log[0] == "complete" and log[-1] == "start" and log.count("step") >= 2, log
    values = drawn(page)
    assert set(values) >= {"rate", "errors", "latency", "ttft", "tokens", "cost", "quality"}, values
    assert all(max(counts) >= 2 for counts in values.values()), values
    picture(page, "promoted", tmp_path)
    stays_at_home(page, url)
    page.run("await page.reload()")  # what was is still there
    wait_for(lambda: min(map(max, drawn(page).values()), default=0) >= 2, patience(10), "the history is drawn again")


def test_a_bad_canary_is_taken_back(browser, demo, tmp_path):
    url = demo("--step", pace("6s", "75s"), "--fail", "errors")
    page = opened(browser, url)
    page.wait_text("#answer", "No. It was taken back.", patience(120))
    assert re.search(r"canary v1.1 has no traffic. Why: back from \d+ % to 0 % at once: .*it is worse: e-value", page.text("#sentence"))
    assert page.run("return await page.locator('.verdict-card').getAttribute('class')") == "verdict-card bad"
    page.wait_text("tbody .verdict.bad", "worse")
    wait_for(lambda: min(map(max, drawn(page).values()), default=0) >= 2, patience(30), "both are drawn")
    if pace(False, True):
        errors = "const {charts} = await import('/dashboard/main.js'); return charts.plots.get('errors').plot.data.slice(1).flat().some((v) => v > 0);"
        wait_for(lambda: page.run(f"return await page.evaluate(async () => {{ {errors} }})"), patience(30), "what it was taken back for is drawn")
    picture(page, "rolled-back", tmp_path)
    newest = page.run("await page.locator('.decision summary').first().click(); return await page.locator('.decision').first().innerText()")
    assert "rollback" in newest and "to rolled back" in newest and "error_rate" in newest
    assert not findings(page)
    stays_at_home(page, url)


# ---- commands

def test_every_button_does_what_it_says(browser, daemon):
    made = daemon()
    page = on_chat(browser, made)
    confirm(page, "Pause", reason="lunch")
    page.wait_text("#answer", "It is held.")
    page.wait_text(".decision", "by a person")
    assert rollout_of(made)["hold"] == "person"
    confirm(page, "Resume")
    page.wait_text("#answer", "Fine so far.")
    assert rollout_of(made)["hold"] == "none"
    confirm(page, "Promote")
    page.wait_text("#sentence", "25 % of the traffic")
    assert rollout_of(made)["step"] == 1
    confirm(page, "Promote")
    page.wait_text("#answer", "It waits for you.")
    page.click("button", "Set weights…")
    page.run("await page.getByLabel('canary, percent').fill('30')")
    page.wait_text("dialog", "Together 105 %, must be 100 %")
    assert page.run("return await page.locator('dialog button[type=submit]').isDisabled()")
    page.run("await page.getByLabel('stable, percent').fill('70')")
    page.run("await page.locator('dialog button[type=submit]').click()")
    page.wait_text("#sentence", "set by hand")
    assert rollout_of(made)["hold"] == "by_hand" and rollout_of(made)["weights"] == {"stable": 70, "canary": 30}
    confirm(page, "Roll back", reason="<b>bad</b> news")
    page.wait_text("#answer", "No. It was taken back.")
    page.wait_text(".decision", "<b>bad</b> news")  # told as it was written
    assert rollout_of(made)["state"] == "rolled_back"
    confirm(page, "Retry")
    page.wait_text("#sentence", "5 % of the traffic")
    endpoint = made.config["pools"]["stable"]["endpoints"][0]
    confirm(page, f"Drain {endpoint} of stable", "Drain")
    page.wait_text("#told", "is drained")
    assert [e["state"] for p in made.status()["pools"] if p["name"] == "stable" for e in p["endpoints"]] == ["drained", "ready"]
    confirm(page, f"Undrain {endpoint} of stable", "Undrain")
    page.wait_text("#told", "is back in")
    made.write(json.dumps(made.config).replace('"pool": "canary"', '"pool": "canray"', 1))
    page.click("button", "Reload the file")
    page.run("await page.locator('dialog').getByRole('button', {name: 'Reload', exact: true}).click()")
    page.wait_text("dialog [role=alert]", "canray")
    page.run("await page.keyboard.press('Escape')")
    page.wait_text(".alarm", "The last reload failed; what ran before still runs.")
    page.wait_text(".diagnostics", "did you mean")
    assert rollout_of(made)["state"] == "step"


def test_what_cannot_be_now_is_not_offered_and_a_refusal_is_told(browser, daemon):
    made = daemon()
    page = on_chat(browser, made)
    disabled = page.run("return await page.locator('.buttons button:disabled').allInnerTexts()")
    assert disabled == ["Resume", "Retry"]
    page.click("button", "Promote")  # and while the dialog is open somebody else takes it back
    assert made.admin().ask("POST", "/api/v1/routes/chat/rollback", {}).status == 200
    assert made.admin().ask("POST", "/api/v1/routes/chat/retry", {}).status == 200
    assert made.admin().ask("POST", "/api/v1/routes/chat/pause", {}).status == 200
    page.run("await page.keyboard.press('Escape')")
    page.wait_text("#answer", "It is held.")
    page.click("button", "Roll back")
    assert made.admin().ask("POST", "/api/v1/routes/chat/rollback", {}).status == 200
    page.run("await page.locator('dialog').getByRole('button', {name: 'Roll back', exact: true}).click()")
    page.wait_text("dialog [role=alert]", "roll")
    assert page.run("return await page.locator('dialog[open]').count()") == 1


# ---- who may

def test_the_token_is_asked_for_and_checked(browser, daemon, tmp_path):
    secret = "t0p-secret-of-the-test"
    (tmp_path / "token").write_text(secret)
    os.chmod(tmp_path / "token", 0o600)
    made = daemon(token_file=str(tmp_path / "token"))
    page = on_chat(browser, made)
    page.click("button", "Pause")
    press = "await page.locator('dialog').getByRole('button', {name: 'Pause', exact: true}).click()"
    page.run(press)
    page.wait_text("dialog [role=alert]", "needs the admin token")
    page.run("await page.getByLabel('Admin token').fill('wrong')")
    page.run(press)
    page.wait_text("dialog [role=alert]", "the admin token is wrong")
    assert rollout_of(made)["hold"] == "none"
    page.run("await page.getByLabel('Admin token').fill(given)", secret)
    page.run(press)
    page.wait_text("#answer", "It is held.")
    assert rollout_of(made)["hold"] == "person"
    confirm(page, "Resume")  # it is not asked for again
    kept = page.run("return await page.evaluate(() => [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie, location.href])")
    assert [secret in where for where in kept] == [False, True, False, False]
    assert not [r for r in page.run("return seen.requests") if secret in r]


class Foreign(BaseHTTPRequestHandler):
    def do_GET(self):  # pylint: disable=invalid-name
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>foreign</title><body></body>")

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


def test_a_foreign_page_can_neither_change_nor_frame(browser, daemon):
    made = daemon()
    page = on_chat(browser, made)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Foreign)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        page.open(f"http://127.0.0.1:{server.server_port}/")
        target = made.page_url + "api/v1/routes/chat/rollback"
        tried = page.run("""return await page.evaluate(async (target) => {
            const sent = [];
            for (const options of [{mode: 'no-cors', body: '{}'}, {mode: 'cors', body: '{}', headers: {'Content-Type': 'application/json'}}, {mode: 'no-cors', body: new URLSearchParams({a: 'b'})}])
                sent.push(await fetch(target, {method: 'POST', ...options}).then((r) => r.type, () => 'failed'));
            const form = Object.assign(document.createElement('form'), {method: 'post', action: target, target: 'frame', enctype: 'text/plain'});
            const frame = Object.assign(document.createElement('iframe'), {name: 'frame'});
            document.body.append(frame, form);
            await new Promise((done) => { frame.onload = done; form.submit(); });
            const whole = Object.assign(document.createElement('iframe'), {src: target.replace(/api.*/, '')});
            await new Promise((done) => { whole.onload = done; document.body.append(whole); });
            return sent;
        }, given)""", target)
        assert tried == ["opaque", "failed", "opaque"]
        assert any("frame-ancestors" in m for m in page.messages())
        assert rollout_of(made)["state"] == "step"
    finally:
        server.shutdown()
        server.server_close()


# ---- the connection

def test_a_lost_connection_is_told_and_comes_back(browser, daemon):
    made = daemon()
    page = on_chat(browser, made)
    os.kill(made.pid, signal.SIGSTOP)  # open, and silent
    try:
        page.wait_text("#state", "connection lost", 30)
        page.wait_text(".alarm", "No connection to sluice; trying again. The figures are from")
        age = page.text(".alarm")
        wait_for(lambda: page.text(".alarm") != age, patience(10), "the age of the figures goes on")
    finally:
        os.kill(made.pid, signal.SIGCONT)
    page.wait_text("#state", "live", 30)
    assert page.run("return await page.locator('.alarm').count()") == 0
    confirm(page, "Pause")
    page.wait_text("#answer", "It is held.")


def test_another_process_at_the_same_address_is_taken_up(browser, start_sluice, upstream):
    port = free_port()
    config = {"admin": {"address": f"127.0.0.1:{port}"}, "pools": {"stable": pool(upstream("stable"))}, "routes": [route("chat")]}
    first = start_sluice(config)
    page = opened(browser, f"http://127.0.0.1:{port}/")
    page.wait_text("#answer", "Nothing is rolled out here.")
    first.finish()
    page.wait_text("#state", "connection lost", 30)
    start_sluice({**config, "routes": [route("other")]})
    page.wait_text("#state", "live", 40)
    page.wait_text(".question", "other")
