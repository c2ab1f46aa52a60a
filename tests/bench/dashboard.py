#!/usr/bin/python3
"""What the dashboard costs: how soon the page is there, and what pages that are open cost a proxied request.

    SLUICE=build/release/sluice /usr/bin/python3 tests/bench/dashboard.py paint [--loads 30]
    SLUICE=build/release/sluice /usr/bin/python3 tests/bench/dashboard.py cost [--rate 5000] [--pages 20] [--rounds 40] [--seconds 6]

paint: a headless Chromium opens the page anew, with nothing kept from before, beside a daemon with a canary under load: milliseconds
from the navigation's start to the first paint, to the first content (browser's own figures), to the frame that has live figures, and
to the frame that has the charts.

cost: one worker under a constant rate, on core 0; the load, the origin and the pages on core 1. A page is what the browser is to
the daemon: it reads the event stream, and asks for the rest as live.js does. Windows with and without pages alternate: without, with,
without. Told are what the pages cost beside the mean of the two, and, as what the method makes of nothing, the second of the two beside the
first. CPU is what the kernel accounts to the threads (schedstat): the worker's, the whole process's, and the control thread's, which answers
the pages. Nothing else should run."""
import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from urllib.parse import urlsplit

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
# pylint: disable=wrong-import-position
import measure  # noqa: E402
from compare import LOAD_CORE, PROXY_CORE, compile_traffic  # noqa: E402
from harness.load import free_port  # noqa: E402
from sse_counting import interval  # noqa: E402

HISTORY_SECONDS, REPORT_SECONDS = 10, 30  # as live.js
GUARDS = {"error_rate": {"margin": 2}, "latency_p95": {"margin": 50}, "ttft_p95": {"margin": 50}}


# ---- the daemon

def start_daemon(folder, ports, admin):
    """One with a canary whose step lasts longer than this; the process."""
    from harness.sluice import Sluice, pool, route  # pylint: disable=import-outside-toplevel
    variants = {"stable": {"pool": "blue", "version": "v1.0", "weight": 100}, "canary": {"pool": "green", "version": "v1.1", "weight": 0}}
    rollout = {"strategy": "canary", "steps": [{"weight": 5, "for": "8h"}, {"weight": 50, "for": "8h"}], "guards": GUARDS}
    return Sluice(folder, {
        "workers": 1, "admin": {"address": f"127.0.0.1:{admin}"},
        "pools": {name: {**pool(f"http://127.0.0.1:{port}"), "keepalive": 256} for name, port in zip(("blue", "green"), ports)},
        "routes": [route("chat", variants, sticky={"by": ["header X-User-Id"]}, rollout=rollout)]},
        argv_prefix=("taskset", "-c", PROXY_CORE))


class Place:
    """The origin, the daemon and a constant load on it, ended together."""

    def __init__(self, folder, rate, seconds):
        self.processes = measure.Processes(folder)
        origin = self.processes.start(LOAD_CORE, [os.path.join(folder, "origin"), "2"], stdout=subprocess.PIPE)
        ports = [int(p) for p in origin.stdout.readline().split()]
        self.admin = free_port()
        self.daemon = start_daemon(folder, ports, self.admin)
        self.url = f"http://127.0.0.1:{self.admin}/"
        self.processes.start(LOAD_CORE, [os.path.join(folder, "load"), "rate", str(self.daemon.port), "-c", "64", "-r", str(rate),
                                         "-d", str(seconds)])

    def requests(self):
        return sum(v["requests"] for v in self.daemon.admin().get("/api/v1/routes/chat")["variants"])

    def stop(self):
        self.processes.stop_all()
        self.daemon.stop()


# ---- paint

LOAD_PAGE = """
const fresh = await context.browser().newContext({viewport: {width: 1440, height: 1000}});
const page_ = await fresh.newPage();
await page_.addInitScript(() => {
  const told = globalThis.told = {};
  const seen = (name, there) => {
    if (name in told || !there) return;
    told[name] = null;
    requestAnimationFrame(() => requestAnimationFrame(() => { told[name] = performance.now(); })); // that frame was shown
  };
  const look = () => {
    seen('figures', document.getElementById('answer') && document.querySelector('#state.good'));
    seen('charts', document.querySelectorAll('.plot canvas').length >= 3);
  };
  new MutationObserver(look).observe(document, {childList: true, subtree: true, attributes: true});
});
await page_.goto(given);
await page_.waitForFunction(() => told.figures && told.charts);
const times = await page_.evaluate(() => ({...Object.fromEntries(performance.getEntriesByType('paint').map((p) => [p.name, p.startTime])), ...told}));
await fresh.close();
return times;
"""


def spread(values, words):
    values = sorted(values)
    return (f"{words}: median {statistics.median(values):.0f}, 95 % {values[int(0.95 * (len(values) - 1))]:.0f}, "
            f"worst {values[-1]:.0f} ms of {len(values)}")


def paint(options, folder):
    from harness.browser import Browser  # pylint: disable=import-outside-toplevel
    place = Place(folder, options.rate or 500, 3600)
    browser = Browser(os.environ["NPM_MODULES"])
    try:
        time.sleep(12)  # there is something to draw
        times = [browser.run(LOAD_PAGE, place.url) for _ in range(options.loads + 1)][1:]  # the first one warms the browser up
    finally:
        browser.close()
        place.stop()
    for name, words in (("first-paint", "first paint"), ("first-contentful-paint", "first content"), ("figures", "live figures"),
                        ("charts", "charts")):
        print(spread([t[name] for t in times], words), flush=True)


