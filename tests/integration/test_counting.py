"""What is counted equals what the model servers have told, over thousands of answers of all shapes, cut at every position."""
import collections
import random
import threading
import time

import pytest

from harness.apis import KINDS, make
from harness.scale import scaled
from harness.sluice import pool, route
from harness.wait import wait_for

TOTAL = scaled(10_000)
THREADS = 8
THINKING = {0: 1.2, 1: 0.3, 2: 0.03, 3: 0.03}  # seconds before the content, by the request's number modulo THOUGHT
THOUGHT = 250
BOUNDS = ("0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5")
PRICES = {"stable": {"input": 2.5, "output": 10}, "canary": {"input": 0.15, "output": 0.6}}


class Log:
    """What the simulated servers told, by variant, added up as they say it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sums = collections.Counter()
        self.numbers = set()
        self.cuts = collections.defaultdict(set)  # by kind, of answers that are not packed: where bodies were cut …
        self.shortest = {}                        # … and the shortest of them
        self.waited = []  # from the request to the moment before its content was written
        self.seen = []    # from before it was sent to when its client had the content

    def told(self, variant, number, kind, answer, cuts, waited):
        with self.lock:
            for name, value in (("prompt", answer.prompt), ("completion", answer.completion), ("requests", 1),
                                (f"code {answer.status // 100}xx", 1), (f"finish {answer.finish}", 1), (f"error {answer.error}", 1)):
                self.sums[variant, name] += value
            if not answer.packed:
                self.cuts[kind].update(cuts)
                self.shortest[kind] = min(len(answer.body), self.shortest.get(kind, 1 << 20))
            self.waited.append(waited)
            assert number not in self.numbers, "a request came twice"
            self.numbers.add(number)


def simulator(log):
    """Answers request N as a seed of N says, with its body cut where N says."""
    turns = collections.Counter()

    def handler(request, reply):
        began = time.monotonic()
        number = int(request.header("X-Number"))
        rng = random.Random(number)
        kind = request.path.rsplit("/", 1)[1]
        answer = make(rng, kind)
        told = False
        packed = rng.random() < 0.3
        if packed:
            answer.pack()
        with log.lock:
            turn = turns[kind, packed]
            turns[kind, packed] += 1
        body = answer.body
        # Six places side by side; the next such answer goes on behind them.
        cuts = sorted({(6 * turn + i) % len(body) for i in range(6)})
        headers = [("Content-Type", answer.type)] + ([("Content-Encoding", "gzip")] if packed else [])
        framing = rng.choice(["length", "chunked", "chunked", "close"])
        if framing == "length":
            reply.head(answer.status, headers + [("Content-Length", len(body))])
        elif framing == "close":
            reply.head(answer.status, headers + [("Connection", "close")])
        else:
            reply.begin_chunked(answer.status, headers)
        content = answer.begin if not packed else 0  # what comes before it does not wait
        for begin, end in zip([0, *cuts], [*cuts, len(body)]):
            for piece, has_content in ((body[begin:min(end, content)], False), (body[max(begin, content):end], True)):
                if piece and has_content and not told:
                    time.sleep(THINKING.get(number % THOUGHT, 0))
                    log.told(request.header("X-Sluice-Variant"), number, kind, answer, cuts, time.monotonic() - began)
                    told = True
                if piece and framing == "chunked":
                    reply.chunk(piece)
                elif piece:
                    reply.raw(piece)
            time.sleep(0.0005)
        assert told
        if framing == "chunked":
            reply.end_chunked()
        elif framing == "close":
            reply.over()
            reply.close()
    return handler


def ask(client, number, kind):
    """Asks, and tells when the content was there: the first event with any; of what is no stream the first byte."""
    began = time.monotonic()
    client.request("POST", f"/v1/{kind}", [("X-Number", number), ("X-User-Id", f"user-{number % 997}"),
                                           ("Content-Type", "application/json")], '{"stream":true}')
    answer = client.final_head()
    assert answer.status in (200, 400, 429, 500), answer
    expected = make(random.Random(number), kind)
    packed = answer.header("Content-Encoding") is not None
    first = 1 if not expected.first else expected.first if not packed else 1 << 30
    size, seen = 0, None
    for piece in client.pieces(answer, "POST"):
        size += len(piece)
        seen = seen or (time.monotonic() - began if size >= first else None)
    return seen or time.monotonic() - began


def drive(daemon, log, count):
    """All requests over a few connections; each thread sees to its own part."""
    kinds = list(KINDS)
    failures = []

    def run(part):
        try:
            with daemon.client(timeout=60) as client:
                for number in range(part, count, THREADS):
                    seen = ask(client, number, kinds[(number // THREADS) % len(kinds)])
                    with log.lock:
                        log.seen.append(seen)
        except Exception as error:  # noqa: BLE001 - told by the test
            failures.append(error)
    threads = [threading.Thread(target=run, args=(part,)) for part in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


@pytest.mark.heavy
def test_what_is_counted_is_what_was_told(start_sluice, upstream):
    log = Log()
    server = upstream("model", simulator(log))
    off = {"ejection": {"consecutive_failures": 0}}
    variants = {name: {"pool": "p", "weight": 50, "price": PRICES[name]} for name in PRICES}
    daemon = start_sluice({"pools": {"p": pool(server, **off)}, "routes": [
        route("chat", variants, sticky={"by": ["header X-User-Id"]})]})
    drive(daemon, log, TOTAL)
    wait_for(lambda: daemon.metrics().sum("sluice_requests_total", route="chat") == TOTAL)
    metrics = daemon.metrics()
    for variant, price in PRICES.items():
        def counted(name, **labels):
            return metrics.sum(name, variant=variant, **labels)  # pylint: disable=cell-var-from-loop
        sums = {name: value for (of, name), value in log.sums.items() if of == variant}
        assert counted("sluice_requests_total") == sums["requests"] > TOTAL / 3
        for kind in ("prompt", "completion"):
            assert counted("sluice_tokens_total", type=kind) == sums[kind] > 0
        dollars = (sums["prompt"] * price["input"] + sums["completion"] * price["output"]) / 1e6
        assert counted("sluice_cost_dollars_total") == pytest.approx(dollars, rel=1e-9)
        for code in ("2xx", "4xx", "5xx"):
            assert counted("sluice_requests_total", code=code) == sums[f"code {code}"]
        for finish in ("stop", "length", "tool_calls", "content_filter", "other"):
            assert counted("sluice_finish_reasons_total", reason=finish) == sums[f"finish {finish}"], finish
        for reason in ("5xx", "error_event", "unfinished"):
            assert counted("sluice_request_errors_total", reason=reason) == sums[f"error {reason}"], reason
        assert counted("sluice_request_errors_total") == sums["requests"] - sums["error None"]
        assert counted("sluice_time_to_first_token_seconds_count") == sums["requests"]
    # The first token, against both ends' own clocks: never before the server wrote it, never after the client had it.
    name = "sluice_time_to_first_token_seconds"
    assert sum(log.waited) - 1e-6 * TOTAL <= metrics.sum(name + "_sum", route="chat") <= sum(log.seen)
    for bound in BOUNDS:
        least, most = (sum(took <= float(bound) for took in side) for side in (log.seen, log.waited))
        assert least <= metrics.sum(name + "_bucket", route="chat", le=bound) <= most, bound
    assert sum(took <= 1 for took in log.waited) <= TOTAL - TOTAL // THOUGHT
    # No place was left out, in any shape.
    if TOTAL >= 10_000:
        for kind in KINDS:
            missed = set(range(log.shortest[kind])) - log.cuts[kind]
            assert not missed, (kind, log.shortest[kind], sorted(missed)[:10])


def test_streams_are_counted_for_who_does_not_ask(start_sluice, upstream):
    """count_stream_tokens: the same over a route that asks in place of its clients; bodies of requests cut too."""
    sent = []

    def handler(request, reply):
        rng = random.Random(len(sent))
        answer = make(rng, "openai-stream")
        assert b'"include_usage":true' in request.body
        sent.append(answer)
        cut = len(sent) % len(answer.body)
        reply.begin_chunked(200, [("Content-Type", answer.type)])
        for piece in (answer.body[:cut], answer.body[cut:]):
            if piece:
                reply.chunk(piece)
        reply.end_chunked()
    server = upstream("model", handler)
    daemon = start_sluice({"pools": {"p": pool(server)}, "routes": [
        route("chat", {"v": {"pool": "p", "weight": 100, "price": PRICES["stable"]}}, count_stream_tokens=True)]})
    body = '{"model":"m","stream":true,"messages":[{"role":"user","content":"\u20ac"}]}'.encode()
    with daemon.client() as client:
        for at in range(len(body) * 4):
            client.send(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
                        f"{len(body)}\r\n\r\n".encode() + body[:at % len(body)])
            client.send(body[at % len(body):])
            answer = client.response("POST")
            assert answer.status == 200 and "prompt_tokens" not in answer.text and "[DONE]" in answer.text
    count = len(sent)
    assert daemon.counted("sluice_tokens_total", sum(answer.prompt for answer in sent), type="prompt")
    assert daemon.counted("sluice_tokens_total", sum(answer.completion for answer in sent), type="completion")
    assert daemon.counted("sluice_time_to_first_token_seconds_count", count)
