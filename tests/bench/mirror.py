#!/usr/bin/env python3
"""What a mirror does to the clients: latency and errors without one, with a good one, a hanging and a dead one, interleaved.

    python3 tests/bench/mirror.py [--sluice build/release/sluice] [--seconds 3] [--repeats 5]

The load is wrk's, the upstreams are nginx. Prints the median over the repeats, and the range of all of them.
"""
import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
os.environ.setdefault("SLUICE", "")
KINDS = ("none", "good", "hanging", "dead")


# 16 connections that each rest for 8 ms: some 1,900 requests a second, far from what the machine can do.
DELAY = "function delay() return 8 end\n"


def wrk(url, seconds, script):
    done = subprocess.run(["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", "-s", script, url], capture_output=True, text=True,
                          timeout=seconds + 30, check=True).stdout
    unit = {"us": 1e-3, "ms": 1, "s": 1e3}

    def percentile(share):
        value, name = re.search(rf"{share}%\s+([\d.]+)(us|ms|s)", done).groups()
        return float(value) * unit[name]
    errors = sum(int(n) for n in re.findall(r"(?:connect|read|write|timeout|responses:?) (\d+)",
                                            " ".join(re.findall(r"Socket errors.*|Non-2xx.*", done))))
    return percentile(50), percentile(99), errors, float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", default="build/release/sluice")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    os.environ["SLUICE"] = os.path.abspath(options.sluice)
    from harness.nginx import Nginx
    from harness.sluice import Sluice, pool, route
    results = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as directory, socket.create_server(("127.0.0.1", 0), backlog=4096) as silent:
        refused = socket.create_server(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{refused.getsockname()[1]}"
        refused.close()
        script = os.path.join(directory, "delay.lua")
        with open(script, "w", encoding="utf-8") as f:
            f.write(DELAY)
        server = Nginx(directory, "location / { return 200 ok; }")
        shadows = {"good": server.url, "hanging": f"http://127.0.0.1:{silent.getsockname()[1]}", "dead": dead}
        for repeat in range(options.repeats):
            for kind in KINDS:
                variants = {"stable": {"pool": "real", "weight": 100}}
                pools = {"real": pool(server.url)}
                more = {}
                if kind != "none":
                    pools["shadow"] = pool(shadows[kind])
                    variants["shadow"] = {"pool": "shadow", "weight": 0}
                    more = {"mirror": {"variant": "shadow"}}
                home = os.path.join(directory, f"{kind}-{repeat}")
                os.mkdir(home)
                daemon = Sluice(home, {"workers": 1, "pools": pools, "routes": [route("chat", variants, **more)]})
                results[kind].append(wrk(daemon.url + "/", options.seconds, script))
                daemon.stop()
        server.stop()
    print(f"{'mirror':<10}{'p50 ms':>10}{'range':>18}{'p99 ms':>10}{'req/s':>10}{'errors':>8}")
    for kind in KINDS:
        rows = results[kind]
        p50 = [row[0] for row in rows]
        print(f"{kind:<10}{statistics.median(p50):>10.3f}{min(p50):>9.3f}–{max(p50):<8.3f}"
              f"{statistics.median(row[1] for row in rows):>10.3f}{statistics.median(row[3] for row in rows):>10.0f}"
              f"{sum(row[2] for row in rows):>8}")


if __name__ == "__main__":
    main()
