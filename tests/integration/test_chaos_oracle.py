"""The oracle of tests/chaos sees what it is there to see."""
import copy
import os
import sys
import types

import pytest

from test_clients import HERE

CHAOS = os.path.join(HERE, "..", "chaos")
sys.path.insert(0, CHAOS)
# pylint: disable=wrong-import-position
from clients import Account  # noqa: E402
from endpoints import Receipt  # noqa: E402
from entitlement import Ledger, bucket, owner  # noqa: E402
from oracle import Oracle  # noqa: E402
from world import SALT, VARIANTS  # noqa: E402

pytestmark = pytest.mark.once


def unit_of(variant, weights):
    return next(f"u{i}" for i in range(1000) if owner(VARIANTS["chat"], weights, bucket(SALT, f"u{i}")) == variant)


def scene(**changes):
    """One request of a canary user at 30 percent, answered as it should be; then with `changes`."""
    weights = {"stable": 70, "canary": 30}
    ledgers = {name: Ledger(VARIANTS[name]) for name in ("chat", "session")}
    for at in (90.0, 100.0, 110.0):
        ledgers["chat"].saw(at, at + 0.01, weights)
        ledgers["session"].saw(at, at + 0.01, {"stable": 50, "canary": 50, "extra": 0})
    unit = unit_of("canary", weights)
    account = Account("a1", "c", "POST", "/chat", unit, "s", 104.0, 104.1, "answered", 200, "canary", "g1")
    happened = types.SimpleNamespace(
        world=types.SimpleNamespace(faults=changes.pop("faults", False), fallback=False),
        operator=types.SimpleNamespace(in_trouble=lambda begun, ended: False),
        accounts=[account], ledgers=ledgers, book=[Receipt("a1", "g1", 104.05, "POST", "s", False, "answered")],
        lines=[{"request_id": "a1", "status": 200, "variant": "canary"}])
    for name, value in changes.items():
        setattr(account, name, value)
    return happened


def judged(happened):
    return Oracle(happened).judge()


def test_what_is_right_is_no_violation():
    assert judged(scene()) == []
    assert judged(scene(end="aborted")) == []


@pytest.mark.parametrize("what, changes", [
    ("entitled to", {"variant": "stable"}),
    ("failed for nothing", {"status": 502}),
    ("connection ended", {"end": "cut"}),
    ("never answered", {"end": "silent"}),
    ("under a request that was taken", {"end": "raced"}),
    ("another body", {"sha": "t"}),
    ("never had it", {"endpoint": "b1"}),
    ("the body is wrong", {"wrong": ["the body is wrong"]}),
    ("no route", {"path": "/none", "status": 200}),
])
def test_what_is_wrong_is_one(what, changes):
    happened = scene(**changes)
    for line in happened.lines:
        line["status"] = happened.accounts[0].status
        line["variant"] = happened.accounts[0].variant
    assert any(what in violation for violation in judged(happened)), judged(happened)


def test_what_is_counted_twice_or_never():
    for count in (0, 2):
        happened = scene()
        happened.lines *= count
        assert "counted" in judged(happened)[0]
    happened = scene(end="aborted")
    happened.lines *= 2
    assert "counted twice" in judged(happened)[0]
    happened = scene()
    happened.lines[0]["status"] = 500
    assert "counted as 500" in judged(happened)[0]


@pytest.mark.parametrize("did, again", [("reset", True), ("late", True), ("answered", True), ("status", False)])
def test_a_post_that_may_have_been_acted_on_is_sent_once(did, again):
    happened = scene()
    first = copy.copy(happened.book[0])
    first.at, first.did = 104.01, did
    happened.book.append(first)
    assert any("sent again" in v for v in judged(happened)) == again


def test_a_fault_explains_a_failure_only_where_there_was_one():
    happened = scene(faults=True, status=502)
    happened.lines[0]["status"] = 502
    assert any("for nothing" in v for v in judged(happened))
    happened.book[0].did = "reset"
    assert judged(happened) == []
    happened.world.faults = False
    assert any("for nothing" in v for v in judged(happened))


def test_weights_that_change_entitle_to_both_while_they_do():
    happened = scene(variant="stable", endpoint="g1")
    happened.lines[0]["variant"] = "stable"
    assert judged(happened)
    happened.ledgers["chat"].decision(103.9, {"stable": 70, "canary": 30}, {"stable": 100, "canary": 0})
    assert judged(happened) == []


def test_a_session_keeps_its_variant():
    happened = scene(path="/session", pin="sid=x", variant="stable", endpoint="g1")
    happened.lines[0]["variant"] = "stable"
    second = copy.copy(happened.accounts[0])
    second.id, second.variant = "a2", "canary"
    happened.accounts.append(second)
    happened.book.append(Receipt("a2", "g1", 104.05, "POST", "s", False, "answered"))
    happened.lines.append({"request_id": "a2", "status": 200, "variant": "canary"})
    assert any("pinned to stable" in v for v in judged(happened))
    happened.ledgers["session"].decision(104.0, {"stable": 0, "canary": 100}, {"stable": 0, "canary": 100})
    assert judged(happened) == []


def test_owners_are_those_of_the_document():
    """The worked example of docs/split.md."""
    names, weights = ["stable", "canary", "big", "fast", "cheap"], {"stable": 70, "canary": 5, "big": 10, "fast": 10, "cheap": 5}
    assert bucket("chat-v1.1", "user-1") == 93 and bucket("chat-v1.1", "alice") == 7339
    edges = {0: "canary", 499: "canary", 500: "fast", 1499: "fast", 1500: "stable", 8499: "stable", 8500: "cheap", 8999: "cheap", 9000: "big", 9999: "big"}
    assert {at: owner(names, weights, at) for at in edges} == edges
