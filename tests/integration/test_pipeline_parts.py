"""The parts of config/pipeline by themselves: the contract against servers that break it, and edits of the file."""
import http.server
import importlib.util
import json
import os
import subprocess
import sys
import threading

import pytest

from harness.scale import patience
from harness.walk import ROOT

pytestmark = pytest.mark.once
SCRIPTS = os.path.join(ROOT, "config", "pipeline")


# ---- the contract

class Model(http.server.ThreadingHTTPServer):
    """A model server in which one thing can be another way: `change` names it."""
    daemon_threads = True

    def __init__(self, change=None, value=None):
        self.answers = {
            "models": {"object": "list", "data": [{"id": "m"}]},
            "answer": {"id": "a", "object": "chat.completion", "choices": [
                {"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}},
            "chunks": ["Hel", "lo."], "end": "stop", "done": True, "stream_type": "text/event-stream; charset=utf-8", "status": 200,
            "error": {"error": {"message": "no", "type": "invalid_request_error"}}, "error_status": 400,
            "type": "application/json"}
        assert change is None or change in self.answers
        if change:
            self.answers[change] = value
        super().__init__(("127.0.0.1", 0), Handler)

    def stream(self):
        deltas = [({"role": "assistant", "content": ""}, None), *(({"content": c}, None) for c in self.answers["chunks"]),
                  ({}, self.answers["end"])]
        events = [json.dumps({"object": "chat.completion.chunk", "choices": [{"delta": d, "finish_reason": f}]}) for d, f in deltas]
        return "".join(f"data: {event}\n\n" for event in events + ["[DONE]"] * self.answers["done"])


class Handler(http.server.BaseHTTPRequestHandler):
    def reply(self, status, kind, text):
        body = text if isinstance(text, str) else json.dumps(text)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_GET(self):  # pylint: disable=invalid-name
        self.reply(200, "application/json", self.server.answers["models"])

    def do_POST(self):  # pylint: disable=invalid-name
        is_ = self.server.answers
        try:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stream = asked["stream"]
        except (ValueError, TypeError):
            self.reply(is_["error_status"], "application/json", is_["error"])
            return
        if stream:
            self.reply(200, is_["stream_type"], self.server.stream())
        else:
            self.reply(is_["status"], is_["type"], is_["answer"])

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


def contract(change=None, value=None):
    with Model(change, value) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            done = subprocess.run([sys.executable, "-B", os.path.join(SCRIPTS, "contract.py"), f"http://127.0.0.1:{server.server_port}"],
                                  capture_output=True, text=True, timeout=patience(30), check=False)
        finally:
            server.shutdown()
            thread.join()
    return done.returncode, done.stdout + done.stderr


USAGE = {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 4}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}
RIGHT = {"id": "a", "object": "chat.completion", "choices": [CHOICE], "usage": {**USAGE, "total_tokens": 3}}


def test_a_server_that_keeps_the_contract():
    code, said = contract()
    assert code == 0 and said.count(": ok") == 4, said


@pytest.mark.parametrize("change, value, words", [
    ("models", {"data": []}, "models: IndexError"), ("models", "<html>", "models: JSONDecodeError"),
    ("status", 503, "answer: Failed: status 503"), ("type", "text/plain", "answer: Failed: it is text/plain"),
    ("answer", {**RIGHT, "usage": USAGE}, "do not add up"), ("answer", {**RIGHT, "choices": []}, "answer: IndexError"),
    ("answer", {**RIGHT, "choices": [{**CHOICE, "message": {"role": "assistant", "content": " "}}]}, "the answer is empty"),
    ("answer", {**RIGHT, "choices": [{**CHOICE, "finish_reason": "error"}]}, "finish_reason is error"),
    ("done", False, "does not end with [DONE]"), ("end", None, "does not tell why it ended"),
    ("chunks", ["Hello."], "everything came in one piece"), ("chunks", [], "has no content"),
    ("stream_type", "application/json", "stream: Failed: it is application/json"),
    ("error_status", 200, "is answered with 200"), ("error", {"detail": "no"}, "errors: KeyError: 'error'"),
    ("error", {"error": "no"}, "errors: TypeError"),
], ids=str)
def test_a_server_that_breaks_it(change, value, words):
    code, said = contract(change, value)
    assert code == 1 and words in said, said


def test_no_server_is_no_pass():
    done = subprocess.run([sys.executable, "-B", os.path.join(SCRIPTS, "contract.py")], timeout=patience(30), check=False)
    assert done.returncode == 1


# ---- edits

def module(name):
    spec = importlib.util.spec_from_file_location(f"pipeline_{name}", os.path.join(SCRIPTS, name + ".py"))
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


EDIT = module("edit")
FILE = """routes:
- name: "chat" # of all
  variants:
    'blue':
      version: '1.0' # version: old
      # weight: 7
      weight: 100
    green: {pool: green, version: "next, one", weight: 0}
  rollout: # start: auto
    start: manual
    candidate: green
    baseline: blue # baseline: of all
    before: {evaluation: {file: a.json, json: /quality, baseline: b.json}}
    hooks:
      start: none
    steps:
    - weight: 5
- name: chat2
  variants:
    green: {pool: green, version: v1}
"""


def test_only_the_value_changes():
    assert EDIT.edited(FILE, "chat", "stage", "green", "v2") == FILE.replace('"next, one"', "v2")
    assert EDIT.edited(FILE, "chat", "stage", "blue", "2.0") == FILE.replace("'1.0'", '"2.0"'), "a version is no number"
    assert EDIT.edited(FILE, "chat", "stage", "blue", "1.0") == FILE, "what is there already stays as it is written"
    swapped = FILE.replace("      weight: 100", "      weight: 0").replace("one\", weight: 0", "one\", weight: 100")
    swapped = swapped.replace("candidate: green", "candidate: blue").replace("baseline: blue #", "baseline: green #")
    assert EDIT.edited(FILE, "chat", "full", "green", "blue") == swapped
    assert EDIT.edited(swapped, "chat", "full", "green", "blue") == swapped
    assert EDIT.edited(FILE.replace("\n", "\r\n"), "chat", "stage", "green", "no") == \
        FILE.replace('"next, one"', '"no"').replace("\n", "\r\n")


@pytest.mark.parametrize("was, now, words", [
    ("start: manual", "start: auto", "no `start: manual`"), ("    start: manual\n", "", "no `start: manual`"),
    ('name: "chat"', "name: talk", "the route chat is there 0 times"), ("name: chat2", "name: chat", "the route chat is there 2 times"),
    ("    green: {pool", "    grey: {pool", "the variant green is there 0 times"),
    ('version: "next, one"', "price: {input: 1, output: 2}", "`version` of the variant green is there 0 times"),
    ("routes:\n", "rules:\n", "`routes` is there 0 times"), ("  variants:\n    'blue'", "  variants: &v\n    'blue'", "`variants` of chat"),
    ("  rollout: #", "  plan: #", "`rollout` of chat is there 0 times"),
], ids=str)
def test_a_file_that_is_not_understood_is_refused(was, now, words):
    assert was in FILE
    with pytest.raises(EDIT.Refused, match=words):
        EDIT.edited(FILE.replace(was, now, 1), "chat", "stage", "green", "v2")


def test_candidate_and_baseline_must_stand_there():
    with pytest.raises(EDIT.Refused, match="`baseline` of the rollout of chat is there 0 times"):
        EDIT.edited(FILE.replace("    baseline: blue # baseline: of all\n", ""), "chat", "full", "green", "blue")
