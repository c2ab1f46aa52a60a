"""How the dashboard looks, to everybody, and what else it tells."""
import json
import re
import time
from urllib.parse import urlsplit

import pytest

from harness.client import ask
from harness.dashboard import (browser, chat, daemon, demo, drawn, findings, on_chat, opened, pace, picture,  # noqa: F401
                               rollout_of, stays_at_home)
from harness.load import Loop, free_port
from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for

pytestmark = pytest.mark.once


# ---- how it looks, to everybody

@pytest.mark.heavy  # four browsers on a busy machine
def test_sizes_and_colours(browser, demo, tmp_path):
    url = demo("--step", pace("60s", "90s"))
    for width, scheme in ((360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")):
        looks_right(browser, url, tmp_path, width, scheme)


def looks_right(browser, url, tmp_path, width, scheme):
    page = opened(browser, url, width=width, height=800 if width == 360 else 1000, colorScheme=scheme)
    wait_for(lambda: max(map(max, drawn(page).values()), default=0) >= pace(3, 8), patience(60), "there is something to draw")
    assert page.run("return await page.evaluate(() => document.documentElement.scrollWidth)") <= width, "nothing is wider than the screen"
    ground = page.run("return await page.evaluate(() => getComputedStyle(document.body).backgroundColor)")
    assert (sum(map(int, re.findall(r"\d+", ground))) < 200) == (scheme == "dark"), ground
    assert not findings(page)
    if (width, scheme) in ((360, "light"), (1440, "dark")):
        picture(page, "small" if width == 360 else "dark", tmp_path, width=0 if width == 360 else 1240)
    page.click("button", "Roll back")
    assert not findings(page)
    page.run("await page.keyboard.press('Escape')")
    before = ground
    page.run("await page.getByRole('button', {name: 'Colours: auto'}).click(); await page.getByRole('button', {name: 'Colours: light'}).click()")
    after = page.run("return await page.evaluate(() => getComputedStyle(document.body).backgroundColor)")
    assert (after == before) == (scheme == "dark"), "the button turns it dark"
    assert not findings(page)
    stays_at_home(page, url)
    page.close()


def test_by_keyboard_alone(browser, daemon):
    made = daemon()
    page = on_chat(browser, made)
    focused = "return await page.evaluate(() => document.activeElement.innerText || document.activeElement.name || '')"

    def tab_to(name, most=40):
        for _ in range(most):
            page.run("await page.keyboard.press('Tab')")
            if page.run(focused) == name:
                return
        raise AssertionError(f"no way to {name}")
    tab_to("Pause")
    page.run("await page.keyboard.press('Enter')")
    page.run("await page.locator('dialog[open]').waitFor()")
    page.run("await page.keyboard.press('Escape')")
    assert page.run(focused) == "Pause", "the focus is back where it was"
    page.run("await page.keyboard.press('Enter')")
    tab_to("reason")
    page.run("await page.keyboard.type('by keyboard')")
    page.run("await page.keyboard.press('Enter')")
    page.wait_text("#answer", "It is held.")
    page.wait_text(".decision", "by keyboard")
    page.wait_text("#spoken", "chat: It is held.")
    time.sleep(2.2)  # two statuses later the focus is where it was
    tab_to("Resume")


# ---- what else it tells

def test_who_gets_what(browser, daemon):
    made = daemon()
    page = on_chat(browser, made)
    told = made.admin().get("/api/v1/routes/chat/assign?unit=J%C3%BCrgen%20%26%20co")
    page.run("await page.getByLabel('User, session or client').fill('Jürgen & co'); await page.keyboard.press('Enter')")
    page.wait_text("form + p", f"Jürgen & co gets {told['variant']} by its bucket: bucket {told['bucket']:,}")
    assert page.run("return await page.locator('.pin').count()") == 1


def test_a_candidate_that_refuses_everybody(browser, start_sluice, upstream):
    """No guard judges 4xx: the page must not call that fine."""
    port = free_port()
    refusing = upstream("canary", handler=lambda request, reply: reply.send(404, b'{"error": "no such model"}'))
    made = start_sluice({"admin": {"address": f"127.0.0.1:{port}"}, "pools": {"stable": pool(upstream("stable")), "canary": pool(refusing)},
                         "routes": [chat()]})
    load = Loop(made.address, threads=2, make=lambda i: ("GET", "/", [("X-User-Id", f"u{i}")], None))
    page = opened(browser, f"http://127.0.0.1:{port}/")
    page.wait_text("#answer", "It refuses its users.")
    page.wait_text("#sentence", "canary v2 has 5 % of the traffic. Its last")
    page.wait_text("#sentence", "requests ended in 4xx or without a client, which no guard judges.")
    guard, = rollout_of(made)["guards"]
    assert guard["verdict"] == "no_data" and guard["unjudged"] >= 20 and "nothing to judge by, its last" in guard["because"]
    load.stop()
    assert set(load.statuses) == {200, 404}


def test_routes_and_pools_in_trouble_come_first(browser, start_sluice, upstream):
    port, server = free_port(), upstream("stable")
    health = {"interval": "200ms", "timeout": "1s", "unhealthy_after": 1, "healthy_after": 1}
    start_sluice({"admin": {"address": f"127.0.0.1:{port}"}, "pools": {"stable": pool(server, health=health), "canary": pool(upstream("canary"))},
                  "routes": [route("calm", match={"path": "/calm"}), chat()]})
    page = opened(browser, f"http://127.0.0.1:{port}/")
    page.wait_text(".question", "chat: is the canary fine?")
    assert page.run("return await page.locator('#routes a').allInnerTexts()") == ["chat Running", "calm At rest"]
    page.run("await page.getByRole('link', {name: 'calm At rest'}).click()")
    page.wait_text("#sentence", "Traffic is split stable 100 %, from the file.")
    server.stop()
    page.wait_text(".alarm.bad", "Pool stable has no endpoint that is ready.")


def test_an_ab_test_shows_its_report(browser, start_sluice, upstream, tmp_path):
    port = free_port()
    variants = {n: {"pool": n, "weight": 50, "version": f"{n}-1"} for n in ("stable", "concise")}
    made = start_sluice({"admin": {"address": f"127.0.0.1:{port}"}, "pools": {n: pool(upstream(n)) for n in variants},
                         "routes": [route("chat", variants, sticky={"by": ["header X-User-Id"]},
                                          rollout={"strategy": "ab", "on_winner": "hold", "goal": {"metric": "quality", "direction": "up"}})]})
    page = opened(browser, f"http://127.0.0.1:{port}/")
    page.wait_text("#answer", "No winner yet.")
    assert page.text(".question") == "chat: who wins?"
    load = Loop(made.address, threads=2, make=lambda i: ("GET", "/", [("X-User-Id", f"u{i}")], None))

    def score(first, count):
        body = [{"route": "chat", "variant": n, "score": 1 if (i * 7 + (n == "stable")) % 10 < (9 if n == "concise" else 6) else 0}
                for i in range(first, first + count) for n in variants]
        assert made.admin().ask("POST", "/api/v1/feedback", body).status == 200
    for turn in range(pace(1, 9)):  # about as many in all
        score(pace(60, 6) * turn, pace(60, 6))
        wait_for(lambda least=turn: sum(drawn(page).get("quality", [])) > least, patience(30), "the scores are drawn")
    page.wait_text("section", "A/B report", 20)
    page.wait_text(".comparisons", "quality: concise rather than stable", 20)
    page.run("await page.locator('.comparisons svg').waitFor()")
    wait_for(lambda: max(map(max, drawn(page).values()), default=0) >= 2, patience(30), "it is drawn")
    picture(page, "ab", tmp_path)
    assert not findings(page)
    for turn in range(1, 60):
        score(60 * turn, 60)
        if rollout_of(made)["winner"]:
            break
    page.wait_text("#answer", "concise wins")
    page.wait_text("section", "Winner: concise.")
    assert not load.stop().failures


# ---- what is served

def test_the_page_is_small_and_forbids_what_is_not_its_own(browser, daemon):
    made = daemon()
    page = on_chat(browser, made)
    address = ("127.0.0.1", urlsplit(made.page_url).port)
    files = {r.removeprefix(made.page_url) for r in page.run("return seen.requests")}
    files = sorted(f.split("#")[0] for f in files if not f.startswith("api/"))
    assert len(files) > 10
    answers = {f: ask(address, "GET", "/" + f, [("Accept-Encoding", "gzip")]) for f in files}
    assert sum(len(a.body) for a in answers.values()) < 150_000
    for name, answer in answers.items():
        policy = answer.header("Content-Security-Policy")
        assert answer.status == 200 and answer.header("Content-Encoding") == "gzip", name
        assert "default-src 'none'" in policy and "unsafe" not in policy and "script-src 'self'" in policy
        assert answer.header("X-Content-Type-Options") == "nosniff"
        again = ask(address, "GET", "/" + name, [("If-None-Match", answer.header("ETag"))])
        assert (again.status, again.body) == (304, b"") and again.header("ETag") == answer.header("ETag")
        plain = ask(address, "GET", "/" + name)
        assert plain.header("Content-Encoding") is None and len(plain.body) > 0
    assert ask(address, "GET", "/dashboard/secret").status == 404
    assert ask(address, "GET", "/dashboard/..%2fmain.js").status == 404
    assert made.admin().ask("POST", "/", {}).status == 405
    stays_at_home(page, made.page_url)
