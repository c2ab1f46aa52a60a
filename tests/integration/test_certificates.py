"""The files that a configuration names: `check`, `run` and reload read them alike and name every one that cannot be used,
with its place; certificates that run out are announced."""
import datetime
import os
import re
import socket
import subprocess
import tempfile

import pytest
import yaml

from harness.certificates import make_ca, make_certificate, make_key, make_ocsp_response, openssl
from harness.scale import BINARY, patience
from harness.sluice import cli, pool, route
from harness.wait import wait_for

DAY = 86400


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with good and bad files, and the pairs by name."""
    directory = tmp_path_factory.mktemp("files")
    ca = make_ca(directory, "ca")
    pairs = {"ca": ca, "good": make_certificate(directory, ca, ["good.test"], stem="good"),
             "other": make_certificate(directory, ca, ["other.test"], stem="other"),
             "soon": make_certificate(directory, ca, ["soon.test"], stem="soon", days=10),
             "over": make_certificate(directory, ca, ["over.test"], stem="over", days=-1),
             "client": make_certificate(directory, ca, ["client"], client=True, stem="client"),
             "weak": make_certificate(directory, ca, ["weak.test"], key="rsa1024", stem="weak")}
    make_ocsp_response(directory, ca, pairs["other"])
    openssl("pkey", "-in", make_key(directory, "locked"), "-aes256", "-passout", "pass:x", "-out", directory / "locked.pem")
    (directory / "empty.pem").write_text("")
    (directory / "folder").mkdir()
    return directory, pairs


# Every kind of mistake once; `@` stands before the value that must be named, behind it what is said of it.
BAD = """\
listeners:
  - address: 127.0.0.1:0
    tls:
      certificate: good.pem
      private_key: @other.key                   # private key .*other.key is not the one of certificate .*good.pem
      client_ca: @empty.pem                     # cannot use the authorities in .*: no certificate in PEM form is in it
      client_certificate: optional
      certificates:
        - certificate: @absent.pem              # cannot read certificate .*absent.pem: No such file or directory
          private_key: @absent.key              # cannot read private key .*absent.key: No such file or directory
        - certificate: good.pem
          private_key: @locked.pem              # it needs a passphrase
        - certificate: @folder                  # cannot read certificate .*folder: it is a folder
          private_key: @good.pem                # no private key in PEM form is in it
        - certificate: @weak.pem                # its key is too short
          private_key: weak.key
        - certificate: @good.key                # no certificate in PEM form is in it
          private_key: good.key
        - certificate: good.pem
          private_key: good.key
          ocsp_response: @good.pem              # holds no successful OCSP response in DER form
        - certificate: good.pem
          private_key: good.key
          ocsp_response: @other.ocsp            # is about another certificate
admin:
  address: unix:ADMIN
  token_file: @absent.token                     # cannot read the token file .*absent.token: No such file or directory
state_dir: /proc/nowhere
pools:
  stable:
    endpoints: ["https://127.0.0.1:1"]
    tls:
      ca: @folder                               # pool stable: cannot read the authorities in .*: it is a folder
      certificate: client.pem
      private_key: @empty.pem                   # pool stable: cannot use private key .*: no private key in PEM form is in it
routes:
  - name: chat
    variants: {stable: {pool: stable, weight: 100}}
"""


def bad_file(directory, socket_path):
    """(its path, [(line, column, pattern)] of what is wrong with it)"""
    wanted, lines = [], []
    for number, line in enumerate(BAD.replace("ADMIN", str(socket_path)).splitlines(), 1):
        text, _, said = line.partition("#")
        if "@" in text:
            wanted.append((number, text.index("@") + 1, said.strip()))
        lines.append(text.replace("@", "").rstrip())
    path = directory / "bad.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path, wanted


def judge(output, path, wanted):
    found = [(int(m[1]), int(m[2]), m[3]) for m in re.finditer(re.escape(str(path)) + r":(\d+):(\d+): (.*)", output)]
    assert [f[:2] for f in found] == [w[:2] for w in wanted], output
    for (_, _, text), (_, _, said) in zip(found, wanted):
        assert re.search(said, text), (said, text)


@pytest.mark.parametrize("arguments", [("check", "PATH"), ("run", "-c", "PATH", "--check"), ("run", "-c", "PATH")])
def test_every_file_that_cannot_be_used_is_named_with_its_place(made, tmp_path, arguments):
    path, wanted = bad_file(made[0], tmp_path / "admin.sock")
    assert len(wanted) == 14
    done = cli(*[str(path) if a == "PATH" else a for a in arguments])
    assert done.returncode == 1 and "ok" not in done.stdout
    judge(done.stderr, path, wanted)
    assert not os.path.exists(tmp_path / "admin.sock")


def test_a_reload_says_the_same(made, start_sluice, upstream):
    directory, _ = made
    daemon = start_sluice({"pools": {"stable": pool(upstream("stable"))}, "routes": [route()]})
    path, wanted = bad_file(directory, daemon.socket)
    os.replace(daemon.path, daemon.path + ".good")
    text = path.read_text()
    for name in sorted(os.listdir(directory)):  # the same files, seen from the daemon's folder
        if not os.path.exists(os.path.join(daemon.directory, name)):
            os.symlink(directory / name, os.path.join(daemon.directory, name))
    daemon.write(text)
    done = daemon.cli("reload")
    assert done.returncode == 1
    judge(done.stderr, daemon.path, wanted)
    assert daemon.ask().status == 200


def test_a_check_needs_no_port_and_no_folder(made, tmp_path):
    """What runs already, or what another user runs, can be checked."""
    directory, pairs = made
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        path = tmp_path / "c.yaml"
        path.write_text(yaml.safe_dump({
            "listeners": [{"address": "127.0.0.1:%d" % taken.getsockname()[1],
                           "tls": {"certificate": pairs["good"].certificate, "private_key": pairs["good"].key}}],
            "admin": {"address": "unix:/nowhere/admin.sock"}, "state_dir": "/proc/nowhere",
            "access_log": {"path": str(tmp_path / "none" / "access.log")},
            "pools": {"stable": {"endpoints": ["https://a-name-that-nobody-has.invalid"]}}, "routes": [route()]}))
        for arguments in (("check", path), ("run", "--check", "-c", path)):
            done = cli(*arguments)
            assert done.returncode == 0 and done.stdout == f"{path}: ok\n" and not done.stderr, done
    assert sorted(os.listdir(tmp_path)) == ["c.yaml"]


@pytest.fixture
def open_folder():
    """A folder that every user can enter; pytest's own cannot be."""
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        yield path


