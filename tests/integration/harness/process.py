"""A child process whose output is kept, that always ends, and whose sanitizer reports fail the test."""
import os
import re
import signal
import subprocess
import sys

from .scale import patience

REPORT = re.compile(r"ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|: runtime error: |"
                    r"SUMMARY: \w+Sanitizer|ThreadSanitizer: |must failed|Assertion .* failed")


class Child:
    """Owns one process. Ended by its own pid, never by name."""

    def __init__(self, argv, directory, name, env=None, cwd=None, new_session=False, close_fds=True):
        self.argv = [str(a) for a in argv]
        self.name = name
        self.out_path = os.path.join(directory, name + ".out")
        self.err_path = os.path.join(directory, name + ".err")
        environment = dict(os.environ)
        environment.update(env or {})
        with open(self.out_path, "ab") as out, open(self.err_path, "ab") as err:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                            env=environment, cwd=cwd, start_new_session=new_session, close_fds=close_fds)
        self.pid = self.process.pid

    def stdout(self):
        with open(self.out_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stderr(self):
        with open(self.err_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def running(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=20):
        """The exit code (negative: the signal)."""
        try:
            return self.process.wait(patience(timeout))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} (pid {self.pid}) did not end within {patience(timeout):g} s\n"
                                 f"{self.stderr()[-4000:]}") from None

    def terminate(self, timeout=20):
        if self.running():
            self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        if self.running():
            self.process.kill()
        self.process.wait(20)

    def reports(self):
        """What a sanitizer or an assertion said, or None."""
        text = self.stderr()
        found = REPORT.search(text)
        return text[max(0, found.start() - 200):found.start() + 8000] if found else None

    def rss_kib(self):
        return self._status("VmRSS")

    def threads(self):
        return self._status("Threads")

    def _status(self, key):
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as f:
            for line in f:
                if line.startswith(key + ":"):
                    return int(line.split()[1])
        raise KeyError(key)

    def fd_count(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


CLOCKED = """import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x80) == 0, os.strerror(ctypes.get_errno())
with open("/proc/self/timens_offsets", "w") as file:
    file.write(f"monotonic {sys.argv[1]} 0\\nboottime {sys.argv[1]} 0\\n")
assert libc.setns(os.open("/proc/self/ns/time_for_children", os.O_RDONLY | os.O_CLOEXEC), 0x80) == 0, os.strerror(ctypes.get_errno())
os.execvp(sys.argv[2], sys.argv[2:])
"""


def clocked(seconds):
    """What is put before a command so that its monotonic clock is that much ahead. Needs root; [] where that is not allowed."""
    prefix = [sys.executable, "-c", CLOCKED, str(seconds)]
    allowed = subprocess.run([*prefix, "true"], capture_output=True, check=False, timeout=20).returncode == 0
    return prefix if allowed else []
