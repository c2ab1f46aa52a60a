#!/usr/bin/python3
"""A long time under load: does the daemon's memory grow, or the number of its descriptors?

    SLUICE=build/release/sluice /usr/bin/python3 tests/bench/soak.py [--minutes 60] [--share 70 | --rate N]
        [--settle 10] [--json FILE]

First: how many requests a second go through with everything else going on; then SHARE percent of that for so many minutes.
Beside them: 200 event streams, TLS connections whose sessions are resumed, 100 bad clients (tests/tools/crowd.py), users that
come once with a body and a cookie, a mirror, health checks, an access log that is renamed every minute, dashboards that come
and go, two scrapes a second, every minute a reload (pools and routes come and go, every fourth brings a new version, whose
rollout runs through). Every load generator begins anew each minute. Samples are taken every five seconds; those of the first
--settle minutes say nothing. Exit 1: a request failed, or memory or descriptors have grown (see `judge`)."""
import argparse
import glob
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]
# pylint: disable=wrong-import-position
from compare import compile_traffic  # noqa: E402
from harness.certificates import make_ca, make_certificate  # noqa: E402
from harness.client import ask  # noqa: E402
from harness.load import free_port  # noqa: E402
from harness.sluice import Sluice, pool, route  # noqa: E402
from peers import raise_files  # noqa: E402

FLOOR_MOST = 2.0  # percent
MINUTE = 60
LONG = "10m"


def configuration(ports, folder, turn, certificate, listen):
    """What the turn's reload says: the same work, and other things around it."""
    variants = {"stable": {"pool": "blue", "version": "v0", "weight": 100}, "canary": {"pool": "green", "version": f"v{turn // 4}", "weight": 0},
                "shadow": {"pool": "white", "weight": 0}}
    rollout = {"strategy": "canary", "baseline": "stable", "candidate": "canary", "keep_warm": "5s", "watch": "5s", "inconclusive": "promote",
               "guards": {"error_rate": {"margin": 5}, "latency_p95": {"margin": 50}},
               "steps": [{"weight": 5, "for": "30s"}, {"weight": 30, "for": "30s"}, {"weight": 60, "for": "30s"}, {"weight": 100}]}
    health = {"interval": "1s", "timeout": "2s", "request": {"path": "/b/2"}}
    ports = [f"http://127.0.0.1:{port}" for port in ports]
    pools = {name: pool(ports[n], health=health) for n, name in enumerate(("blue", "green", "white"))}
    pools.update({f"extra{n}": pool(*ports[3:], balance="unit_hash") for n in range(turn % 5 * 10)})
    extra = [route(f"extra{n}", {"only": {"pool": f"extra{n}", "weight": 100}}, match={"path_prefix": f"/extra{n}/"}) for n in range(turn % 5 * 10)]
    users = route("users", {n: {"pool": p, "weight": w} for n, p, w in (("a", "blue", 50), ("b", "green", 50))}, match={"path": "/u"},
                  sticky={"cookie": "who", "mode": "session"})
    chat = route("chat", variants, sticky={"by": ["header X-User-Id"]}, rollout=rollout, mirror={"variant": "shadow", "share": 2})
    return {"workers": 2, "limits": {"connections": 4000}, "access_log": {"path": f"{folder}/access.log"}, "shutdown_grace": LONG,
            "timeouts": {"client_header": "5s", "client_idle": "90s"},
            "listeners": [{"address": f"127.0.0.1:{listen[0]}"},
                          {"address": f"127.0.0.1:{listen[1]}", "tls": {"certificate": certificate.certificate, "private_key": certificate.key}}],
            "pools": pools, "routes": [*extra, users, chat]}


