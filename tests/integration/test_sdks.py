"""The npm clients of OpenAI and Anthropic through sluice: what they get, and what is counted of it."""
import json
import os
import shutil
import subprocess

import pytest

from harness.apis import chunk, usage
from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for
from test_clients import HERE, MODULES

JSON = [("Content-Type", "application/json")]
TOLD = usage(11, 7)
TYPED = {"input_tokens": 13, "output_tokens": 5}


class Server:
    """Answers by the model that is asked for."""

    def __init__(self):
        self.hung_up = []
        self.asked = []

    def handle(self, request, reply):
        body = json.loads(request.body)
        model = body["model"]
        self.asked.append((request.path, body))
        getattr(self, model.replace("-", "_"))(body, reply)

    @staticmethod
    def events(reply, *events):
        reply.begin_sse()
        for event in events:
            if isinstance(event, dict) and "type" in event:
                reply.chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
            else:
                reply.event(event if isinstance(event, str) else json.dumps(event))
        reply.end_chunked()

    def until_gone(self, name, reply, event):
        """Events without end: until the client has gone, and so the connection."""
        try:
            while True:
                reply.chunk(event)
        except Exception:
            self.hung_up.append(name)
            raise

    def chat(self, _body, reply):
        reply.send(200, json.dumps({"id": "1", "object": "chat.completion", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}], "usage": TOLD}), JSON)

    def stream(self, body, reply):
        assert body["stream_options"] == {"include_usage": True}
        self.events(reply, chunk({"role": "assistant", "content": ""}, usage=None), chunk({"content": "Hel"}, usage=None),
                    chunk({"content": "lo"}, "stop", usage=None), {"choices": [], "usage": TOLD}, "[DONE]")

    def tools(self, _body, reply):
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
        parts = [chunk({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}) for part in ('{"city"', ':"Bern"}')]
        self.events(reply, chunk({"role": "assistant", "content": None, "tool_calls": [call]}), *parts, chunk({}, "tool_calls"),
                    {"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": TOLD}, "[DONE]")

    def embed(self, _body, reply):
        reply.send(200, json.dumps({"object": "list", "model": "e", "data": [
            {"object": "embedding", "index": i, "embedding": [0.5, -i]} for i in range(2)],
                                    "usage": {"prompt_tokens": 4, "total_tokens": 4}}), JSON)

    def responses(self, _body, reply):
        done = {"id": "r", "object": "response", "status": "completed", "output": [], "usage": {**TYPED, "total_tokens": 18}}
        self.events(reply, {"type": "response.created", "response": {**done, "status": "in_progress", "usage": None}},
                    {"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 0, "delta": "Hello"},
                    {"type": "response.completed", "response": done})

    def endless(self, _body, reply):
        reply.begin_sse()
        self.until_gone("endless", reply, f"data: {json.dumps(chunk({'content': 'x' * 200}))}\n\n".encode())

    def breaks(self, _body, reply):
        self.events(reply, chunk({"content": "Hel"}), {"error": {"message": "out of memory", "code": 500}})

    def refused(self, _body, reply):
        reply.send(429, json.dumps({"error": {"message": "slow down", "type": "rate_limit"}}), JSON)

    def claude(self, _body, reply):
        reply.send(200, json.dumps({"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [
            {"type": "text", "text": "Hello"}], "stop_reason": "end_turn", "usage": TYPED}), JSON)

    BEGIN = [{"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [],
                                                   "stop_reason": None, "usage": {"input_tokens": 13, "output_tokens": 1}}},
             {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}]

    def claude_stream(self, _body, reply):
        text = [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": part}} for part in ("Hel", "lo")]
        self.events(reply, *self.BEGIN, {"type": "ping"}, *text, {"type": "content_block_stop", "index": 0},
                    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 5}},
                    {"type": "message_stop"})

    def claude_endless(self, _body, reply):
        reply.begin_sse()
        for event in self.BEGIN:
            reply.chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        event = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * 200}}
        self.until_gone("claude", reply, f"event: content_block_delta\ndata: {json.dumps(event)}\n\n".encode())

    def claude_overloaded(self, _body, reply):
        self.events(reply, *self.BEGIN, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})


