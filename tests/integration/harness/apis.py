"""Answers of model servers in the shapes of their APIs, and what each of them tells of itself.

    answer = make(random.Random(7), "openai-stream")
    answer.body, answer.type, answer.prompt, answer.completion, answer.finish, answer.error
"""
import gzip
import json


class Answer:
    def __init__(self, body, kind="application/json", status=200, prompt=0, completion=0, finish=None, error=None):
        self.body, self.type, self.status = body.encode() if isinstance(body, str) else body, kind, status
        self.prompt, self.completion = prompt, completion  # tokens that it tells of
        self.finish = finish                               # as sluice names the reason, or None
        self.error = error                                 # reason of sluice_request_errors_total, or None
        self.packed = False
        self.begin = self.first = 0                        # where the first event with content begins and ends; 0: it is no stream

    def pack(self):
        self.body, self.packed = gzip.compress(self.body, mtime=0), True
        return self


def text(value, rng):
    """JSON as one server or another writes it."""
    return json.dumps(value, separators=(",", ":")) if rng.random() < 0.5 else json.dumps(value)


def stream(rng, *events, named=False, **told):
    """Server-sent events; the first that is marked by a tuple has the first content."""
    out, begin, first = "", 0, 0
    end = rng.choice(["\n", "\r\n"])
    for event in events:
        marked = isinstance(event, tuple)
        event = event[0] if marked else event
        name = f"event: {event['type']}{end}" if named else ""
        begin = len(out.encode()) if marked and not first else begin
        out += f"{name}data: {event if isinstance(event, str) else text(event, rng)}{end}{end}"
        first = first or (len(out.encode()) if marked else 0)
    answer = Answer(out, "text/event-stream", **told)
    answer.begin, answer.first = begin, first
    return answer


def numbers(rng):
    return rng.randrange(1, 5000), rng.randrange(1, 3000)


FINISHES = [("stop", "stop"), ("length", "length"), ("tool_calls", "tool_calls"), ("content_filter", "content_filter"), ("odd", "other")]


def usage(prompt, completion):
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": 3}}


def openai(rng):
    prompt, completion = numbers(rng)
    said, finish = rng.choice(FINISHES)
    body = {"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": 'a "usage": {"prompt_tokens": 9} b\u20ac'}, "finish_reason": said}],
            "usage": usage(prompt, completion)}
    return Answer(text(body, rng), prompt=prompt, completion=completion, finish=finish)


def chunk(delta, finish=None, **more):
    return {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def openai_stream(rng, told=True):
    prompt, completion = numbers(rng)
    said, finish = rng.choice(FINISHES)
    more = {"usage": None} if told else {}
    last = [{"id": "c", "choices": [], "usage": usage(prompt, completion)}] if told else []
    return stream(rng, chunk({"role": "assistant", "content": ""}, **more), (chunk({"content": "Hel"}, **more),),
                  chunk({"content": 'lo "usage"'}, **more), chunk({}, said, **more), *last, "[DONE]",
                  prompt=prompt if told else 0, completion=completion if told else 0, finish=finish)


def openai_tools(rng):
    prompt, completion = numbers(rng)
    call = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}]}
    more = {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":1}'}}]}
    return stream(rng, chunk({"role": "assistant", "content": None}), (chunk(call),), chunk(more), chunk({}, "tool_calls"),
                  {"choices": [], "usage": usage(prompt, completion)}, "[DONE]", prompt=prompt, completion=completion,
                  finish="tool_calls")


def completions(rng):
    prompt, completion = numbers(rng)
    body = {"object": "text_completion", "choices": [{"text": "x", "index": 0, "finish_reason": "length"}],
            "usage": usage(prompt, completion)}
    return Answer(text(body, rng), prompt=prompt, completion=completion, finish="length")


def embeddings(rng):
    prompt, _ = numbers(rng)
    body = {"object": "list", "data": [{"object": "embedding", "embedding": [0.1, -2e-3]}], "model": "e",
            "usage": {"prompt_tokens": prompt, "total_tokens": prompt}}
    return Answer(text(body, rng), prompt=prompt)


def responses(rng):
    prompt, completion = numbers(rng)
    body = {"id": "resp_1", "object": "response", "status": "completed", "output": [{"content": [{"text": "hi"}]}],
            "usage": {"input_tokens": prompt, "output_tokens": completion, "total_tokens": prompt + completion}}
    return Answer(text(body, rng), prompt=prompt, completion=completion, finish="stop")


def responses_stream(rng):
    prompt, completion = numbers(rng)
    return stream(rng, {"type": "response.created", "response": {"status": "in_progress", "usage": None}},
                  ({"type": "response.output_text.delta", "delta": "Hel"},), {"type": "response.output_text.delta", "delta": "lo"},
                  {"type": "response.completed", "response": {"status": "completed", "usage": {
                      "input_tokens": prompt, "output_tokens": completion}}},
                  named=True, prompt=prompt, completion=completion, finish="stop")


STOPS = [("end_turn", "stop"), ("max_tokens", "length"), ("tool_use", "tool_calls"), ("refusal", "content_filter")]


def anthropic(rng):
    prompt, completion = numbers(rng)
    said, finish = rng.choice(STOPS)
    body = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hi"}], "stop_reason": said,
            "usage": {"input_tokens": prompt, "output_tokens": completion}}
    return Answer(text(body, rng), prompt=prompt, completion=completion, finish=finish)


