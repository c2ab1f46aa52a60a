"""Files that others on the machine must not read or change: refused or warned of by check, start and reload alike."""
import os

import pytest

from harness.certificates import make_certificate
from harness.sluice import cli, pool, route

TOKEN = "0123456789abcdef0123456789"


def write(path, text, mode):
    path.write_text(text, encoding="ascii")
    path.chmod(mode)


def start(start_sluice, upstream, tmp_path, **more):
    for name in ("admin.token", "preview.token"):
        write(tmp_path / name, TOKEN + "\n", 0o600)
    return start_sluice({"pools": {"stable": pool(upstream("stable"))}, "routes": [route(override={"token_file": "preview.token"})], **more})


def said(daemon, sentence, token=TOKEN):
    """The sentence comes from `sluice check`, `sluice run`, and the reload; and what runs goes on."""
    for command in (("check",), ("run", "-c")):
        done = cli(*command, daemon.path)
        assert done.returncode == 1 and sentence in done.stderr, done.stderr
    reload = daemon.admin(token).post("/api/v1/reload")
    assert reload.status == 422 and any(sentence in str(d) for d in reload.json()["error"]["diagnostics"]), reload.text
    assert daemon.ask().status == 200


@pytest.mark.parametrize("mode, whom, better", [
    (0o644, "everybody can read it", 0o640), (0o602, "everybody can change it", 0o600), (0o660, "its group can change it", 0o640)])
@pytest.mark.parametrize("name", ["admin.token", "preview.token"])
def test_a_token_that_is_not_secret(start_sluice, upstream, tmp_path, name, mode, whom, better):
    daemon = start(start_sluice, upstream, tmp_path)
    daemon.config["admin"]["token_file"] = "admin.token"
    daemon.write()
    assert daemon.reload().status == 200
    path = tmp_path / name
    path.chmod(mode)
    said(daemon, f"token file {path} has mode {mode:04o}: {whom}; run chmod {better:04o} {path}")
    path.chmod(better)
    assert daemon.admin(TOKEN).post("/api/v1/reload").status == 200


def test_a_token_that_its_group_may_read(start_sluice, upstream, tmp_path):
    daemon = start(start_sluice, upstream, tmp_path)
    (tmp_path / "preview.token").chmod(0o440)
    assert daemon.reload().json()["warnings"] == []


def test_a_state_that_anybody_could_write(start_sluice, upstream, tmp_path):
    daemon = start(start_sluice, upstream, tmp_path)
    state = daemon.config["state_dir"]
    os.chmod(state, 0o1777)
    said(daemon, f"state_dir {state} has mode 1777: everybody can change it; run chmod 1775 {state}")
    os.chmod(state, 0o755)
    key = os.path.join(state, "request_id.key")
    assert os.stat(key).st_mode & 0o777 == 0o600
    os.chmod(key, 0o644)
    said(daemon, f"the key of request ids {key} has mode 0644: everybody can read it; run chmod 0640 {key}")


def test_a_private_key_that_everybody_may_read_is_a_warning(start_sluice, upstream, tmp_path):
    pair = make_certificate(tmp_path, None, names=["localhost"])
    os.chmod(pair.key, 0o644)
    tls = {"certificate": pair.certificate, "private_key": pair.key}
    daemon = start(start_sluice, upstream, tmp_path, listeners=[{"address": "127.0.0.1:0"}, {"address": "[::1]:0", "tls": tls}])
    sentence = f"private key {pair.key} has mode 0644: everybody can read it"
    assert sentence in daemon.stderr()
    checked = cli("check", daemon.path)
    assert checked.returncode == 0 and f"warning: {sentence}" in checked.stderr
    assert any(sentence in str(w) for w in daemon.reload().json()["warnings"])
    os.chmod(pair.key, 0o640)
    assert cli("check", daemon.path).stderr == ""
