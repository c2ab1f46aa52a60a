"""The daemon under test: configuration in, process, admin API, command line."""
import copy
import os
import re
import shutil
import signal
import subprocess
import tempfile

import yaml

from .admin import Admin
from .client import Client, ask
from .metrics import Metrics
from .process import Child, REPORT
from .scale import BINARY, patience
from .secure import SecureAdmin
from .wait import wait_for


class _Plain(yaml.SafeDumper):
    """Without anchors, which the configuration does not know: what stands twice is written twice."""

    def ignore_aliases(self, data):
        return True


LISTENING = re.compile(r"listening\b.*\baddress=\"?([^\s\"]+)")
# Leaks are looked for by valgrind and by asan; a report must end the process with a code of its own.
ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:exitcode=86:abort_on_error=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=86",
    "TSAN_OPTIONS": "exitcode=86:second_deadlock_stack=1",
}


def cli(*arguments, stdin=None, env=None, timeout=60, cwd=None):
    """Runs the binary to its end. A sanitizer report in its output fails the test at once."""
    environment = dict(os.environ, **ENVIRONMENT)
    environment.pop("SLUICE_ADMIN", None)
    environment.pop("SLUICE_TOKEN", None)
    environment.update(env or {})
    done = subprocess.run([BINARY, *map(str, arguments)], input=stdin, capture_output=True, text=True, env=environment,
                          timeout=patience(timeout), check=False, cwd=cwd)
    assert not REPORT.search(done.stderr), done.stderr
    assert done.returncode >= 0, f"{arguments}: ended by signal {-done.returncode}\n{done.stderr}"
    return done


def pool(*endpoints, **settings):
    return {"endpoints": [getattr(e, "url", e) for e in endpoints], **settings}


def route(name="chat", variants=None, **settings):
    """`variants`: {name: weight} with pools of the same name, or {name: {…}} as in the file."""
    written = {}
    for variant, value in (variants or {"stable": 100}).items():
        written[variant] = value if isinstance(value, dict) else {"pool": variant, "weight": value}
    return {"name": name, **settings, "variants": written}


