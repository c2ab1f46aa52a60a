"""Which time-out counts: a pool's before its route's, a route's before the global one, and how those of one request bound each
other and its time in the queue. Nothing here measures time: what must go on is begun first, and then outlived by others whose
time-out is the one that must not count."""
import select
import threading

import pytest

from harness.client import Cut
from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for

SHORT, LONG = "300ms", "60s"
CALM = {"consecutive_failures": 0}


class Gate:
    """A handler whose requests wait until the test opens it."""

    def __init__(self):
        self.opened = threading.Event()

    def wait(self):
        assert self.opened.wait(patience(50))

    def __call__(self, request, reply):
        if "/stream" in request.path:
            reply.begin_sse()
            reply.event("one")
            self.wait()
            reply.event("two")
            reply.end_chunked()
        else:
            self.wait()
            reply.send(200, "late")


@pytest.fixture
def gate():
    made = Gate()
    yield made
    made.opened.set()


def silent(client):
    """Nothing has come from the proxy, not even an end."""
    return not client.buffer and not select.select([client.socket], [], [], 0)[0]


def begin(daemon, key, path):
    """A request that waits for what `key` bounds."""
    client = daemon.client(50)
    if key == "client_idle":
        client.request("POST", path, [("Content-Length", "4")])
        client.send("ha")
    elif key == "stream_idle":
        client.request("GET", path + "/stream")
        assert client.final_head().status == 200 and client.event() == "one"
    else:
        client.request("GET", path)
    return client


REASONS = {"connect": (504, "connect_timeout"), "first_byte": (504, "first_byte_timeout"), "total": (504, "total_timeout"),
           "client_idle": (408, "body_timeout")}


def expires(key, client):
    if key == "stream_idle":
        with pytest.raises((Cut, ConnectionError)):
            client.event()
    else:
        response = client.response()
        assert (response.status, response.header("X-Sluice-Error")) == REASONS[key], response
    client.close()


def goes_on(key, client, gate):  # pylint: disable=redefined-outer-name
    if key == "stream_idle":
        gate.opened.set()
        assert client.event() == "two" and client.chunk() == b""
    elif key == "client_idle":
        gate.opened.set()
        client.send("lf")
        assert client.response().status == 200
    elif key != "connect":  # nothing will ever accept that one
        gate.opened.set()
        assert client.response().text == "late"
    client.close()


def levels(key, endpoint, ways):
    """For each way, (route's, pool's) value of the time-out, a route /I with a pool of its own."""
    def own(value):
        return {"timeouts": {key: value}} if value else {}
    return {"pools": {f"p{i}": pool(endpoint, ejection=CALM, **own(of_pool)) for i, (_, of_pool) in enumerate(ways)},
            "routes": [route(f"r{i}", {f"p{i}": 100}, match={"path_prefix": f"/{i}"}, **own(of_route))
                       for i, (of_route, _) in enumerate(ways)]}


KEYS = ["connect", "first_byte", "stream_idle", "total", "client_idle"]


@pytest.mark.parametrize("key", KEYS)
def test_the_nearest_longer_value_counts(start_sluice, upstream, full_backlog, gate, key):
    endpoint = full_backlog if key == "connect" else upstream("up", gate)
    ways = [(None, None), (LONG, None), ("off", None), (None, LONG), (SHORT, LONG), (SHORT, "off")]
    daemon = start_sluice({"workers": 1, "timeouts": {key: SHORT}, **levels(key, endpoint, ways)})
    longer = [begin(daemon, key, f"/{i}") for i in range(1, len(ways))]
    for _ in range(2):  # the global one, short, as the clock
        expires(key, begin(daemon, key, "/0"))
    assert [silent(client) for client in longer] == [True] * len(longer)
    for client in longer:
        goes_on(key, client, gate)


@pytest.mark.parametrize("key", KEYS)
def test_the_nearest_shorter_value_counts(start_sluice, upstream, full_backlog, gate, key):
    endpoint = full_backlog if key == "connect" else upstream("up", gate)
    ways = [(None, None), (SHORT, None), (None, SHORT), (LONG, SHORT), ("off", SHORT)]
    daemon = start_sluice({"workers": 1, "timeouts": {key: LONG}, **levels(key, endpoint, ways)})
    longest = begin(daemon, key, "/0")
    for client in [begin(daemon, key, f"/{i}") for i in range(1, len(ways))]:
        expires(key, client)
    assert silent(longest)
    goes_on(key, longest, gate)


