"""Fixtures: a directory, daemons, upstreams and a time limit for every test."""
import os
import shutil
import signal
import socket
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from harness import scale  # noqa: E402
from harness.process import Child  # noqa: E402
from harness.sluice import Sluice  # noqa: E402
from harness.upstream import Upstream  # noqa: E402

os.umask(0o027)    # what tests write as tokens and keys must not be everybody's: it would be refused

LIMIT = 60        # seconds a test may take
HEAVY_LIMIT = 240


class TestTooLong(Exception):
    __test__ = False


def pytest_collection_modifyitems(config, items):
    """What is marked `once` runs on the release build only."""
    if not scale.sanitizer():
        return
    left_out = [item for item in items if item.get_closest_marker("once")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """Not while pytest writes down what came of a test: it would end pytest itself, not the test."""
    left = signal.alarm(0)
    yield
    signal.alarm(left)


@pytest.fixture(autouse=True)
def time_limit(request):
    """No test hangs: SIGALRM raises in the main thread."""
    heavy = request.node.get_closest_marker("heavy") or os.environ.get("UPDATE_IMAGES")  # pictures take their time
    seconds = int(scale.patience(HEAVY_LIMIT if heavy else LIMIT))

    def ring(_number, _frame):
        raise TestTooLong(f"longer than {seconds} s")
    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def start_sluice(tmp_path, time_limit):  # pylint: disable=redefined-outer-name,unused-argument
    """start_sluice(config, …) -> Sluice. Every daemon ends with its test: exit code, sanitizer reports and crashes are
    judged then."""
    started = []

    def start(config, **settings):
        daemon = Sluice(tmp_path, config, name=f"sluice{len(started)}", start=False, **settings)
        started.append(daemon)
        daemon.start()
        return daemon
    yield start
    errors = []
    for daemon in started:
        try:
            daemon.finish()
        except AssertionError as error:
            errors.append(str(error))
    assert not errors, "\n".join(errors)


@pytest.fixture
def folder():
    """A unix socket's path has at most 107 bytes: pytest's own folders are too long."""
    path = tempfile.mkdtemp(prefix="slc-")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def orphans():
    """What a process of the test leaves behind is this one's child, and its exit code is seen here."""
    from harness.successor import adopt_orphans  # pylint: disable=import-outside-toplevel
    adopt_orphans()


@pytest.fixture
def upstream():
    """upstream(name, handler) -> Upstream, stopped with the test. An exception of a handler fails the test."""
    made = []

    def make(name="up", handler=None, **settings):
        server = Upstream(name, handler, **settings)
        made.append(server)
        return server
    yield make
    for server in made:
        server.stop()
    unexpected = [e for server in made for e in server.unexpected]
    assert not unexpected, unexpected


@pytest.fixture
def dns():
    """dns(records) -> Dns, stopped with the test."""
    from harness.dns import Dns  # pylint: disable=import-outside-toplevel
    made = []

    def make(records=()):
        made.append(Dns(records))
        return made[-1]
    yield make
    for server in made:
        server.stop()


@pytest.fixture
def child(tmp_path):
    """child(argv, name) -> Child, killed with the test when it still runs."""
    made = []

    def make(argv, name, **settings):
        made.append(Child(argv, tmp_path, name, **settings))
        return made[-1]
    yield make
    for process in made:
        process.kill()


@pytest.fixture
def nginx(tmp_path):
    """nginx(locations) -> Nginx, stopped with the test."""
    from harness.nginx import BINARY, Nginx  # pylint: disable=import-outside-toplevel
    if not BINARY:
        pytest.fail("nginx is not installed (tests/run.sh installs it)")
    made = []

    def make(locations, name=None):
        made.append(Nginx(tmp_path, locations, name or f"nginx{len(made)}"))
        return made[-1]
    yield make
    for server in made:
        server.stop()


@pytest.fixture
def simulate(tmp_path):
    """simulate(name, *options) -> Model: a `sluice simulate` process, stopped with the test."""
    from harness.models import Model  # pylint: disable=import-outside-toplevel
    made = []

    def make(name, *options):
        made.append(Model(tmp_path, name, *options))
        return made[-1]
    yield make
    for model in made:
        model.stop()


@pytest.fixture
def full_backlog():
    """An endpoint that hangs at connect: nobody accepts, and its queue of connections is full."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    held = [socket.socket() for _ in range(8)]
    for sock in held:
        sock.setblocking(False)
        sock.connect_ex(listener.getsockname())
    yield "http://127.0.0.1:%d" % listener.getsockname()[1]
    for sock in [*held, listener]:
        sock.close()
