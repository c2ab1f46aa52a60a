"""docs/howto/from-nginx.md and from-haproxy.md: the files of their examples side by side, the real programs and sluice before the
same servers, and each "the same" and "not the same" of the pages."""
import math

import pytest

from harness import coming
from harness.coming import OldHaproxy, OldNginx, by_user, examples, last, ours, visits
from harness.load import Visits, free_port, judge
from harness.scale import patience
from harness.wait import wait_for

pytestmark = pytest.mark.once

USERS = [f"user-{i}" for i in range(1500)]
SHARE = 0.10


@pytest.fixture
def servers(upstream):
    """Two versions of a model and a shadow, as the pages have them."""
    made = {name: upstream(name) for name in ("blue", "green", "shadow")}
    made["ports"] = {"p8001": made["blue"].port, "p8002": made["green"].port, "p8003": made["shadow"].port}
    return made


@pytest.fixture
def old(folder, servers):
    """old(OldNginx, text) -> the old proxy, which runs."""
    begun = []

    def make(kind, text, **ports):
        begun.append(kind(folder, text, {**servers["ports"], **ports}))
        return begun[-1]
    yield make
    for proxy in begun:
        proxy.stop()


def about(count, of, share=SHARE):
    """Whether so many is what chance makes of that share: five standard deviations, one in two million."""
    return abs(count - of * share) <= 5 * math.sqrt(of * share * (1 - share))


def greens(answers):
    return [user for user, who in answers.items() if who == "green"]


def moved(before, after):
    return [user for user in before if before[user] != after[user]]


def dealt_anew_once(theirs, mine):
    """Both have the share; who moves is as many as two hashes that know nothing of each other make of it."""
    assert about(len(greens(theirs)), len(theirs)) and about(len(greens(mine)), len(mine))
    assert about(len(moved(theirs, mine)), len(theirs), 2 * SHARE * (1 - SHARE))
    assert about(len(set(greens(theirs)) & set(greens(mine))), len(theirs), SHARE * SHARE)


def weights(config, **percent):
    """Our file with other weights in its last route."""
    for name, weight in percent.items():
        config["routes"][-1]["variants"][name]["weight"] = weight
    return config


# ---- nginx

def test_nginx_split_clients(start_sluice, servers, old):
    their_text, our_text = examples("from-nginx.md", "nginx")[0]
    theirs, mine = old(OldNginx, their_text), start_sluice(ours(our_text, **servers["ports"]))
    before, now = by_user(theirs.address, USERS), by_user(mine.address, USERS)
    dealt_anew_once(before, now)
    assert by_user(theirs.address, USERS[:300]) == {user: before[user] for user in USERS[:300]}
    assert by_user(mine.address, USERS[:300]) == {user: now[user] for user in USERS[:300]}
    # Whom they call nobody is one user there, and many here.
    assert len({response.text for response in visits(theirs.address, [()] * 100)}) == 1
    assert about(sum(response.text == "green" for response in visits(mine.address, [()] * 600)), 600)
    # 30 of 100: nobody leaves.
    assert "10%  green" in their_text
    theirs.restart(their_text.replace("10%  green", "30%  green"))
    assert mine.reload(weights(ours(our_text, **servers["ports"]), stable=70, canary=30)).status == 200
    for then, address in ((before, theirs.address), (now, mine.address)):
        more = by_user(address, USERS)
        assert about(len(greens(more)), len(USERS), 0.30) and set(greens(then)) < set(greens(more))


def browsers(address, count):
    """Browsers with their first answer: (who answered, the cookie that came)."""
    found = visits(address, [()] * count)
    cookies = [response.header("Set-Cookie").split(";")[0] for response in found]
    assert len(set(cookies)) == count or len(set(cookies)) == 2, "a cookie of its own for each, or one for each server"
    return [(response.text, cookie) for response, cookie in zip(found, cookies)]


def again(address, known):
    """Who answers when they come again."""
    return [response.text for response in visits(address, [[("Cookie", cookie)] for _, cookie in known])]


def test_nginx_userid(start_sluice, servers, old):
    their_text, our_text = examples("from-nginx.md", "nginx")[1]
    theirs, mine = old(OldNginx, their_text), start_sluice(ours(our_text, **servers["ports"]))
    for address in (theirs.address, mine.address):
        known = browsers(address, 600)
        assert len({cookie for _, cookie in known}) == 600
        assert about(sum(who == "green" for who, _ in known), 600)
        assert again(address, known) == [who for who, _ in known]


