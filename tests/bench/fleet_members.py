"""Played members of a fleet, for tests/bench/fleet.py: what they do is what the daemon does, when it does it
(src/control/fleet.c, rollouts_fleet.c, share_lead.c). The first line of stdin has the settings. Says "ready" when all have joined;
they report from a line "start" on, and what is measured from "begin" to "end" is told as JSON then.

Settings, in JSON: port, prefix, mode ("play" or "saturate"), instances, all (how many there are, with other processes'), offset (of
the names), ttl, routes and member (as they stand in etcd), lead (the first of them leads), kept (evidence over connections that are
kept), looks, tallies_every, groups_every and save_every (seconds); to saturate: cycle (kinds of requests) and record."""
import collections
import json
import os
import resource
import sys
import time

import fleet_evidence
from fleet_wire import Connection, Wire, chunk, end_of, put, text, transaction

LOOKS, ASK = 6, 2  # keep-alives, seconds
JOINS = 100  # a second
SEEDS = 20


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else None


class Figures:
    def __init__(self):
        self.took, self.failed, self.bytes, self.events, self.coalesced = collections.defaultdict(list), collections.Counter(), 0, 0, 0

    def count(self, kind, size, status, body, seconds):
        self.bytes += size
        if status == 200:
            self.took[kind].append(seconds)
        else:
            self.failed[f"{kind} {status} {body[:120].decode(errors='replace')}"] += 1

    def told(self):
        return {"took_ms": {kind: {"count": len(all_of), **{f"p{q}": 1000 * quantile(all_of, q / 100) for q in (50, 99, 100)}}
                            for kind, all_of in self.took.items()},
                "failed": dict(self.failed), "sent_bytes": self.bytes, "events": self.events, "coalesced": self.coalesced}