class Sluice:
    def __init__(self, directory, config, name="sluice", env=None, start=True, argv_prefix=(), binary=BINARY, admin_ca=None,
                 admin_certificate=None, **process):
        self.directory = str(directory)
        self.name = name
        self.env = dict(ENVIRONMENT, **(env or {}))
        self.argv_prefix = list(argv_prefix)
        self.binary = binary
        self.process = process  # of harness.process.Child
        self.admin_ca, self.admin_certificate = admin_ca, admin_certificate  # where `admin.tls` is
        self.short = tempfile.mkdtemp(prefix="slc-")  # a unix socket's path has at most 107 bytes
        self.socket = os.path.join(self.short, "admin.sock")
        self.path = os.path.join(self.directory, name + ".yaml")
        self.config = self.complete(config)
        self.child = None
        self.starts = 0
        self.expected_exit = 0
        self.write()
        if start:
            self.start()

    def complete(self, config):
        config = copy.deepcopy(config)
        full = {"listeners": [{"address": "127.0.0.1:0"}], "admin": {"address": "unix:" + self.socket},
                "workers": 2, "state_dir": os.path.join(self.directory, self.name + ".state")}
        if "valgrind" in self.argv_prefix:
            full["seccomp"] = "off"  # it does not know that call, and makes others of its own
        full.update(config)
        os.makedirs(full["state_dir"], exist_ok=True)
        return full

    def write(self, text=None):
        """Replaces the configuration file in one step."""
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            f.write(text if text is not None else yaml.dump(self.config, Dumper=_Plain, sort_keys=False))
        os.replace(self.path + ".new", self.path)

    # -- process ---------------------------------------------------------------------------------------------------
    def start(self, wait=True):
        self.starts += 1
        self.child = Child([*self.argv_prefix, self.binary, "run", "-c", self.path], self.directory,
                           f"{self.name}-{self.starts}", env=self.env, **self.process)
        if wait:
            self.wait_ready()

    def wait_ready(self):
        def ready():
            assert self.child.running(), f"ended with {self.child.wait(1)}:\n{self.stderr()}"
            return len(self.listening()) >= len(self.config["listeners"]) and self.answers()
        wait_for(ready, patience(15), "sluice listens and its admin API answers")

    def answers(self):
        try:
            if "tls" in self.config["admin"]:
                secure = SecureAdmin(self.config["admin"]["address"], self.admin_ca, certificate=self.admin_certificate)
                return secure.ask("GET", "/healthz")[0] == 200
            return self.admin().ask("GET", "/healthz").status == 200
        except OSError:
            return False

    def listening(self):
        """The addresses of the log's "listening" lines, in order."""
        return [m[1] for m in LISTENING.finditer(self.stderr())]

    @property
    def address(self):
        return self.address_of(0)

    def address_of(self, index):
        address = self.listening()[index]
        if address.startswith("unix:"):
            return address[5:]
        host, port = address.rsplit(":", 1)
        return host.strip("[]"), int(port)

    @property
    def port(self):
        return self.address[1]

    @property
    def url(self):
        return "http://%s:%d" % self.address

    @property
    def pid(self):
        return self.child.pid

    def stderr(self):
        return self.child.stderr()

    def hup(self):
        self.child.signal(signal.SIGHUP)

    def stop(self, timeout=20):
        """TERM; returns the exit code."""
        return self.child.terminate(timeout)

    def restart(self):
        assert self.stop() == 0, self.stderr()
        self.check()
        self.start()

    def check(self):
        report = self.child.reports()
        assert not report, report

    def finish(self):
        """Called by the fixture: ends the daemon and judges how it ended."""
        try:
            code = self.stop() if self.child else self.expected_exit
        finally:
            if self.child:
                self.child.kill()
            shutil.rmtree(self.short, ignore_errors=True)
        if self.child is None:
            return
        self.check()
        if self.expected_exit is not None:
            assert code == self.expected_exit, f"exit {code}\n{self.stderr()[-4000:]}"

    # -- talking to it -----------------------------------------------------------------------------------------------
    def client(self, timeout=15, **settings):
        return Client(self.address, timeout, **settings)

    def ask(self, method="GET", target="/", headers=(), body=None, host=None, timeout=15):
        return ask(self.address, method, target, headers, body, host, timeout)

    def admin(self, token=None):
        address = self.config["admin"]["address"]
        if address.startswith("unix:"):
            return Admin(address[5:], token)
        host, port = address.rsplit(":", 1)
        return Admin((host, int(port)), token)

    def cli(self, *arguments, stdin=None, env=None, timeout=60):
        """A client command against this daemon."""
        return cli(*arguments, stdin=stdin, timeout=timeout,
                   env={"SLUICE_ADMIN": self.config["admin"]["address"], **(env or {})})

    def metrics(self):
        response = self.admin().ask("GET", "/metrics")
        assert response.status == 200
        return Metrics(response.text)

    def counted(self, name, value, **labels):
        """Waits until the samples of that name and labels sum to `value`: a request is counted a moment after its client has
        the last byte."""
        seen = [None]

        def reached():
            seen[0] = self.metrics().sum(name, **labels)
            return seen[0] == value
        try:
            wait_for(reached, patience(5))
        except AssertionError:
            raise AssertionError(f"{name}{labels} is {seen[0]}, not {value}") from None
        return True

    def status(self):
        return self.admin().get("/api/v1/status")

    # -- reloading -------------------------------------------------------------------------------------------------
    def reloads(self, result="success"):
        return self.metrics().sum("sluice_config_reload_total", result=result)

    def reload(self, config=None):
        """Writes `config` (when given), reloads through the admin API and waits for the outcome: the response."""
        if config is not None:
            self.config = self.complete(config)
            self.write()
        return self.admin().post("/api/v1/reload")

    def reload_by_signal(self, config=None):
        if config is not None:
            self.config = self.complete(config)
            self.write()
        before = self.reloads()
        self.hup()
        wait_for(lambda: self.reloads() > before, patience(10), "the reload by SIGHUP succeeded")