@pytest.fixture
def told(start_sluice, upstream):
    """(what the clients printed, the daemon, the server)"""
    node = shutil.which("node")
    assert node, "node is not installed (tests/run.sh installs it)"
    assert os.path.isdir(os.path.join(MODULES, "@anthropic-ai")), "the npm package @anthropic-ai/sdk is missing (tests/run.sh installs it)"
    server = Server()
    daemon = start_sluice({"pools": {"p": pool(upstream("models", server.handle), ejection={"consecutive_failures": 0})}, "routes": [
        route("chat", {"v": {"pool": "p", "weight": 100, "price": {"input": 1, "output": 10}}}, count_stream_tokens=True)]})
    done = subprocess.run([node, os.path.join(HERE, "npm", "sdks.mjs")], capture_output=True, text=True, timeout=patience(60), check=False,
                          env=dict(os.environ, BASE_URL=daemon.url, NPM_MODULES=os.path.abspath(MODULES)))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), daemon, server


def test_the_sdks_of_openai_and_anthropic(told):
    results, daemon, server = told
    assert results["chat"] == {"text": "Hello", "finish": "stop", "usage": TOLD}
    assert results["stream"] == {"text": "Hello", "usage": None}, "it did not ask for the tokens"
    assert results["tools"] == {"name": "weather", "arguments": '{"city":"Bern"}', "finish": "tool_calls"}
    assert results["embeddings"]["vectors"] == [[0.5, 0], [0.5, -1]] and results["embeddings"]["usage"]["prompt_tokens"] == 4
    assert results["responses"]["text"] == "Hello" and results["responses"]["usage"]["output_tokens"] == 5
    assert results["aborted"] == {"parts": 3} and results["message_aborted"] == {"parts": 3}
    assert "out of memory" in results["error_event"]["message"]
    assert results["refused"]["status"] == 429 and "slow down" in results["refused"]["message"]
    assert results["message"]["text"] == "Hello" and results["message"]["stop"] == "end_turn"
    assert results["message_stream"]["text"] == "Hello" and results["message_stream"]["usage"]["output_tokens"] == 5
    assert "verloaded" in results["message_overloaded"]["message"]
    assert len(server.asked) == 12

    # Who goes away ends the answer at the model server too.
    wait_for(lambda: sorted(server.hung_up) == ["claude", "endless"], patience(15))
    wait_for(lambda: daemon.metrics().sum("sluice_requests_total", route="chat") == 12, patience(10))
    metrics = daemon.metrics()
    assert metrics.sum("sluice_requests_total", code="499") == 2
    assert metrics.sum("sluice_requests_total", code="4xx") == 1
    # chat, stream, tools: 11 + 7 each; embeddings 4; responses, message, message_stream: 13 + 5 each; of the stream that was
    # broken off and of the one that failed what their beginning told: 13 + 1 each.
    prompt, completion = 3 * 11 + 4 + 3 * 13 + 2 * 13, 3 * 7 + 3 * 5 + 2 * 1
    assert metrics.sum("sluice_tokens_total", type="prompt") == prompt
    assert metrics.sum("sluice_tokens_total", type="completion") == completion
    assert metrics.sum("sluice_cost_dollars_total") == pytest.approx((prompt + 10 * completion) / 1e6)
    assert metrics.sum("sluice_request_errors_total", reason="error_event") == 2
    assert metrics.sum("sluice_request_errors_total") == 2
    assert metrics.sum("sluice_finish_reasons_total", reason="stop") == 5
    assert metrics.sum("sluice_finish_reasons_total", reason="tool_calls") == 1
    assert metrics.sum("sluice_time_to_first_token_seconds_count", route="chat") == 12
