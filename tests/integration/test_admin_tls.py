"""The admin API where other machines reach it: under TLS and with a token, or not at all; and what wrong tokens meet."""
import http.client
import ssl

import pytest

from harness.certificates import make_ca, make_certificate
from harness.load import free_port
from harness.secure import SecureAdmin
from harness.sluice import cli, pool, route
from harness.wait import wait_for

TOKEN = "an-admin-token-0123456789"


class Authority:
    def __init__(self, directory):
        self.directory = directory
        self.ca = make_ca(directory)
        self.admin = make_certificate(directory, self.ca, names=["127.0.0.1", "localhost"], stem="admin")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("admin-tls"))


@pytest.fixture
def start(start_sluice, upstream, tmp_path):
    """start(authority, address=…, **admin) -> a daemon whose admin API is under TLS; .secure speaks with it."""
    def make(authority, host="0.0.0.0", client=None, **admin):
        token = tmp_path / "admin.token"
        token.write_text(TOKEN + "\n", encoding="utf-8")
        token.chmod(0o600)
        address = f"{host}:{free_port()}"
        made = start_sluice({
            "admin": {"address": address, "token_file": "admin.token",
                      "tls": {"certificate": authority.admin.certificate, "private_key": authority.admin.key, **admin}},
            "pools": {"stable": pool(upstream("stable")), "canary": pool(upstream("canary"))},
            "routes": [route("chat", {"stable": 95, "canary": 5})]}, admin_ca=authority.ca.certificate, admin_certificate=client)
        made.secure = SecureAdmin(address, authority.ca.certificate, TOKEN, client)
        made.at = "https://127.0.0.1:" + address.rsplit(":", 1)[1]
        return made
    return make


def test_everything_works_under_tls(start, authority):
    daemon = start(authority)
    secure = daemon.secure
    link = secure.connection()
    assert secure.get("/api/v1/status", link)["routes"][0]["name"] == "chat"
    socket = link.sock
    status, _, page = secure.ask("GET", "/", connection=link)
    assert status == 200 and "<html" in page
    status, _, text = secure.ask("GET", "/metrics", connection=link)
    assert status == 200 and "sluice_certificate_expiry_timestamp_seconds{listener=\"0.0.0.0:" in text
    status, _, text = secure.ask("POST", "/api/v1/routes/chat/weights", {"weights": {"stable": 50, "canary": 50}}, connection=link)
    assert status == 200, text
    assert link.sock is socket, "one connection carried them all"
    large = {"weights": {"stable": 50, "canary": 50}, "reason": "x" * 60000}  # more than one record
    assert secure.ask("POST", "/api/v1/routes/chat/weights", large, connection=link)[0] in (200, 422)
    link.close()


def test_events_stream_under_tls(start, authority):
    daemon = start(authority)
    link = daemon.secure.connection()
    link.request("GET", "/api/v1/events")
    answer = link.getresponse()
    seen = []
    while len(seen) < 2:  # the first at once, the next a second later
        line = answer.readline().decode()
        if line.startswith("event:"):
            seen.append(line.split()[1])
    assert seen == ["status", "status"]
    link.close()
    assert daemon.secure.get("/api/v1/status")["pid"] == daemon.pid


def test_who_does_not_speak_tls_or_does_not_trust_gets_nothing(start, authority):
    daemon = start(authority)
    plain = cli("status", "--admin", daemon.at.replace("https", "http"))
    assert plain.returncode == 5, plain
    stranger = cli("status", "--admin", daemon.at)
    assert stranger.returncode == 5 and "certificate" in stranger.stderr, stranger
    link = http.client.HTTPSConnection(*daemon.secure.where, context=ssl.create_default_context(), timeout=15)
    with pytest.raises(ssl.SSLCertVerificationError):
        link.connect()
    assert daemon.secure.get("/api/v1/status")


def test_commands_under_tls(start, authority, tmp_path):
    daemon = start(authority)
    ask = ("--admin", daemon.at, "--ca", authority.ca.certificate)
    assert cli("status", *ask).returncode == 0
    refused = cli("weight", "chat", "stable=50", "canary=50", *ask)
    assert refused.returncode == 1 and "token" in refused.stderr
    assert cli("weight", "chat", "stable=50", "canary=50", *ask, "--token-file", tmp_path / "admin.token").returncode == 0
    environment = {"SLUICE_ADMIN": daemon.at, "SLUICE_CA": authority.ca.certificate, "SLUICE_TOKEN": TOKEN}
    assert cli("reload", env=environment).returncode == 0


def test_an_operators_certificate_can_be_asked_for(start, authority, tmp_path):
    operator = make_certificate(tmp_path, authority.ca, names=["operator"], client=True)
    both = tmp_path / "operator-both.pem"
    both.write_text((tmp_path / "operator.pem").read_text() + (tmp_path / "operator.key").read_text(), encoding="ascii")
    daemon = start(authority, client=operator, client_ca=authority.ca.certificate)
    ask = ("--admin", daemon.at, "--ca", authority.ca.certificate)
    assert cli("status", *ask).returncode == 5
    assert cli("status", *ask, "--certificate", both).returncode == 0
    assert daemon.secure.get("/api/v1/status")