@pytest.mark.parametrize("own, expired", [(LONG, True), (SHORT, False)])
def test_before_a_route_is_known_the_global_times_count(start_sluice, upstream, gate, own, expired):
    """client_header, and client_idle between requests: a route's and a pool's have no say."""
    server, slow, other = upstream("up"), upstream("slow", gate), SHORT if expired else LONG
    mine = {"client_header": own, "client_idle": own}
    daemon = start_sluice({"workers": 1, "timeouts": {"client_header": other, "client_idle": other},
                           "pools": {"stable": pool(server, timeouts=mine),
                                     "clock": pool(slow, ejection=CALM, timeouts={"first_byte": SHORT})},
                           "routes": [route("clock", {"clock": 100}, match={"path": "/clock"}), route(timeouts=mine)]})
    with daemon.client() as begun, daemon.client() as idle:
        assert idle.ask().status == 200
        begun.send(begun.render()[:-2])
        if expired:
            response = begun.response()
            assert (response.status, response.header("X-Sluice-Error")) == (408, "header_timeout")
            assert idle.closed()
            return
        for _ in range(2):
            assert daemon.ask(target="/clock").status == 504
        assert silent(begun) and silent(idle)
        begun.send("\r\n")
        assert begun.response().status == 200 and idle.ask().status == 200


JSON = [("Content-Type", "application/json"), ("Content-Length", "14")]


def collecting(daemon, path):
    """A body that is read before anything is sent on, and does not end."""
    client = daemon.client(50)
    client.request("POST", path, JSON)
    client.send('{"user":')
    return client


def collects(server, key, of_all, of_route):
    """/unit takes the unit from the body, its route is known; /match takes the route from the body."""
    mine = {"timeouts": {key: of_route}}
    return {"workers": 1, "timeouts": {key: of_all}, "pools": {"stable": pool(server, timeouts={key: of_route})}, "routes": [
        route("unit", match={"path": "/unit"}, sticky={"by": ["json /user"]}, **mine),
        route("match", match={"path": "/match", "json": {"/user": "ann"}}, **mine), route("other", match={"path": "/other"})]}


@pytest.mark.parametrize("key", ["client_idle", "total"])
def test_while_the_body_decides_the_routes_time_counts_where_it_is_known(start_sluice, upstream, key):
    server = upstream()
    short_route = start_sluice(collects(server, key, LONG, SHORT))
    unit, match = collecting(short_route, "/unit"), collecting(short_route, "/match")
    for client in (unit, collecting(short_route, "/unit")):
        expires("client_idle", client)  # whoever keeps silent, or takes too long: it is the client
    assert silent(match), "its route is not known, the global time counts"
    match.close()
    long_route = start_sluice(collects(server, key, SHORT, LONG))
    unit = collecting(long_route, "/unit")
    for _ in range(2):
        expires("client_idle", collecting(long_route, "/match"))
    assert silent(unit)
    unit.send(' "ann"}')
    assert unit.response().status == 200
    unit.close()
    for daemon, count in ((short_route, 2), (long_route, 2)):
        assert daemon.counted("sluice_rejected_requests_total", count, reason="body_timeout")
        assert daemon.counted("sluice_request_errors_total", 0)


class Dripping:
    """Sends a byte now and then, so that it is never silent for long."""

    def __init__(self, client, data):
        self.client, self.data = client, data
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.done.wait(0.03):
                self.client.send(self.data)
        except OSError:
            pass

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


@pytest.mark.parametrize("path", ["/plain", "/unit", "/match"])
def test_a_dripping_body_is_bounded_by_total_and_charged_to_nobody(start_sluice, upstream, path):
    """It is the client's turn when the time has passed: 408, and nothing against the variant."""
    server = upstream()
    daemon = start_sluice({"workers": 1, "timeouts": {"total": "600ms", "client_idle": LONG, "first_byte": LONG},
                           "pools": {"stable": pool(server, ejection={"consecutive_failures": 1, "max_share": 100})}, "routes": [
        route("plain", match={"path": "/plain"}), route("unit", match={"path": "/unit"}, sticky={"by": ["json /user"]}),
        route("match", match={"path": "/match", "json": {"/user": "ann"}})]})
    with daemon.client() as client:
        client.request("POST", path, [("Content-Type", "application/json"), ("Content-Length", "100000")])
        with Dripping(client, " "):
            response = client.response()
        assert (response.status, response.header("X-Sluice-Error")) == (408, "body_timeout"), response
    assert daemon.counted("sluice_rejected_requests_total", 1, reason="body_timeout")
    assert daemon.counted("sluice_request_errors_total", 0)
    assert daemon.ask("POST", "/plain", body="x").status == 200, "the endpoint was not ejected"


