"""Real clients through sluice: the npm openai package, curl and Python's own; nginx as a plain upstream."""
import json
import os
import shutil
import subprocess
import urllib.request

import pytest

from harness.scale import patience
from harness.sluice import pool, route

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.environ.get("NPM_MODULES",
                         os.path.join(HERE, "..", "..", "build", "npm", "node_modules"))


@pytest.fixture
def chat(start_sluice, simulate):
    models = {name: simulate(name) for name in ("stable", "canary")}
    daemon = start_sluice({"pools": {name: pool(model) for name, model in models.items()},
                           "routes": [route("chat", {"stable": 50, "canary": 50}, match={"path_prefix": "/v1/"},
                                            sticky={"by": ["header X-User-Id"], "salt": "s"})]})
    return daemon


def openai(base_url, user="user-1", **env):
    node = shutil.which("node")
    assert node, "node is not installed (tests/run.sh installs it)"
    assert os.path.isdir(os.path.join(MODULES, "openai")), "the npm package openai is missing (tests/run.sh installs it)"
    done = subprocess.run([node, os.path.join(HERE, "npm", "chat.mjs")], capture_output=True, text=True,
                          timeout=patience(40), check=False,
                          env=dict(os.environ, BASE_URL=base_url, USER_ID=user, NPM_MODULES=os.path.abspath(MODULES), **env))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_openai_client_streaming_and_not(chat):
    seen = set()
    for user in ("user-1", "user-2", "user-3", "user-4"):
        answer = openai(chat.url + "/v1", user)
        whole, stream = answer["whole"], answer["stream"]
        assert whole["text"] and whole["finish"] == "stop" and whole["model"]
        assert whole["usage"]["total_tokens"] == whole["usage"]["prompt_tokens"] + whole["usage"]["completion_tokens"] > 0
        assert stream["chunks"] > 2 and stream["text"] and stream["finish"] == "stop"
        assert stream["usage"]["completion_tokens"] > 0
        assert whole["variant"] == stream["variant"], "the user sticks"
        assert whole["id"]
        seen.add(whole["variant"])
    assert seen <= {"stable", "canary"}
    assert chat.counted("sluice_requests_total", 12, route="chat")


def test_the_openai_client_sees_the_same_directly_and_through_sluice(start_sluice, simulate):
    model = simulate("one")
    daemon = start_sluice({"pools": {"stable": pool(model)}, "routes": [route()]})
    direct, proxied = openai(model.url + "/v1"), openai(daemon.url + "/v1")
    assert direct["whole"]["finish"] == proxied["whole"]["finish"] and direct["refused"] == proxied["refused"]
    assert bool(direct["stream"]["text"]) and bool(proxied["stream"]["text"])


def curl(*arguments, body=None):
    done = subprocess.run(["curl", "-sS", "--max-time", "30", *arguments], input=body, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


QUESTION = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "hello"}]})


def test_curl(chat):
    common = ["-H", "Content-Type: application/json", "-H", "X-User-Id: user-1"]
    answer = json.loads(curl(*common, "-d", QUESTION, chat.url + "/v1/chat/completions"))
    assert answer["choices"][0]["message"]["content"]
    stream = curl("-N", *common, "-d", json.dumps({**json.loads(QUESTION), "stream": True}), chat.url + "/v1/chat/completions")
    events = [line for line in stream.decode().splitlines() if line.startswith("data: ")]
    assert len(events) > 3 and events[-1] == "data: [DONE]"
    assert json.loads(events[0][6:])["object"] == "chat.completion.chunk"
    head = curl("-i", "--http1.0", chat.url + "/v1/models").decode()
    assert head.startswith("HTTP/1.1 200") and "x-sluice-variant" in head.lower()
    assert curl("-o", "/dev/null", "-w", "%{http_code}", chat.url + "/other") == b"404"
    many = curl("-w", "%{num_connects} %{http_code}\n", *[a for i in range(10) for a in ("-o", "/dev/null", f"{chat.url}/v1/models?{i}")])
    assert many.decode().split() == ["1", "200"] + ["0", "200"] * 9, "one connection serves all"


def test_curl_large_upload_with_expect(start_sluice, upstream, tmp_path):
    server = upstream("up")
    daemon = start_sluice({"pools": {"stable": pool(server)}, "routes": [route()]})
    path = tmp_path / "big"
    path.write_bytes(os.urandom(1 << 20) * 12)
    assert curl("-T", str(path), daemon.url + "/put") == b"up"
    assert curl("-T", "-", daemon.url + "/put", body=path.read_bytes()) == b"up"
    import hashlib  # pylint: disable=import-outside-toplevel
    assert {r.body_sha for r in server.requests} == {hashlib.sha256(path.read_bytes()).hexdigest()}
    assert [r.chunked for r in server.requests] == [False, True]


def test_pythons_own_client(chat):
    request = urllib.request.Request(chat.url + "/v1/chat/completions", QUESTION.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        assert json.load(response)["choices"]


def test_nginx_as_a_plain_upstream(start_sluice, nginx, tmp_path):
    """Files, ranges, conditional requests, gzip, redirects and errors of nginx pass unchanged; so do curl's uploads to it."""
    server = nginx(r"""
        root files; etag on; gzip on; gzip_min_length 1; gzip_types *; gzip_proxied any;
        location = /old { return 301 /new?x=1; }
        location = /teapot { return 418 "short and stout"; }
        location /put/ { dav_methods PUT; client_body_in_single_buffer on; }
    """)
    files = os.path.join(server.prefix, "files")
    os.makedirs(os.path.join(files, "put"))
    data = os.urandom(3_000_000)
    for name, content in (("data.bin", data), ("small.json", b'{"a": "' + b"x" * 2000 + b'"}')):
        with open(os.path.join(files, name), "wb") as f:
            f.write(content)
    daemon = start_sluice({"pools": {"stable": pool(server)}, "routes": [route()]})
    with daemon.client() as client:
        whole = client.ask("GET", "/data.bin")
        assert whole.body == data and whole.header("Content-Length") == str(len(data))
        part = client.ask("GET", "/data.bin", [("Range", "bytes=1000-1999")])
        assert part.status == 206 and part.body == data[1000:2000]
        same = client.ask("GET", "/data.bin", [("If-None-Match", whole.header("ETag"))])
        assert same.status == 304 and same.body == b""
        assert client.ask("HEAD", "/data.bin").header("Content-Length") == str(len(data))
        packed = client.ask("GET", "/small.json", [("Accept-Encoding", "gzip")])
        import gzip  # pylint: disable=import-outside-toplevel
        assert packed.header("Content-Encoding") == "gzip" and gzip.decompress(packed.body).startswith(b'{"a"')
        moved = client.ask("GET", "/old", host="api.example.com")
        assert moved.status == 301 and moved.header("Location").endswith("/new?x=1")
        assert client.ask("GET", "/teapot").status == 418
        assert client.ask("GET", "/none").status == 404
        for i in range(100):
            assert client.ask("GET", f"/small.json?{i}").status == 200
    assert curl(daemon.url + "/data.bin") == data
