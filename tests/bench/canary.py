#!/usr/bin/python3
"""CPU per proxied request of sluice, nginx and HAProxy at the same job, side by side.

    SLUICE=build/release/sluice /usr/bin/python3 tests/bench/canary.py [--repeats 5] [--seconds 3] [--connections 64]

The job: 80/15/5 % of the users (X-User-Id) to three pools, answers of 1 KiB, keep-alive on both sides. Each proxy has one
worker, pinned to core 0; wrk and the origin (nginx) share core 1. The repeats are interleaved (A B C A B C …), so that
whatever else the machine does hits all alike. Read the ratios of one run, not the absolute times. CPU is what the kernel
accounts to the proxy's threads (schedstat), user and system time together."""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

POOLS = ((80, "blue"), (15, "green"), (5, "canary"))
USERS_LUA = """
local n = 0
request = function()
  n = (n * 1103515245 + 12345) % 2147483648
  return wrk.format("GET", "/1k", {["X-User-Id"] = "user-" .. n % 100000})
end
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def nginx_paths(folder):
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "".join(f"{n}_temp_path {folder}/{n};" for n in names)


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        f.write(text)
    return path


def origin(folder, ports):
    write(folder, "1k", "x" * 1024)
    listens = "".join(f"listen 127.0.0.1:{p} backlog=4096;" for p in ports)
    conf = f"""daemon off; worker_processes 1; pid {folder}/origin.pid; error_log {folder}/origin.err crit;
events {{ worker_connections 4096; multi_accept on; }}
http {{ access_log off; {nginx_paths(folder)} keepalive_requests 1000000000; keepalive_timeout 3600s; open_file_cache max=10;
server {{ {listens} root {folder}; }} }}"""
    return ["nginx", "-c", write(folder, "origin.conf", conf), "-p", folder]


def nginx(folder, port, ports):
    upstreams = "".join(
        f"upstream {name} {{ server 127.0.0.1:{p}; keepalive 1024; keepalive_requests 1000000000; keepalive_timeout 3600s; }}\n"
        for (_, name), p in zip(POOLS, ports))
    split = " ".join(f"{weight}% {name};" for weight, name in POOLS[:-1]) + f" * {POOLS[-1][1]};"
    conf = f"""daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err crit;
events {{ worker_connections 4096; multi_accept on; }}
http {{ access_log off; {nginx_paths(folder)} keepalive_requests 1000000000; keepalive_timeout 3600s;
proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
{upstreams} split_clients "$http_x_user_id" $pool {{ {split} }}
server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://$pool; }} }} }}"""
    return ["nginx", "-c", write(folder, "nginx.conf", conf), "-p", folder]


def haproxy(folder, port, ports):
    bounds, rules = 0, ""
    for weight, name in POOLS[:-1]:
        bounds += weight
        rules += f" use_backend {name} if {{ req.hdr(x-user-id),xxh32(0),mod(100) lt {bounds} }}\n"
    backends = "".join(f"backend {name}\n server s 127.0.0.1:{p}\n" for (_, name), p in zip(POOLS, ports))
    conf = f"""global
 nbthread 1
 maxconn 4096
defaults
 mode http
 option http-no-delay
 option forwardfor
 http-reuse always
 timeout connect 5s
 timeout client 1h
 timeout server 1h
frontend f
 bind 127.0.0.1:{port} backlog 4096
{rules} default_backend {POOLS[-1][1]}
{backends}"""
    return ["haproxy", "-db", "-f", write(folder, "haproxy.cfg", conf)]


def sluice(folder, port, ports):
    pools = "".join(f"  {name}: {{keepalive: 1024, endpoints: ['http://127.0.0.1:{p}']}}\n" for (_, name), p in zip(POOLS, ports))
    variants = "".join(f"      {name}: {{pool: {name}, weight: {weight}}}\n" for weight, name in POOLS)
    conf = f"""listeners: [{{address: '127.0.0.1:{port}'}}]
admin: {{address: 'unix:{folder}/admin.sock'}}
state_dir: {folder}/state
workers: 1
limits: {{connections: 4096}}
pools:
{pools}routes:
  - name: bench
    sticky: {{by: [header X-User-Id]}}
    variants:
{variants}"""
    return [os.environ.get("SLUICE", "build/release/sluice"), "run", "-c", write(folder, "sluice.yaml", conf)]


def wait_port(port):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def tree(pid):
    found, todo = [], [pid]
    while todo:
        p = todo.pop()
        found.append(p)
        try:
            for task in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{task}/children") as f:
                    todo += [int(c) for c in f.read().split()]
        except OSError:
            pass
    return found


def cpu_ns(pids):
    total = 0
    for p in pids:
        for task in os.listdir(f"/proc/{p}/task"):
            with open(f"/proc/{p}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
    return total


def sample(pid, port, script, options):
    pids = tree(pid)
    before = cpu_ns(pids)
    out = subprocess.run(["taskset", "-c", "1", "wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "-s", script,
                          f"http://127.0.0.1:{port}"], capture_output=True, text=True, timeout=options.seconds + 20).stdout
    used = cpu_ns(pids) - before
    requests = int(re.search(r"(\d+) requests in", out)[1])
    failed = sum(int(n) for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", out))
    failed += sum(int(n) for n in re.findall(r"(?:connect|read|write|timeout) (\d+)", out))
    return {"us": used / requests / 1000, "rps": requests / options.seconds, "failed": failed}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for tool in ("nginx", "haproxy", "wrk", "taskset"):
        if not shutil.which(tool):
            raise SystemExit(f"{tool} is not installed")
    peers = {"nginx": nginx, "haproxy": haproxy, "sluice": sluice}
    samples = {name: [] for name in peers}
    running = []
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        ports = free_ports(len(POOLS) + len(peers))
        script = write(folder, "users.lua", USERS_LUA)

        def start(core, argv):
            with open(os.path.join(folder, f"{len(running)}.log"), "w") as log:
                running.append(subprocess.Popen(["taskset", "-c", core] + argv, stdout=log, stderr=log, start_new_session=True))
            return running[-1].pid

        try:
            start("1", origin(folder, ports[:3]))
            wait_port(ports[0])
            pids = {}
            for (name, make), port in zip(peers.items(), ports[3:]):
                pids[name] = (start("0", make(folder, port, ports[:3])), port)
                wait_port(port)
            for _ in range(options.repeats):
                for name, (pid, port) in pids.items():
                    samples[name].append(sample(pid, port, script, options))
        finally:
            for process in reversed(running):
                process.send_signal(signal.SIGTERM)
            for process in reversed(running):
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
    if options.json:
        print(json.dumps(samples, indent=1))
        return
    best = min(statistics.median(s["us"] for s in samples[p]) for p in peers if p != "sluice")
    print(f"| proxy | CPU us/request, median (least to most) of {options.repeats} | of the best peer | requests/s | failed |")
    print("| --- | --- | --- | --- | --- |")
    for name, taken in samples.items():
        us = sorted(s["us"] for s in taken)
        median = statistics.median(us)
        print(f"| {name} | {median:.1f} ({us[0]:.1f} to {us[-1]:.1f}) | {median / best:.2f} | "
              f"{statistics.median(s['rps'] for s in taken):.0f} | {sum(s['failed'] for s in taken)} |")
    if any(s["failed"] for taken in samples.values() for s in taken):
        sys.exit(1)


if __name__ == "__main__":
    main()
