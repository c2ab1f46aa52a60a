"""An OpenTelemetry collector's stand-in: takes OTLP/HTTP in JSON and holds every byte of it against the schema
(opentelemetry-proto trace.proto, common.proto, resource.proto in the JSON encoding that OTLP lays down)."""
import json
import re
from dataclasses import dataclass, field

from .upstream import Upstream
from .wait import wait_for
from .scale import patience

HEX = {"traceId": re.compile(r"[0-9a-f]{32}"), "spanId": re.compile(r"[0-9a-f]{16}"), "parentSpanId": re.compile(r"[0-9a-f]{16}")}
U64 = re.compile(r"(0|[1-9][0-9]{0,19})")
I64 = re.compile(r"-?(0|[1-9][0-9]{0,18})")


def only(thing, where, required, optional=()):
    assert isinstance(thing, dict), f"{where} is no object: {thing!r}"
    missing, unknown = set(required) - set(thing), set(thing) - set(required) - set(optional)
    assert not missing and not unknown, f"{where}: missing {missing}, unknown {unknown}"


def value_of(value, where):
    """AnyValue: exactly one of its kinds."""
    assert isinstance(value, dict) and len(value) == 1, f"{where}: {value!r}"
    kind, inner = next(iter(value.items()))
    if kind == "stringValue":
        assert isinstance(inner, str), where
    elif kind == "boolValue":
        assert isinstance(inner, bool), where
    elif kind == "intValue":
        assert isinstance(inner, str) and I64.fullmatch(inner), f"{where}: int64 is a string in JSON: {inner!r}"
        return int(inner)
    elif kind == "doubleValue":
        assert isinstance(inner, (int, float)) and not isinstance(inner, bool), where
    elif kind == "arrayValue":
        only(inner, where, ["values"])
        return [value_of(v, where) for v in inner["values"]]
    else:
        raise AssertionError(f"{where}: {kind}")
    return inner


def attributes_of(items, where):
    assert isinstance(items, list), where
    found = {}
    for item in items:
        only(item, where, ["key", "value"])
        assert isinstance(item["key"], str) and item["key"], where
        assert item["key"] not in found, f"{where}: {item['key']} twice"
        found[item["key"]] = value_of(item["value"], f"{where}.{item['key']}")
    return found


def time_of(text, where):
    assert isinstance(text, str) and U64.fullmatch(text), f"{where}: fixed64 is a string in JSON: {text!r}"
    return int(text)


@dataclass
class Span:
    trace: str
    id: str
    parent: str
    name: str
    kind: int
    start: int
    end: int
    attributes: dict
    events: dict
    status: dict
    resource: dict = field(repr=False)

    def __getitem__(self, key):
        return self.attributes.get(key)


def span_of(span, resource):
    only(span, "span", ["traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano"],
         ["parentSpanId", "traceState", "flags", "attributes", "events", "links", "status", "droppedAttributesCount"])
    for name, form in HEX.items():
        if name in span:
            assert form.fullmatch(span[name]) and set(span[name]) != {"0"}, f"{name}: {span[name]!r}"
    assert isinstance(span["name"], str) and span["name"]
    assert isinstance(span["kind"], int) and 1 <= span["kind"] <= 5
    start, end = time_of(span["startTimeUnixNano"], "start"), time_of(span["endTimeUnixNano"], "end")
    assert 1.6e18 < start <= end, f"{start} to {end}"
    events = {}
    for event in span.get("events", []):
        only(event, "event", ["timeUnixNano", "name"], ["attributes", "droppedAttributesCount"])
        events[event["name"]] = time_of(event["timeUnixNano"], "event")
        assert start <= events[event["name"]] <= end, "an event is within its span"
    status = span.get("status", {})
    only(status, "status", [], ["code", "message"])
    assert status.get("code", 0) in (0, 1, 2)
    return Span(span["traceId"], span["spanId"], span.get("parentSpanId", ""), span["name"], span["kind"], start, end,
                attributes_of(span.get("attributes", []), "attributes"), events, status, resource)


def spans_of(body):
    root = json.loads(body)
    only(root, "ExportTraceServiceRequest", ["resourceSpans"])
    spans = []
    for resource in root["resourceSpans"]:
        only(resource, "resourceSpans", ["resource", "scopeSpans"], ["schemaUrl"])
        only(resource["resource"], "resource", ["attributes"], ["droppedAttributesCount"])
        about = attributes_of(resource["resource"]["attributes"], "resource")
        assert about.get("service.name"), about
        for scope in resource["scopeSpans"]:
            only(scope, "scopeSpans", ["scope", "spans"], ["schemaUrl"])
            only(scope["scope"], "scope", ["name"], ["version", "attributes"])
            assert scope["spans"], "an empty request"
            spans += [span_of(span, about) for span in scope["spans"]]
    return spans


class Collector:
    """`answer(number)` -> (status, headers, body) of the n-th request; 200 unless told."""

    def __init__(self, answer=None):
        self.spans, self.bodies, self.requests = [], [], []
        self.answer = answer
        self.server = Upstream("collector", self.take)
        self.url = self.server.url

    def take(self, request, reply):
        status, headers, body = self.answer(request.number) if self.answer else (200, [], "{}")
        self.requests.append(request)
        assert request.method == "POST" and request.header("Content-Type") == "application/json"
        found = spans_of(request.body)
        if status == 200:
            self.bodies.append(request.body)
            self.spans += found
        reply.send(status, body, [("Content-Type", "application/json"), *headers])

    def of(self, **attributes):
        wanted = {k.replace("__", "."): v for k, v in attributes.items()}
        return [s for s in list(self.spans) if all(s[k] == v for k, v in wanted.items())]

    def wait(self, count, seconds=10):
        wait_for(lambda: len(self.spans) >= count, patience(seconds), f"{count} spans")
        return list(self.spans)

    def trace(self, trace, count):
        """The spans of one trace, once there are so many: {id: span}."""
        wait_for(lambda: sum(s.trace == trace for s in list(self.spans)) >= count, patience(10), f"{count} spans of {trace}")
        return [s for s in list(self.spans) if s.trace == trace]

    def stop(self):
        self.server.stop()
        assert not self.server.unexpected, self.server.unexpected
