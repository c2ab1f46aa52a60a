"""Spans for OpenTelemetry, against a collector that holds them against the schema."""
import json
import re
import threading

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from harness.client import Cut
from harness.collector import Collector
from harness.load import Loop, free_port
from harness.prometheus import Prometheus
from harness.scale import patience, sanitizer
from harness.sluice import pool, route
from harness.wait import wait_for

SERVER, CLIENT = 2, 3
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
NEW = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])")


@pytest.fixture
def collector():
    made = []

    def make(answer=None):
        made.append(Collector(answer))
        return made[-1]
    yield make
    for one in made:
        one.stop()


def traced(collector, endpoints, sample=100, route_settings=None, variants=None, pools=None, tracing=None, **rest):
    return {"tracing": {"url": collector.url, "sample": sample, **(tracing or {})},
            "pools": pools or {"stable": pool(*endpoints)},
            "routes": [route("chat", variants, **(route_settings or {}))], **rest}


def told(request):
    """(trace, span, flags) that an upstream was told."""
    return NEW.fullmatch(request.header("traceparent")).groups()


def test_a_request_is_a_span_and_its_attempt_another(start_sluice, upstream, collector):
    server, otlp = upstream(), collector()
    daemon = start_sluice(traced(otlp, [server], tracing={"service_name": "edge", "headers": {"X-Key": "k1"}},
                                 variants={"stable": {"pool": "stable", "version": "v7", "weight": 100}},
                                 route_settings={"sticky": {"by": ["header X-User-Id"]}}))
    answer = daemon.ask("POST", "/v1/x?api_key=hush", [("X-User-Id", "u1"), ("User-Agent", "test/1"), ("Authorization", "Bearer hush"),
                                                       ("Cookie", "c=hush")], "body", host="api.example.com:8080")
    top, attempt = sorted(otlp.wait(2), key=lambda s: s.kind)
    assert (top.kind, top.parent, attempt.kind, attempt.parent) == (SERVER, "", CLIENT, top.id)
    assert told(server.requests[0]) == (top.trace, attempt.id, "01") and attempt.trace == top.trace
    assert top.start <= attempt.start <= attempt.end <= top.end
    assert (top.name, attempt.name) == ("POST chat", "POST stable")
    assert {k: top[k] for k in ("http.request.method", "url.path", "url.scheme", "server.address", "http.response.status_code",
                                "http.request.body.size", "http.response.body.size", "user_agent.original", "client.address",
                                "sluice.route", "sluice.variant", "sluice.version", "sluice.decided_by", "sluice.end")} == {
        "http.request.method": "POST", "url.path": "/v1/x", "url.scheme": "http", "server.address": "api.example.com",
        "http.response.status_code": 200, "http.request.body.size": 4, "http.response.body.size": len(answer.body),
        "user_agent.original": "test/1", "client.address": "127.0.0.1", "sluice.route": "chat", "sluice.variant": "stable",
        "sluice.version": "v7", "sluice.decided_by": "unit", "sluice.end": "complete"}
    assert top["sluice.request_id"] == answer.header("X-Request-Id")
    assert attempt["sluice.endpoint"] == server.url and attempt["http.response.status_code"] == 200
    assert not top.status and not attempt.status and "first_byte" in top.events
    assert top.resource["service.name"] == "edge" and top.resource["service.version"]
    assert otlp.requests[0].header("X-Key") == "k1" and otlp.requests[0].target == "/v1/traces"
    assert not [b for b in otlp.bodies if b"hush" in b], "no secret leaves"


@pytest.mark.parametrize("sample", [0, 100])
def test_a_callers_trace_goes_on_as_the_caller_decided(start_sluice, upstream, collector, sample):
    server, otlp = upstream(), collector()
    daemon = start_sluice(traced(otlp, [server], sample))
    state = ("tracestate", "vendor=1")
    daemon.ask(headers=[("traceparent", f"00-{TRACE}-{PARENT}-01"), state])
    daemon.ask(headers=[("traceparent", f"00-{TRACE}-{PARENT}-00"), state])
    spans = {s.kind: s for s in otlp.trace(TRACE, 2)}
    assert spans[SERVER].parent == PARENT
    recorded, passed = server.requests
    assert told(recorded) == (TRACE, spans[CLIENT].id, "01") and recorded.header("tracestate") == "vendor=1"
    assert passed.header("traceparent") == f"00-{TRACE}-{PARENT}-00" and passed.header("tracestate") == "vendor=1"
    assert daemon.stop() == 0
    assert len(otlp.spans) == 2, "what is not sampled is not recorded"


