#!/usr/bin/python3
"""What a fleet costs etcd, and what it costs an instance.

    SLUICE=build/release/sluice /usr/bin/python3 tests/bench/fleet.py [sustain] [costs] [play] [lead] [daemons]
        [--instances 100] [--routes 10] [--seconds 30] [--settle 5] [--ttl 5] [--kept] [--no-looks] [--tallies-every 1]
        [--groups-every 60] [--save-every 5] [--folder DIRECTORY] [--etcd="--auto-compaction-retention=1m"] [--nice -8] [--json FILE]

One real etcd of one member, and
  sustain  what it takes of such writes, from 64 writers that wait for nothing else: the values are as large as those of so
           many routes, sixty tallies for each report of groups; over connections that are kept and over one for each write
  costs    etcd's CPU for one request of each kind, --instances members being there
  play     --instances members and their leader, played (fleet_members.py), for --seconds, and their share of what `sustain` found
  lead     the same, but a real daemon leads and another one is a member: what it costs these two
  daemons  CPU of two daemons without requests: without a fleet, in one without a rollout, with --routes of them running
All of these without a word. CPU is what the kernel says that the process used; --folder says where etcd keeps its data, --etcd
gives it more options. --kept, --no-looks and --…-every: what it would be if the daemon wrote over connections that it keeps, did
not ask for what its watch may have missed, or wrote tallies, groups and records as seldom; by default it is as the daemon does it.
--nice: where other programs leave too little of the machine, so that what is measured is not how long it waits for its turn."""
import argparse
import base64
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]
# pylint: disable=wrong-import-position
import fleet_evidence  # noqa: E402
from fleet_wire import end_of, text  # noqa: E402
from harness.etcd import Etcd  # noqa: E402
from harness.sluice import Sluice, pool, route  # noqa: E402
from harness.upstream import Upstream  # noqa: E402
from harness.wait import wait_for  # noqa: E402
from measure import cpu  # noqa: E402

PREFIX = "/sluice/bench"
WHAT = ["sustain", "costs", "play", "lead", "daemons"]
WRITERS, SATURATE = 64, 8
MIX = ["tally"] * 60 + ["groups"]
QUOTA = 8 << 30
MIB = 1 << 20


class Store:
    """etcd, and what it has used since begin()."""

    def __init__(self, settings):
        self.made = tempfile.TemporaryDirectory(prefix="fleet-", dir=settings.folder)  # pylint: disable=consider-using-with
        options = ["--quota-backend-bytes", str(QUOTA)]
        self.etcd = Etcd(self.made.name, options=options + shlex.split(settings.etcd))
        self.member = self.etcd.members[0]
        self.pid, self.before, self.said, self.record = self.member.child.pid, {}, None, None

    def figures(self):
        page = urllib.request.urlopen(self.member.url + "/metrics", timeout=10).read().decode()
        names = {"db": "etcd_mvcc_db_total_size_in_bytes", "used": "etcd_mvcc_db_total_size_in_use_in_bytes",
                 "fsyncs": "etcd_disk_wal_fsync_duration_seconds_count", "fsync": "etcd_disk_wal_fsync_duration_seconds_sum",
                 "commit": "etcd_disk_backend_commit_duration_seconds_sum", "applied": "etcd_server_proposals_applied_total"}
        lines = dict(line.rsplit(" ", 1) for line in page.splitlines() if line and line[0] != "#")
        with open(f"/proc/{self.pid}/io", encoding="ascii") as file:
            written = int(next(line for line in file if line.startswith("write_bytes")).split()[1])
        with open("/proc/stat", encoding="ascii") as file:
            times = [int(word) for word in file.readline().split()[1:9]]
        return {"at": time.monotonic(), "cpu": cpu([self.pid])[0], "written": written, "all": sum(times), "idle": times[3] + times[4],
                "rss": self.member.child.rss_kib() * 1024, **{key: float(lines.get(name, 0)) for key, name in names.items()}}

    def begin(self):
        self.before = self.figures()

    def end(self):
        now = self.figures()
        told = {key: now[key] - self.before[key] for key in now}
        seconds = told["at"]
        return {"seconds": seconds, "cpu_percent": 100 * told["cpu"] / seconds, "cpu": told["cpu"], "fsyncs_a_second": told["fsyncs"] / seconds,
                "fsync_ms": 1000 * told["fsync"] / max(1, told["fsyncs"]), "fsync_share": told["fsync"] / seconds,
                "written_mib_a_second": told["written"] / seconds / MIB, "db_mib_a_second": told["db"] / seconds / MIB,
                "db_mib": now["db"] / MIB, "db_used_mib": now["used"] / MIB, "rss_mib": now["rss"] / MIB,
                "machine_busy_percent": 100 * (1 - told["idle"] / max(1, told["all"]))}

    def below(self, folder):
        """Keys and values, and the revision of each."""
        key = f"{PREFIX}/{folder}"
        pairs = self.etcd.post("/v3/kv/range", key=text(key), range_end=end_of(key)).get("kvs", [])
        return {base64.b64decode(p["key"]).decode()[len(key):]: (base64.b64decode(p["value"]), int(p["mod_revision"])) for p in pairs}

    def stop(self):
        self.etcd.stop()
        self.made.cleanup()


