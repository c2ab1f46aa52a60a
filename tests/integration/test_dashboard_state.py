"""What the page keeps and what it forgets: dialogs, what is typed, what is in sight, and figures however they come."""
import json
from urllib.parse import urlsplit

import pytest

from harness.client import Client
from harness.dashboard import browser, chat, confirm, daemon, drawn, findings, on_chat, opened  # noqa: F401
from harness.load import free_port
from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for

pytestmark = pytest.mark.once

VALUE = "return await page.locator(given).inputValue()"
LONG = "a" * 30 + "-" + "b" * 27  # with a prefix as long as names may be


def many(start_sluice, upstream, *routes, **more):
    """A daemon with these routes; its page's address in .page_url."""
    port = free_port()
    pools = {n: pool(upstream(n)) for n in ("stable", "canary")}
    made = start_sluice({"admin": {"address": f"127.0.0.1:{port}"}, "pools": pools, "routes": list(routes), **more})
    made.page_url = f"http://127.0.0.1:{port}/"
    return made


# ---- dialogs

def test_a_dialog_has_nothing_of_the_one_before(browser, daemon):
    page = on_chat(browser, daemon())
    page.click("button", "Promote")
    page.run("await page.getByLabel('straight to 100 %').check(); await page.locator('dialog input[name=reason]').fill('lunch')")
    page.run("await page.keyboard.press('Escape')")
    page.click("button", "Promote")
    assert page.run(VALUE, "dialog input[name=reason]") == ""
    assert not page.run("return await page.getByLabel('straight to 100 %').isChecked()")
    page.run("await page.keyboard.press('Escape')")
    page.click("button", "Set weights…")
    page.run("await page.getByLabel('canary, percent').fill('30'); await page.keyboard.press('Escape')")
    page.click("button", "Set weights…")
    assert page.run("return await page.getByLabel('canary, percent').inputValue()") == "5"
    page.wait_text("dialog", "Together 100 %")


def test_a_dialog_names_its_route(browser, daemon):
    page = on_chat(browser, daemon())
    for name in ("Promote", "Pause", "Roll back", "Set weights…"):
        page.click("button", name)
        assert "chat" in page.text("dialog h2"), name
        page.run("await page.keyboard.press('Escape')")


def test_a_refusal_after_the_dialog_was_closed_is_told(browser, daemon):
    made = daemon()
    page = on_chat(browser, made)
    page.run("await page.route('**/pause', async (route) => { await page.keyboard.press('Escape'); await route.fulfill({status: 409, json: {error: {code: 'x', message: 'not now'}}}); })")
    page.click("button", "Pause")
    page.run("await page.locator('dialog').getByRole('button', {name: 'Pause', exact: true}).click()")
    page.wait_text("#told", "not now")
    assert page.run("return await page.locator('dialog[open]').count()") == 0


# ---- what is in sight

def test_what_is_typed_outlives_views_that_come_and_go(browser, daemon):
    made = daemon()
    page = on_chat(browser, made)
    page.run("await page.getByLabel('User, session or client').pressSequentially('ali')")
    page.run("await page.locator('.decision summary').first().click(); await page.getByLabel('User, session or client').focus()")
    config = json.loads(json.dumps(made.config))
    del next(r for r in config["routes"] if r["name"] == "chat")["rollout"]["guards"]
    assert made.reload(config).status == 200
    wait_for(lambda: not page.run("return await page.locator('#guards-title').count()"), patience(20), "there are no guards any more")
    assert page.run("return await page.evaluate(() => [document.activeElement.id, document.activeElement.value])") == ["unit", "ali"]
    page.run("await page.goto(given)", made.page_url + "#/route/plain")
    page.wait_text("#answer", "Nothing is rolled out here.")
    page.wait_text("#sentence", "Traffic is split stable 100 %, from the file.")
    assert not page.messages()