def test_nginx_weights_map_mirror_and_the_next_server(start_sluice, servers, old):
    their_text, our_text = examples("from-nginx.md", "nginx")[2]
    theirs, mine = old(OldNginx, their_text), start_sluice(ours(our_text, **servers["ports"]))
    shadow = servers["shadow"]
    assert sum(response.text == "green" for response in visits(theirs.address, [()] * 300)) == 30
    wait_for(lambda: shadow.count == 300, patience(10), "nginx has mirrored each request")
    assert about(sum(response.text == "green" for response in visits(mine.address, [()] * 600)), 600)

    def copies():
        counted = mine.metrics()
        begun = counted.sum("sluice_mirrored_requests_total", route="chat")
        return begun > 0 and begun + counted.sum("sluice_mirror_dropped_total", route="chat") == 600 and shadow.count == 300 + begun
    wait_for(copies, patience(10), "each request is mirrored, or counted as not")
    assert shadow.requests[0].header("X-Sluice-Mirror") is None and shadow.requests[-1].header("X-Sluice-Mirror") == "1"
    insider = [("X-Canary", "insider")]
    for address in (theirs.address, mine.address):
        assert {response.text for response in visits(address, [insider] * 50)} == {"green"}
    # The canary fails: another server's answer, but not for insiders.
    servers["green"].handler = lambda request, reply: reply.send(503, "no")
    for address in (theirs.address, mine.address):
        asked = servers["green"].count
        assert {(response.status, response.text) for response in visits(address, [()] * 150)} == {(200, "blue")}
        assert servers["green"].count > asked
        assert visits(address, [insider])[0].status == 503


# ---- HAProxy

def test_haproxy_acl(start_sluice, servers, old):
    their_text, our_text = examples("from-haproxy.md", "haproxy")[0]
    theirs, mine = old(OldHaproxy, their_text), start_sluice(ours(our_text, **servers["ports"]))
    before, now = by_user(theirs.address, USERS), by_user(mine.address, USERS)
    dealt_anew_once(before, now)
    assert by_user(theirs.address, USERS[:300]) == {user: before[user] for user in USERS[:300]}
    assert by_user(mine.address, USERS[:300]) == {user: now[user] for user in USERS[:300]}
    for address in (theirs.address, mine.address):
        assert {response.text for response in visits(address, [[("X-Canary", "insider")]] * 50)} == {"green"}
    assert {response.text for response in visits(theirs.address, [()] * 100)} == {"blue"}
    assert about(sum(response.text == "green" for response in visits(mine.address, [()] * 600)), 600)
    theirs.restart(their_text.replace("lt 10", "lt 30"))
    assert mine.reload(weights(ours(our_text, **servers["ports"]), stable=70, canary=30)).status == 200
    for then, address in ((before, theirs.address), (now, mine.address)):
        more = by_user(address, USERS)
        assert about(len(greens(more)), len(USERS), 0.30) and set(greens(then)) < set(greens(more))
    # Half of the numbers are below zero, and a tenth of the others below ten.
    theirs.restart(their_text.replace("xxh32(11)", "xxh64(11)"))
    assert about(len(greens(by_user(theirs.address, USERS))), len(USERS), 0.55)


def test_haproxy_cookie(start_sluice, servers, old):
    their_text, our_text = examples("from-haproxy.md", "haproxy")[1]
    theirs, mine = old(OldHaproxy, their_text), start_sluice(ours(our_text, **servers["ports"]))
    known = {proxy: browsers(proxy.address, 600) for proxy in (theirs, mine)}
    for proxy, each in known.items():
        assert about(sum(who == "green" for who, _ in each), 600)
        assert again(proxy.address, each) == [who for who, _ in each]
    # Half and half: who has a cookie stays.
    theirs.tell("set server chat/blue weight 50")
    theirs.tell("set server chat/green weight 50")
    assert mine.cli("weight", "chat", "stable=50", "canary=50").returncode == 0
    for proxy, each in known.items():
        assert again(proxy.address, each) == [who for who, _ in each]
        assert about(sum(who == "green" for who, _ in browsers(proxy.address, 300)), 300, 0.50)
    # Back: there only new clients, here everybody.
    theirs.tell("set server chat/green weight 0")
    assert mine.cli("weight", "chat", "stable=100", "canary=0").returncode == 0
    assert again(theirs.address, known[theirs]) == [who for who, _ in known[theirs]]
    assert set(again(mine.address, known[mine])) == {"blue"}
    for proxy in known:
        assert {response.text for response in visits(proxy.address, [()] * 100)} == {"blue"}