class Soak:
    def __init__(self, folder, settings):
        self.folder, self.settings = folder, settings
        self.rate, self.daemon = 0, None
        self.plain, self.secure = free_port(), free_port()
        self.certificate = make_certificate(folder, make_ca(folder), names=["bench.local", "127.0.0.1"])
        compile_traffic(folder)
        # pylint: disable-next=consider-using-with
        self.origin = subprocess.Popen([f"{folder}/origin", "5"], stdout=subprocess.PIPE, text=True)
        self.ports = self.origin.stdout.readline().split()
        self.over = threading.Event()
        self.failures, self.loads, self.came, self.samples = [], [], 0, []

    def configured(self, turn):
        return configuration(self.ports, self.folder, turn, self.certificate, (self.plain, self.secure))

    # ---- load

    def load(self, *words, seconds=MINUTE):
        """What one run of the load generator tells; None when it was cut short by the end."""
        # pylint: disable-next=consider-using-with
        process = subprocess.Popen([f"{self.folder}/load", *map(str, words), "-d", str(seconds)], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        while process.poll() is None:
            if self.over.wait(0.1):
                process.terminate()
        out, complaints = process.communicate()
        if self.over.is_set():
            return None
        if process.returncode:
            self.failures.append(f"{' '.join(map(str, words))}: exit {process.returncode}, {complaints.strip()}")
            return None
        told = json.loads(out.splitlines()[-1])
        if told["errors"] or told["other_status"]:
            self.failures.append(f"{' '.join(map(str, words))}: {told}")
        return told

    def again(self, *words):
        while not self.over.is_set():
            told = self.load(*words)
            if told:
                self.loads.append((words[0], told))

    def newcomers(self):
        """Each comes once: a connection, a body, no cookie yet."""
        while not self.over.wait(0.02):
            try:
                answer = ask(self.daemon.address, "POST", "/u", [("X-User-Id", uuid.uuid4().hex)], "x" * 3000, timeout=30)
                if answer.status != 200 or not answer.header("Set-Cookie"):
                    self.failures.append(f"a newcomer: {answer.status}")
            except OSError as error:
                self.failures.append(f"a newcomer: {error}")
            self.came += 1

    def watchers(self):
        """Dashboards come and go, and two scrapes a second."""
        admin = self.daemon.admin()
        while not self.over.wait(0.5):
            for path in ("/metrics", "/api/v1/status", "/dashboard"):
                admin.ask("GET", path)

    def operator(self):
        turn = 0
        while not self.over.wait(MINUTE):
            turn += 1
            self.daemon.config = self.daemon.complete(self.configured(turn))
            if self.daemon.reload(self.daemon.config).status != 200:
                self.failures.append(f"reload {turn} failed")
            log = f"{self.folder}/access.log"
            os.replace(log, f"{log}.1")
            os.kill(self.daemon.pid, signal.SIGUSR1)

    # ---- what it takes

    def sample(self, since):
        child = self.daemon.child
        self.samples.append({"seconds": round(time.monotonic() - since, 1), "rss_kib": child.rss_kib(), "fds": child.fd_count(),
                             "threads": child.threads()})

    def run(self):
        self.daemon = Sluice(self.folder, self.configured(0))
        bad = subprocess.Popen([sys.executable, str(HERE.parent / "tools/crowd.py"), "bad", "127.0.0.1", str(self.plain), "100"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # pylint: disable=consider-using-with
        side = [threading.Thread(target=self.again, args=words) for words in (
            ("sse", self.plain, "-c", 200, "-p", "/sse/100/50"), ("rate", self.secure, "-t", "-s", "-c", 20, "-r", 200))]
        side += [threading.Thread(target=what) for what in (self.newcomers, self.watchers, self.operator)]
        for thread in side:
            thread.start()
        most = self.load("closed", self.plain, "-c", 64, seconds=20)
        rate = int(most["requests"] / most["seconds"] * self.settings.share / 100)
        if self.settings.rate:
            rate = self.settings.rate
        print(f"{most['requests'] / most['seconds']:.0f} requests a second go through; {rate} for {self.settings.minutes} minutes", flush=True)
        main = threading.Thread(target=self.again, args=("rate", self.plain, "-c", 200, "-r", rate))
        main.start()
        began = time.monotonic()
        while time.monotonic() < began + self.settings.minutes * MINUTE:
            self.sample(began)
            if len(self.samples) % 60 == 1:
                print(self.samples[-1], f"{len(self.failures)} failures", flush=True)
            time.sleep(5)
        self.over.set()
        for thread in [*side, main]:
            thread.join()
        bad.communicate(b"\n", timeout=60)
        self.rate = rate

    def judge(self):
        """The thirds of what is left after the settling. Memory goes up and down with what a reload brings and with buffers in
        use; what leaks raises its floor, the tenth percentile: from the first third to the last by FLOOR_MOST percent at
        most. Descriptors: the most of the last third are no more than those before, but for a fiftieth."""
        kept = [s for s in self.samples if s["seconds"] >= self.settings.settle * MINUTE]
        third = len(kept) // 3
        parts = (kept[:third], kept[third:2 * third], kept[2 * third:])
        floors = [statistics.quantiles([s["rss_kib"] for s in part], n=10)[0] for part in parts]
        fds = [max(s["fds"] for s in part) for part in parts]
        figures = {"minutes": self.settings.minutes, "share": self.settings.share, "rate": self.rate,
                   "requests": sum(told["requests"] for _, told in self.loads) + self.came,
                   "events": sum(told["events"] for _, told in self.loads), "failures": self.failures,
                   "rss_kib": {"least": min(s["rss_kib"] for s in kept), "median": statistics.median(s["rss_kib"] for s in kept),
                               "most": max(s["rss_kib"] for s in kept), "floors": floors},
                   "fds": {"median": statistics.median(s["fds"] for s in kept), "most": fds},
                   "threads": sorted({s["threads"] for s in kept}), "reloads": self.daemon.reloads()}
        print(json.dumps(figures, indent=1))
        if self.settings.json:
            with open(self.settings.json, "w", encoding="utf-8") as file:
                json.dump({**figures, "samples": self.samples}, file)
        return not self.failures and floors[2] <= floors[0] * (1 + FLOOR_MOST / 100) and fds[2] <= max(fds[:2]) * 1.02

    def end(self):
        self.over.set()
        self.origin.terminate()
        self.origin.wait()
        if self.daemon:
            print("exit code of the daemon:", self.daemon.child.terminate(60))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--share", type=float, default=70)
    parser.add_argument("--rate", type=int, help="requests a second instead of a share of what goes through now")
    parser.add_argument("--settle", type=float, default=10)
    parser.add_argument("--json")
    settings = parser.parse_args()
    raise_files()
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(folder, settings)
        try:
            soak.run()
            good = soak.judge()
        finally:
            soak.end()
            for line in glob.glob(f"{folder}/sluice-*.stderr"):
                print(pathlib.Path(line).read_text(encoding="utf-8")[-3000:], file=sys.stderr)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
