"""The proxy's own answers and the connection they are given on."""
import pytest

from harness.sluice import pool, route


@pytest.fixture
def daemon(start_sluice, upstream):
    return start_sluice({"pools": {"stable": pool(upstream("stable"))},
                         "routes": [route(match={"path_prefix": "/v1/"})]})


def test_a_call_whose_body_is_here_keeps_its_connection(daemon):
    with daemon.client() as client:
        for _ in range(3):
            response = client.ask("POST", "/elsewhere", body=b'{"model":"m"}')
            assert response.status == 404 and response.header("Connection") is None
        assert client.ask("POST", "/v1/x", body=b"{}").status == 200


def test_a_body_that_still_comes_ends_it(daemon):
    with daemon.client() as client:
        client.send(b"POST /elsewhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nsome")
        response = client.response()
        assert response.status == 404 and response.header("Connection") == "close"
        assert client.closed()


def test_the_next_request_behind_a_thrown_away_body_is_answered(daemon):
    with daemon.client() as client:
        client.send(b"POST /elsewhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n0\r\n\r\n"
                    b"GET /v1/next HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.response().status == 404
        assert client.response().status == 200