def test_the_route_in_sight_stays_and_the_one_in_trouble_is_told(browser, start_sluice, upstream):
    routes = [{**chat(), "name": name, "match": {"path": f"/{name}"}} for name in ("first", "second")]
    made = many(start_sluice, upstream, *routes)
    page = opened(browser, made.page_url)
    page.wait_text(".question", "first: is the canary fine?")
    assert made.admin().ask("POST", "/api/v1/routes/second/rollback", {}).status == 200
    page.wait_text("#routes li:first-child a", "second Bad")
    assert page.text(".question") == "first: is the canary fine?", "buttons do not change under a hand"
    assert page.run("return await page.title()").startswith("✗ second: No.")


def test_long_names_fit_and_are_text(browser, start_sluice, upstream):
    version = "<img src=x onerror=alert(1)>" + "v" * 40
    routes = []
    for name in ("r" + LONG, "s" + LONG):
        one = chat()
        one["variants"] = {"stable" + LONG: {"pool": "stable", "version": version, "weight": 100},
                           "canary" + LONG: {"pool": "canary", "version": version + "2", "weight": 0}}
        routes.append({**one, "name": name, "match": {"path": f"/{name[0]}"},
                       "rollout": {**one["rollout"], "baseline": "stable" + LONG, "candidate": "canary" + LONG}})
    made = many(start_sluice, upstream, *routes)
    for width in (360, 1440):
        page = opened(browser, made.page_url, width=width, height=900)
        page.wait_text("#sentence", "<img src=x onerror=alert(1)>")
        assert page.run("return await page.evaluate(() => document.documentElement.scrollWidth)") <= width
        wide = page.run("return await page.evaluate(() => [...document.querySelectorAll('.pill, .legend li, .verdict-card, .card')]"
                        ".filter((e) => e.getBoundingClientRect().right > innerWidth).map((e) => e.className))")
        assert not wide
        page.click("button", "Roll back")
        assert page.run("return await page.locator('dialog').evaluate((d) => d.scrollWidth <= d.clientWidth)")
        assert not page.messages()


def test_a_thousand_routes(browser, start_sluice, upstream):
    made = many(start_sluice, upstream, {**chat(), "match": {"path": "/chat"}}, *(route(f"route-{i}", match={"path": f"/{i}"}) for i in range(999)))
    page = opened(browser, made.page_url, width=360, height=800)
    page.wait_text(".question", "chat: is the canary fine?")
    assert page.run("return await page.locator('#routes a').count()") == 1000
    assert page.run("return await page.locator('#routes a').first().innerText()") == "chat Running"
    page.run("await page.getByRole('link', {name: 'route-777 At rest'}).click()")
    page.wait_text(".question", "route-777")
    before = page.text("#head")
    wait_for(lambda: page.text("#head") != before, patience(20), "it goes on")
    assert not findings(page) and not page.messages()


# ---- figures, however they come

def test_history_that_comes_twice_is_there_once(browser, daemon):
    page = on_chat(browser, daemon())
    joined = page.run("""return await page.evaluate(async () => {
        const {join} = await import('/dashboard/live.js');
        const piece = (...at) => ({seconds: 5, at, variants: [{name: 'a', rate: at.map((t) => t / 5)}]});
        return join(join(piece(5, 10), piece(15, 20)), piece(15, 20, 25));
    })""")
    assert joined["at"] == [5, 10, 15, 20, 25] and joined["variants"] == [{"name": "a", "rate": [1, 2, 3, 4, 5]}]


def test_a_decision_that_overtakes_the_list_is_kept(browser, daemon):
    page = on_chat(browser, daemon())
    merged = page.run("""return await page.evaluate(async () => {
        const {merge} = await import('/dashboard/live.js');
        return merge([{number: 2}, {number: 3}], [{number: 1}, {number: 2}]).map((d) => d.number);
    })""")
    assert merged == [1, 2, 3]


