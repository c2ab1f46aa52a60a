"""Tokens and dollars: what model servers' answers say they took, counted while the bytes pass by unchanged."""
import gzip
import json

import pytest

from harness.sluice import pool, route
from test_access_log import lines

USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
CHAT = json.dumps({"object": "chat.completion", "choices": [{"message": {"content": 'no "usage": {} here'}}], "usage": USAGE})
JSON = [("Content-Type", "application/json")]
PRICE = {"input": 2.5, "output": 10}
DOLLARS = (1000 * 2.5 + 500 * 10) / 1e6


def config(server, price=PRICE, **settings):
    variant = {"pool": "stable", "weight": 100, **({"price": price} if price else {})}
    return {"pools": {"stable": pool(server)}, "routes": [route("chat", {"stable": variant})], **settings}


def tokens(daemon, prompt, completion, variant="stable"):
    """Waits for the counters: a worker counts after it has answered."""
    assert daemon.counted("sluice_tokens_total", completion, variant=variant, type="completion")
    assert daemon.counted("sluice_tokens_total", prompt, variant=variant, type="prompt")


def dollars(daemon, variant="stable"):
    return daemon.metrics().sum("sluice_cost_dollars_total", variant=variant)


def events(*datas):
    return "".join(f"data: {d if isinstance(d, str) else json.dumps(d)}\n\n" for d in datas)


def delta(text):
    return {"choices": [{"index": 0, "delta": {"content": text}}]}


STREAM = events(delta("Hel"), delta('"usage"'), {"choices": [], "usage": USAGE}, "[DONE]")


def chunked(text, content_type, size):
    """Answers with chunks of `size` bytes, each in a packet of its own."""
    def handler(_request, reply):
        reply.begin_chunked(200, [("Content-Type", content_type)])
        data = text.encode()
        for at in range(0, len(data), size):
            reply.chunk(data[at:at + size])
        reply.end_chunked()
    return handler


def test_a_body_with_a_length(start_sluice, upstream):
    daemon = start_sluice(config(upstream("stable", lambda request, reply: reply.send(200, CHAT, JSON))))
    for n in range(1, 4):
        assert daemon.ask("POST", "/v1/chat/completions").text == CHAT
        tokens(daemon, 1000 * n, 500 * n)
        assert dollars(daemon) == pytest.approx(DOLLARS * n)


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("text, content_type", [(CHAT, "application/json; charset=utf-8"), (STREAM, "text/event-stream")])
def test_chunks_of_any_size(start_sluice, upstream, text, content_type, size):
    daemon = start_sluice(config(upstream("stable", chunked(text, content_type, size))))
    assert daemon.ask("POST", "/v1/chat/completions").text == text
    tokens(daemon, 1000, 500)
    assert dollars(daemon) == pytest.approx(DOLLARS)
    assert daemon.metrics().sum("sluice_request_errors_total") == 0


@pytest.mark.parametrize("size", [1, 50])
@pytest.mark.parametrize("text, content_type", [(CHAT, "application/json"), (STREAM, "text/event-stream")])
def test_gzip_passes_as_it_is_and_is_counted(start_sluice, upstream, text, content_type, size):
    packed = gzip.compress(text.encode())

    def handler(_request, reply):
        reply.begin_chunked(200, [("Content-Type", content_type), ("Content-Encoding", "gzip")])
        for at in range(0, len(packed), size):
            reply.chunk(packed[at:at + size])
        reply.end_chunked()
    daemon = start_sluice(config(upstream("stable", handler)))
    response = daemon.ask(headers=[("Accept-Encoding", "gzip")])
    assert response.body == packed and response.header("Content-Encoding") == "gzip"
    tokens(daemon, 1000, 500)


def test_what_is_not_counted(start_sluice, upstream):
    """Neither counted nor touched; the last answer shows that counting goes on."""
    def handler(request, reply):
        kind = request.header("X-Kind")
        if kind == "text":
            reply.send(200, CHAT, [("Content-Type", "text/plain")])
        elif kind == "encoded":
            reply.send(200, CHAT, JSON + [("Content-Encoding", "br")])
        elif kind == "no gzip":
            reply.send(200, CHAT, JSON + [("Content-Encoding", "gzip")])
        elif kind == "refused":
            reply.send(429, CHAT, JSON)
        elif kind == "without":
            reply.send(200, '{"choices": []}', JSON)
        elif kind == "garbage":
            reply.send(200, b'{"usage": {"prompt_tokens": 1' + b"\0\xff" * 10, JSON)
        else:
            reply.send(200, CHAT, JSON)
    daemon = start_sluice(config(upstream("stable", handler)))
    for kind in ["text", "encoded", "no gzip", "refused", "without", "garbage", "well"]:
        assert daemon.ask(headers=[("X-Kind", kind)]).status == (429 if kind == "refused" else 200)
    tokens(daemon, 1000, 500)
    assert daemon.metrics().sum("sluice_requests_total", variant="stable") == 7


