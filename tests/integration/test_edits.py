"""Edits of request bodies: what stands in the file arrives at the model server, and every other byte as it was sent."""
import gzip
import hashlib
import json
import os
import random

import pytest

from harness.sluice import pool, route
from harness.wait import wait_for

PROMPT = 'You are "Sluice".\nAnswer in\u00a0Swiss-German \U0001f600 \\o/'
AS_JSON = '"You are \\"Sluice\\".\\nAnswer in\u00a0Swiss-German \U0001f600 \\\\o/"'
JSON = [("Content-Type", "application/json")]
EDITS = {
    "plain": {},
    "model": {"json": {"/model": "gpt-b"}},
    "many": {"json": {"/model": "gpt-b", "/temperature": 0.1, "/options/top_k": 5, "/stop": ["a", {"b": None}]},
             "remove_json": ["/seed", "/messages/0/name", "/metadata/trace"]},
    "prompt": {"system_prompt_file": "prompt.txt"},
    "all": {"json": {"/model": "gpt-b"}, "remove_json": ["/user"], "system_prompt_file": "prompt.txt"},
    "item": {"json": {"/a/1": 7}},
}
CHAT = "/v1/chat/completions"
SYSTEM = '{"role":"system","content":' + AS_JSON + "}"
# What is sent to which variant, and what must arrive. "=": the same bytes.
TABLE = [
    ("plain", CHAT, '{ "model" : "a" }', "="),
    # a field is set
    ("model", CHAT, '{"model":"gpt-a"}', '{"model":"gpt-b"}'),
    ("model", CHAT, '{"model":"gpt-a","messages":[]}', '{"model":"gpt-b","messages":[]}'),
    ("model", CHAT, '{ "model" : "gpt-a" , "n" : 1 }', '{ "model" : "gpt-b" , "n" : 1 }'),
    ("model", CHAT, '\r\n\t{"n":1,\n"model"\n:\n"x"}\n\n', '\r\n\t{"n":1,\n"model"\n:\n"gpt-b"}\n\n'),
    ("model", CHAT, '{}', '{"model":"gpt-b"}'),
    ("model", CHAT, '{ }', '{"model":"gpt-b" }'),
    ("model", CHAT, '{"n":1}', '{"n":1,"model":"gpt-b"}'),
    ("model", CHAT, '{"n":1 }', '{"n":1,"model":"gpt-b" }'),
    ("model", CHAT, '{"model":null}', '{"model":"gpt-b"}'),
    ("model", CHAT, '{"model":{"name":"x"}}', '{"model":"gpt-b"}'),
    ("model", CHAT, '{"model":[1,[2,{"model":"y"}]]}', '{"model":"gpt-b"}'),
    ("model", CHAT, '{"x":{"model":"inner"},"model":"o"}', '{"x":{"model":"inner"},"model":"gpt-b"}'),
    ("model", CHAT, '{"messages":[{"model":"inner"}],"model":"o"}', '{"messages":[{"model":"inner"}],"model":"gpt-b"}'),
    # duplicate keys: every one, whichever a reader takes
    ("model", CHAT, '{"model":"a","model":"c"}', '{"model":"gpt-b","model":"gpt-b"}'),
    ("model", CHAT, '{"model":"a","n":1,"model":2}', '{"model":"gpt-b","n":1,"model":"gpt-b"}'),
    ("many", CHAT, '{"seed":1,"seed":2,"model":"gpt-b","temperature":0.1,"options":{"top_k":5},"stop":["a",{"b":null}]}',
     '{"model":"gpt-b","temperature":0.1,"options":{"top_k":5},"stop":["a",{"b":null}]}'),
    # keys mean what they mean
    ("model", CHAT, '{"mod\\u0065l":"a"}', '{"mod\\u0065l":"gpt-b"}'),
    ("model", CHAT, '{"\\u006dodel":"a","model":"c"}', '{"\\u006dodel":"gpt-b","model":"gpt-b"}'),
    ("model", CHAT, '{"Model":"a"}', '{"Model":"a","model":"gpt-b"}'),
    ("model", CHAT, '{"model ":"a"}', '{"model ":"a","model":"gpt-b"}'),
    ("model", CHAT, '{"":"a"}', '{"":"a","model":"gpt-b"}'),
    # unicode and escapes beside it
    ("model", CHAT, '{"m":"\u00e4\u20ac\U0001f600","model":"a"}', '{"m":"\u00e4\u20ac\U0001f600","model":"gpt-b"}'),
    ("model", CHAT, '{"m":"\\u00e4\\u20AC\\ud83d\\ude00","model":"a"}', '{"m":"\\u00e4\\u20AC\\ud83d\\ude00","model":"gpt-b"}'),
    ("model", CHAT, '{"m":"\\ud83d","model":"a"}', '{"m":"\\ud83d","model":"gpt-b"}'),
    ("model", CHAT, '{"m":"\\"model\\":\\"x\\"","model":"a"}', '{"m":"\\"model\\":\\"x\\"","model":"gpt-b"}'),
    ("model", CHAT, '{"m":"\\\\","model":"a"}', '{"m":"\\\\","model":"gpt-b"}'),
    ("model", CHAT, '{"m":"\\/\\b\\f\\n\\r\\t","model":"a"}', '{"m":"\\/\\b\\f\\n\\r\\t","model":"gpt-b"}'),
    ("model", CHAT, '{"m":"\u2028\u2029\x7f","model":"a"}', '{"m":"\u2028\u2029\x7f","model":"gpt-b"}'),
    # numbers as they are written
    ("model", CHAT, '{"n":123456789012345678901234567890,"model":"a"}', '{"n":123456789012345678901234567890,"model":"gpt-b"}'),
    ("model", CHAT, '{"n":1.10,"m":-0,"o":1E+400,"p":0.1e-7,"model":1}', '{"n":1.10,"m":-0,"o":1E+400,"p":0.1e-7,"model":"gpt-b"}'),
    ("model", CHAT, '{"n":9007199254740993,"model":1e5}', '{"n":9007199254740993,"model":"gpt-b"}'),
    # several edits
    ("many", CHAT, '{}', '{"model":"gpt-b","temperature":0.1,"options":{"top_k":5},"stop":["a",{"b":null}]}'),
    ("many", CHAT, '{"temperature":2,"seed":7,"model":"a"}',
     '{"temperature":0.1,"model":"gpt-b","options":{"top_k":5},"stop":["a",{"b":null}]}'),
    ("many", CHAT, '{"options":{},"stop":"x","model":"a","temperature":1}',
     '{"options":{"top_k":5},"stop":["a",{"b":null}],"model":"gpt-b","temperature":0.1}'),
    ("many", CHAT, '{"options":{"top_k":9,"x":1},"stop":null,"model":"a","temperature":1}',
     '{"options":{"top_k":5,"x":1},"stop":["a",{"b":null}],"model":"gpt-b","temperature":0.1}'),
    ("many", CHAT, '{"messages":[{"name":"n","role":"user"},{"name":"m"}],"model":1,"temperature":1,"options":{"top_k":0},"stop":0}',
     '{"messages":[{"role":"user"},{"name":"m"}],"model":"gpt-b","temperature":0.1,"options":{"top_k":5},"stop":["a",{"b":null}]}'),
    ("many", CHAT, '{"metadata":{"trace":"t"},"model":1,"temperature":1,"options":{"top_k":0},"stop":0,"seed":3}',
     '{"metadata":{},"model":"gpt-b","temperature":0.1,"options":{"top_k":5},"stop":["a",{"b":null}]}'),
    ("many", CHAT, '{"metadata":"text","model":1,"temperature":1,"options":{"top_k":0},"stop":0 , "seed" : 3 }',
     '{"metadata":"text","model":"gpt-b","temperature":0.1,"options":{"top_k":5},"stop":["a",{"b":null}] }'),
    ("item", CHAT, '{"a":[1,2,3]}', '{"a":[1,7,3]}'),
    ("item", CHAT, '{"a":[1]}', '{"a":[1,7]}'),
    ("item", CHAT, '{"a":{"1":0}}', '{"a":{"1":7}}'),
    ("item", CHAT, '{}', '{"a":{"1":7}}'),
    # the system prompt
    ("prompt", CHAT, '{"messages":[{"role":"user","content":"hi"}]}', '{"messages":[' + SYSTEM + ',{"role":"user","content":"hi"}]}'),
    ("prompt", CHAT, '{"messages":[]}', '{"messages":[' + SYSTEM + ']}'),
    ("prompt", CHAT, '{"messages":[ {"role":"system","content":"old"}, {"role":"user"}]}',
     '{"messages":[ {"role":"system","content":' + AS_JSON + '}, {"role":"user"}]}'),
    ("prompt", CHAT, '{"messages":[{"content":[{"type":"text","text":"old"}],"role":"developer"}]}',
     '{"messages":[{"content":' + AS_JSON + ',"role":"developer"}]}'),
    ("prompt", CHAT, '{"messages":[{"role":"system"}]}', '{"messages":[{"role":"system","content":' + AS_JSON + '}]}'),
    ("prompt", CHAT, '{"messages":[{"role":"user"},{"role":"system","content":"later"}]}',
     '{"messages":[' + SYSTEM + ',{"role":"user"},{"role":"system","content":"later"}]}'),
    ("prompt", "/v1/messages", '{"model":"c","system":"old","messages":[]}', '{"model":"c","system":' + AS_JSON + ',"messages":[]}'),
    ("prompt", "/v1/messages?beta=true", '{"messages":[]}', '{"messages":[],"system":' + AS_JSON + "}"),
    ("prompt", "/v1/responses", '{"input":"hi"}', '{"input":"hi","instructions":' + AS_JSON + "}"),
    ("prompt", "/v1/responses", '{"instructions":"old"}', '{"instructions":' + AS_JSON + "}"),
    ("prompt", "/v1/embeddings", '{"input": "hi"}', "="),
    ("prompt", "/v1/completions", '{"prompt":"hi"}', "="),
    ("prompt", CHAT, '{"messages":"none"}', "="),
    ("all", CHAT, '{"model":"a","user":"u","messages":[{"role":"user"}]}', '{"model":"gpt-b","messages":[' + SYSTEM + ',{"role":"user"}]}'),
    ("all", "/v1/messages", '{"user":"u"}', '{"model":"gpt-b","system":' + AS_JSON + "}"),
    # what is no object has no fields, and what is no JSON at all
    ("model", CHAT, '[]', 400), ("model", CHAT, '"text"', 400), ("model", CHAT, '7', 400), ("model", CHAT, '{', 400),
    ("model", CHAT, '{"model":}', 400), ("model", CHAT, '{"a":1}x', 400), ("model", CHAT, '{"a":01}', 400),
    ("model", CHAT, "{'a':1}", 400), ("model", CHAT, '{"a":1,}', 400), ("model", CHAT, '{"a":NaN}', 400),
    ("model", CHAT, '{"a":"\n"}', 400), ("model", CHAT, '\ufeff{"a":1}', 400), ("model", CHAT, ' ', 400),
    ("model", CHAT, '{"a":' + "[" * 200 + "]" * 200 + "}", 400),
    ("many", CHAT, '{"options":"text"}', 400), ("item", CHAT, '{"a":[]}', 400), ("item", CHAT, '{"a":1}', 400),
    ("model", CHAT, '{"a":' + "[" * 120 + "]" * 120 + ',"model":1}', '{"a":' + "[" * 120 + "]" * 120 + ',"model":"gpt-b"}'),
]