def test_a_key_that_only_its_owner_reads(open_folder):
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else, and root reads everything")
    pair = make_certificate(open_folder, None, ["a.test"], stem="a")
    os.chmod(pair.key, 0o600)
    path = os.path.join(open_folder, "c.yaml")
    with open(path, "w", encoding="ascii") as file:
        yaml.safe_dump({"listeners": [{"address": "127.0.0.1:0", "tls": {"certificate": pair.certificate, "private_key": pair.key}}],
                        "pools": {"stable": pool("http://127.0.0.1:1")}, "routes": [route()]}, file)
    for readable in (path, pair.certificate):
        os.chmod(readable, 0o644)
    try:
        done = subprocess.run([BINARY, "check", path], capture_output=True, text=True, timeout=patience(20), check=False,
                              user=65534, group=65534, extra_groups=[])
    except PermissionError:
        pytest.skip("the binary lies where nobody else may run it")
    assert done.returncode == 1 and f"cannot read private key {pair.key}: Permission denied" in done.stderr, done


def end_of(pair):
    text = openssl("x509", "-in", pair.certificate, "-noout", "-enddate").decode().strip().split("=")[1]
    return datetime.datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=datetime.timezone.utc).timestamp()


def announced(pairs, upstream):
    """A configuration with certificates that run out."""
    def files(name):
        return {"certificate": pairs[name].certificate, "private_key": pairs[name].key}
    return {"listeners": [{"address": "127.0.0.1:0", "tls": {**files("good"), "certificates": [files("over"), files("over"),
                                                                                             files("good")]}}],
            "pools": {"stable": {"endpoints": [upstream.url]},
                      "secure": {"endpoints": ["https://127.0.0.1:1"], "tls": {"ca": pairs["ca"].certificate, **files("soon")}}},
            "routes": [route(variants={"stable": 50, "secure": 50})]}


def test_the_end_of_a_certificate_is_announced(made, start_sluice, upstream):
    _, pairs = made
    daemon = start_sluice(announced(pairs, upstream("stable")))
    over, soon, good = (pairs[name].certificate for name in ("over", "soon", "good"))
    # the check: a warning with its place, and still fine
    done = daemon.cli("check", daemon.path)
    lines = done.stderr.splitlines()
    assert done.returncode == 0 and done.stdout.endswith(": ok\n"), done
    assert len(lines) == 2 and all(re.match(re.escape(daemon.path) + r":\d+:\d+: warning: ", line) for line in lines), lines
    assert f"certificate {over} has expired" in lines[0]
    assert f"certificate {soon} expires at" in lines[1] and re.search(r"\b(9|10) days from now", lines[1])
    # the log, at the start and at each reload
    for count in (1, 2):
        wait_for(lambda: daemon.stderr().count("certificate has expired") == count  # pylint: disable=cell-var-from-loop
                 and daemon.stderr().count("certificate expires soon") == count, 10, "the log warns of both, once a load")
        done = daemon.cli("reload")
        assert done.returncode == 0 and f"warning: certificate {over} has expired" in done.stderr, done
    assert re.search(rf"certificate expires soon pool=secure certificate={soon} expires=\S+ days=(9|10)\b", daemon.stderr())
    assert good not in daemon.stderr()
    # the metric, for all of them, each once
    text = daemon.metrics()
    for labels, name in (({"listener": "127.0.0.1:0", "certificate": good}, "good"),
                         ({"listener": "127.0.0.1:0", "certificate": over}, "over"),
                         ({"pool": "secure", "certificate": soon}, "soon")):
        assert text.sum("sluice_certificate_expiry_timestamp_seconds", **labels) == end_of(pairs[name])
    page = daemon.admin().ask("GET", "/metrics").text
    assert page.count("\nsluice_certificate_expiry_timestamp_seconds{") == 3
    # a reload with others leaves no trace of these
    daemon.config["listeners"][0]["tls"] = {"certificate": pairs["other"].certificate, "private_key": pairs["other"].key}
    daemon.write()
    assert daemon.cli("reload").returncode == 0
    page = daemon.admin().ask("GET", "/metrics").text
    assert over not in page and pairs["other"].certificate in page


def test_a_chain_ends_with_its_first_certificate(made, start_sluice, upstream, tmp_path):
    _, pairs = made
    middle = make_ca(tmp_path, "middle", parent=pairs["ca"], days=3)
    leaf = make_certificate(tmp_path, middle, ["chain.test"], stem="chain", chain=[middle])
    daemon = start_sluice({"listeners": [{"address": "127.0.0.1:0", "tls": {"certificate": leaf.certificate,
                                                                          "private_key": leaf.key}}],
                           "pools": {"stable": pool(upstream("stable"))}, "routes": [route()]})
    assert daemon.metrics().sum("sluice_certificate_expiry_timestamp_seconds") == end_of(middle)
    assert end_of(middle) < end_of(leaf) - 20 * DAY