@pytest.mark.parametrize("given", ["garbage", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01", f"00-{TRACE.upper()}-{PARENT}-01",
                                   f"00-{TRACE}-{PARENT}-01-x", None])
@pytest.mark.parametrize("tracing", [True, False])
def test_what_means_nothing_begins_a_trace(start_sluice, upstream, collector, given, tracing):
    server, otlp = upstream(), collector()
    config = traced(otlp, [server], 0)
    if not tracing:
        del config["tracing"]
    daemon = start_sluice(config)
    fields = [("tracestate", "vendor=1")] + ([("traceparent", given)] if given else [("traceparent", f"00-{TRACE}-{PARENT}-01")] * 2)
    daemon.ask(headers=fields)
    trace, span, flags = told(server.requests[0])
    assert trace != TRACE and span != PARENT
    assert flags == ("00" if tracing else "01"), "decided here, or by nobody (decision 4)"
    assert server.requests[0].header("tracestate") is None, "it belongs to a parent that is not known"


def test_the_share_is_kept(start_sluice, upstream, collector):
    server, otlp = upstream(), collector()
    daemon = start_sluice(traced(otlp, [server], 30))
    with daemon.client() as client:
        for _ in range(1000):
            client.ask("GET", "/")
    sampled = [told(r)[0] for r in server.requests if told(r)[2] == "01"]
    assert 230 <= len(sampled) <= 370, "five standard deviations"
    assert {s.trace for s in otlp.wait(2 * len(sampled))} == set(sampled)
    assert len(otlp.spans) == 2 * len(sampled)
    assert daemon.counted("sluice_spans_total", len(otlp.spans), result="exported")


def test_each_attempt_has_a_span_of_its_own(start_sluice, upstream, collector):
    def failing(_request, reply):
        reply.send(503, "no")
    bad, good, otlp = upstream("bad", failing), upstream("good"), collector()
    daemon = start_sluice(traced(
        otlp, [], pools={"canary": pool(bad, ejection={"consecutive_failures": 0}), "stable": pool(good)},
        variants={"stable": 0, "canary": 100}, route_settings={"fallback": "stable", "retry": {"attempts": 1, "on": ["503"], "budget": 100}}))
    assert daemon.ask().status == 200
    spans = otlp.wait(4)
    top = next(s for s in spans if s.kind == SERVER)
    attempts = sorted((s for s in spans if s.kind == CLIENT), key=lambda s: s["http.request.resend_count"] or 0)
    assert [a["http.request.resend_count"] for a in attempts] == [None, 1, 2]
    assert [(a["sluice.pool"], a["http.response.status_code"], a["error.type"], a.status.get("code")) for a in attempts] == [
        ("canary", 503, "5xx", 2), ("canary", 503, "5xx", 2), ("stable", 200, None, None)]
    assert [told(r)[1] for r in bad.requests + good.requests] == [a.id for a in attempts]
    assert len({a.id for a in attempts} | {top.id}) == 4 and {a.parent for a in attempts} == {top.id}
    assert (top["sluice.variant"], top["sluice.fallback"], top["http.response.status_code"]) == ("canary", "stable", 200)


def test_failures_say_what_they_were(start_sluice, upstream, collector):
    def cut(_request, reply):
        reply.begin_chunked()
        reply.chunk(b"some")
        reply.close()
    otlp = collector()
    daemon = start_sluice({**traced(otlp, []), "pools": {"dead": pool(f"http://127.0.0.1:{free_port()}"), "cut": pool(upstream("cut", cut))},
                           "routes": [route("dead", {"dead": 100}, match={"path": "/dead"}), route("cut", {"cut": 100}, match={"path": "/cut"})]})
    assert daemon.ask(target="/dead").status == 502
    with pytest.raises(Cut):
        daemon.ask(target="/cut")
    assert daemon.ask(target="/none").status == 404
    otlp.wait(5)
    for path, fault, status, end in (("/dead", "connect", 502, "replied"), ("/cut", "cut_short", 200, "cut_short"), ("/none", None, 404, "replied")):
        (top,) = otlp.of(url__path=path)
        assert (top["error.type"], top["http.response.status_code"], top["sluice.end"]) == (fault, status, end)
        assert top.status.get("code") == (2 if fault else None) and top.status.get("message") == fault
        below = [s for s in otlp.spans if s.parent == top.id]
        assert [s["error.type"] for s in below] == ([fault] if fault else [])