def test_total_counts_from_the_head_though_the_body_was_collected(start_sluice, upstream, gate):
    """The time that the body took is part of it, whichever route it leads to."""
    server, clock = upstream("up", gate), upstream("clock", gate)
    daemon = start_sluice({"workers": 1, "timeouts": {"total": LONG}, "pools": {
        "stable": pool(server), "clock": pool(clock, ejection=CALM, timeouts={"first_byte": SHORT})}, "routes": [
            route("clock", {"clock": 100}, match={"path": "/clock"}),
            route("match", match={"path": "/match", "json": {"/user": "ann"}}, timeouts={"total": SHORT, "first_byte": "150ms"})]})
    with daemon.client() as client:
        client.request("POST", "/match", JSON)
        assert daemon.ask(target="/clock").status == 504  # by now its time is over, though nobody knows
        client.send('{"user":"ann"')
        client.send("}")
        response = client.response()
    # Otherwise the wait for the first byte, which is shorter, would have come to its end.
    assert (response.status, response.header("X-Sluice-Error")) == (504, "total_timeout")
    assert server.count <= 1


@pytest.mark.parametrize("size", [3 << 20, 64 << 20], ids=["all but the end has come", "more is to come"])
def test_a_client_that_takes_nothing_is_its_own_fault_when_total_passes(start_sluice, upstream, size):
    """499 and nothing against the variant: what it had to say was there."""
    server = upstream("up", lambda request, reply: reply.send(200, "well" if request.path == "/wanted" else b"x" * size))
    daemon = start_sluice({"workers": 1, "timeouts": {"total": "500ms", "stream_idle": LONG, "client_idle": LONG},
                           "pools": {"stable": pool(server, ejection={"consecutive_failures": 1, "max_share": 100})},
                           "routes": [route()]})
    with daemon.client(receive_buffer=4096) as client:
        client.request()
        assert daemon.counted("sluice_requests_total", 1, code="499")
        assert daemon.counted("sluice_request_errors_total", 0)
    assert daemon.ask(target="/wanted").text == "well"


def test_a_variant_that_does_not_come_to_its_end_is_charged_when_total_passes(start_sluice, upstream, gate):
    daemon = start_sluice({"workers": 1, "timeouts": {"total": SHORT}, "pools": {"stable": pool(upstream("up", gate))},
                           "routes": [route()]})
    expires("stream_idle", begin(daemon, "stream_idle", "/x"))
    assert daemon.counted("sluice_request_errors_total", 1, variant="stable", reason="timeout")


# -- several attempts ------------------------------------------------------------------------------------------------

def test_each_attempt_has_its_own_first_byte_and_total_bounds_them_all(start_sluice, upstream, gate):
    server = upstream("up", gate)
    daemon = start_sluice({"workers": 1, "timeouts": {"first_byte": "200ms", "total": "900ms"},
                           "pools": {"stable": pool(server, ejection=CALM)},
                           "routes": [route(retry={"attempts": 10, "on": [504], "budget": 100})]})
    response = daemon.ask()
    assert (response.status, response.header("X-Sluice-Error")) == (504, "total_timeout")
    assert 2 <= server.count <= 5, "900 ms are at most four times 200 ms and a part"
    assert daemon.counted("sluice_retries_total", server.count - 1)
    assert daemon.counted("sluice_request_errors_total", 1, reason="timeout")
    assert daemon.counted("sluice_requests_total", 1)


