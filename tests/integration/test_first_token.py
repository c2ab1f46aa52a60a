"""When content comes, why it ends, and streams that end without saying so."""
import json
import time

import pytest

from harness.sluice import pool, route
from harness.wait import wait_for
from test_access_log import lines
from test_tokens import JSON, delta

ROLE = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}


def finish(reason="stop"):
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}


def config(server, **settings):
    return {"workers": 1, "pools": {"stable": pool(server)}, "routes": [route("chat", {"stable": 100})], **settings}


def streaming(*steps):
    """Answers with events; a function among the steps is waited for."""
    def handler(_request, reply):
        reply.begin_sse()
        for step in steps:
            if callable(step):
                step()
            else:
                reply.event(step if isinstance(step, str) else json.dumps(step))
        reply.end_chunked()
    return handler


def pause():
    """The model thinks."""
    time.sleep(0.3)


def finishes(daemon, **labels):
    return daemon.metrics().sum("sluice_finish_reasons_total", **labels)


def seconds(daemon, name):
    metrics = daemon.metrics()
    return metrics.sum(name + "_count"), metrics.sum(name + "_sum")


def test_the_first_token_is_the_first_event_with_content(start_sluice, upstream, tmp_path):
    server = upstream("stable", streaming(ROLE, pause, delta("a"), delta("b"), pause, delta("c"), finish(), "[DONE]"))
    daemon = start_sluice(config(server, access_log={"path": "access.log"}))
    answer = daemon.ask("POST", "/v1/chat/completions", JSON, "{}")
    assert answer.status == 200
    assert daemon.counted("sluice_time_to_first_token_seconds_count", 1)
    first_byte, first_token = (seconds(daemon, f"sluice_time_to_first_{what}_seconds")[1] for what in ("byte", "token"))
    # Of the pauses, which are certain, not of the machine: the role comes before the first, content behind it.
    assert first_token >= 0.3 and first_token - first_byte >= 0.25
    count, longest = seconds(daemon, "sluice_inter_token_longest_seconds")
    assert count == 1 and longest >= 0.25
    count, mean = seconds(daemon, "sluice_inter_token_seconds")
    assert count == 1 and longest / 2 - 0.01 <= mean <= longest
    assert finishes(daemon, reason="stop") == 1 and finishes(daemon) == 1
    entry = lines(tmp_path / "access.log", 1)[-1]
    assert entry["ttft_ms"] >= 300 and entry["finish_reason"] == "stop"
    assert daemon.metrics().sum("sluice_request_errors_total") == 0


def test_other_answers_begin_with_their_body(start_sluice, upstream):
    def handler(request, reply):
        if request.path == "/empty":
            reply.send(204)
        elif request.path == "/sse":
            reply.send(200, ": nothing\n\n", [("Content-Type", "text/event-stream")])
        else:
            reply.send(200, '{"choices":[{"finish_reason":"length"}]}', JSON)
    daemon = start_sluice(config(upstream("stable", handler)))
    assert daemon.ask("POST", "/json", JSON, "{}").status == 200
    assert daemon.ask("POST", "/sse", JSON, "{}").status == 200
    assert daemon.ask("POST", "/empty", JSON, "{}").status == 204
    assert daemon.counted("sluice_request_duration_seconds_count", 3)
    assert seconds(daemon, "sluice_time_to_first_byte_seconds")[0] == 3
    assert seconds(daemon, "sluice_time_to_first_token_seconds")[0] == 2
    assert seconds(daemon, "sluice_inter_token_seconds")[0] == 0
    assert finishes(daemon, reason="length") == 1 and finishes(daemon) == 1


@pytest.mark.parametrize("end, unfinished", [
    ([], True), ([finish()], False), (["[DONE]"], False), ([finish("tool_calls"), "[DONE]"], False),
    ([{"error": {"message": "out of memory"}}], False)])
def test_a_stream_that_just_stops_is_an_error_of_its_variant(start_sluice, upstream, tmp_path, end, unfinished):
    server = upstream("stable", streaming(ROLE, delta("a"), *end))
    pools = {"stable": pool(server, ejection={"consecutive_failures": 0})}
    daemon = start_sluice(config(server, pools=pools, access_log={"path": "access.log"}))
    for n in range(1, 4):
        assert daemon.ask("POST", "/v1/chat/completions", JSON, "{}").status == 200
        assert daemon.counted("sluice_requests_total", n, code="2xx")
    assert daemon.metrics().sum("sluice_request_errors_total", reason="unfinished") == (3 if unfinished else 0)
    entry = lines(tmp_path / "access.log", 3)[-1]
    assert entry.get("error") == ("unfinished" if unfinished else "error_event" if "error" in str(end) else None)


def test_streams_that_stop_eject_their_endpoint(start_sluice, upstream):
    bad, good = upstream("bad", streaming(ROLE, delta("a"))), upstream("good", streaming(ROLE, delta("a"), "[DONE]"))
    daemon = start_sluice(config(bad, pools={"stable": pool(bad, good, balance="round_robin", ejection={
        "consecutive_failures": 3, "base_time": "60s", "max_share": 50})}))

    def ejected():
        daemon.ask("POST", "/v1/chat/completions", JSON, "{}")
        return daemon.metrics().sum("sluice_endpoint_up", endpoint=bad.url) == 0
    wait_for(ejected)


# ---- count_stream_tokens

TOKENS = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}