def test_a_stream_tells_its_tokens_and_when_they_began(start_sluice, upstream, collector):
    def stream(_request, reply):
        reply.begin_sse()
        for text in ("a", "b"):
            reply.event(json.dumps({"choices": [{"delta": {"content": text}}]}))
        reply.event(json.dumps({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}))
        reply.event("[DONE]")
        reply.end_chunked()
    otlp = collector()
    daemon = start_sluice(traced(otlp, [upstream("model", stream)],
                                 variants={"stable": {"pool": "stable", "weight": 100, "price": {"input": 1.0, "output": 2.0}}}))
    daemon.ask("POST", "/v1/chat/completions", [("Content-Type", "application/json")], '{"model":"m","stream":true}')
    top = next(s for s in otlp.wait(2) if s.kind == SERVER)
    assert (top["gen_ai.usage.input_tokens"], top["gen_ai.usage.output_tokens"], top["gen_ai.response.finish_reasons"]) == (7, 2, ["stop"])
    assert abs(top["sluice.dollars"] - 11e-6) < 1e-12
    assert top.events["first_byte"] <= top.events["first_token"]


def test_a_copy_is_a_span_too(start_sluice, upstream, collector):
    real, shadow, otlp = upstream("real"), upstream("shadow"), collector()
    daemon = start_sluice(traced(otlp, [], pools={"stable": pool(real), "shadow": pool(shadow)}, variants={"stable": 100, "shadow": 0},
                                 route_settings={"mirror": {"variant": "shadow"}}))
    daemon.ask("POST", "/", [], "body")
    otlp.wait(3)
    (copy,), top = otlp.of(sluice__mirror=True), next(s for s in otlp.spans if s.kind == SERVER)
    assert (copy.parent, copy.trace, copy["sluice.variant"], copy["http.response.status_code"]) == (top.id, top.trace, "shadow", 200)
    assert told(shadow.requests[0]) == (copy.trace, copy.id, "01")
    assert told(real.requests[0])[1] not in (copy.id, top.id)


# ---- nothing waits for the collector

def test_a_collector_that_answers_nothing_holds_up_nobody(start_sluice, upstream, collector):
    release = threading.Event()

    def never(_number):
        release.wait(patience(60))
        return 200, [], "{}"
    otlp = collector(never)
    daemon = start_sluice(traced(otlp, [upstream()], tracing={"timeout": "60s"}, workers=1))
    big = "x" * 20000  # of a field that spans tell: 8 MiB are full after some 400 requests
    try:
        with daemon.client() as client:
            for _ in range(600):
                assert client.ask("GET", "/", [("User-Agent", big)]).status == 200
        wait_for(lambda: daemon.metrics().sum("sluice_spans_total", result="dropped") > 0, patience(10), "what is too much is dropped")
        before = daemon.child.rss_kib()
        with daemon.client() as client:
            for _ in range(600):
                assert client.ask("GET", "/", [("User-Agent", big)]).status == 200
        assert sanitizer() or daemon.child.rss_kib() - before < 4096, "and takes no memory"
        assert daemon.admin().get("/api/v1/status")
    finally:
        release.set()
    wait_for(lambda: len(otlp.spans) > 400, patience(20), "what was kept is delivered")


def test_what_a_collector_cannot_take_now_it_gets_later(start_sluice, upstream, collector):
    otlp = collector(lambda n: (503, [("Retry-After", "0")], "") if n < 2 else (200, [], "{}"))
    server = upstream()
    daemon = start_sluice(traced(otlp, [server], 5))
    load = Loop(daemon.address, threads=2)
    wait_for(lambda: len(otlp.requests) > 2, patience(20), "a third try")
    assert not load.stop().failures
    sampled = sum(told(r)[2] == "01" for r in server.requests)
    wait_for(lambda: len(otlp.spans) >= 2 * sampled, patience(10), "each request, once")
    assert len(otlp.spans) == 2 * sampled > 0
    assert len({s.id for s in otlp.spans}) == len(otlp.spans)
    assert "spans cannot be exported, trying again" in daemon.stderr() and "spans are exported again" in daemon.stderr()


