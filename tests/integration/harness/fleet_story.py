"""Rollouts of a fleet that go on and on, version after version, while somebody does harm: what happened is written down and
judged at the end."""
import contextlib
import random
import signal
import threading
import time

from .client import Cut
from .fleet_history import Story, Watched, history, never_two
from .scale import patience
from .wait import wait_for


class Person:
    """Passes pauses, on whichever instance; now and then it is one that has just been killed."""

    def __init__(self, daemons, seed):
        self.daemons, self.asked, self.done = daemons, 0, 0
        self._rng = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(0.1 + self._rng.random()):
            daemon = self._rng.choice(self.daemons)
            try:
                if daemon.admin().get("/api/v1/routes/chat")["rollout"]["state"] != "paused":
                    continue
                self.asked += 1
                answer = daemon.admin().ask("POST", "/api/v1/routes/chat/promote", {"reason": "go on"})
                self.done += answer.status == 200
            except (OSError, AssertionError, Cut):
                continue

    def stop(self):
        self._stop.set()
        self._thread.join(40)


class Trouble:
    """`proxies` as in test_fleet_rollout. Each daemon is watched; loads of the ones that were not killed have no failure."""

    def __init__(self, proxies, seed=0, lag=2.0, skew=None):
        self.proxies, self.lag, self.skew = proxies, lag, skew
        self.rng = random.Random(20261129 + seed)
        self.watched = [Watched(daemon) for daemon in proxies.daemons]
        self.person = Person(proxies.daemons, seed)
        self.version = 2
        self.ended = []  # loads
        self._past, self._next = [], 1  # events that were compacted away, and the revision after them

    def one(self, daemon):
        return next(w for w in self.watched if w.daemon is daemon)

    # ---- harm

    def kill(self, daemon, rest=0.0, then=lambda: None):
        """kill -9, and started again after `rest` seconds and what comes then."""
        index = self.proxies.daemons.index(daemon)
        load = self.proxies.loads[index]
        failures = list(load.failures)
        self.one(daemon).excuse()
        daemon.child.signal(signal.SIGKILL)
        daemon.child.wait(10)
        load.stop()
        assert not failures, failures
        load.failures.clear()
        self.ended.append(load)
        time.sleep(rest)
        then()
        daemon.start()
        self.proxies.load(daemon)
        self.proxies.loads[index] = self.proxies.loads.pop()
        self.back(daemon)

    @contextlib.contextmanager
    def hanging(self, daemon):
        """Stopped as long as the body runs; its clients wait meanwhile."""
        self.one(daemon).excuse()
        daemon.child.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            daemon.child.signal(signal.SIGCONT)
        self.back(daemon)

    @contextlib.contextmanager
    def deaf(self, daemon, relay):
        """What its watches bring does not come to it as long as the body runs."""
        self.one(daemon).excuse()
        relay.hold()
        try:
            yield
        finally:
            relay.hold(False)
        self.back(daemon)

    def compact(self):
        """etcd forgets all that was before now."""
        events, now = history(self.proxies.store, since=self._next)
        self._past, self._next = self._past + events, now + 1
        self.proxies.store.post("/v3/kv/compaction", revision=now, physical=True)

    def back(self, daemon):
        """It is a member again, or leads."""
        def knows():
            try:
                told = daemon.status()
            except (OSError, AssertionError, Cut):
                return False
            return told["fleet"]["role"] != "apart" and told["routes"][0]["rollout"]["fleet"]["known"]
        wait_for(knows, patience(15), "it belongs to the fleet again")
        self.one(daemon).hears(self.lag)

    # ---- going on

    def place(self, daemon):
        now = daemon.admin().get("/api/v1/routes/chat")["rollout"]
        return now["state"], now["step"], now["version"]

    def moment(self, daemon, most=3.0):
        """Any moment, or one just after something was decided: it is being written, told, or carried out."""
        if self.rng.random() < 0.4:
            time.sleep(self.rng.random() * most)
            return
        before, end = self.place(daemon), time.monotonic() + most
        while time.monotonic() < end and self.place(daemon) == before:
            time.sleep(0.002)
        time.sleep(self.rng.random() ** 2 * 0.4)

    def settled(self):
        now = [d.admin().get("/api/v1/routes/chat")["rollout"] for d in self.proxies.daemons]
        return now[0] if len({(r["state"], r["step"], r["version"]) for r in now}) == 1 else None

    def go_on(self):
        """The next version when this one is done."""
        now = self.settled()
        if not now or now["state"] != "promoted" or now["version"] != f"v{self.version}":
            return
        self.version += 1
        for daemon in self.proxies.daemons:
            daemon.config["routes"][0]["variants"]["canary"]["version"] = f"v{self.version}"
            assert daemon.reload(daemon.config).status == 200

    # ---- the end

    def end(self):
        """A last word: who has not come to the end by itself is told to."""
        self.person.stop()
        first = self.proxies.daemons[0]

        def told():  # etcd may be finding itself again
            answer = first.admin().ask("POST", "/api/v1/routes/chat/rollback", {"reason": "the end"})
            return answer.status == 200 or self.place(first)[0] in ("promoted", "rolled_back")
        wait_for(told, patience(20), "it is told to end", interval=0.3)
        return self.finish()

    def finish(self):
        """All agree; then everything that was seen is judged. The story."""
        try:
            wait_for(lambda: (self.settled() or {}).get("state") in ("paused", "promoted", "rolled_back"), patience(40),
                     "all agree where it is")
        finally:
            self.person.stop()
        story = Story(self._past + history(self.proxies.store, since=self._next)[0], self.skew)
        last = story.decisions[-1]["number"]
        wait_for(lambda: all(numbers(d)[-1:] == [last] for d in self.proxies.daemons), patience(10), "all have the last decision")
        for one in self.watched:
            one.stop()
        self.judge(story)
        return story

    def judge(self, story):
        loads = [*self.proxies.stop(), *self.ended]
        assert not [load.failures for load in loads if load.failures], [load.failures[:3] for load in loads]
        assert set().union(*(load.statuses for load in loads)) == {200}
        story.chain()
        for one in self.watched:
            one.check(story.decisions, self.lag)
        never_two(self.watched)
        for daemon in self.proxies.daemons:
            self.list_of(daemon, story)
        passed = [d for d in story.decisions if d["from"]["state"] == "paused" and d["to"]["state"] != "paused"]
        assert all(d["who"] == "person" for d in passed), passed
        assert self.person.done <= len(passed) <= self.person.asked, (self.person.done, len(passed), self.person.asked)

    def list_of(self, daemon, story):
        """Its own list is the fleet's, word for word, whether or not it was there."""
        mine = decisions(daemon)
        assert [d["number"] for d in mine] == [d["number"] for d in story.decisions], (daemon.name, numbers(daemon))
        for here, there in zip(mine, story.plain()):
            assert here == there, (daemon.name, here, there)


def decisions(daemon):
    from test_rollout import decisions_of  # pylint: disable=import-outside-toplevel
    return [d for d in decisions_of(daemon) if "on this instance alone" not in d["because"]]


def numbers(daemon):
    return [d["number"] for d in decisions(daemon)]
