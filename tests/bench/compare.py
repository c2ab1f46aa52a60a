#!/usr/bin/python3
"""sluice beside nginx and HAProxy at the same jobs: CPU per request, event or GiB, memory per connection, latency.

    SLUICE=build/release/sluice /usr/bin/python3 tests/bench/compare.py [SCENARIO ... | all] [--repeats 5] [--json FILE]

Each proxy runs on core 0, the load generator and the origin (traffic/, compiled first) on core 1. The repeats are
interleaved (A B C A B C ...), so that whatever else the machine does hits all alike: read the ratios of one run, never the
absolute figures of two. CPU is what the kernel accounts to the proxy's threads (schedstat). Nothing else should run;
"others" tells how much of core 0 something else took. --list names the scenarios; --sluice NAME=PATH, said several
times, compares builds of sluice with each other."""
import argparse
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
# pylint: disable=wrong-import-position
import measure  # noqa: E402
from harness.load import free_port  # noqa: E402
from peers import PEERS, WEIGHTS, Place  # noqa: E402
from peers import sluice as configure_sluice  # noqa: E402
from scenarios import SCENARIOS  # noqa: E402

TRAFFIC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "traffic")
PROXY_CORE, LOAD_CORE = "0", "1"
SETTLE = 0.3  # seconds between two samples


def compile_traffic(folder):
    """The load generator and the origin, for this run."""
    parts = {"load": ["load", "answer", "times", "transport", "wire"], "origin": ["origin", "wire"]}
    for program, sources in parts.items():
        libraries = ["-lssl", "-lcrypto"] if program == "load" else []
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", os.path.join(folder, program),
                        *(os.path.join(TRAFFIC, f"{s}.c") for s in sources), *libraries], check=True)


class Contender:
    """A proxy with a job: what one row of a table is about."""

    def __init__(self, label, configure, job):
        self.label, self.configure, self.job = label, configure, job
        self.samples = []
        self.process = self.port = None

    def start(self, run):
        folder = tempfile.mkdtemp(dir=run.folder)
        os.chmod(folder, 0o755)
        self.port = free_port()
        argv = self.configure(self.job, Place(folder, self.port, run.ports))
        self.process = run.processes.start(run.proxy_cores, argv)
        measure.wait_port(self.port, self.process)


class Run:
    """A scenario's processes: the origin and all contenders, at once."""

    def __init__(self, scenario, folder, options):
        self.scenario, self.folder, self.options = scenario, folder, options
        self.processes = measure.Processes(folder)
        # Two workers have a core each: they and the load share both.
        spread = scenario.then and scenario.then.workers > 1
        self.proxy_cores = f"{PROXY_CORE},{LOAD_CORE}" if spread else PROXY_CORE
        self.load_cores = self.proxy_cores if spread else LOAD_CORE
        self.ports = []
        self.contenders = list(self.choose())

    def choose(self):
        for name in self.options.peers or self.scenario.peers:
            builds = {name: PEERS[name]}
            if name == "sluice" and self.options.sluice:
                builds = {f"sluice {n}": functools.partial(configure_sluice, binary=path) for n, path in self.options.sluice}
            for label, configure in builds.items():
                yield Contender(label, configure, self.scenario.job)
                if self.scenario.then:
                    yield Contender(f"{label}, then", configure, self.scenario.then)

    def start_origin(self):
        count = max(len(WEIGHTS), *(c.job.endpoints for c in self.contenders), 1)
        origin = self.processes.start(self.load_cores, [os.path.join(self.folder, "origin"), str(count)], stdout=subprocess.PIPE)
        self.ports = [int(p) for p in origin.stdout.readline().split()]
        if len(self.ports) != count:
            raise SystemExit("the origin did not start")

    def sample(self, contender):
        """One run of the load against a contender."""
        scenario, seconds = self.scenario, self.options.seconds or self.scenario.seconds
        load = self.processes.start(
            self.load_cores, [os.path.join(self.folder, "load"), *scenario.load.split()[:1], str(contender.port),
                              *scenario.load.split()[1:], "-d", str(seconds)], stdout=subprocess.PIPE, text=True)
        pids = measure.tree(contender.process.pid)
        memory = measure.memory(pids)
        words = iter(load.stdout.readline, "")
        told = None
        for line in words:
            if line == "start\n":
                before, busy = measure.cpu(pids), measure.busy(PROXY_CORE)
                if scenario.figure == "KiB":
                    memory = measure.memory(pids) - memory
            elif line == "end\n":
                used = [b - a for a, b in zip(before, measure.cpu(pids))]
                busy = measure.busy(PROXY_CORE) - busy
            else:
                told = json.loads(line)
        if load.wait(measure.PATIENCE) != 0 or told is None:
            with open(load.log) as log:
                raise SystemExit(f"{contender.label}: {log.read()}")
        self.processes.running.remove(load)
        ticks = used[1] + used[2] or 1
        told.update(cpu=used[0], user_share=used[1] / ticks, others=max(0.0, busy - used[0]) / told["seconds"])
        if scenario.figure == "KiB":
            told["figure"] = memory / scenario.connections
        elif scenario.figure == "p50":
            told["figure"] = told["p50_us"]
        else:
            told["figure"] = used[0] / max(1e-9, scenario.units(told)) * (1 if scenario.figure == "GiB" else 1e6)
        return told

    def all(self):
        fresh = self.scenario.figure == "KiB"  # memory once taken is not given back: a new process per sample
        try:
            self.start_origin()
            for contender in self.contenders if not fresh else ():
                contender.start(self)
            time.sleep(SETTLE)
            for _ in range(self.options.repeats):
                for contender in self.contenders:
                    if fresh:
                        contender.start(self)
                        time.sleep(SETTLE)
                    contender.samples.append(self.sample(contender))
                    if fresh:
                        self.processes.stop(contender.process)
                    time.sleep(SETTLE)
        finally:
            self.processes.stop_all()