def anthropic_stream(rng):
    prompt, completion = numbers(rng)
    said, finish = rng.choice(STOPS)
    return stream(rng, {"type": "message_start", "message": {"usage": {"input_tokens": prompt, "output_tokens": 1}}},
                  {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, {"type": "ping"},
                  ({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},),
                  {"type": "content_block_stop", "index": 0},
                  {"type": "message_delta", "delta": {"stop_reason": said}, "usage": {"output_tokens": completion}},
                  {"type": "message_stop"}, named=True, prompt=prompt, completion=completion, finish=finish)


def vllm_stream(rng):
    """The tokens so far with every event."""
    prompt, completion = numbers(rng)
    return stream(rng, chunk({"role": "assistant"}, usage=usage(prompt, 0)), (chunk({"content": "a"}, usage=usage(prompt, 1)),),
                  chunk({"content": "b"}, "stop", usage=usage(prompt, 2)), {"choices": [], "usage": usage(prompt, completion)}, "[DONE]",
                  prompt=prompt, completion=completion, finish="stop")


def tgi(rng):
    prompt, completion = numbers(rng)
    body = {"generated_text": "hi", "details": {"finish_reason": "eos_token", "generated_tokens": completion, "input_length": prompt}}
    return Answer(text(body, rng), prompt=prompt, completion=completion, finish="stop")


def tgi_stream(rng):
    prompt, completion = numbers(rng)
    token = {"index": 1, "token": {"id": 5, "text": "hi", "special": False}, "generated_text": None, "details": None}
    last = {**token, "generated_text": "hihi", "details": {"finish_reason": "length", "generated_tokens": completion, "input_length": prompt}}
    return stream(rng, (token,), token, last, prompt=prompt, completion=completion, finish="length")


def look_alike(_rng):
    return Answer('{"usage":{"prompt_tokens":5,"completion_tokens":5}}', "text/plain")


def refused(rng):
    return Answer(text({"error": {"message": "no"}, "usage": usage(1, 1)}, rng), status=rng.choice([400, 429]))


def failed(rng):
    return Answer(text({"error": {"message": "down"}}, rng), status=500, error="5xx")


def responses_incomplete(rng):
    prompt, completion = numbers(rng)
    body = {"object": "response", "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"},
            "usage": {"input_tokens": prompt, "output_tokens": completion}}
    return Answer(text(body, rng), prompt=prompt, completion=completion, finish="length")


def vllm_cut(rng):
    """It tells its tokens as it goes, and stops in the middle."""
    prompt, _ = numbers(rng)
    return stream(rng, chunk({"role": "assistant"}, usage=usage(prompt, 0)), (chunk({"content": "a"}, usage=usage(prompt, 1)),),
                  chunk({"content": "b"}, usage=usage(prompt, 2)), prompt=prompt, completion=2, error="unfinished")


def anthropic_error(rng):
    prompt, _ = numbers(rng)
    return stream(rng, {"type": "message_start", "message": {"usage": {"input_tokens": prompt, "output_tokens": 1}}},
                  ({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},),
                  {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, named=True, prompt=prompt,
                  completion=1, error="error_event")


def error_event(rng):
    return stream(rng, chunk({"role": "assistant"}), (chunk({"content": "a"}),), {"error": {"message": "out of memory", "code": 500}},
                  error="error_event")


def unfinished(rng):
    return stream(rng, chunk({"role": "assistant"}), (chunk({"content": "a"}),), chunk({"content": "b"}), error="unfinished")


KINDS = {"openai": openai, "openai-stream": openai_stream, "openai-untold": lambda rng: openai_stream(rng, False),
         "openai-tools": openai_tools, "completions": completions, "embeddings": embeddings, "responses": responses,
         "responses-stream": responses_stream, "anthropic": anthropic, "anthropic-stream": anthropic_stream,
         "vllm-stream": vllm_stream, "tgi": tgi, "tgi-stream": tgi_stream, "look-alike": look_alike, "refused": refused,
         "failed": failed, "responses-incomplete": responses_incomplete, "vllm-cut": vllm_cut, "anthropic-error": anthropic_error,
         "error-event": error_event, "unfinished": unfinished}


def make(rng, kind):
    return KINDS[kind](rng)