def test_haproxy_stick_table(start_sluice, servers, old):
    their_text, our_text = examples("from-haproxy.md", "haproxy")[2]
    theirs, mine = old(OldHaproxy, their_text), start_sluice(ours(our_text, **servers["ports"]))
    users = USERS[:600]
    before, now = by_user(theirs.address, users), by_user(mine.address, users)
    assert about(len(greens(before)), 600) and about(len(greens(now)), 600)
    assert by_user(theirs.address, users[::-1]) == before and by_user(mine.address, users[::-1]) == now
    # Other weights: the table holds on, here they are the share of the users.
    theirs.tell("set server chat/blue weight 50")
    theirs.tell("set server chat/green weight 50")
    assert mine.cli("weight", "chat", "stable=50", "canary=50").returncode == 0
    assert by_user(theirs.address, users) == before
    half = by_user(mine.address, users)
    assert about(len(greens(half)), 600, 0.50) and set(greens(now)) < set(greens(half))
    # A restart: the table is empty.
    assert mine.cli("weight", "chat", "stable=90", "canary=10").returncode == 0
    theirs.restart(their_text)
    mine.restart()
    late = users[7:] + users[:7]
    assert moved(before, by_user(theirs.address, late)) and by_user(mine.address, late) == now


# ---- moving over

def trusted():
    return {"trusted_proxies": ["127.0.0.1"]}


def proxy_protocol_beside():
    return {"listeners": [{"address": "127.0.0.1:0"}, {"address": f"127.0.0.1:{free_port()}", "proxy_protocol": True}]}


@pytest.mark.parametrize("page, kind, extra", [("from-nginx.md", OldNginx, trusted), ("from-haproxy.md", OldHaproxy, proxy_protocol_beside)],
                         ids=["nginx", "haproxy"])
def test_moving_over(start_sluice, servers, old, page, kind, extra):
    """Behind the old one, then alone, under load: no request fails, and who moves does it once."""
    def once_each(address, users):
        """On a connection for each: nginx closes kept ones at a reload."""
        found = visits(address, [[("X-User-Id", user), ("Connection", "close")] for user in users])
        return dict(zip(users, (response.text for response in found)))
    word = kind.__name__.removeprefix("Old").lower()
    their_text, our_text = examples(page, word)[0]
    mine = start_sluice({**ours(our_text, **servers["ports"]), **extra()})
    theirs = old(kind, their_text, p8081=mine.address_of(len(mine.config["listeners"]) - 1)[1])

    def users(number):
        return "GET", "/", [("X-User-Id", f"user-{number % 50}")], None
    load = Visits(theirs.address, threads=3, make=users)
    wait_for(lambda: load.statuses[200] > 50, patience(20), "the old proxy serves")
    some = USERS[:200]
    before = once_each(theirs.address, some)
    assert mine.metrics().sum("sluice_requests_total", code="2xx") == 0
    theirs.reload(last(page, word))
    wait_for(lambda: mine.metrics().sum("sluice_requests_total", code="2xx") > 50, patience(20), "the old proxy passes everything on")
    behind = once_each(mine.address, some)
    wait_for(lambda: once_each(theirs.address, some) == behind, patience(20), "nginx's old worker accepts no more: all goes through sluice")
    assert moved(before, behind)
    alone = Visits(mine.address, threads=3, make=users)
    wait_for(lambda: alone.statuses[200] > 50, patience(20), "sluice serves alone")
    judge(load)
    assert theirs.quit() == 0
    assert once_each(mine.address, some) == behind
    judge(alone)
    assert servers["blue"].requests[-1].header("X-Forwarded-For") == "127.0.0.1"


@pytest.mark.parametrize("page, kind", [("from-nginx.md", "nginx"), ("from-haproxy.md", "haproxy")])
def test_every_example_is_used(page, kind):
    """A further example of a page needs its test here; every file of theirs but the last, for moving over, has one of ours."""
    theirs = [text for what, text in coming.fences(page) if what == kind]
    assert len(examples(page, kind)) == 3 and len(theirs) == 4