class Player:
    """What all members that this process plays have in common."""

    def __init__(self, settings):
        self.settings, self.wire, self.figures = settings, Wire(("127.0.0.1", settings["port"])), Figures()
        self.prefix, self.routes, self.began = settings["prefix"], settings["routes"], time.monotonic()
        self.members, self.over, self.words, self._reports = [], False, "", {}
        self.processor = self.since = 0

    def key(self, name):
        return f"{self.prefix}/{name}"

    def report(self, what, number):
        """Many have counted the same, so that it is made once a second and not once a second for each."""
        every, seed = (1, 0) if what == "tally" else (self.settings["groups_every"], number % SEEDS)
        turn = int((time.monotonic() - self.began) / every) * every
        if self._reports.get((what, seed), (None,))[0] != turn:
            self._reports[what, seed] = (turn, fleet_evidence.report(self.routes, what, turn, seed))
        return self._reports[what, seed][1]

    def ask(self, kind, path, body, then=None, connection=None):
        def done(status, answer, seconds):
            self.figures.count(kind, len(body), status, answer, seconds)
            if then:
                then(status, answer)
        (connection or self.wire).ask(path, body, done)

    def heard(self, piece):
        self.figures.events += piece.count(b'"mod_revision"')

    def command(self, _events):
        self.words += os.read(0, 4096).decode()
        while "\n" in self.words:
            word, _, self.words = self.words.partition("\n")
            self.told_to(word)

    def told_to(self, word):
        if word == "start":
            for member in self.members:
                member.begin()
        elif word == "begin":
            self.figures, self.wire.late, self.wire.received = Figures(), [], 0
            self.processor, self.since = time.process_time(), time.monotonic()
        else:
            self.over = True

    def run(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        self.wire.also(sys.stdin, self.command)
        saturate = self.settings["mode"] == "saturate"
        for number in range(self.settings["instances"]):
            self.members.append((Writer if saturate else Member)(self, self.settings["offset"] + number))
        self.wire.run(lambda: self.over or all(member.joined for member in self.members))
        print("ready", flush=True)
        self.wire.run(lambda: self.over)
        seconds = time.monotonic() - self.since
        late = self.wire.late
        print(json.dumps({**self.figures.told(), "received_bytes": self.wire.received, "seconds": seconds,
                          "own_cpu": (time.process_time() - self.processor) / seconds,
                          "late_ms": {f"p{q}": 1000 * quantile(late, q / 100) for q in (50, 99)} if late else {}}), flush=True)


class Joined:
    """Has a lease."""

    def __init__(self, player, number):
        self.player, self.number, self.id, self.joined, self.lease = player, number, f"{number:016x}", False, None
        player.wire.at(player.began + (number - player.settings["offset"]) / JOINS, self.join)

    def join(self):
        self.player.ask("grant", "/v3/lease/grant", json.dumps({"TTL": str(self.player.settings["ttl"])}).encode(), self.granted)

    def granted(self, status, answer):
        if status != 200:
            raise SystemExit(f"no lease: {status} {answer[:200]}")
        self.lease = json.loads(answer)["ID"]
        self.granted_at = time.monotonic()  # pylint: disable=attribute-defined-outside-init
        self.settle()


class Writer(Joined):
    """One request after the other, of the kinds in `cycle`, over and over."""

    def __init__(self, player, number):
        super().__init__(player, number)
        self.turn = number
        self.connection = Connection(player.wire)

    def settle(self):
        self.joined = True

    def begin(self):
        self.again(200, b"")

    def again(self, _status, _answer):
        player = self.player
        kind = player.settings["cycle"][self.turn % len(player.settings["cycle"])]
        self.turn += 1
        what, connection = kind.partition(" ")[0], None if kind.endswith(" fresh") else self.connection
        if what == "look":
            player.ask(kind, "/v3/kv/txn", look(player), self.again, connection)
        elif what == "record":
            player.ask(kind, "/v3/kv/txn", put(player.key("shared/bench"), json.dumps(player.settings["record"])), self.again, connection)
        elif what == "keep":
            player.ask(kind, "/v3/lease/keepalive", json.dumps({"ID": self.lease}).encode(), self.again, connection)
        else:
            key = player.key(f"evidence/{self.id}" + ("/groups" if what == "groups" else ""))
            player.ask(kind, "/v3/kv/txn", put(key, player.report(what, self.number), self.lease), self.again, connection)


def look(player):
    """Is anything below shared/ newer than that?"""
    key = player.key("shared/")
    return json.dumps({"compare": [{"key": text(key), "range_end": end_of(key), "result": "LESS", "target": "MOD",
                                    "mod_revision": str(1 << 60)}], "success": [], "failure": []}).encode()


class Member(Joined):
    def __init__(self, player, number):
        super().__init__(player, number)
        self.kept = Connection(player.wire)  # as libcurl keeps one
        self.watch = Connection(player.wire, heard=player.heard)
        self.writing, self.again, self.keeps = {}, set(), 0
        self.leader_since, self.revisions, self.serials = None, {}, {}
        self.leads = player.settings["lead"] and number == player.settings["offset"]

    def settle(self):
        """It says what it is, and keeps its lease."""
        player, ttl = self.player, self.player.settings["ttl"]
        member = {**player.settings["member"], "name": f"played-{self.number}"}
        player.ask("member", "/v3/kv/txn", put(player.key(f"shared/members/{self.id}"), json.dumps(member), self.lease), self.said)
        player.wire.every(self.granted_at + ttl / 3, ttl / 3, self.keep)

    def said(self, status, answer):
        if status != 200:
            raise SystemExit(f"not a member: {status} {answer[:200]}")
        self.joined = not self.leads
        if self.leads:
            value = json.dumps({"id": self.id, "name": f"played-{self.number}"})
            self.player.ask("lead", "/v3/kv/txn", put(self.player.key("shared/leader"), value, self.lease), self.led)

    def led(self, _status, answer):
        player = self.player
        self.leader_since = json.loads(answer)["header"]["revision"]
        self.joined = True
        for name, record in player.routes.items():
            self.serials[name], self.revisions[name] = record["serial"], record["revision"]

    def open(self, watch, folder):
        key = self.player.key(folder)
        watch.ask("/v3/watch", json.dumps({"create_request": {"key": text(key), "range_end": end_of(key), "progress_notify": True,
                                                              "fragment": True}}).encode() + b"\n", lambda *_: None)
        ask = chunk(b'{"progress_request":{}}\n')
        self.player.wire.every(time.monotonic() + ASK, ASK, lambda: watch.say(ask))

    def begin(self):
        """All at other moments. The watches begin here: how everybody sees everybody come is not what is measured."""
        share, now, wire = self.number % 1000 / 1000 * 7919 % 1, time.monotonic(), self.player.wire
        wire.every(now + share, self.player.settings["tallies_every"], lambda: self.report("tally"))
        often = self.player.settings["groups_every"]
        wire.every(now + often * share, often, lambda: self.report("groups"))
        self.open(self.watch, "shared/")
        if self.leads:
            self.open(Connection(wire, heard=self.player.heard), "evidence/")
            wire.every(now + 1, self.player.settings["save_every"], self.save)

    def report(self, what):
        player = self.player
        if what in self.writing:
            player.figures.coalesced += what not in self.again
            self.again.add(what)
            return
        self.writing[what] = True
        key = player.key(f"evidence/{self.id}" + ("/groups" if what == "groups" else ""))
        player.ask(what, "/v3/kv/txn", put(key, player.report(what, self.number), self.lease), lambda *_: self.reported(what),
                   self.kept if player.settings["kept"] else None)

    def reported(self, what):
        del self.writing[what]
        if what in self.again:
            self.again.remove(what)
            self.report(what)

    def keep(self):
        player = self.player
        player.ask("keep", "/v3/lease/keepalive", json.dumps({"ID": self.lease}).encode(), None, self.kept)
        if self.keeps % (LOOKS + player.settings["all"] // 10) == 0 and player.settings["looks"]:
            player.ask("look", "/v3/kv/txn", look(player), None, self.kept)
        self.keeps += 1

    def save(self):
        """Every route's record and ledger, all of them at the same moment, as the daemon's are due."""
        player, second = self.player, int(time.monotonic() - self.player.began)
        ids = [f"{number:016x}" for number in range(player.settings["all"])]
        for name, record in player.routes.items():
            if name in self.writing:  # one proposal at a time
                continue
            self.writing[name] = True
            self.serials[name] += 1
            compares = [{"key": text(player.key("shared/leader")), "result": "EQUAL", "target": "CREATE", "create_revision": self.leader_since},
                        {"key": text(player.key(f"shared/routes/{name}")), "result": "EQUAL", "target": "MOD",
                         "mod_revision": self.revisions[name]}]
            state = json.dumps({**record["value"], "serial": self.serials[name], "by": self.id}, separators=(",", ":"))
            ledger = fleet_evidence.ledger(self.serials[name], record["epoch"], ids, second)
            puts = [(player.key(f"shared/routes/{name}"), state, None), (player.key(f"ledgers/{name}"), ledger, None)]
            player.ask("save", "/v3/kv/txn", transaction(compares, puts), lambda *answer, name=name: self.saved(name, *answer))

    def saved(self, name, status, answer):
        del self.writing[name]
        told = json.loads(answer) if status == 200 else {}
        if told.get("succeeded"):
            self.revisions[name] = told["header"]["revision"]
        else:
            self.player.figures.failed["save refused"] += 1


if __name__ == "__main__":
    said = bytearray()
    while not said.endswith(b"\n"):  # not one byte more: the selector sees no others
        said += os.read(0, 1)
    Player(json.loads(said)).run()