def test_a_daemon_that_ends_delivers_what_it_has(start_sluice, upstream, collector):
    otlp = collector()
    daemon = start_sluice(traced(otlp, [upstream()]))
    assert daemon.ask().status == 200
    assert daemon.stop() == 0
    assert len(otlp.spans) == 2


def test_a_reload_turns_it_on_and_off(start_sluice, upstream, collector):
    server, first, second = upstream(), collector(), collector()
    config = traced(first, [server])
    without = {k: v for k, v in config.items() if k != "tracing"}
    daemon = start_sluice(without)
    daemon.ask()
    daemon.reload(config)
    daemon.ask()
    first.wait(2)
    daemon.reload({**config, "tracing": {"url": second.url + "/", "sample": 100}})
    daemon.ask()
    second.wait(2)
    daemon.reload(without)
    daemon.ask()
    assert daemon.stop() == 0
    assert (len(first.spans), len(second.spans), len(server.requests)) == (2, 2, 4)


def test_the_access_log_names_the_trace(start_sluice, upstream, collector, tmp_path):
    path = tmp_path / "access.log"
    server, otlp = upstream(), collector()
    daemon = start_sluice(traced(otlp, [server], 50, access_log={"path": str(path), "format": "json"}))
    with daemon.client() as client:
        for _ in range(20):
            client.ask("GET", "/")
    wait_for(lambda: path.exists() and len(path.read_text().splitlines()) == 20, patience(5), "20 lines")
    assert {json.loads(line)["trace_id"] for line in path.read_text().splitlines()} == {told(r)[0] for r in server.requests}


# ---- exemplars

ACCEPT = [("Accept", "application/openmetrics-text; version=1.0.0")]


def test_openmetrics_is_well_formed_and_its_exemplars_are_traces(start_sluice, upstream, collector):
    otlp = collector()
    daemon = start_sluice(traced(otlp, [upstream()]))
    daemon.ask("POST", "/", [], "body")
    traces = {s.trace: s for s in otlp.wait(2) if s.kind == SERVER}
    page = daemon.admin().ask("GET", "/metrics", headers=ACCEPT)
    assert page.header("Content-Type").startswith("application/openmetrics-text; version=1.0.0")
    families = {f.name: f for f in text_string_to_metric_families(page.text)}
    assert families["sluice_requests"].type == "counter"
    for name in ("sluice_request_duration_seconds", "sluice_time_to_first_byte_seconds", "sluice_time_to_first_token_seconds"):
        (sample,) = [s for s in families[name].samples if s.exemplar]
        span = traces[sample.exemplar.labels["trace_id"]]
        assert sample.exemplar.labels["span_id"] == span.id and sample.labels["route"] == "chat"
        assert 0 < sample.exemplar.value <= (span.end - span.start) / 1e9 + 1e-3
        assert sample.exemplar.value <= float(sample.labels["le"])
    plain = daemon.admin().ask("GET", "/metrics")
    assert "trace_id" not in plain.text and plain.header("Content-Type").startswith("text/plain")
    assert {f.name for f in families.values() if f.type == "counter"} == \
        set(re.findall(r"# TYPE (\S+)_total counter", plain.text)), "the same families, by their names there"


def test_prometheus_keeps_the_exemplars(start_sluice, upstream, collector, child, tmp_path):
    otlp, admin = collector(), f"127.0.0.1:{free_port()}"
    daemon = start_sluice(traced(otlp, [upstream()], admin={"address": admin}))
    daemon.ask()
    prometheus = Prometheus(child, str(tmp_path), admin, options=["--enable-feature=exemplar-storage"])
    kept = "query_exemplars?query=sluice_request_duration_seconds_bucket&start=1&end=9999999999"
    (series,) = wait_for(lambda: prometheus.get(kept), patience(30), "Prometheus has an exemplar")
    assert series["exemplars"][0]["labels"]["trace_id"] == otlp.spans[0].trace
