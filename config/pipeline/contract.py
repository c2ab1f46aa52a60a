#!/usr/bin/env python3
"""What every version of the model server must do, whatever it answers: contract.py URL… Prints a line for each check."""
import json
import sys

from model import Failed, ask, chat, first_model

REASONS = {"stop", "length", "tool_calls", "content_filter", "function_call"}


def need(condition, words):
    if not condition:
        raise Failed(words)


def models(url):
    need(first_model(url), "no model is offered")


def answer(url):
    status, headers, body = chat(url, "Say hello.")
    need(status == 200, f"status {status}: {body[:200]}")
    need(headers.get_content_type() == "application/json", f"it is {headers.get_content_type()}")
    got = json.loads(body)
    need(got.get("object") == "chat.completion" and isinstance(got.get("id"), str), "`object` or `id` is not right")
    choice = got["choices"][0]
    need(choice["message"]["role"] == "assistant", "the role is not assistant")
    need(isinstance(choice["message"]["content"], str) and choice["message"]["content"].strip(), "the answer is empty")
    need(choice["finish_reason"] in REASONS, f"finish_reason is {choice['finish_reason']}")
    usage = got["usage"]
    need(usage["prompt_tokens"] > 0 and usage["completion_tokens"] > 0, "tokens are not counted")
    need(usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"], "the tokens do not add up")


def stream(url):
    status, headers, body = chat(url, "Say hello.", stream=True)
    need(status == 200, f"status {status}: {body[:200]}")
    need(headers.get_content_type() == "text/event-stream", f"it is {headers.get_content_type()}")
    events = [line[5:].strip() for line in body.split("\n") if line.startswith("data:")]
    need(events and events[-1] == "[DONE]", "the stream does not end with [DONE]")
    chunks = [json.loads(event) for event in events[:-1]]
    need(chunks and all(c.get("object") == "chat.completion.chunk" for c in chunks), "not all events are chunks")
    choices = [c["choices"][0] for c in chunks if c["choices"]]
    need("".join(c["delta"].get("content") or "" for c in choices).strip(), "the stream has no content")
    need(sum(bool(c["delta"].get("content")) for c in choices) > 1, "everything came in one piece")
    need([c["finish_reason"] for c in choices if c["finish_reason"]][-1:] and choices[-1]["finish_reason"] in REASONS,
         "the stream does not tell why it ended")


def errors(url):
    for body, what in ((b"{", "a body that is no JSON"), (b"[]", "a body without messages")):
        status, headers, text = ask(f"{url}/v1/chat/completions", body)
        need(400 <= status < 500, f"{what} is answered with {status}")
        need(headers.get_content_type() == "application/json", f"{what} is answered in {headers.get_content_type()}")
        error = json.loads(text)["error"]
        need(isinstance(error["message"], str) and isinstance(error["type"], str), f"{what}: not the form of an error")


def main(urls):
    bad = 0
    for url in urls:
        for check in (models, answer, stream, errors):
            try:
                check(url)
                print(f"contract: {url} {check.__name__}: ok")
            except (Failed, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
                bad += 1
                print(f"contract: {url} {check.__name__}: {type(error).__name__}: {error}", file=sys.stderr)
    return 1 if bad or not urls else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