def config(directory, server, **settings):
    with open(os.path.join(directory, "prompt.txt"), "w", encoding="utf-8") as f:
        f.write(PROMPT + "\n")
    with open(os.path.join(directory, "token"), "w", encoding="utf-8") as f:
        f.write("secret\n")
    variants = {name: {"pool": "p", "weight": 100 if name == "plain" else 0, **({"request": edit} if edit else {})}
                for name, edit in EDITS.items()}
    return {"pools": {"p": pool(server)},
            "routes": [route("chat", variants, override={"token_file": "token"}, **settings.pop("route", {}))], **settings}


def chosen(variant):
    return JSON + [("X-Sluice-Variant", variant + ";secret")]


def ask_in_pieces(daemon, path, headers, body, cuts, chunked):
    """Sends the body cut where `cuts` says, each piece a write of its own."""
    with daemon.client() as client:
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
        lines = "".join(f"{n}: {v}\r\n" for n, v in headers)
        client.send(f"POST {path} HTTP/1.1\r\nHost: x\r\n{lines}{framing}\r\n\r\n".encode())
        ends = sorted(cuts) + [len(body)]
        for begin, end in zip([0] + ends[:-1], ends):
            piece = body[begin:end]
            if piece:
                client.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            client.send(b"0\r\n\r\n")
        return client.response("POST")