# ---- cost: pages that are no browser

async def get(reader, writer, path):
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    assert head.startswith("http/1.1 200"), head
    if "chunked" not in head:
        return await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
    body = b""
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        body += (await reader.readexactly(size + 2))[:-2]
        if not size:
            return body


async def page(host, port, number):
    """What one page that is open asks for (live.js); for ever."""
    await asyncio.sleep(number * 0.05)
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 22)
    writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
    polls = await asyncio.open_connection(host, port, limit=1 << 22)
    statuses, newest = number % REPORT_SECONDS, 0  # pages were not all opened at once
    while piece := await reader.read(1 << 20):
        new = piece.count(b"event: status")
        statuses += new
        paths = [] if not new or (newest and statuses % HISTORY_SECONDS) else [f"history?since={newest}"]
        paths += ["report"] if new and (not newest or statuses % REPORT_SECONDS == 0) else []
        paths += ["decisions?last=100"] if new and not newest else []
        for path in paths:
            body = await get(*polls, f"/api/v1/routes/chat/{path}")
            if path.startswith("history"):
                at = body.partition(b'"at":[')[2].partition(b"]")[0]
                newest = int(at.rpartition(b",")[2] or newest)
    raise SystemExit("the event stream ended")


def pages(url, count):
    host, port = urlsplit(url).hostname, urlsplit(url).port

    async def all_of_them():
        await asyncio.gather(*(page(host, port, number) for number in range(count)))
    asyncio.run(all_of_them())


class Window:
    """Microseconds of CPU a request, of the worker and of the whole process, over a time."""

    def __init__(self, place, seconds):
        pid = place.daemon.pid
        requests, before, began = place.requests(), self.threads(pid), time.monotonic()
        time.sleep(seconds)
        after, took = self.threads(pid), time.monotonic() - began
        requests = place.requests() - requests
        used = {task: after[task] - before.get(task, 0) for task in after}
        self.rate = requests / took
        self.control = 1e3 * used[pid] / took  # milliseconds a second
        self.process = 1e6 * sum(used.values()) / requests
        self.worker = 1e6 * sum(used[t] for t in used if t != pid) / requests  # the first thread is the control thread

    @staticmethod
    def threads(pid):
        found = {}
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                found[int(task)] = int(f.read().split()[0]) / 1e9
        return found


def tell(rounds, figure):
    first, with_pages, again = ([getattr(r[i], figure) for r in rounds] for i in range(3))
    paired = [w / ((f + a) / 2) for f, w, a in zip(first, with_pages, again)]
    nothing = [a / f for f, a in zip(first, again)]
    print(f"{figure}: {statistics.median(first + again):.2f} us a request without pages, {statistics.median(with_pages):.2f} with")
    for words, ratios in (("with / without", paired), ("without / without", nothing)):
        low, high = interval(ratios)
        print(f"  {words}: median {statistics.median(ratios):.4f}, 95 % {low:.4f} to {high:.4f}, "
              f"least {min(ratios):.4f}, most {max(ratios):.4f} of {len(ratios)}", flush=True)


def tell_control(rounds):
    """The thread that answers the pages: all of what they cost directly, and little of the machine's noise."""
    without = statistics.median([w.control for r in rounds for w in r[::2]])
    extra = sorted(r[1].control - (r[0].control + r[2].control) / 2 for r in rounds)
    low, high = interval(extra)
    whole = statistics.median([w.process * w.rate for r in rounds for w in r[::2]]) / 1e3
    middle = statistics.median(extra)
    print(f"control thread: {without:.2f} ms a second without pages; with them {middle:.2f} more (95 % {low:.2f} to {high:.2f}), "
          f"{100 * middle / whole:.2f} % of the process's {whole:.0f}")


def cost(options, folder):
    rate = options.rate or 5000
    place = Place(folder, rate, 60 + options.rounds * (3 * options.seconds + 6))
    argv = [sys.executable, os.path.abspath(__file__), "pages", "--url", place.url, "--pages", str(options.pages)]
    rounds = []
    try:
        time.sleep(8)  # the rollout has begun, connections are open
        for _ in range(options.rounds):
            first = Window(place, options.seconds)
            there = place.processes.start(LOAD_CORE, argv)
            time.sleep(2)  # all have joined and asked for what they ask for once
            with_pages = Window(place, options.seconds)
            assert there.poll() is None, "the pages ended"
            place.processes.stop(there)
            time.sleep(1)
            rounds.append((first, with_pages, Window(place, options.seconds)))
    finally:
        place.stop()
    print(f"{options.pages} pages, {statistics.median(w.rate for r in rounds for w in r):.0f} requests a second, one worker")
    tell(rounds, "worker")
    tell(rounds, "process")
    tell_control(rounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("paint", "cost", "pages"), help="pages: only them, for ever (what cost starts)")
    parser.add_argument("--loads", type=int, default=30)
    parser.add_argument("--rate", type=int)
    parser.add_argument("--pages", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--url")
    options = parser.parse_args()
    if options.what == "pages":
        pages(options.url, options.pages)
        return
    with tempfile.TemporaryDirectory() as folder:
        compile_traffic(folder)
        (paint if options.what == "paint" else cost)(options, folder)


if __name__ == "__main__":
    main()
