"""Handshakes and records that must fail: each with its alert at the client, its log line and its counter."""
import re
import socket
import ssl
import struct
import subprocess

import pytest

from harness.certificates import make_ca, make_certificate
from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Authorities and certificates, by name."""
    directory = tmp_path_factory.mktemp("refused")
    ca, stranger = make_ca(directory, "ca"), make_ca(directory, "stranger")

    def client(name, authority=ca, **settings):
        return make_certificate(directory, authority, [name], client=True, stem=name, **settings)
    return {"ca": ca, "server": make_certificate(directory, ca, ["a.test"], stem="server"), "client": client("client"),
            "unknown": client("unknown", stranger), "expired": client("expired", days=-1),
            "purpose": make_certificate(directory, ca, ["purpose"], stem="purpose")}


class Front:
    def __init__(self, start_sluice, server, made, tls, settings):
        listener = {"address": "127.0.0.1:0", "tls": {"certificate": made["server"].certificate,
                                                      "private_key": made["server"].key, **tls}}
        self.ca, self.server = made["ca"], server
        self.daemon = start_sluice({"workers": 1, "listeners": [listener], "pools": {"stable": pool(server)},
                                    "routes": [route()], **settings})
        self.address = ("127.0.0.1", int(self.daemon.listening()[0].rsplit(":", 1)[1]))

    def s_client(self, *options):
        done = subprocess.run(["openssl", "s_client", "-connect", "%s:%d" % self.address, "-servername", "a.test", "-ign_eof",
                               *map(str, options)], input="GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
                              capture_output=True, text=True, errors="replace", timeout=patience(20), check=False)
        return done.stdout + done.stderr

    def refused(self, reason="tls_handshake"):
        return self.daemon.metrics().sum("sluice_rejected_requests_total", reason=reason)

    def judge(self, logged, reason="tls_handshake", count=1):
        """Nothing reached the upstream, the failure is counted and written down, and others are served as before."""
        wait_for(lambda: self.refused(reason) == count, 10, f"{reason} is counted {count} times, not {self.refused(reason)}")
        assert self.server.count == 0
        if logged:
            wait_for(lambda: re.search(rf"TLS handshake failed client=127\.0\.0\.1 reason=\"?[^\n]*{logged}", self.daemon.stderr()),
                     10, f"the log says {logged}:\n{self.daemon.stderr()}")


@pytest.fixture
def front(start_sluice, upstream, made):
    def start(tls=None, **settings):
        return Front(start_sluice, upstream("stable"), made, tls or {}, settings)
    return start


MUTUAL = ("required", "optional")
NO_RENEGOTIATION = ("-tls1_2",)

# how s_client is told to misbehave, what it reports, what the log says
WAYS = {
    "old version": (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "alert protocol version", "alert sent: protocol version"),
    "older version": (["-tls1", "-cipher", "ALL:@SECLEVEL=0"], "alert protocol version", "alert sent: protocol version"),
    "no shared cipher": (["-tls1_2", "-cipher", "AES128-SHA"], "alert handshake failure", "no shared cipher"),
    "no shared suite": (["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_8_SHA256"], "alert handshake failure",
                        "no shared cipher"),
    "no shared group": (["-tls1_3", "-groups", "P-521"], "alert handshake failure", "no suitable key share"),
    "no forward secrecy": (["-tls1_2", "-cipher", "kRSA"], "alert handshake failure", "no shared cipher"),
    "only HTTP/2": (["-alpn", "h2"], "alert no application protocol", "alert sent: no application protocol"),
    "no signature that fits": (["-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256"], "alert handshake failure",
                               "alert sent: handshake failure"),
}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_openssl_is_refused(front, way):
    options, reported, logged = WAYS[way]
    one = front()
    output = one.s_client(*options)
    assert reported in output and "HTTP/1.1" not in output, output
    one.judge(logged)


def test_a_version_below_the_configured_minimum(front):
    one = front({"minimum_version": "1.3"})
    assert "alert protocol version" in one.s_client("-tls1_2")
    one.judge("alert sent: protocol version")
    assert "HTTP/1.1 200" in one.s_client("-tls1_3")


# which certificate a client shows, the alert it gets, what the log says
CLIENTS = {
    "none": (None, "alert certificate required|alert handshake failure", "peer did not return a certificate"),
    "unknown": ("unknown", "alert unknown ca", "unable to get local issuer certificate"),
    "expired": ("expired", "alert certificate expired", "certificate has expired"),
    "purpose": ("purpose", "alert unsupported certificate|alert certificate unknown|alert bad certificate",
                "unsuitable certificate purpose|unsupported certificate purpose"),
}


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("who", sorted(CLIENTS))
def test_a_client_certificate_is_refused(front, made, who, version):
    shown, reported, logged = CLIENTS[who]
    one = front({"client_ca": made["ca"].certificate, "client_certificate": "required"})
    options = [version] + (["-cert", made[shown].certificate, "-key", made[shown].key] if shown else [])
    output = one.s_client(*options)
    assert re.search(reported, output) and "HTTP/1.1" not in output, output
    one.judge(f"({logged})")
    good = one.s_client(version, "-cert", made["client"].certificate, "-key", made["client"].key)
    assert "HTTP/1.1 200" in good, good


def test_an_optional_certificate_must_be_good_when_shown(front, made):
    one = front({"client_ca": made["ca"].certificate, "client_certificate": "optional"})
    assert "alert unknown ca" in one.s_client("-cert", made["unknown"].certificate, "-key", made["unknown"].key)
    one.judge("unable to get local issuer certificate")
    assert "HTTP/1.1 200" in one.s_client()


def alert_of(data):
    """(level, description) of a plaintext alert record."""
    kind, _, length = struct.unpack("!BHH", data[:5])
    assert kind == 21 and length == 2, data
    return tuple(data[5:7])


def raw_exchange(front, data, finish=False):
    """What the daemon answers to these bytes, until it closes."""
    with socket.create_connection(front.address, timeout=patience(10)) as sock:
        sock.sendall(data)
        if finish:
            sock.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while got := sock.recv(65536):
                answer += got
        except ConnectionResetError:
            pass
        return answer


def hello(ca):
    """A ClientHello that is worth an answer."""
    outgoing = ssl.MemoryBIO()
    tls = ssl.create_default_context(cafile=ca.certificate).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="a.test")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def test_plain_http_on_the_tls_port(front):
    one = front()
    raw_exchange(one, b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    one.judge("http request")


def test_garbage(front):
    one = front()
    for number, data in enumerate([b"\x00" * 300, b"SSH-2.0-OpenSSH_9.2\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 100,
                                   b"\x80\x2e\x01\x00\x02" + b"\0" * 60]):
        raw_exchange(one, data)
        one.judge(None, count=number + 1)
    assert one.daemon.stderr().count("TLS handshake failed") == 4


def test_a_hello_with_a_broken_length(front):
    one = front()
    data = bytearray(hello(one.ca))
    data[8] ^= 0x7f  # the handshake message's length
    raw_exchange(one, bytes(data), finish=True)
    one.judge("")


def test_an_end_in_the_middle_of_the_handshake(front):
    one = front()
    raw_exchange(one, hello(one.ca)[:40], finish=True)
    one.judge("the connection was closed")
    raw_exchange(one, hello(one.ca), finish=True)
    one.judge("the connection was closed", count=2)


def test_a_handshake_that_takes_too_long(front):
    one = front(timeouts={"handshake": "300ms"})
    with socket.create_connection(one.address, timeout=patience(10)) as sock:
        sock.sendall(hello(one.ca)[:50])
        assert sock.recv(100) == b""
    one.judge("it took too long")


def test_too_many_handshakes_at_once(front):
    one = front(limits={"handshakes": 3})
    held = [socket.create_connection(one.address, timeout=patience(10)) for _ in range(3)]
    for sock in held:
        sock.sendall(hello(one.ca)[:50])
    with socket.create_connection(one.address, timeout=patience(10)) as sock:
        try:
            assert sock.recv(100) == b""
        except ConnectionResetError:
            pass
    wait_for(lambda: one.refused("handshakes") == 1, 10, "counted")
    for sock in held:
        sock.close()
    wait_for(lambda: one.refused() == 3, 10, "the held ones are over")
    assert "HTTP/1.1 200" in one.s_client()


def handshaken(front):
    """(socket, tls, incoming, outgoing) after the handshake, with the records in our hands."""
    sock = socket.create_connection(front.address, timeout=patience(10))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context(cafile=front.ca.certificate).wrap_bio(incoming, outgoing, server_hostname="a.test")
    while True:
        try:
            tls.do_handshake()
            sock.sendall(outgoing.read())
            return sock, tls, incoming, outgoing
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(65536))


@pytest.mark.parametrize("how", ["flipped", "oversize", "replayed"])
def test_a_bad_record_ends_the_connection(front, how):
    one = front()
    sock, tls, incoming, outgoing = handshaken(one)
    with sock:
        tls.write(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        record = outgoing.read()
        if how == "flipped":
            sock.sendall(record[:-3] + bytes([record[-3] ^ 1]) + record[-2:])
        elif how == "oversize":
            sock.sendall(b"\x17\x03\x03\x48\x01" + b"x" * 0x4801)
        else:
            sock.sendall(record + record)
        try:
            while data := sock.recv(65536):
                incoming.write(data)
        except ConnectionResetError:
            pass
    alert = {"flipped": "bad record mac", "oversize": "record overflow", "replayed": "bad record mac"}[how]
    if how != "replayed":
        assert one.server.count == 0
        with pytest.raises(ssl.SSLError) as failed:
            tls.read(1000)
        assert alert.replace(" ", "_").upper() in str(failed.value).upper().replace(" ", "_"), failed.value
    else:
        assert one.server.count == 1  # the first of the two
    assert "HTTP/1.1 200" in one.s_client()


def test_no_renegotiation(front):
    one = front()
    done = subprocess.run(["openssl", "s_client", "-connect", "%s:%d" % one.address, "-tls1_2", "-servername", "a.test"],
                          input="R\n", capture_output=True, text=True, errors="replace", timeout=patience(20), check=False)
    output = done.stdout + done.stderr
    assert "RENEGOTIATING" in output and re.search("no renegotiation", output), output
    assert one.server.count == 0
    assert "HTTP/1.1 200" in one.s_client()


def test_a_flood_of_failures_does_not_fill_the_log(front):
    one = front()
    for _ in range(60):
        raw_exchange(one, b"GET / HTTP/1.1\r\n\r\n")
    wait_for(lambda: one.refused() == 60, 20, "all are counted")
    written = one.daemon.stderr().count("TLS handshake failed client")
    assert 1 <= written <= 60