def test_a_value_without_neighbours_is_seen(browser, daemon):
    made = daemon()
    page = on_chat(browser, made)
    assert made.admin().ask("POST", "/api/v1/feedback", {"route": "chat", "variant": "stable", "score": 0.8}).status == 200
    wait_for(lambda: sum(drawn(page).get("quality", [])) == 1, patience(30), "there is one value")
    coloured = page.run("""return await page.locator('.plot[data-figure=quality] canvas').evaluate((canvas) => {
        const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        let found = 0;
        for (let i = 0; i < data.length; i += 4) found += data[i + 3] > 128 && Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 90;
        return found;
    })""")
    assert coloured > 5


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_browser_whose_clock_is_wrong(browser, daemon, hours):
    made = daemon()
    page = on_chat(browser, made)
    page.run("await page.addInitScript((hours) => { const now = Date.now; Date.now = () => now() + hours * 3600e3; }, given); await page.reload()", hours)
    wait_for(lambda: max(drawn(page).get("rate", [0])) >= 2, patience(30), "it draws what the daemon has")
    inside = page.run("""return await page.evaluate(async () => {
        const {charts} = await import('/dashboard/main.js');
        const {plot} = charts.plots.get('rate');
        const last = plot.data[0][plot.data[0].length - 1];
        return [last - plot.scales.x.min, plot.scales.x.max - last, plot.scales.x.max - plot.scales.x.min];
    })""")
    assert inside[0] > 0 and 0 <= inside[1] < 60, inside


# ---- what would look alive and is not

def test_a_pool_that_people_emptied_is_an_alarm(browser, start_sluice, upstream):
    made = many(start_sluice, upstream, chat())
    page = on_chat(browser, made)
    endpoint, = made.config["pools"]["canary"]["endpoints"]
    confirm(page, f"Drain {endpoint} of canary", "Drain")
    page.wait_text(".alarm.bad", "Pool canary has no endpoint that is ready.")
    confirm(page, "Roll back")
    wait_for(lambda: not page.run("return await page.locator('.alarm').count()"), patience(20), "who gets nothing misses nothing")


def test_what_the_page_does_not_understand_is_said(browser, daemon):
    made = daemon()
    page = on_chat(browser, made)
    broken = {**made.admin().get("/api/v1/status"), "routes": [{"name": "chat"}]}
    page.run("await page.route('**/api/v1/events', (route) => route.fulfill({contentType: 'text/event-stream', body: given}))",
             f"event: status\ndata: {json.dumps(broken)}\n\n")
    page.run("await page.reload()")
    page.wait_text(".alarm.bad", "This page cannot show what sluice tells")


def test_another_sluice_wants_another_page(browser, daemon):
    made = daemon()
    page = on_chat(browser, made)
    newer = {**made.admin().get("/api/v1/status"), "revision": "abcdef0"}
    page.run("await page.route('**/api/v1/events', (route) => route.fulfill({contentType: 'text/event-stream', body: given}))",
             f"event: status\ndata: {json.dumps({**newer, 'revision': '1234567'})}\n\nevent: status\ndata: {json.dumps(newer)}\n\n")
    page.run("await page.reload()")
    page.wait_text(".alarm", "load this page again")


# ---- what a browser or a daemon refuses

def test_a_browser_that_keeps_nothing_has_a_page_all_the_same(browser, daemon):
    made = daemon(token_file=None) if False else daemon()
    page = browser()
    page.run("""await page.addInitScript(() => {
        for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, {get() { throw new DOMException('denied', 'SecurityError'); }});
    });""")
    page.open(made.page_url + "#/route/chat")
    page.wait_text("#state", "live")
    page.wait_text("#sentence", "5 % of the traffic")
    page.run("await page.getByRole('button', {name: 'Colours: auto'}).click()")
    assert page.run("return await page.evaluate(() => document.documentElement.dataset.theme)") == "light"
    confirm(page, "Pause")
    page.wait_text("#answer", "It is held.")
    assert not page.messages(), page.messages()


def test_who_comes_when_there_are_too_many_is_told_so(browser, daemon):
    made = daemon()
    address = ("127.0.0.1", urlsplit(made.page_url).port)
    followers = [Client(address) for _ in range(64)]
    for follower in followers:
        follower.request("GET", "/api/v1/events")
        assert follower.final_head().status == 200
    page = browser()
    page.open(made.page_url)
    page.wait_text(".alarm", "64 clients follow already")
    for follower in followers:
        follower.close()
    page.wait_text("#state", "live", 30)