def spread(values):
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def ratios(scenario, contenders):
    """What each row is compared with, and the ratios of the pairs: {(a, b): a's figure over b's}."""
    found = {}
    if scenario.then:
        pairs = zip(contenders[1::2], contenders[0::2])
    else:
        ours = [c for c in contenders if c.label.startswith("sluice")]
        pairs = [(o, c) for o in ours for c in contenders if c is not o and (c not in ours or ours.index(c) < ours.index(o))]
    for a, b in pairs:
        found[a.label, b.label] = spread([x["figure"] / y["figure"] for x, y in zip(a.samples, b.samples)])
    return found


def words(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(name, scenario, contenders, repeats):
    times = f"median (least to most) of {repeats}"
    print(f"\n### {name}: {scenario.about}\n\n| | {scenario.unit}, {times} | of it in user space | a second | p50 us | others | failed |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for c in contenders:
        figure = spread([s["figure"] for s in c.samples])
        middle = {k: statistics.median(s[k] for s in c.samples) for k in ("user_share", "p50_us", "others")}
        pace = statistics.median(scenario.units(s) / s["seconds"] for s in c.samples)
        counted = scenario.figure in ("request", "event", "GiB")
        user = words(figure["median"] * middle["user_share"]) if counted else "-"
        failed = sum(s["errors"] + s["other_status"] for s in c.samples)
        print(f"| {c.label} | {words(figure['median'])} ({words(figure['least'])} to {words(figure['most'])}) | {user} | "
              f"{words(pace)} | {words(middle['p50_us'])} | {middle['others']:.0%} | {failed} |")
    for (a, b), r in ratios(scenario, contenders).items():
        print(f"\n{a} to {b}: {r['median']:.2f} ({r['least']:.2f} to {r['most']:.2f})")
    sys.stdout.flush()


def machine():
    with open("/proc/cpuinfo") as f:
        model = next((line.partition(":")[2].strip() for line in f if line.startswith("model name")), "unknown")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": os.uname().release, "time": int(time.time())}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scenarios", nargs="*", default=["canary64"], metavar="SCENARIO")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, help="of each sample; the scenario's own otherwise")
    parser.add_argument("--peers", type=lambda s: s.split(","), help=f"of {', '.join(PEERS)}")
    parser.add_argument("--sluice", action="append", type=lambda s: s.split("=", 1), metavar="NAME=PATH")
    parser.add_argument("--json", metavar="FILE", help="the samples and ratios")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.scenarios == ["all"]:
        options.scenarios = list(SCENARIOS)
    for what, known in ((options.scenarios, SCENARIOS), (options.peers or [], PEERS)):
        for name in what:
            if name not in known:
                parser.error(f"{name} is none of: {', '.join(known)}")
    if any(len(s) != 2 for s in options.sluice or []):
        parser.error("--sluice wants NAME=PATH")
    return options


def main():
    options = parse()
    if options.list:
        for name, scenario in SCENARIOS.items():
            print(f"{name:10} {scenario.about} ({scenario.unit})")
        return
    if os.cpu_count() < 2:
        raise SystemExit("two cores are needed: one for the proxy, one for the load")
    for tool in ("taskset", "openssl", "nginx", "haproxy"):
        if not shutil.which(tool):
            raise SystemExit(f"{tool} is not installed")
    written = {"machine": machine(), "scenarios": {}}
    failed = 0
    for name in options.scenarios:
        scenario = SCENARIOS[name]
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            compile_traffic(folder)
            run = Run(scenario, folder, options)
            run.all()
        table(name, scenario, run.contenders, options.repeats)
        failed += sum(s["errors"] + s["other_status"] for c in run.contenders for s in c.samples)
        written["scenarios"][name] = {
            "about": scenario.about, "unit": scenario.unit, "samples": {c.label: c.samples for c in run.contenders},
            "ratios": [{"of": a, "to": b, **r} for (a, b), r in ratios(scenario, run.contenders).items()]}
        if options.json:
            with open(options.json, "w") as f:
                json.dump(written, f, indent=1)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
