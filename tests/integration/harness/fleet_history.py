"""What a fleet has done: every write to its etcd in order of revision, and what its instances showed meanwhile."""
import base64
import datetime
import json
import threading
import time
import urllib.request
from typing import NamedTuple

ROUTE = "chat"


class Event(NamedTuple):
    revision: int
    key: str  # below the prefix
    value: object  # of JSON or a text; None: it is gone


def _event(told, prefix):
    pair = told["kv"]
    key = base64.b64decode(pair["key"]).decode()[len(prefix):]
    value = base64.b64decode(pair.get("value", "")).decode()
    if told.get("type") == "DELETE":
        value = None
    elif not key.startswith("ledgers/"):
        value = json.loads(value)
    return Event(int(pair["mod_revision"]), key, value)


def history(store, prefix="/sluice/test/", since=1):
    """All events below the prefix from that revision until now, and the revision that is now."""
    url, end = store.put("/sluice/test/the-end", time.time())
    encoded = [base64.b64encode(text.encode()).decode() for text in (prefix, prefix[:-1] + "0")]
    body = {"create_request": {"key": encoded[0], "range_end": encoded[1], "start_revision": since, "fragment": True}}
    request = urllib.request.Request(url + "/v3/watch", json.dumps(body).encode(), {"Content-Type": "application/json"})
    events = []
    with urllib.request.urlopen(request, timeout=20) as answer:
        while not events or events[-1].revision < end:
            told = json.loads(answer.readline())["result"]
            assert not told.get("canceled"), told
            events += [_event(event, prefix) for event in told.get("events", [])]
    return [event for event in events if event.revision < end], end


class Story:
    """The events, checked: who writes leads, nothing is written beside the record, no number is missing or there twice."""

    def __init__(self, events, skew=None):
        self.events = events
        self.names = {}        # of ids
        self.leaders = []      # (revision, name)
        self.writers = []      # (revision, name) of each record
        self.decisions = []    # each with "at", in seconds of the tests' clock, and "by"
        self._leader = self._record = None
        self._skew = skew or (lambda name, revision: 0)  # seconds by which that one's wall clock was ahead
        by_revision = {}
        for event in events:
            by_revision.setdefault(event.revision, []).append(event)
        for revision in sorted(by_revision):
            self._take(revision, by_revision[revision])

    def _take(self, revision, events):
        told = {event.key: event.value for event in events}
        record = told.get(f"shared/routes/{ROUTE}")
        for key, value in told.items():
            if key.startswith("shared/members/") and value:
                self.names[key.rpartition("/")[2]] = value["name"]
            if key.startswith(("decisions/", "ledgers/")) and value is not None:
                assert record, f"{key} was written without the record, revision {revision}"
        if "shared/leader" in told:
            self._lead(revision, told["shared/leader"])
        if record:
            self._write(revision, record, [v for k, v in told.items() if k.startswith(f"decisions/{ROUTE}/") and v])

    def _lead(self, revision, leader):
        if leader:
            assert self._leader is None, f"{leader} leads beside {self._leader}, revision {revision}"
            self.names.setdefault(leader["id"], leader["name"])
            self.leaders.append((revision, leader["name"]))
        self._leader = leader and leader["id"]

    def _write(self, revision, record, decisions):
        assert record["by"] == self._leader, f"{record['by']} wrote, {self._leader} leads, revision {revision}"
        before = self._record["serial"] if self._record else 0
        assert record["serial"] == before + 1, (record["serial"], before)
        name = self.names[record["by"]]
        self.writers.append((revision, name))
        self._record = record
        assert len(decisions) <= 1
        for decision in decisions:
            number = self.decisions[-1]["number"] if self.decisions else 0
            assert decision["number"] == number + 1, (decision["number"], number)
            live = record["record"]["machine"]["weights"]
            assert {k: v / 100 for k, v in live.items()} == decision["to"]["weights"], (live, decision)
            at = datetime.datetime.fromisoformat(decision["time"].replace("Z", "+00:00")).timestamp()
            self.decisions.append({**decision, "by": name, "at": at - self._skew(name, revision)})

    def plain(self):
        """The decisions as instances have them in their lists."""
        return [{k: v for k, v in d.items() if k not in ("at", "by")} for d in self.decisions]

    def nothing_between(self, name, since, until):
        """That one wrote no record between two revisions."""
        written = [revision for revision, writer in self.writers if writer == name and since < revision <= until]
        assert not written, f"{name} wrote {written}"

    def chain(self):
        """Each decision begins where the last one ended, and no step is left out."""
        for before, now in zip(self.decisions, self.decisions[1:]):
            for key in ("state", "step", "weights"):
                assert now["from"][key] == before["to"][key], (before, now)
        for decision in self.decisions:
            source, target = decision["from"], decision["to"]
            assert target["step"] <= source["step"] + 1 or target["step"] == 0, decision


class Seen(NamedTuple):
    since: float  # of the tests' clock: it was asked
    until: float  # … and had answered
    weight: float
    role: str
    version: str


class Watched:
    """Asks one instance for its live weight and its role all the time; whoever does not answer is asked again."""

    def __init__(self, daemon, pause=0.02):
        self.daemon, self.seen, self.excused = daemon, [], []
        self._stop = threading.Event()
        self._pause = pause
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(self._pause):
            since = time.time()
            try:
                told = self.daemon.status()
            except (OSError, AssertionError, EOFError, ValueError):
                continue
            except Exception as error:  # pylint: disable=broad-except
                if type(error).__name__ != "Cut":  # it was killed while it answered
                    raise
                continue
            route = told["routes"][0]
            weight = next(v["weight"] for v in route["variants"] if v["name"] == "canary")
            self.seen.append(Seen(since, time.time(), weight, (told["fleet"] or {}).get("role"), route["rollout"]["version"]))

    def excuse(self):
        """It hears nothing from now on: what it has now it may keep, until `hears` is called."""
        self.excused.append([time.time(), float("inf")])

    def hears(self, grace):
        self.excused[-1][1] = time.time() + grace

    def stop(self):
        self._stop.set()
        self._thread.join(40)

    def _since(self, moment, lag):
        return min([moment - lag, *(begin - lag for begin, end in self.excused if begin <= moment <= end)])

    def check(self, decisions, lag):
        """No weight is above what a decision made by then gives, nor above the last one for longer than `lag` seconds."""
        changes = [(0.0, 0.0)] + [(d["at"], d["to"]["weights"]["canary"]) for d in decisions]
        for seen in self.seen:
            since = self._since(seen.since, lag)
            after = [at for at, _ in changes[1:]] + [float("inf")]
            allowed = [w for (at, w), next_at in zip(changes, after) if at <= seen.until + 0.002 and next_at >= since]
            assert seen.weight <= max(allowed), (self.daemon.name, seen, allowed, decisions[-3:])

    def leaderships(self):
        """(from, to) in which it surely said that it leads."""
        spans, first, last = [], None, None
        for seen in [*self.seen, Seen(0, 0, 0, None, "")]:
            if seen.role == "leader":
                first, last = first or seen, seen
            elif first:
                spans.append((first.until, last.since))
                first = None
        return [(a, b) for a, b in spans if a < b]


def never_two(watched):
    """No two of them said at the same moment that they lead."""
    spans = sorted((a, b, one.daemon.name) for one in watched for a, b in one.leaderships())
    for (a, b, first), (c, d, second) in zip(spans, spans[1:]):
        assert b <= c or first == second, f"{first} led from {a} to {b}, {second} from {c} to {d}"
    return len(spans)