def test_bodies_arrive_as_the_table_says(start_sluice, upstream, tmp_path):
    assert len(TABLE) >= 50
    server = upstream("up")
    daemon = start_sluice(config(tmp_path, server))
    rng = random.Random(5)
    for variant, path, sent, expected in TABLE:
        data = sent.encode()
        for round_ in range(3):
            before = server.count
            cuts = [rng.randrange(len(data) + 1) for _ in range(round_)]
            answer = ask_in_pieces(daemon, path, chosen(variant), data, cuts, round_ == 2)
            if isinstance(expected, int):
                assert (answer.status, server.count) == (expected, before), (variant, sent, answer)
                continue
            assert answer.status == 200, (variant, sent, answer, answer.text)
            wanted = (sent if expected == "=" else expected).encode()
            assert server.requests[-1].body == wanted, (variant, sent)
            assert variant == "plain" or server.requests[-1].header("Content-Length") == str(len(wanted))
            if expected != "=":
                json.loads(wanted)


def test_every_cut(start_sluice, upstream, tmp_path):
    server = upstream("up")
    daemon = start_sluice(config(tmp_path, server))
    sent = '{"m\\u00e4":[1.5e-3,"\\ud83d\\ude00"],"user":"\u20ac","messages":[{"role":"user"}]}'.encode()
    wanted = ('{"m\\u00e4":[1.5e-3,"\\ud83d\\ude00"],"messages":[' + SYSTEM + ',{"role":"user"}],"model":"gpt-b"}').encode()
    for at in range(len(sent) + 1):
        assert ask_in_pieces(daemon, CHAT, chosen("all"), sent, [at], at % 2 == 1).status == 200
        assert server.requests[-1].body == wanted, at