def test_a_reload_brings_the_new_certificate_and_open_connections_go_on(start, authority):
    daemon = start(authority)
    before = daemon.secure.connection()
    daemon.secure.get("/api/v1/status", before)
    other = make_certificate(authority.directory, authority.ca, names=["127.0.0.1"], stem="renewed")
    daemon.config["admin"]["tls"] = {"certificate": other.certificate, "private_key": other.key}
    daemon.write()
    assert daemon.secure.ask("POST", "/api/v1/reload")[0] == 200
    after = daemon.secure.connection()
    daemon.secure.get("/api/v1/status", after)
    assert after.sock.getpeercert()["serialNumber"] != before.sock.getpeercert()["serialNumber"]
    daemon.secure.get("/api/v1/status", before)
    daemon.config["admin"]["tls"]["private_key"] = authority.admin.key
    daemon.write()
    status, _, text = daemon.secure.ask("POST", "/api/v1/reload")
    assert status == 422 and "is not the one of certificate" in text
    daemon.secure.get("/api/v1/status")
    for link in (before, after):
        link.close()


def test_tls_can_come_and_go_on_loopback(start, authority):
    daemon = start(authority, host="127.0.0.1")
    tls = daemon.config["admin"].pop("tls")
    daemon.write()
    assert daemon.secure.ask("POST", "/api/v1/reload")[0] == 200
    assert daemon.admin(TOKEN).get("/api/v1/status")
    daemon.config["admin"]["tls"] = tls
    daemon.write()
    plain = daemon.config["admin"]["address"]
    assert cli("reload", env={"SLUICE_ADMIN": plain, "SLUICE_TOKEN": TOKEN}).returncode == 0
    assert daemon.secure.get("/api/v1/status")


@pytest.mark.parametrize("admin, missing", [
    ({}, "`token_file` and `tls`"), ({"token_file": "admin.token"}, "`tls`"), ({"tls": True}, "`token_file`")])
def test_on_the_network_it_needs_both(authority, tmp_path, admin, missing):
    token = tmp_path / "admin.token"
    token.write_text(TOKEN, encoding="utf-8")
    token.chmod(0o600)
    if "tls" in admin:
        admin = {**admin, "tls": f"{{certificate: {authority.admin.certificate}, private_key: {authority.admin.key}}}"}
    path = tmp_path / "sluice.yaml"
    keys = "".join(f", {key}: {value}" for key, value in admin.items())
    path.write_text(f"listeners: [{{address: 127.0.0.1:0}}]\nadmin: {{address: 0.0.0.0:{free_port()}{keys}}}\n"
                    f"state_dir: {tmp_path}/state\npools: {{a: {{endpoints: [http://127.0.0.1:1]}}}}\n"
                    "routes: [{name: chat, variants: {a: {pool: a}}}]\n", encoding="utf-8")
    for command in (("check",), ("run", "-c")):
        done = cli(*command, path)
        assert done.returncode == 1
        assert f"{path}:2:18: admin address 0.0.0.0:" in done.stderr and f"it needs {missing} (" in done.stderr, done.stderr


def test_a_token_that_could_be_guessed_is_none_on_the_network(authority, tmp_path):
    token = tmp_path / "admin.token"
    token.write_text("short", encoding="utf-8")
    token.chmod(0o600)
    path = tmp_path / "sluice.yaml"
    path.write_text(f"""listeners: [{{address: 127.0.0.1:0}}]
admin:
  address: 0.0.0.0:{free_port()}
  token_file: admin.token
  tls: {{certificate: {authority.admin.certificate}, private_key: {authority.admin.key}}}
pools: {{a: {{endpoints: [http://127.0.0.1:1]}}}}
routes: [{{name: chat, variants: {{a: {{pool: a}}}}}}]
""", encoding="utf-8")
    done = cli("check", path)
    assert done.returncode == 1 and f"{path}:4:15: the token in {token} has less than 16 characters" in done.stderr, done.stderr
    assert "short" not in done.stderr


def test_wrong_tokens_are_slowed_and_the_right_one_never(start, authority):
    daemon = start(authority)
    right, wrong = daemon.secure, SecureAdmin("127.0.0.1:" + daemon.at.rsplit(":", 1)[1], authority.ca.certificate, "wrong" * 5)
    answers = [wrong.ask("POST", "/api/v1/reload") for _ in range(8)]
    statuses = [status for status, _, _ in answers]
    assert statuses[:5] == [401] * 5 and statuses[-1] == 429, statuses
    assert int(answers[-1][1]["Retry-After"]) > 0 and '"rate_limited"' in answers[-1][2]
    assert right.ask("POST", "/api/v1/reload")[0] == 200
    assert wrong.ask("GET", "/api/v1/status")[0] == 200, "reading needs no token"
    _, _, text = right.ask("GET", "/metrics")
    assert 'sluice_admin_denied_total{reason="token_wrong"} 5' in text
    assert f'sluice_admin_denied_total{{reason="rate_limited"}} {statuses.count(429)}' in text
    wait_for(lambda: "a change was refused at the admin API client=127.0.0.1 reason=token_wrong" in daemon.stderr())
    assert "wrong" * 5 not in daemon.stderr() and TOKEN not in daemon.stderr()
