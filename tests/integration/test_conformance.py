"""Every message of tests/data/conformance, cut in four ways, over plain connections and TLS (see harness/conformance.py)."""
import ssl
import subprocess

import pytest

from harness.conformance import SPLITS, Origin, judge_all, load
from harness.scale import scaled
from harness.sluice import route


@pytest.fixture(scope="module")
def origin():
    server = Origin()
    yield server
    server.stop()


@pytest.fixture
def listener(request, start_sluice, origin, tmp_path):  # pylint: disable=redefined-outer-name
    """(daemon, address, wrap) of a plain listener or one under TLS."""
    settings, wrap = {"address": "127.0.0.1:0"}, None
    if request.param == "tls":
        certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                        "2", "-subj", "/CN=a.example", "-addext", "subjectAltName=DNS:a.example", "-keyout", key, "-out",
                        certificate], check=True, capture_output=True)
        settings["tls"] = {"certificate": str(certificate), "private_key": str(key)}
        context = ssl.create_default_context(cafile=str(certificate))

        def wrap(sock):
            return context.wrap_socket(sock, server_hostname="a.example", suppress_ragged_eofs=False)
    daemon = start_sluice({"workers": 1, "listeners": [settings], "pools": {"stable": {"endpoints": [origin.url],
                           "ejection": {"consecutive_failures": 0}}}, "routes": [route()]})
    host, port = daemon.listening()[0].rsplit(":", 1)
    return daemon, (host, int(port)), wrap


both = pytest.mark.parametrize("listener", ["plain", "tls"], indirect=True)


@both
@pytest.mark.heavy
def test_requests(listener, origin):  # pylint: disable=redefined-outer-name
    daemon, address, wrap = listener
    cases = [c for c in load("requests") if not (wrap and c.get("half_close"))]
    splits = SPLITS if scaled(100) == 100 else ("none", "byte")
    before = len(origin.violations)
    wrong = judge_all("requests", cases, splits, address, origin, wrap)
    assert not wrong, "\n".join(wrong)
    assert origin.violations[before:] == []
    refused = sum(len(splits) for c in cases if c["outcome"] in (400, 405, 414, 417, 431, 501, 505))
    assert daemon.metrics().sum("sluice_rejected_requests_total") >= refused


@both
@pytest.mark.heavy
def test_responses(listener, origin):  # pylint: disable=redefined-outer-name
    _, address, wrap = listener
    wrong = judge_all("responses", load("responses"), ("none",), address, origin, wrap, threads=4)
    assert not wrong, "\n".join(wrong)


def test_there_are_enough_cases():
    requests, responses = load("requests"), load("responses")
    for cases in (requests, responses):
        assert len({c["id"] for c in cases}) == len(cases)
    assert sum(c["id"].startswith("own-") for c in requests + responses) >= 200
