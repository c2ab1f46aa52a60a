"""The operator: does what operators do, all day's work in some seconds, and breaks endpoints on purpose."""
import random
import signal
import socket
import threading
import time

from harness.client import Client, Cut
from harness.scale import patience
from harness.successor import upgrade
from harness.wait import wait_for

CALM = 5.0  # seconds after a fault that its consequences may show


class Operator:
    def __init__(self, seed, world, daemon, endpoints, log, ledgers):
        self.random = random.Random(seed)
        self.world, self.daemon, self.endpoints, self.log, self.ledgers = world, daemon, endpoints, log, ledgers
        self.drained, self.down = set(), set()
        self.troubles = []  # (from, to) of times in which some endpoint was faulty or down
        self.trouble_since = None
        self.wrong, self.done = [], []
        self.nuisances = []
        self.upgrades = True
        self.old = []  # processes that were followed by another

    # ---- what there is to do

    def acts(self):
        common = [(4, self.reload), (1, self.bad_reload), (1, self.hangups), (1, self.reopen), (3, self.drain), (3, self.undrain),
                  (3, self.session_weights), (6, self.command), (2, self.look), (1, self.nuisance)]
        upgrades = [(3, self.upgrade)] if self.upgrades else []
        faults = [(5, self.trouble), (3, self.take_down), (4, self.heal)] if self.world.faults else []
        return common + upgrades + faults

    def work(self, seconds, stop):
        until = time.monotonic() + seconds
        acts = self.acts()
        while time.monotonic() < until and not stop.is_set():
            (act,) = self.random.choices([a for _, a in acts], [w for w, _ in acts])
            try:
                act()
                self.done.append(act.__name__)
            except AssertionError as error:
                self.wrong.append(f"{act.__name__}: {error}")
                return
            except (OSError, Cut) as error:
                self.wrong.append(f"{act.__name__}: the admin API did not answer: {error!r}")
                return
            stop.wait(self.random.random() * 0.5)

    def post(self, path, body=None, allowed=(200, 409)):
        answer = self.daemon.admin().post("/api/v1/" + path, body)
        assert answer.status in allowed, f"{path} {body}: {answer}"
        return answer

    def reload(self):
        self.world.mutate(self.random)
        self.note(self.world.session)
        answer = self.daemon.reload(self.world.config(self.endpoints, self.log))
        assert answer.status == 200, f"a good configuration is refused: {answer}"

    def bad_reload(self):
        good = self.daemon.config
        answer = self.daemon.reload({**good, "routes": [{**good["routes"][0], "variants": {"stable": {"pool": "nowhere"}}}]})
        self.daemon.config = good
        self.daemon.write()
        assert answer.status == 422, f"a bad configuration is taken: {answer}"

    def hangups(self):
        self.note(self.world.session)
        for _ in range(self.random.randrange(1, 4)):
            self.daemon.hup()

    def reopen(self):
        self.daemon.child.signal(signal.SIGUSR1)

    def drain(self):
        name = self.random.choice(["blue", "green", "white"])
        left = [n for n in self.world.pools[name] if (name, n) not in self.drained]
        if len(left) < 2:  # somebody must be there
            return
        endpoint = self.random.choice(left)
        self.post(f"pools/{name}/drain", {"endpoint": self.endpoints[endpoint].url})
        self.drained.add((name, endpoint))

    def undrain(self):
        if not self.drained:
            return
        name, endpoint = self.random.choice(sorted(self.drained))
        self.post(f"pools/{name}/undrain", {"endpoint": self.endpoints[endpoint].url})
        self.drained.discard((name, endpoint))

    def session_weights(self):
        first = self.random.randrange(0, 101)
        second = self.random.randrange(0, 101 - first)
        weights = {"stable": first, "canary": second, "extra": 100 - first - second}
        self.note(weights)
        self.post("routes/session/weights", {"weights": weights})

    def note(self, weights):
        """No journal tells of a route without a rollout."""
        self.ledgers["session"].decision(time.time(), weights, weights)

    def command(self):
        what = self.random.choice(("promote", "promote", "promote", "pause", "resume", "rollback", "retry", "retry", "weights"))
        body = {"reason": "chaos"}
        if what == "promote" and self.random.random() < 0.3:
            body["full"] = True
        if what == "weights":
            share = self.random.randrange(101)
            body = {"weights": {"stable": 100 - share, "canary": share}}
        self.post(f"routes/chat/{what}", body, (200, 409, 422))

    def look(self):
        self.daemon.metrics()
        self.daemon.status()
        self.daemon.admin().get("/api/v1/routes/chat/history")

    def nuisance(self):
        """Admin clients that follow and do not read, that send half a request, that go."""
        client = Client(self.daemon.admin().where, 5)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(self.random.choice((b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /metrics HTTP/1.1\r\nHo",
                                        b"POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")))
        self.nuisances.append(client)
        if len(self.nuisances) > 5:
            self.nuisances.pop(0).close()

    def upgrade(self):
        self.old.append(upgrade(self.daemon))

    # ---- faults

    def mark(self):
        troubled = bool(self.down) or any(e.faulty for e in self.endpoints.values())
        if troubled and self.trouble_since is None:
            self.trouble_since = time.time()
        if not troubled and self.trouble_since is not None:
            self.troubles.append((self.trouble_since, time.time()))
            self.trouble_since = None

    def in_trouble(self, begun, ended):
        spans = self.troubles + ([(self.trouble_since, float("inf"))] if self.trouble_since else [])
        return any(a <= ended and begun <= b + CALM for a, b in spans)

    def trouble(self):
        endpoint = self.endpoints[self.random.choice(self.world.names())]
        endpoint.faulty = self.random.choice((0.05, 0.2, 1.0))
        self.mark()

    def take_down(self):
        name = self.random.choice(self.world.names())
        if name in self.down:
            return
        self.down.add(name)
        self.mark()
        self.endpoints[name].down()

    def heal(self):
        for name in sorted(self.down):
            self.endpoints[name].up()
        self.down.clear()
        for endpoint in self.endpoints.values():
            endpoint.faulty = 0.0
        self.mark()

    # ---- the end

    def finish(self):
        self.heal()
        for client in self.nuisances:
            client.close()
        for name, endpoint in sorted(self.drained):
            self.post(f"pools/{name}/undrain", {"endpoint": self.endpoints[endpoint].url})
        self.drained.clear()

    def old_ones_ended(self):
        for process in self.old:
            code = process.wait(30)
            assert code == 0, f"an old binary ended with {code}"

    def at_rest(self):
        """Nothing is forgotten: no connection, no request in flight, nobody waits."""
        def rest():
            metrics = self.daemon.metrics()
            return (metrics.sum("sluice_client_connections") == 0 and metrics.sum("sluice_endpoint_inflight") == 0
                    and all(entry["waiting"] == 0 for entry in self.daemon.status()["pools"]))
        wait_for(rest, patience(20), "connections, requests in flight and waiters are none")


class Watcher(threading.Thread):
    """Polls the weights into the ledgers."""

    def __init__(self, daemon, ledgers, stop):
        super().__init__(daemon=True)
        self.daemon_, self.ledgers, self.stop = daemon, ledgers, stop
        self.failure = None

    def run(self):
        while True:
            last = self.stop.is_set()
            begun = time.time()
            try:
                routes = self.daemon_.status()["routes"]
            except (OSError, Cut) as error:
                self.failure = repr(error)
                return
            for entry in routes:
                if entry["name"] in self.ledgers:
                    weights = {v["name"]: v["weight"] for v in entry["variants"]}
                    self.ledgers[entry["name"]].saw(begun, time.time(), weights)
            if last:
                return
            self.stop.wait(0.05)