def test_a_mebibyte(start_sluice, upstream, tmp_path):
    server = upstream("up")
    daemon = start_sluice(config(tmp_path, server, limits={"buffered_body_bytes": "1MiB"}))
    front, end = '{"messages":[{"role":"user","content":"', '"}],"model":"gpt-a"}'
    piece = "\\\"\u20ac\\u20ac"
    count, rest = divmod((1 << 20) - len(front + end), len(piece.encode()))
    sent = (front + piece * count + "x" * rest + end).encode()
    assert len(sent) == 1 << 20
    answer = daemon.ask("POST", CHAT, chosen("model"), sent)
    assert answer.status == 200
    wanted = sent.replace(b'"gpt-a"}', b'"gpt-b"}')
    assert server.requests[-1].body_sha == hashlib.sha256(wanted).hexdigest()
    big = sent[:-1] + b" }"
    refused = daemon.ask("POST", CHAT, chosen("model"), big)
    assert (refused.status, refused.header("X-Sluice-Error")) == (413, "body_too_large_to_edit")
    assert daemon.ask("POST", CHAT, chosen("plain"), big).status == 200
    assert server.requests[-1].body_sha == hashlib.sha256(big).hexdigest()


def test_what_is_no_json_is_left_alone(start_sluice, upstream, tmp_path):
    server = upstream("up")
    daemon = start_sluice(config(tmp_path, server))
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/octet-stream", "application/jsonl"):
        headers = [("Content-Type", kind)] + chosen("all")[1:]
        assert daemon.ask("POST", CHAT, headers, '{"model":"a"}').status == 200
        assert server.requests[-1].body == b'{"model":"a"}', kind
    for kind in ("application/json; charset=utf-8", "application/vnd.api+json", "Application/JSON"):
        headers = [("Content-Type", kind)] + chosen("model")[1:]
        assert daemon.ask("POST", CHAT, headers, '{"model":"a"}').status == 200
        assert server.requests[-1].body == b'{"model":"gpt-b"}', kind
    assert daemon.ask("GET", "/v1/models", chosen("all")).status == 200
    assert daemon.ask("POST", "/v1/x", chosen("all"), "").status == 200
    zipped = daemon.ask("POST", CHAT, chosen("model") + [("Content-Encoding", "gzip")], gzip.compress(b'{"model":"a"}'))
    assert (zipped.status, zipped.header("X-Sluice-Error")) == (415, "body_coded")


def test_the_edited_body_has_no_digest_of_the_old_one(start_sluice, upstream, tmp_path):
    server = upstream("up")
    daemon = start_sluice(config(tmp_path, server))
    digests = [("Content-Digest", "sha-256=:x:"), ("Content-MD5", "y"), ("Digest", "z"), ("Repr-Digest", "r")]
    for variant, there in (("model", False), ("plain", True)):
        assert daemon.ask("POST", CHAT, chosen(variant) + digests, '{"model":"a"}').status == 200
        for name, _ in digests:
            assert (server.requests[-1].header(name) is not None) == there, (variant, name)


