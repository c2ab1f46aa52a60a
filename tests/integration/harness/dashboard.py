"""What the tests of the dashboard share: a browser on a daemon's page, and what to ask of it."""
import os
from urllib.parse import urlsplit

import pytest

from test_clients import HERE, MODULES
from .browser import Browser
from .client import ask
from .load import Loop, free_port
from .process import Child
from .scale import BINARY, patience
from .sluice import ENVIRONMENT, pool, route
from .wait import wait_for

HOUR = "1h"
IMAGES = os.path.join(HERE, "..", "..", "docs", "images")
SERIOUS = ("serious", "critical")


@pytest.fixture
def browser():
    made = []

    def make(**settings):
        made.append(Browser(MODULES, **settings))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def demo(tmp_path):
    """demo(*options) -> the dashboard's URL of a demo: three model servers, 200 requests a second, a rollout."""
    made = []

    def make(*options):
        port = free_port()
        made.append(Child([BINARY, "demo", "--port", "0", "--admin-port", port, "--plain", "--duration", "3m", *options],
                          str(tmp_path), f"demo{len(made)}", env=ENVIRONMENT, new_session=True))
        return f"http://127.0.0.1:{port}/"
    yield make
    for process in made:
        code = process.terminate(20)
        assert code in (0, 1, 3) and not process.reports(), f"exit {code}\n{process.stderr()[-3000:]}"


def opened(browser, url, **settings):
    page = browser(**settings)

    def there():
        try:
            return ask(("127.0.0.1", urlsplit(url).port), "GET", "/readyz").status == 200
        except OSError:
            return False
    wait_for(there, patience(20), "the daemon is ready")
    page.open(url)
    page.wait_text("#state", "live")
    return page


def pace(usual, for_pictures):
    """Pictures want more than a few seconds to show."""
    return for_pictures if os.environ.get("UPDATE_IMAGES") else usual


def picture(page, name, tmp_path, width=1240):
    """Down to two rows of charts, not wider than a README shows well; 0: what is in sight."""
    folder = IMAGES if os.environ.get("UPDATE_IMAGES") else str(tmp_path)
    os.makedirs(folder, exist_ok=True)
    before = page.run("return page.viewportSize()")
    if width:
        page.run("await page.setViewportSize({width: given, height: 1000})", width)
        wait_for(lambda: page.run("""return await page.evaluate(async () => {
            const {charts} = await import('/dashboard/main.js');
            return [...charts.plots.values()].every(({plot, host}) => plot.width === host.clientWidth);
        })"""), patience(10), "the charts have their size")
    page.run("await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); })")
    page.picture(os.path.join(folder, f"dashboard-{name}.png"), ".charts figure:nth-child(6), .charts figure:last-child:nth-child(-n + 5)" if width else None)
    page.run("await page.setViewportSize(given)", before)


def findings(page):
    """What axe-core calls serious."""
    return page.run("""await page.evaluate(await (await import('node:fs')).promises.readFile(globalThis.axeSource, 'utf8'));
        const {violations} = await page.evaluate(() => axe.run(document));
        return violations.filter((v) => given.includes(v.impact)).map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`);""", SERIOUS)


def stays_at_home(page, url):
    foreign = [r for r in page.run("return seen.requests") if not r.startswith(url)]
    assert not foreign, foreign
    assert not page.messages(), page.messages()


def drawn(page):
    """How many values each chart has of each variant."""
    return page.run("""return await page.evaluate(async () => {
        const {charts} = await import('/dashboard/main.js');
        return Object.fromEntries([...charts.plots].map(([id, {plot}]) => [id, plot.data.slice(1).map((c) => c.filter((v) => v !== null).length)]));
    });""")


def chat(**rollout):
    return route("chat", {"stable": {"pool": "stable", "version": "v1", "weight": 100}, "canary": {"pool": "canary", "version": "v2", "weight": 0}},
                 sticky={"by": ["header X-User-Id"]},
                 rollout={"strategy": "canary", "keep_warm": HOUR, "watch": HOUR, "guards": {"error_rate": {"margin": 1}},
                          "steps": [{"weight": w, "for": HOUR} for w in (5, 25)] + [{"pause": "manual"}], **rollout})


@pytest.fixture
def daemon(start_sluice, upstream):
    """daemon(**admin) -> one with a rollout whose steps a person ends, under load; .page_url is the dashboard's."""
    loads = []

    def make(rollout=None, **admin):
        port = free_port()
        made = start_sluice({"admin": {"address": f"127.0.0.1:{port}", **admin}, "routes": [chat(**(rollout or {})), route("plain", match={"path": "/plain"})][::-1],
                             "pools": {n: pool(upstream(n), upstream(n + "2")) for n in ("stable", "canary")}})
        made.page_url = f"http://127.0.0.1:{port}/"
        loads.append(Loop(made.address, threads=2, make=lambda i: ("GET", "/", [("X-User-Id", f"u{i}")], None)))
        return made
    yield make
    for load in loads:
        assert not load.stop().failures, load.failures[:3]
        assert set(load.statuses) == {200}, load.statuses


def rollout_of(daemon):
    return daemon.admin().get("/api/v1/routes/chat")["rollout"]


def confirm(page, name, label=None, reason=None):
    """Presses a button and says yes in its dialog."""
    page.click("button", name)
    if reason:
        page.run("await page.locator('dialog input[name=reason]').fill(given)", reason)
    page.run("await page.locator('dialog').getByRole('button', {name: given, exact: true}).click()", label or name)
    page.run("await page.locator('dialog[open]').waitFor({state: 'detached'})")


def on_chat(browser, daemon, **settings):
    page = opened(browser, daemon.page_url + "#/route/chat", **settings)
    page.wait_text("#sentence", "5 % of the traffic")
    return page
