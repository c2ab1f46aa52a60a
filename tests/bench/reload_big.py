#!/usr/bin/env python3
"""How long a reload of 1,000 routes and 10,000 endpoints takes: the daemon's own figure and the caller's wait.

    SLUICE=build/release/sluice /usr/bin/python3 tests/bench/reload_big.py [REPEATS]
"""
import os
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
# pylint: disable=wrong-import-position
from harness.big import big_config  # noqa: E402
from harness.sluice import Sluice, pool, route  # noqa: E402
from harness.upstream import Upstream  # noqa: E402


def main():
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as directory:
        server = Upstream("live")
        config = {"pools": {"stable": pool(server)}, "routes": [route()]}
        daemon = Sluice(directory, config)
        try:
            own, waited = [], []
            for _ in range(repeats):
                daemon.write(big_config(daemon.config, server.url))
                began = time.monotonic()
                response = daemon.reload()
                waited.append((time.monotonic() - began) * 1000)
                assert response.status == 200, response
                own.append(response.json().get("elapsed_ms"))
                daemon.write()
                assert daemon.reload().status == 200
            print(f"1,000 routes, 10,000 endpoints, {os.path.getsize(daemon.path)} bytes afterwards, {repeats} reloads")
            if None not in own:
                print(f"reload, the daemon's figure: median {statistics.median(own):.0f} ms, worst {max(own):.0f} ms")
            print(f"reload, until the caller has its answer: median {statistics.median(waited):.0f} ms, worst {max(waited):.0f} ms")
            print(f"resident memory {daemon.child.rss_kib() // 1024} MiB")
            worst = max(waited)
            print("under 1 s" if worst < 1000 else "NOT under 1 s")
            return 0 if worst < 1000 else 1
        finally:
            daemon.finish()
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