def test_expect_and_trailers(start_sluice, upstream, tmp_path):
    server = upstream("up")
    daemon = start_sluice(config(tmp_path, server))
    with daemon.client() as client:
        head = "".join(f"{n}: {v}\r\n" for n, v in chosen("model"))
        client.send(f"POST {CHAT} HTTP/1.1\r\nHost: x\r\n{head}Expect: 100-continue\r\nContent-Length: 13\r\n\r\n".encode())
        assert client.head().status == 100
        client.send(b'{"model":"a"}')
        assert client.response("POST").status == 200
        assert server.requests[-1].body == b'{"model":"gpt-b"}'
        client.send(f"POST {CHAT} HTTP/1.1\r\nHost: x\r\n{head}Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "d\r\n{\"model\":\"a\"}\r\n0\r\nX-Sum: 1\r\n\r\n".encode())
        assert client.response("POST").status == 200
        assert server.requests[-1].body == b'{"model":"gpt-b"}'


@pytest.mark.parametrize("first", ["down", "503"])
def test_the_fallback_gets_its_own_edits(start_sluice, upstream, tmp_path, first):
    tried = []

    def failing(request, reply):
        tried.append(request.body)
        reply.send(503, "no")
    bad, good = upstream("bad", failing), upstream("good")
    if first == "down":
        bad.stop()
    daemon = start_sluice({
        "pools": {"bad": pool(bad), "good": pool(good)},
        "routes": [route("chat", {"canary": {"pool": "bad", "weight": 100, "request": {"json": {"/model": "new"}}},
                                  "stable": {"pool": "good", "weight": 0, "request": {"json": {"/n": 1}}}},
                         retry={"attempts": 1, "on": ["connect", 503]}, fallback="stable")]})
    answer = daemon.ask("POST", CHAT, JSON, '{"model": "old"}')
    assert answer.status == 200
    assert good.requests[-1].body == b'{"model": "old","n":1}'
    assert set(tried) <= {b'{"model": "new"}'} and bool(tried) == (first == "503")


def test_a_retry_sends_the_edited_body_again(start_sluice, upstream):
    bodies = []

    def handler(request, reply):
        bodies.append(request.body)
        reply.send(503 if len(bodies) == 1 else 200, "x")
    server = upstream("up", handler)
    daemon = start_sluice({"pools": {"p": pool(server)}, "routes": [
        route("chat", {"v": {"pool": "p", "weight": 100, "request": {"json": {"/model": "new"}}}},
              retry={"attempts": 1, "on": [503]})]})
    assert daemon.ask("POST", CHAT, JSON, '{"model":"old"}').status == 200
    assert bodies == [b'{"model":"new"}'] * 2


def test_a_client_that_goes_while_its_body_is_collected(start_sluice, upstream, tmp_path):
    server = upstream("up")
    daemon = start_sluice(config(tmp_path, server))
    with daemon.client() as client:
        head = "".join(f"{n}: {v}\r\n" for n, v in chosen("model"))
        client.send(f"POST {CHAT} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: 100\r\n\r\n{{\"model\":".encode())
        client.reset()
    wait_for(lambda: daemon.metrics().sum("sluice_requests_total", code="499") == 1)
    assert server.count == 0


def test_a_reload_takes_the_prompt_that_the_file_has_then(start_sluice, upstream, tmp_path):
    server = upstream("up")
    daemon = start_sluice(config(tmp_path, server))
    (tmp_path / "prompt.txt").write_text("second")
    assert daemon.reload().status == 200
    assert daemon.ask("POST", CHAT, chosen("prompt"), '{"messages":[]}').status == 200
    assert json.loads(server.requests[-1].body)["messages"][0]["content"] == "second"
    (tmp_path / "prompt.txt").write_bytes(b"\xff\xfe")
    refused = daemon.reload()
    assert refused.status == 422 or refused.status == 400, refused
    assert "not UTF-8 text" in refused.text
    assert daemon.ask("POST", CHAT, chosen("prompt"), '{"messages":[]}').status == 200


def test_matched_by_body_and_edited(start_sluice, upstream):
    """The body was collected to find the route: it is not waited for again."""
    server = upstream("up")
    daemon = start_sluice({"pools": {"p": pool(server)}, "routes": [
        route("gpt", {"v": {"pool": "p", "weight": 100, "request": {"json": {"/model": "b"}}}},
              match={"json": {"/model": "a"}}, sticky={"by": ["json /user"]}),
        route("rest", {"v": {"pool": "p", "weight": 100}})]})
    assert daemon.ask("POST", CHAT, JSON, '{"model":"a","user":"u"}').status == 200
    assert server.requests[-1].body == b'{"model":"b","user":"u"}'
    assert daemon.ask("POST", CHAT, JSON, '{"model":"c","user":"u"}').status == 200
    assert server.requests[-1].body == b'{"model":"c","user":"u"}'
