"""Nobody reads the daemon's log, or its access log on stdout: requests are answered, what is lost is counted, and the daemon
ends when it is told to. Client commands end quietly when nobody reads them."""
import fcntl
import os
import signal
import subprocess

from harness.scale import BINARY, patience
from harness.sluice import Sluice, pool, route
from harness.wait import wait_for

MALFORMED = b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"


class Piped(Sluice):
    """A daemon whose stderr, or stdout, is a pipe of one page that is read when the test wants to."""
    which = "stderr"

    def start(self, wait=True):
        self.read_end, write_end = os.pipe()
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
        with open(self.path + ".other", "wb") as other:
            streams = {"stderr": other, "stdout": other, self.which: write_end}
            self.process = subprocess.Popen([BINARY, "run", "-c", self.path], stdin=subprocess.DEVNULL,
                                            env={**os.environ, **self.env}, **streams)
        os.close(write_end)
        wait_for(self.answers, patience(15), "the admin API answers")

    @property
    def pid(self):
        return self.process.pid

    def drain(self):
        """What is in the pipe now."""
        os.set_blocking(self.read_end, False)
        text = b""
        try:
            while piece := os.read(self.read_end, 65536):
                text += piece
        except BlockingIOError:
            pass
        return text.decode()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience(20))

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)


class PipedOut(Piped):
    which = "stdout"


def config(server, path, **more):
    return {"listeners": [{"address": "unix:" + path}], "workers": 2, "pools": {"stable": pool(server)}, "routes": [route()], **more}


def test_a_log_that_nobody_reads(tmp_path, upstream):
    bad = {"url": "http://127.0.0.1:1"}
    daemon = Piped(tmp_path, {}, start=False)
    where = os.path.join(daemon.short, "http.sock")
    daemon.config = daemon.complete(config(upstream(), where))
    daemon.write()
    daemon.start()
    try:
        from harness.client import ask  # pylint: disable=import-outside-toplevel
        before = daemon.metrics().sum("sluice_log_lines_lost_total")

        def lost():
            os.kill(daemon.pid, signal.SIGUSR1)  # a line of the control thread
            assert ask(where).status == 200
            return daemon.metrics().sum("sluice_log_lines_lost_total") > before + 3
        wait_for(lost, 20, "lines are lost and counted")
        read = daemon.drain()
        assert read.endswith("\n") and "lines were lost" not in read

        def told():
            os.kill(daemon.pid, signal.SIGUSR1)
            return "log lines were lost count=" in daemon.drain()
        wait_for(told, 10, "what is missing is told where it is missing")
        assert daemon.cli("reload").returncode == 0
        assert daemon.end() == 0
    finally:
        daemon.kill()
        del bad


def test_an_access_log_that_nobody_reads(tmp_path, upstream):
    daemon = PipedOut(tmp_path, {}, start=False)
    where = os.path.join(daemon.short, "http.sock")
    daemon.config = daemon.complete(config(upstream(), where, access_log={"path": "-"}))
    daemon.write()
    daemon.start()
    try:
        from harness.client import Client  # pylint: disable=import-outside-toplevel
        with Client(where) as client:
            def lost():
                for _ in range(20):
                    assert client.ask(target="/" + "x" * 2000).status == 200
                return daemon.metrics().sum("sluice_access_log_dropped_total") > 0
            wait_for(lost, 30, "lines are lost and counted")
            seen = []

            def read_again():
                assert client.ask(target="/after").status == 200
                seen.append(daemon.drain())
                return "/after" in "".join(seen)
            wait_for(read_again, 20, "lines come again when somebody reads")
            wait_for(lambda: not lost() or True, 1)
        assert daemon.end() == 0  # with the pipe full again
    finally:
        daemon.kill()


def test_commands_whose_reader_has_gone_end_quietly(start_sluice, upstream):
    daemon = start_sluice({"workers": 1, "pools": {f"p{n}": pool(upstream()) for n in range(3)},
                           "routes": [route(variants={"p0": 100})]})
    for command in (["status"], ["status", "--json"], ["explain", "chat"], ["--help"]):
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run([BINARY, *command], stdout=write_end, stderr=subprocess.PIPE, timeout=patience(20), check=False,
                              env={**os.environ, "SLUICE_ADMIN": daemon.config["admin"]["address"]})
        os.close(write_end)
        assert done.returncode in (-signal.SIGPIPE, 0, 1, 2), (command, done)
        assert b"rror" not in done.stderr and b"abort" not in done.stderr, done.stderr
