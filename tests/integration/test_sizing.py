"""Figures of docs/operations/sizing.md that repeat exactly: series of a scrape, descriptors, threads."""
import os
import re

import pytest

from harness.sluice import pool, route
from harness.wait import wait_for

pytestmark = pytest.mark.once

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "operations", "sizing.md"), encoding="utf-8") as page:
    PAGE = page.read()
SERIES = re.search(r"\*\*(\d+) series, (\d+) for each route, (\d+) for each variant, (\d+) for each endpoint\*\*, and (\d+) for a rollout", PAGE)
FIXED, ROUTE, VARIANT, ENDPOINT, ROLLOUT = map(int, SERIES.groups())
GUARDS = {"error_rate": {"margin": 1}, "latency_p95": {"margin": 20}, "ttft_p95": {"margin": 20}}


def config(routes, variants, endpoints, rollouts=0, workers=1):
    """Nobody listens at the endpoints: nothing is asked."""
    pools, listed = {}, []
    for i in range(routes):
        names = [f"v{i}x{j}" for j in range(variants)]
        pools.update({name: pool(*[f"http://127.0.0.1:{1 + k}" for k in range(endpoints)]) for name in names})
        plan = {"rollout": {"strategy": "canary", "start": "manual", "baseline": names[0], "candidate": names[1],
                            "steps": [{"weight": 5}], "guards": GUARDS}} if i < rollouts else {}
        listed.append(route(f"r{i}", {name: 0 if name != names[0] else 100 for name in names}, match={"path_prefix": f"/{i}/"}, **plan))
    return {"workers": workers, "pools": pools, "routes": listed}


@pytest.mark.parametrize("routes, variants, endpoints, rollouts", [(1, 2, 1, 0), (3, 3, 2, 0), (2, 2, 3, 2)])
def test_the_series_of_a_scrape(start_sluice, routes, variants, endpoints, rollouts):
    daemon = start_sluice(config(routes, variants, endpoints, rollouts))
    expected = FIXED + routes * (ROUTE + variants * (VARIANT + endpoints * ENDPOINT)) + rollouts * ROLLOUT
    lines = daemon.admin().ask("GET", "/metrics").body.decode().splitlines()
    assert sum(bool(line) and line[0] != "#" for line in lines) == expected


def test_the_table_of_series_is_the_formula():
    rows = {"one route, two variants of one endpoint each": (1, 2, 1), "ten such routes": (10, 2, 1),
            "100 routes, two variants of two endpoints each": (100, 2, 2)}
    for name, (routes, variants, endpoints) in rows.items():
        said = re.search(rf"^\| {name} \| ([\d,]+) \|", PAGE, re.M)[1]
        assert int(said.replace(",", "")) == FIXED + routes * (ROUTE + variants * (VARIANT + endpoints * ENDPOINT)), name


@pytest.mark.parametrize("workers, rollouts", [(1, 0), (2, 0), (4, 1)])
def test_descriptors_and_threads(start_sluice, workers, rollouts):
    fixed, each, more = map(int, re.search(r"\| the process \| (\d+), and (\d+) for each worker; (\d+) more with rollouts", PAGE).groups())
    daemon = start_sluice(config(1, 2, 1, rollouts, workers))
    expected = fixed + each * workers + more * rollouts
    wait_for(lambda: len(os.listdir(f"/proc/{daemon.pid}/fd")) == expected, 10, f"{expected} descriptors")
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as status:
        assert re.search(r"^Threads:\s+(\d+)", status.read(), re.M)[1] == str(workers + 1)
    if not rollouts:
        row = re.search(rf"^\| {workers} \| 1 × 2 × 1 \| [\d.]+ MiB \| (\d+) \| (\d+) \|", PAGE, re.M)
        assert tuple(map(int, row.groups())) == (expected, workers + 1)
