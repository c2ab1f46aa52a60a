"""Processes of a comparison, and what the kernel says they used."""
import os
import re
import signal
import socket
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 10  # seconds until a proxy listens, or ends


class Processes:
    """What was started, ended together."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []
        self.started = 0

    def start(self, core, argv, **more):
        with open(os.path.join(self.folder, f"{self.started}.log"), "w") as log:
            options = {"stdout": log, "stderr": log, "stdin": subprocess.DEVNULL, **more}
            process = subprocess.Popen(["taskset", "-c", core, *argv], start_new_session=True, **options)
        process.log = log.name
        self.started += 1
        self.running.append(process)
        return process

    def stop(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.running.remove(process)

    def stop_all(self):
        for process in reversed(self.running[:]):
            self.stop(process)


def wait_port(port, process):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    with open(process.log) as log:
        raise SystemExit(f"{' '.join(process.args[3:])}: nothing listens on its port {port}\n{log.read()}")


def tree(pid):
    """A process and its children."""
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


def cpu(pids):
    """Seconds: all (exact), and the user's and the system's parts (by the kernel's ticks)."""
    total = user = system = 0
    for p in pids:
        for task in os.listdir(f"/proc/{p}/task"):
            with open(f"/proc/{p}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0]) / 1e9
        with open(f"/proc/{p}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        user += int(fields[11]) / TICKS
        system += int(fields[12]) / TICKS
    return total, user, system


def busy(core):
    """Seconds that a core was not idle."""
    with open("/proc/stat") as f:
        for line in f:
            name, *fields = line.split()
            if name == f"cpu{core}":
                times = [int(v) for v in fields[:8]]
                return (sum(times) - times[3] - times[4]) / TICKS
    raise SystemExit(f"/proc/stat has no core {core}")


def memory(pids):
    """KiB of memory, what is shared with others counted in part (PSS)."""
    total = 0
    for p in pids:
        with open(f"/proc/{p}/smaps_rollup") as f:
            total += int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M)[1])
    return total