def openai(request, reply):
    """A server of OpenAI's kind: tells its tokens when it is asked to, in every event (null) and in one of its own."""
    asked = json.loads(request.body)
    told = (asked.get("stream_options") or {}).get("include_usage")
    assert request.header("Accept-Encoding") is None or not told or "own" in asked
    more = {"usage": None} if told else {}
    events = [json.dumps({**event, **more}, separators=(",", ":")) for event in (ROLE, delta("a"), delta('"usage"'), finish())]
    if told:
        events.append(json.dumps({"choices": [], "usage": TOKENS}, separators=(",", ":")))
    reply_events(request, reply, "".join(f"data: {event}\n\n" for event in events + ["[DONE]"]).encode())


def reply_events(request, reply, data):
    framing, cut = request.header("X-Framing"), int(request.header("X-Cut") or len(data))
    kind = [("Content-Type", "text/event-stream")]
    pieces = [data[:cut], data[cut:]] if cut else [data[i:i + 1] for i in range(len(data))]
    if framing == "length":
        reply.head(200, kind + [("Content-Length", len(data))])
    elif framing == "close":
        reply.head(200, kind + [("Connection", "close")])
    else:
        reply.begin_chunked(200, kind)
    for piece in pieces:
        if piece and framing in ("length", "close"):
            reply.raw(piece)
        elif piece:
            reply.chunk(piece)
    if framing == "close":
        reply.over()
        reply.close()
    if framing != "length":
        reply.end_chunked()


def counting(server):
    return config(server, routes=[route("chat", {"stable": 100}, count_stream_tokens=True)])


PLAIN = "".join(f"data: {json.dumps(event, separators=(',', ':'))}\n\n"
                for event in (ROLE, delta("a"), delta('"usage"'), finish())) + "data: [DONE]\n\n"
STREAMING = {"model": "m", "stream": True, "messages": []}


def ask(daemon, body, headers=(), path="/v1/chat/completions"):
    answer = daemon.ask("POST", path, JSON + list(headers), body if isinstance(body, str) else json.dumps(body))
    assert answer.status == 200
    return answer


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_tokens_are_counted_and_kept_from_who_did_not_ask(start_sluice, upstream, framing):
    server = upstream("stable", openai)
    daemon = start_sluice(counting(server))
    headers = [("X-Framing", framing), ("Accept-Encoding", "gzip")]
    count = 0
    for cut in [0, *range(1, len(PLAIN) + 250, 7)]:
        answer = ask(daemon, STREAMING, headers + [("X-Cut", cut)])
        assert answer.text == PLAIN, cut
        count += 1
    assert daemon.counted("sluice_tokens_total", 11 * count, type="prompt")
    assert daemon.counted("sluice_tokens_total", 3 * count, type="completion")
    assert daemon.metrics().sum("sluice_response_bytes_total") == count * len(PLAIN)
    sent = json.loads(server.requests[-1].body)
    assert sent == {**STREAMING, "stream_options": {"include_usage": True}}


def test_who_asked_gets_the_tokens(start_sluice, upstream):
    daemon = start_sluice(counting(upstream("stable", openai)))
    answer = ask(daemon, {**STREAMING, "own": 1, "stream_options": {"include_usage": True}}, [("Accept-Encoding", "gzip")])
    assert '"completion_tokens":3' in answer.text and '"usage":null' in answer.text
    assert daemon.counted("sluice_tokens_total", 3, type="completion")


def test_what_does_not_stream_or_cannot_be_read_is_left_alone(start_sluice, upstream):
    server = upstream("stable", lambda request, reply: reply.send(200, "{}", JSON))
    daemon = start_sluice({**counting(server), "limits": {"buffered_body_bytes": 1000}})
    for body in ('{"stream": false}', '{"stream": true', "{}", "no", '{"stream": true, "x": "' + "x" * 2000 + '"}'):
        ask(daemon, body)
        assert server.requests[-1].body == body.encode()
    ask(daemon, '{"stream": true}', path="/v1/messages")
    assert server.requests[-1].body == b'{"stream": true}'


def test_old_clients_and_events_pass_as_they_come(start_sluice, upstream):
    """An event reaches the client as soon as its end has come, and HTTP/1.0 reads until the end."""
    go_on = []

    def handler(request, reply):
        reply.begin_sse()
        reply.event(json.dumps(delta("a")))
        wait_for(lambda: go_on)
        reply.event(json.dumps({"choices": [], "usage": TOKENS}))
        reply.event("[DONE]")
        reply.end_chunked()
    daemon = start_sluice(counting(upstream("stable", handler)))
    body = json.dumps(STREAMING)
    with daemon.client() as client:
        client.request("POST", "/v1/chat/completions", JSON, body)
        assert client.final_head().status == 200
        assert json.loads(client.event()) == delta("a")
        go_on.append(True)
        assert client.event() == "[DONE]"
    with daemon.client() as client:
        client.send(f"POST /v1/chat/completions HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
                    f"\r\n\r\n{body}".encode())
        answer = client.response("POST")
        assert answer.text == f"data: {json.dumps(delta('a'))}\n\ndata: [DONE]\n\n"


def test_an_error_that_is_no_stream_passes(start_sluice, upstream):
    daemon = start_sluice(counting(upstream("stable", lambda request, reply: reply.send(400, '{"usage":{}}', JSON))))
    answer = daemon.ask("POST", "/v1/chat/completions", JSON, json.dumps(STREAMING))
    assert (answer.status, answer.text) == (400, '{"usage":{}}')
