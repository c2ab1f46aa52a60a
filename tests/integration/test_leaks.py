"""valgrind over start, traffic, reloads and stop."""
import shutil

import pytest

from harness.scale import sanitizer
from harness.sluice import pool, route


@pytest.mark.skipif(sanitizer() is not None, reason="a sanitizer build cannot run under valgrind (asan looks for leaks itself)")
@pytest.mark.heavy
def test_valgrind_finds_no_leak_and_no_bad_access(start_sluice, upstream, tmp_path):
    assert shutil.which("valgrind"), "valgrind is not installed (tests/run.sh installs it)"
    log = tmp_path / "valgrind.log"
    prefix = ["valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
              "--errors-for-leak-kinds=definite,indirect,possible", "--error-exitcode=87", "--num-callers=25", f"--log-file={log}"]
    servers = {name: upstream(name) for name in ("stable", "canary")}

    def config(weight, more):
        pools = {name: pool(server, health={"interval": "100ms", "request": {"path": "/h"}}) for name, server in servers.items()}
        if more:
            pools["more"] = pool(servers["stable"], balance="unit_hash")
        return {"access_log": {"path": str(tmp_path / "access.log")}, "pools": pools, "routes": [
            route("chat", {"stable": 100 - weight, "canary": weight}, match={"path_prefix": "/v1/"},
                  sticky={"by": ["json /user", "header X-User-Id"], "cookie": "s", "mode": "session"},
                  retry={"attempts": 1, "on": ["connect", 503]}, fallback="stable")]}
    daemon = start_sluice(config(5, False), argv_prefix=prefix)
    with daemon.client(60) as client:
        for i in range(10):
            assert daemon.reload(config(10 * i, i % 2)).status == 200
            assert client.ask("POST", "/v1/x", [("Content-Type", "application/json")], f'{{"user": "u{i}"}}').status == 200
            assert client.ask("GET", "/nothing").status == 404
        daemon.write("routes: [")
        assert daemon.reload().status >= 400
        daemon.write()
        assert daemon.cli("weight", "chat", "stable=50", "canary=50").returncode == 0
        assert daemon.cli("drain", "stable", servers["stable"].url).returncode == 0
        assert daemon.metrics().samples
        held = daemon.client(60)
        held.send("POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
    assert daemon.stop(60) == 0, log.read_text(encoding="utf-8")
    held.close()
    assert log.read_text(encoding="utf-8").strip() == ""
