"""10,000 connections, a fifth of them of clients that behave badly: the good ones see no error, the admin address answers, and
nothing is left behind. What it costs the good ones is measured by tests/bench/crowd.py."""
import json
import os
import resource
import subprocess
import sys

import pytest

from harness.scale import patience, scaled
from harness.sluice import pool, route
from harness.wait import wait_for

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools", "crowd.py")


@pytest.fixture(autouse=True)
def many_files():
    """The daemon may open as many files as the machine lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def start(*arguments):
    process = subprocess.Popen([sys.executable, TOOL, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def came_again(bad):
    bad.stdin.write("\n")
    bad.stdin.flush()
    counts = json.loads(bad.stdout.readline())
    return counts["Reset"] > 0 and counts["Garbage"] > 0


@pytest.mark.heavy
def test_good_clients_in_a_bad_crowd_see_no_error(start_sluice, simulate):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = min(scaled(10000, 500), most // 2 - 500)  # as many as there are descriptors for, here and there
    model = simulate("origin", "--latency", "5ms", "--jitter", "0ms")
    daemon = start_sluice({"workers": 2, "timeouts": {"client_header": "2s", "client_idle": "5s"},
                           "pools": {"stable": pool(model)}, "routes": [route()]})
    bad = start("bad", *daemon.address, count // 5)
    good = start("good", *daemon.address, count - count // 5, 32, scaled(20000, 1000))
    while good.poll() is None:
        assert daemon.admin().ask("GET", "/readyz").status == 200
        assert daemon.metrics().sum("sluice_client_connections") > 0
        try:
            good.wait(1)
        except subprocess.TimeoutExpired:
            continue
    figures = json.loads(good.communicate(timeout=patience(60))[0])
    assert figures["errors"] == 0 and figures["requests"] == scaled(20000, 1000), figures
    wait_for(lambda: came_again(bad), patience(60), "bad clients were closed and came again", interval=0.1)
    bad.communicate(timeout=patience(60))
    wait_for(lambda: daemon.metrics().sum("sluice_client_connections") == 0, patience(20), "nothing is left of them")
    daemon.counted("sluice_requests_inflight", 0)
    for reason in ("header_timeout", "head_too_large", "bad_start_line"):
        assert daemon.metrics().sum("sluice_rejected_requests_total", reason=reason) >= 0
    assert daemon.metrics().sum("sluice_rejected_requests_total", reason="head_too_large") > 0