class Players:
    """Processes that play members."""

    def __init__(self, store, count, processes=1, **settings):
        self.running, each = [], -(-count // processes)
        for first in range(0, count, each):
            what = {"port": store.member.client, "prefix": PREFIX, "instances": min(each, count - first), "offset": first, "lead": False,
                    "kept": False, "looks": True, "all": count, "groups_every": 60, "save_every": 5, "tallies_every": 1, **settings}
            what["lead"] = what["lead"] and not first
            # pylint: disable-next=consider-using-with
            self.running.append(subprocess.Popen([sys.executable, str(HERE / "fleet_members.py")], stdin=subprocess.PIPE,
                                                 stdout=subprocess.PIPE, text=True))
            self.running[-1].stdin.write(json.dumps(what) + "\n")
            self.running[-1].stdin.flush()
        for process in self.running:
            if process.stdout.readline() != "ready\n":
                self.kill()
                raise SystemExit("the members could not join")

    def say(self, word):
        for process in self.running:
            process.stdin.write(word + "\n")
            process.stdin.flush()

    def measure(self, store, seconds):
        self.say("begin")
        store.begin()
        time.sleep(seconds)
        used = store.end()
        self.say("end")
        try:
            return used, [json.loads(process.communicate(timeout=60)[0]) for process in self.running]
        finally:
            self.kill()

    def kill(self):
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait()


class Proxies:
    """Two daemons without requests; their routes have rollouts that go on for an hour."""

    def __init__(self, folder, store, settings, fleet=True, rollouts=True):
        servers = [Upstream(name) for name in ("stable", "canary")]
        variants = {"stable": {"pool": "stable", "version": "v1", "weight": 80}, "canary": {"pool": "canary", "version": "v2", "weight": 20}}
        plan = {"strategy": "canary", "steps": [{"weight": 20, "for": "60m"}, {"weight": 100}], "guards": fleet_evidence.GUARDS, "horizon": "1s"}
        routes = [route(f"route-{n}", variants, match={"path_prefix": f"/{n}/"}, sticky={"by": ["header X-User-Id"]},
                        **({"rollout": plan} if rollouts else {})) for n in range(settings.routes)]
        self.daemons, self.folder = [], tempfile.TemporaryDirectory(dir=folder)  # pylint: disable=consider-using-with
        for n in range(2):
            joined = {"instance": f"proxy-{n}", "etcd": {"endpoints": store.etcd.urls, "prefix": PREFIX, "ttl": f"{settings.ttl}s"}}
            self.daemons.append(Sluice(self.folder.name, {"workers": 1, "pools": {"stable": pool(servers[0]), "canary": pool(servers[1])},
                                                          "routes": routes, **({"fleet": joined} if fleet else {})}, name=f"sluice{n}"))
            if fleet:  # the first one leads
                wait_for(lambda: self.daemons[-1].status()["fleet"]["leader"] == "proxy-0", 20, "the first one leads")
        if fleet and rollouts:
            wait_for(lambda: len(store.below("shared/routes/")) == settings.routes, 20, "the rollouts have begun")

    def used(self):
        return [cpu([daemon.pid])[0] for daemon in self.daemons]

    def stop(self):
        for daemon in self.daemons:
            daemon.stop()
        self.folder.cleanup()


def known(store):
    """What the daemons wrote, for those who play others; one of them must have been there when this was asked first."""
    routes = {}
    store.said = store.said or json.loads(next(iter(store.below("shared/members/").values()))[0])
    for name, (value, revision) in store.below("shared/routes/").items():
        record = json.loads(value)
        routes[name] = {**{key: record[key] for key in ("epoch", "shares", "serial")}, "revision": revision, "value": record}
    store.record = store.record or routes["route-0"]["value"]
    return {"routes": routes, "member": store.said}


def sizes(store, settings):
    """Bytes of each value, as they stand in etcd; those of evidence with large counts."""
    routes = known(store)["routes"]
    of = {what: len(fleet_evidence.report(routes, what, 60)) for what in ("tally", "groups")}
    ids = [f"{n:016x}" for n in range(settings.instances)]
    return {**of, "record": len(store.below("shared/routes/")["route-0"][0]), "ledger": len(fleet_evidence.ledger(1000, 1, ids, 60)),
            "member": len(next(iter(store.below("shared/members/").values()))[0])}


def saturate(store, cycle, writers=WRITERS, seconds=SATURATE):
    players = Players(store, writers, mode="saturate", ttl=60, cycle=cycle, record=store.record, **known(store))
    players.say("start")
    used, (told,) = players.measure(store, seconds)
    count = sum(kind["count"] for kind in told["took_ms"].values())
    if told["failed"]:
        print("  failed:", told["failed"])
    return {**used, "a_second": count / told["seconds"], "ms_each": 1000 * used["cpu"] / count, "generator_percent": 100 * told["own_cpu"],
            "took_ms": told["took_ms"], "sent_mib_a_second": told["sent_bytes"] / told["seconds"] / MIB}


def sustain(store, _settings):
    rows = {}
    for name, cycle in (("tallies", ["tally"]), ("tallies, a connection each", ["tally fresh"]), ("groups", ["groups"]), ("sixty to one", MIX),
                        ("sixty to one, a connection each", [kind + " fresh" for kind in MIX])):
        rows[name] = row = saturate(store, cycle)
        print(f"  {name:30} {row['a_second']:6.0f} a second  {row['sent_mib_a_second']:5.1f} MiB/s  etcd {row['cpu_percent']:4.0f} % CPU, "
              f"{row['ms_each']:.3f} ms each  fsyncs {row['fsyncs_a_second']:4.0f}/s of {row['fsync_ms']:.2f} ms: {100 * row['fsync_share']:.0f} % "
              f"of the time  generator {row['generator_percent']:.0f} %  machine {row['machine_busy_percent']:.0f} % busy", flush=True)
    return rows


def costs(store, settings):
    """Few writers: what is asked for is CPU, not speed."""
    rows, never = {}, 1e9
    crowd = Players(store, settings.instances, mode="play", ttl=60, looks=False, groups_every=never, tallies_every=never,
                    **{**known(store), "routes": {}})
    crowd.say("start")
    time.sleep(2)
    store.begin()
    time.sleep(4)
    rows["idle"] = store.end()
    print(f"  with {settings.instances} members that only watch and are there: {rows['idle']['cpu_percent']:.1f} % CPU")
    try:
        for kind in ("keep", "look", "tally", "tally fresh", "groups", "groups fresh", "record"):
            rows[kind] = row = saturate(store, [kind], writers=1 if kind == "record" else 8, seconds=4)
            row["ms_each"] -= 10 * rows["idle"]["cpu_percent"] / row["a_second"]
            print(f"  {kind:13} {row['ms_each']:7.3f} ms of etcd's CPU, {row['a_second']:.0f} a second", flush=True)
    finally:
        crowd.kill()
    return rows


def play(store, settings, proxies=None):
    """`proxies`: they are two of the instances, and one of them leads."""
    count = settings.instances - (2 if proxies else 0)
    played = Players(store, count, processes=1 if count <= 300 else 2, mode="play", ttl=settings.ttl, kept=settings.kept,
                     looks=not settings.no_looks, tallies_every=settings.tallies_every, groups_every=settings.groups_every,
                     save_every=settings.save_every, lead=not proxies, **known(store))
    played.say("start")
    time.sleep(settings.settle)
    before = proxies.used() if proxies else []
    used, told = played.measure(store, settings.seconds)
    after = proxies.used() if proxies else []
    row = {"etcd": used, "players": told, "daemons_percent": [100 * (b - a) / used["seconds"] for a, b in zip(before, after)]}
    written = sum(one["took_ms"].get(kind, {"count": 0})["count"] for one in told for kind in ("tally", "groups", "save"))
    row["writes_a_second"] = written / used["seconds"]
    print(f"  etcd {used['cpu_percent']:.1f} % CPU, RSS {used['rss_mib']:.0f} MiB, writes {row['writes_a_second']:.0f}/s, "
          f"to disk {used['written_mib_a_second']:.2f} MiB/s, database +{used['db_mib_a_second'] * 3600 / 1024:.2f} GiB an hour "
          f"(now {used['db_mib']:.0f}, in use {used['db_used_mib']:.0f} MiB), fsync {used['fsync_ms']:.2f} ms, "
          f"{100 * used['fsync_share']:.0f} % of the time, machine {used['machine_busy_percent']:.0f} % busy")
    for one in told:
        took = "  ".join(f"{kind} {t['count']}: {t['p50']:.1f}/{t['p99']:.1f}" for kind, t in one["took_ms"].items())
        print(f"  ms p50/p99  {took}  late {one['late_ms'].get('p50', 0):.1f}/{one['late_ms'].get('p99', 0):.1f}  "
              f"events {one['events'] / one['seconds']:.0f}/s, {one['received_bytes'] / one['seconds'] / MIB:.2f} MiB/s  "
              f"coalesced {one['coalesced']}  generator {100 * one['own_cpu']:.0f} %  failed {one['failed']}", flush=True)
    if proxies:
        tell_daemons(proxies, row)
    return row


def tell_daemons(proxies, row):
    """What they used, and whether the one that leads takes what is played: requests of the first guard of the first route."""
    for daemon, percent in zip(proxies.daemons, row["daemons_percent"]):
        told, first = daemon.status()["fleet"], daemon.admin().get("/api/v1/routes/route-0")["rollout"]["guards"][0]
        print(f"  {told['role']:6} {percent:.1f} % CPU, RSS {daemon.child.rss_kib() / 1024:.0f} MiB, began anew {told['rejoins']} times, has seen "
              f"{first['baseline']['requests']} requests of the baseline", flush=True)


def daemons(store, settings):
    rows = {}
    for name, how in (("without a fleet or a rollout", {"fleet": False, "rollouts": False}), ("rollouts, without a fleet", {"fleet": False}),
                      ("a fleet without a rollout", {"rollouts": False}), ("a fleet with rollouts", {})):
        proxies = Proxies(store.made.name, store, settings, **how)
        try:
            time.sleep(3)
            before, began = proxies.used(), time.monotonic()
            time.sleep(20)
            rows[name] = [100 * (b - a) / (time.monotonic() - began) for a, b in zip(before, proxies.used())]
        finally:
            proxies.stop()
        print(f"  {name:30} CPU of the first {rows[name][0]:.2f} %, of the second {rows[name][1]:.2f} %", flush=True)
    return rows


def compare(figures):
    """The load by what is sustained, over connections as the daemons have them."""
    most, load = figures["sustain"]["sixty to one, a connection each"], figures["play"]
    writes, processor = load["writes_a_second"] / most["a_second"], load["etcd"]["cpu_percent"] / most["cpu_percent"]
    print(f"share of what one etcd sustains: {100 * writes:.1f} % of the writes, {100 * processor:.1f} % of its CPU then; "
          f"{load['etcd']['cpu_percent'] / os.cpu_count():.1f} % of the machine")
    return {"writes": writes, "cpu": processor}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="WHAT", help=", ".join(WHAT))
    parser.add_argument("--instances", type=int, default=100)
    parser.add_argument("--routes", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--ttl", type=int, default=5)
    parser.add_argument("--kept", action="store_true", help="the members write over connections that are kept")
    parser.add_argument("--tallies-every", type=float, default=1)
    parser.add_argument("--groups-every", type=float, default=60)
    parser.add_argument("--save-every", type=float, default=5)
    parser.add_argument("--no-looks", action="store_true")
    parser.add_argument("--settle", type=float, default=5)
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--folder")
    parser.add_argument("--etcd", default="")
    parser.add_argument("--json")
    settings = parser.parse_args()
    if unknown := set(settings.what) - set(WHAT):
        parser.error(f"{', '.join(unknown)}: not one of {', '.join(WHAT)}")
    os.setpriority(os.PRIO_PROCESS, 0, settings.nice)  # everything that is started has it too
    wanted, figures = [what for what in WHAT if not settings.what or what in settings.what], {"settings": vars(settings)}
    for what in wanted:
        store = Store(settings)  # another one each time, so that nothing is left in it
        print(f"{what}: {settings.instances} instances, {settings.routes} routes, etcd's data on {filesystem(store.made.name)}", flush=True)
        try:
            proxies = None if what == "daemons" else Proxies(store.made.name, store, settings)
            try:
                if proxies:
                    figures["bytes"] = sizes(store, settings)
                    print("  bytes of a value:", ", ".join(f"{name} {size}" for name, size in figures["bytes"].items()), flush=True)
                if proxies and what != "lead":
                    proxies.stop()
                run = {"lead": lambda: play(store, settings, proxies)}.get(what, lambda: globals()[what](store, settings))
                figures[what] = run()
            finally:
                if proxies and what == "lead":
                    proxies.stop()
        finally:
            store.stop()
    if "sustain" in figures and "play" in figures:
        figures["share"] = compare(figures)
    if settings.json:
        pathlib.Path(settings.json).write_text(json.dumps(figures, indent=1), encoding="utf-8")


def filesystem(path):
    """… that the path lies on."""
    with open("/proc/mounts", encoding="utf-8") as file:
        mounts = [line.split()[1:3] for line in file]
    return max((mount for mount in mounts if os.path.realpath(path).startswith(mount[0])), key=lambda mount: len(mount[0]))[1]


if __name__ == "__main__":
    main()