def test_the_fallback_has_its_own_pools_times_but_the_chosen_ones_total(start_sluice, upstream, gate):
    chosen, spare = upstream("chosen", gate), upstream("spare", gate)
    retry = {"attempts": 0, "on": [504]}

    def both(name, chosen_times, spare_times):
        pools = {"c-" + name: pool(chosen, ejection=CALM, timeouts=chosen_times),
                 "s-" + name: pool(spare, ejection=CALM, timeouts=spare_times)}
        return pools, route(name, {"chosen": {"pool": "c-" + name, "weight": 100}, "spare": {"pool": "s-" + name, "weight": 0}},
                            match={"path_prefix": "/" + name}, retry=retry, fallback="spare")
    patient = both("patient", {"first_byte": SHORT, "total": LONG}, {"first_byte": LONG, "total": SHORT})
    hasty = both("hasty", {"first_byte": SHORT, "total": LONG}, {"first_byte": SHORT})
    short = both("total", {"first_byte": "100ms", "total": "400ms"}, {"first_byte": LONG, "total": "off"})
    daemon = start_sluice({"workers": 1, "pools": {**patient[0], **hasty[0], **short[0]},
                           "routes": [patient[1], hasty[1], short[1]]})
    waits = begin(daemon, "first_byte", "/patient")
    wait_for(lambda: spare.count == 1, patience(10), "it waits for the fallback")
    for _ in range(2):
        response = daemon.ask(target="/hasty")
        assert (response.status, response.header("X-Sluice-Error")) == (504, "first_byte_timeout")
    response = daemon.ask(target="/total")
    assert (response.status, response.header("X-Sluice-Error")) == (504, "total_timeout")
    assert silent(waits)
    goes_on("first_byte", waits, gate)
    assert (chosen.count, spare.count) == (4, 4)


def test_a_client_that_is_not_read_between_two_attempts_is_not_late(start_sluice, upstream, full_backlog):
    """Its body is half sent when the chosen variant fails; the fallback's connection takes longer than client_idle."""
    def handler(_request, reply):
        reply.reset()
    sick = upstream("sick", handler)
    sick.read_body = False
    daemon = start_sluice({"workers": 1, "timeouts": {"client_idle": "500ms", "connect": "1500ms"},
                           "pools": {"chosen": pool(sick, ejection=CALM), "spare": pool(full_backlog, ejection=CALM)}, "routes": [
        route("chat", {"chosen": 100, "spare": 0}, fallback="spare",
              retry={"attempts": 0, "on": ["reset_before_response"], "non_idempotent": True})]})
    client = begin(daemon, "client_idle", "/")
    response = client.response()
    assert (response.status, response.header("X-Sluice-Error")) == (504, "connect_timeout")
    client.close()
    assert daemon.counted("sluice_fallbacks_total", 1)


# -- the queue -------------------------------------------------------------------------------------------------------

def waiting(daemon):
    return sum(entry["waiting"] for entry in daemon.status()["pools"])


def busy(start_sluice, server, timeouts, **queue):
    """A daemon whose pool has one place, and the stream that has it until the gate opens."""
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server, max_inflight=1, queue={"size": 10, **queue})}, "routes": [
        route("held", match={"path_prefix": "/held"}), route(timeouts=timeouts)]})
    return daemon, begin(daemon, "stream_idle", "/held")


def test_time_in_the_queue_is_neither_connect_nor_first_byte(start_sluice, upstream, gate):
    daemon, first = busy(start_sluice, upstream("up", gate), {"connect": SHORT, "first_byte": SHORT}, timeout=LONG)
    clock = start_sluice({"pools": {"stable": pool(upstream("clock", gate), ejection=CALM)},
                          "routes": [route(timeouts={"first_byte": SHORT})]})
    with first, daemon.client() as second:
        second.request()
        wait_for(lambda: waiting(daemon) == 1)
        for _ in range(2):
            assert clock.ask().status == 504
        assert silent(second) and waiting(daemon) == 1
        gate.opened.set()
        assert first.event() == "two" and second.response().text == "late"


@pytest.mark.parametrize("total, queue, status, reason, counter", [
    (SHORT, LONG, 504, "total_timeout", "timeout"), (LONG, SHORT, 503, "queue_timeout", "overloaded")])
def test_the_shorter_of_total_and_the_queues_time_counts(start_sluice, upstream, gate, total, queue, status, reason, counter):
    daemon, first = busy(start_sluice, upstream("up", gate), {"total": total}, timeout=queue)
    with first:
        response = daemon.ask()
        assert (response.status, response.header("X-Sluice-Error")) == (status, reason)
        assert waiting(daemon) == 0 and silent(first)
    assert daemon.counted("sluice_request_errors_total", 1, reason=counter)
