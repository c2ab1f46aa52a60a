"""Memory runs out while a configuration is loaded, at each of its allocations in turn: it ends in a mistake that says so or in
the one orderly abort, never in a crash, a half-read file or one that is taken for another (docs/decisions/0017)."""
import concurrent.futures
import os
import shutil
import signal
import subprocess

import pytest

from harness.certificates import make_ca, make_certificate
from harness.scale import BINARY, patience, sanitizer, scaled

HERE = os.path.dirname(os.path.abspath(__file__))
ABORTED = "out of memory, giving up\n"
REFUSED = "not enough memory to read the file"


@pytest.fixture(scope="module", name="shim")
def fixture_shim(tmp_path_factory):
    if sanitizer():
        pytest.skip("a sanitizer has its own allocator")
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        pytest.skip("no compiler")
    out = str(tmp_path_factory.mktemp("shim") / "failing_malloc.so")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", out, os.path.join(HERE, "..", "faults", "failing_malloc.c")], check=True)
    return out


def check(shim, path, **settings):
    return subprocess.run([BINARY, "check", path], capture_output=True, text=True, timeout=patience(30), check=False,
                          env={**os.environ, "LD_PRELOAD": shim, "FAIL_SINCE": path, **settings})


def sweep(shim, path, whole, tmp_path):
    """Each allocation in turn, alone and with all behind it."""
    counted = str(tmp_path / "count")
    done = check(shim, path, ALLOCATIONS_TO=counted)
    assert done.returncode == whole.returncode and done.stderr == whole.stderr
    with open(counted, encoding="ascii") as file:
        count = int(file.read())
    assert count > 50
    before = sorted(os.listdir(os.path.dirname(path)))
    cases = [(n, on) for n in range(1, count + 1, max(1, count // scaled(2000, 100))) for on in "01"]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        ends = threads.map(lambda case: (case, check(shim, path, FAIL_AT=str(case[0]), FAIL_ON=case[1])), cases)
        for case, end in ends:
            if end.returncode == -signal.SIGABRT:
                assert end.stderr.endswith(ABORTED), (case, end)
            elif end.returncode == 1 and whole.returncode == 0:
                assert REFUSED in end.stderr or "memory" in end.stderr or "malloc" in end.stderr, (case, end)
            else:  # what failed was not needed: the verdict is the same
                assert (end.returncode, end.stdout) == (whole.returncode, whole.stdout), (case, end)
    assert sorted(os.listdir(os.path.dirname(path))) == before


@pytest.mark.heavy
def test_of_every_key(shim, tmp_path):
    shutil.copytree(os.path.join(HERE, "..", "..", "config"), tmp_path / "config")
    path = str(tmp_path / "config" / "reference.yaml")
    whole = subprocess.run([BINARY, "check", path], capture_output=True, text=True, check=False)
    assert whole.returncode == 0
    sweep(shim, path, whole, tmp_path)


@pytest.mark.heavy
def test_of_mistakes(shim, tmp_path):
    (tmp_path / "config").mkdir()
    path = str(tmp_path / "config" / "bad.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("listeners: [{address: 127.0.0.1:0, tsl: {}}]\npools: {a: {endpoints: [http://x]}}\nroutes: [{name: r, x: ${NONE}}]\n")
    whole = subprocess.run([BINARY, "check", path], capture_output=True, text=True, check=False)
    assert whole.returncode == 1
    sweep(shim, path, whole, tmp_path)


def test_no_file_takes_more_than_it_may(tmp_path):
    """What multiplies is bounded before it is allocated, with a mistake that says where."""
    head = "listeners: [{address: 127.0.0.1:0}]\nroutes: []\npools:\n"
    cases = {
        "aliases are not supported": "a: &a [1,1]\nb: [*a,*a]\n",
        "the values of variables take more than 16 MiB": head + "  a: {endpoints: [" + "'${BIG}'," * 2000 + "]}\n",
        "more than 1000000 values in one file": head + "  a: {endpoints: [" + "0," * 1_100_000 + "]}\n",
        "nested more than": "a: " + "[" * 5000 + "]" * 5000 + "\n",
        "larger than 16 MiB": "#" * (17 << 20),
    }
    for words, text in cases.items():
        path = tmp_path / "c.yaml"
        path.write_text(text, encoding="utf-8")
        done = subprocess.run(["sh", "-c", f"ulimit -v {1 << 20}; exec \"$0\" check \"$1\"" if not sanitizer() else "exec \"$0\" check \"$1\"",
                               BINARY, str(path)], capture_output=True, text=True, check=False, timeout=patience(50),
                              env={**os.environ, "BIG": "x" * 100_000})
        assert done.returncode == 1 and words in done.stderr, (words, done.returncode, done.stderr[-300:])


def test_many_mistakes_are_not_all_kept(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("x: [" + "*a," * 5000 + "]\n" + "".join(f"k{n}: 1\n" for n in range(20000)), encoding="utf-8")
    done = subprocess.run([BINARY, "check", str(path)], capture_output=True, text=True, check=False, timeout=patience(50))
    assert done.returncode == 1 and done.stderr.count("\n") <= 1001


def test_a_server_certificate_without_memory_is_a_mistake(shim, tmp_path):
    """OpenSSL says that it has none; the files themselves are good."""
    folder = tmp_path / "tls"
    folder.mkdir()
    pair = make_certificate(str(folder), make_ca(str(folder)))
    path = str(tmp_path / "tls.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"listeners: [{{address: '127.0.0.1:0', tls: {{certificate: {pair.certificate}, private_key: {pair.key}}}}}]\n"
                   "pools: {a: {endpoints: ['http://127.0.0.1:1']}}\nroutes: [{name: r, variants: {v: {pool: a, weight: 100}}}]\n")
    whole = subprocess.run([BINARY, "check", path], capture_output=True, text=True, check=False)
    assert whole.returncode == 0, whole.stderr
    counted = str(tmp_path / "count")
    check(shim, path, ALLOCATIONS_TO=counted)
    with open(counted, encoding="ascii") as file:
        count = int(file.read())
    for number in range(1, count, max(1, count // scaled(300, 50))):
        end = check(shim, path, FAIL_AT=str(number), FAIL_ON="1")
        assert end.returncode in (0, 1, -signal.SIGABRT), (number, end)
        assert end.returncode != 0 or number > count // 2, (number, end)
