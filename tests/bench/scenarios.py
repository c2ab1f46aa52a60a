"""What is compared: each scenario is a load, a job for the proxies, and the unit its costs are counted by.

A scenario with one job compares the proxies with each other. One with two jobs (`then`) compares each proxy with itself:
what the second costs, as a ratio to the first."""
import dataclasses

from peers import Job

GIB = 1 << 30
PROXIES = ("nginx", "haproxy", "sluice")
SPLICING = ("nginx", "haproxy", "haproxy-splice", "sluice")
OURS = ("sluice",)
MANY = 9000


@dataclasses.dataclass(frozen=True)
class Scenario:
    about: str
    load: str  # the load generator's mode and options
    job: Job = Job()
    then: Job = None
    peers: tuple = PROXIES
    figure: str = "request"  # what is compared: CPU per request, event or GiB; KiB of memory per connection; or "p50"
    seconds: float = 2
    upload: int = 0  # bytes per request

    @property
    def connections(self):
        words = self.load.split()
        return int(words[words.index("-c") + 1])

    @property
    def unit(self):
        return {"request": "CPU us/request", "event": "CPU us/event", "GiB": "CPU s/GiB", "KiB": "KiB/connection", "p50": "p50 us"}[self.figure]

    def units(self, told):
        """How many of what a cost is counted by there were."""
        if self.figure == "event":
            return told["events"]
        if self.figure == "GiB":
            return (told["requests"] * self.upload or told["bytes"]) / GIB
        return told["requests"]


SCENARIOS = {
    "canary64": Scenario("80/15/5 % of the users to three pools, 64 connections", "closed -c 64", Job(split=True)),
    "small64": Scenario("one pool, 64 connections", "closed -c 64"),
    "small512": Scenario("one pool, 512 connections", "closed -c 512"),
    "conns9000": Scenario("one pool, 9,000 connections, all of them active", f"closed -c {MANY}", seconds=4),
    "big1m": Scenario("answers of 1 MiB, 16 connections", f"closed -c 16 -p /b/{1 << 20}", peers=SPLICING, figure="GiB"),
    "big64m": Scenario("answers of 64 MiB, 8 connections", f"closed -c 8 -p /b/{64 << 20}", peers=SPLICING, figure="GiB", seconds=3),
    "up1m": Scenario("uploads of 1 MiB, 16 connections", f"closed -c 16 -p /u -b {1 << 20}", peers=SPLICING, figure="GiB", upload=1 << 20),
    "up64m": Scenario("uploads of 64 MiB, 8 connections", f"closed -c 8 -p /u -b {64 << 20}", peers=SPLICING, figure="GiB", seconds=3, upload=64 << 20),
    "sse": Scenario("1,000 streams of 20 events a second", "sse -c 1000 -p /sse/50/50", figure="event", seconds=4),
    "rate5k": Scenario("5,000 requests a second, 64 connections: the median time of an answer", "rate -c 64 -r 5000", figure="p50", seconds=3),
    "busypoll": Scenario("5,000 requests a second: the median time with busy_poll beside without", "rate -c 64 -r 5000", Job(),
                         Job(busy_poll=True), peers=OURS, figure="p50", seconds=3),
    "conn": Scenario("a connection per request, 16 at once", "conn -c 16"),
    "tlsfull": Scenario("a TLS handshake per request, 16 at once", "conn -c 16 -t", Job(tls=True)),
    "tlsresume": Scenario("a TLS session resumed per request, 16 at once", "conn -c 16 -t -s", Job(tls=True)),
    "idle": Scenario("9,000 idle connections", f"idle -c {MANY}", figure="KiB"),
    "idletls": Scenario("9,000 idle TLS connections", f"idle -c {MANY} -t", Job(tls=True), figure="KiB"),
    "eps": Scenario("1,000 endpoints beside one, 64 connections", "closed -c 64", Job(), Job(endpoints=1000)),
    "routes": Scenario("200 routes (the last is asked for) beside one", "closed -c 64", Job(), Job(routes=200), peers=("nginx", "sluice")),
    "workers": Scenario("two workers beside one: CPU per request", "closed -c 64", Job(), Job(workers=2)),
    "accesslog": Scenario("the access log, on beside off", "closed -c 64", Job(), Job(access_log=True), peers=("nginx", "sluice")),
    "split": Scenario("the sticky split over three pools beside one pool", "closed -c 64", Job(), Job(split=True)),
}
