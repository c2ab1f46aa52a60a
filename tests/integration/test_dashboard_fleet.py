"""The dashboard's view of a fleet: who is there, who leads, and what must not be overlooked."""
import shutil

import pytest

from harness.dashboard import browser, chat, findings, opened, picture, stays_at_home  # noqa: F401
from harness.load import free_port
from harness.scale import patience
from harness.sluice import pool
from harness.wait import wait_for
from test_fleet import TTL, config, etcd, leaders, settled  # noqa: F401
from test_fleet_view import say

pytestmark = [pytest.mark.once, pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")]
FLEET = "section[aria-labelledby=fleet-title]"
ROW = FLEET + " tbody tr"


@pytest.fixture
def three(start_sluice, upstream, etcd):
    """(etcd, three daemons in one fleet); .page_url is each one's page."""
    store, pools = etcd(), {n: pool(upstream(n)) for n in ("stable", "canary")}

    def make(number):
        port = free_port()
        made = start_sluice({**config(store.urls, upstream("stable"), f"proxy-{number}"), "pools": pools, "routes": [chat()],
                             "admin": {"address": f"127.0.0.1:{port}"}})
        made.page_url = f"http://127.0.0.1:{port}/"
        return made
    daemons = [make(n) for n in range(3)]
    wait_for(lambda: settled(daemons), patience(15), "the fleet has one leader and knows itself")
    return store, daemons


def rows(page):
    return page.run("return await page.locator(given).allInnerTexts()", ROW)


@pytest.mark.parametrize("width, scheme", [(1240, "light"), (1240, "dark"), (360, "dark")])
def test_the_instances_and_whether_they_agree(browser, three, tmp_path, width, scheme):
    store, daemons = three
    for daemon in daemons:
        say(store, daemon, {"chat": {"rollout": "aa"}})
    asked = next(d for d in daemons if d not in leaders(daemons))
    page = opened(browser, asked.page_url, width=width, height=900, colorScheme=scheme)
    page.wait_text(FLEET, f"{asked.config['fleet']['instance']} follows {leaders(daemons)[0].config['fleet']['instance']}")
    wait_for(lambda: sum("same" in row for row in rows(page)) == 3, patience(20), "all agree")
    assert ["leader" in row for row in rows(page)] == [d in leaders(daemons) for d in daemons]
    assert ["this one" in row for row in rows(page)] == [d is asked for d in daemons]
    assert all(f"proxy-{n}" in row and d.config["admin"]["address"] in row for n, (row, d) in enumerate(zip(rows(page), daemons)))
    assert page.run("return await page.locator('.alarm').count()") == 0 and not findings(page)

    other = next(d for d in daemons if d is not asked)
    say(store, other, {"chat": {"rollout": "bb"}})
    page.wait_text(".alarm.bad", f"The rollouts of chat are not the same in the fleet: {other.config['fleet']['instance']} has another configuration than this sluice.")
    page.wait_text(ROW + " .verdict.bad", "differs: chat")
    assert not findings(page)
    long = "n" + 60 * "a"
    store.put("/sluice/test/shared/members/ff", {"name": long, "version": "<b>1</b>", "admin": f"{long}.example:9901", "routes": {long: {"rollout": "x"}}})
    page.wait_text(ROW, "<b>1</b>")
    assert page.run("return await page.evaluate(() => document.documentElement.scrollWidth)") <= width
    store.put("/sluice/test/shared/members/ff", None)
    page.run("await page.locator(given).scrollIntoViewIfNeeded()", FLEET)
    page.picture(str(tmp_path / f"fleet-{width}-{scheme}.png"))
    stays_at_home(page, asked.page_url)


def test_who_is_apart_cannot_be_overlooked(browser, three, tmp_path):
    store, daemons = three
    page = opened(browser, daemons[0].page_url, width=1240)
    page.wait_text(FLEET, "proxy-2")
    store.kill(store.members[0])
    page.wait_text(".alarm.bad", "This sluice is apart from its fleet /sluice/test", TTL + 15)
    page.wait_text(FLEET, "proxy-0 is apart")
    page.wait_text(FLEET, "It goes on with its last weights.")
    assert not rows(page) and not findings(page)
    page.picture(str(tmp_path / "fleet-apart.png"))
    store.again(store.members[0])
    wait_for(lambda: len(rows(page)) == 3, patience(20), "they meet again")
    wait_for(lambda: not page.run("return await page.locator('.alarm').count()"), patience(20), "nothing is wrong")
    assert not page.messages(), page.messages()


def test_without_a_fleet_nothing_is_said_of_one(browser, start_sluice, upstream):
    port = free_port()
    start_sluice({"admin": {"address": f"127.0.0.1:{port}"}, "pools": {n: pool(upstream(n)) for n in ("stable", "canary")}, "routes": [chat()]})
    page = opened(browser, f"http://127.0.0.1:{port}/")
    page.wait_text(".question", "chat")
    assert page.run("return await page.locator(given).count()", FLEET) == 0
