"""OPTIONS and how far it may go (RFC 9110 7.6.2, 9.3.7)."""
import pytest

from harness.sluice import pool, route


@pytest.fixture
def pair(start_sluice, upstream):
    server = upstream("stable")
    daemon = start_sluice({"pools": {"stable": pool(server)}, "routes": [route()]})
    return daemon, server


def test_it_goes_no_further_than_it_may(pair):
    daemon, server = pair
    with daemon.client() as client:
        response = client.ask("OPTIONS", "/x", headers=[("Max-Forwards", "0")])
        assert response.status == 200 and "POST" in response.header("Allow") and response.body == b""
        assert response.header("X-Request-Id") and not server.requests
        assert client.ask("OPTIONS", "/x").status == 200  # the connection goes on
        assert len(server.requests) == 1


def test_each_forwarding_is_counted(pair):
    daemon, server = pair
    daemon.ask("OPTIONS", "/x", headers=[("Max-Forwards", "7")])
    assert server.requests[0].header("Max-Forwards") == "6"


def test_elsewhere_it_means_nothing(pair):
    daemon, server = pair
    daemon.ask("GET", "/x", headers=[("Max-Forwards", "0")])
    daemon.ask("OPTIONS", "/x", headers=[("Max-Forwards", "many")])
    assert server.requests[0].header("Max-Forwards") == "0"
    assert server.requests[1].method == "OPTIONS"


def test_the_whole_server_can_be_asked(pair):
    daemon, server = pair
    assert daemon.ask("OPTIONS", "*").status == 200
    assert server.requests[0].target == "*"


def test_options_about_a_whole_server_in_absolute_form(start_sluice, upstream):
    server = upstream("stable")
    daemon = start_sluice({"pools": {"stable": pool(server)}, "routes": [route()]})
    with daemon.client() as client:
        assert client.ask("OPTIONS", "http://a.example:81", host="a.example:81").status == 200
        assert client.ask("OPTIONS", "http://a.example/", host="a.example").status == 200
        assert client.ask("GET", "http://a.example", host="a.example").status == 200
    assert [(r.target, r.header("Host")) for r in server.requests] == [
        ("*", "a.example:81"), ("/", "a.example"), ("/", "a.example")]