def test_tokens_are_counted_without_a_price(start_sluice, upstream, tmp_path):
    log = tmp_path / "access.log"
    daemon = start_sluice(config(upstream("stable", lambda request, reply: reply.send(200, CHAT, JSON)), price=None,
                                 access_log={"path": str(log), "format": "json"}))
    daemon.ask()
    tokens(daemon, 1000, 500)
    assert dollars(daemon) == 0
    entry, = lines(log, 1)
    assert entry["prompt_tokens"] == 1000 and entry["completion_tokens"] == 500 and "dollars" not in entry


def test_the_log_tells_tokens_and_dollars(start_sluice, upstream, tmp_path):
    log = tmp_path / "access.log"
    bodies = iter([CHAT, "{}"])
    daemon = start_sluice(config(upstream("stable", lambda request, reply: reply.send(200, next(bodies), JSON)),
                                 access_log={"path": str(log), "format": "json"}))
    with daemon.client() as client:  # one connection, one worker: the lines come in order
        client.ask()
        client.ask()
    told, silent = lines(log, 2)
    assert told["prompt_tokens"] == 1000 and told["completion_tokens"] == 500 and told["dollars"] == pytest.approx(DOLLARS)
    assert "prompt_tokens" not in silent and "dollars" not in silent


def test_the_fallback_s_tokens_are_its_own(start_sluice, upstream):
    servers = {"stable": upstream("stable", lambda request, reply: reply.send(200, CHAT, JSON)),
               "canary": upstream("canary", lambda request, reply: reply.send(500, CHAT, JSON))}
    variants = {name: {"pool": name, "weight": weight, "price": PRICE} for name, weight in [("stable", 0), ("canary", 100)]}
    daemon = start_sluice({"pools": {name: pool(server) for name, server in servers.items()},
                           "routes": [route("chat", variants, fallback="stable", retry={"attempts": 0, "on": [500]})]})
    assert daemon.ask().status == 200
    tokens(daemon, 1000, 500, variant="stable")
    assert daemon.metrics().sum("sluice_tokens_total", variant="canary") == 0
    assert dollars(daemon, "stable") == pytest.approx(DOLLARS) and dollars(daemon, "canary") == 0


# ---- errors behind a head that promised well

ERROR = {"error": {"message": "CUDA out of memory", "type": "server_error", "code": 500}}


def test_an_error_event_is_an_error_of_the_variant(start_sluice, upstream, tmp_path):
    log = tmp_path / "access.log"
    text = events(delta("Hel"), ERROR, "[DONE]")
    daemon = start_sluice(config(upstream("stable", chunked(text, "text/event-stream; charset=utf-8", 1000)),
                                 access_log={"path": str(log), "format": "json"}))
    response = daemon.ask()
    assert response.status == 200 and response.text == text
    assert daemon.counted("sluice_request_errors_total", 1, variant="stable", reason="error_event")
    assert daemon.metrics().sum("sluice_request_errors_total") == 1
    assert daemon.metrics().sum("sluice_requests_total", code="2xx", variant="stable") == 1
    entry, = lines(log, 1)
    assert entry["error"] == "error_event" and entry["end"] == "complete" and entry["status"] == 200


def test_a_client_that_goes_when_it_is_told_of_an_error(start_sluice, upstream):
    """As the official clients do: they raise, and close. It is the variant's error all the same."""
    def handler(_request, reply):
        reply.begin_sse()
        reply.event(json.dumps(delta("Hel")))
        reply.event(json.dumps(ERROR))
        reply.hang()
    daemon = start_sluice(config(upstream("stable", handler)))
    client = daemon.client()
    client.request(target="/v1/chat/completions")
    client.until(b"CUDA")
    client.reset()
    assert daemon.counted("sluice_request_errors_total", 1, variant="stable", reason="error_event")
    assert daemon.counted("sluice_requests_total", 1, variant="stable", code="499")


def test_texts_that_speak_of_errors_are_none(start_sluice, upstream):
    text = events(delta('{"error": {}}'), {"choices": [{"error": {"message": "x"}}], "error": None}, {"usage": USAGE}, "[DONE]")
    daemon = start_sluice(config(upstream("stable", chunked(text, "text/event-stream", 1000))))
    assert daemon.ask().text == text
    tokens(daemon, 1000, 500)
    assert daemon.metrics().sum("sluice_request_errors_total") == 0
