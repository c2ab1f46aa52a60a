"""What judges a fleet's faults sees them: each thing that must not be is told apart from what may be."""
import types

import pytest

from harness.fleet_history import Event, Seen, Story, Watched, never_two

pytestmark = pytest.mark.once


def leader(revision, name):
    return Event(revision, "shared/leader", name and {"id": name, "name": name})


def record(revision, by, serial, weight=0, decision=None, start=0, step=0):
    events = [Event(revision, "shared/routes/chat", {"by": by, "serial": serial, "record": {"machine": {"weights": {
        "canary": weight * 100}}}}), Event(revision, "ledgers/chat", "x")]
    if decision:
        events.append(Event(revision, f"decisions/chat/{decision:012}", {
            "number": decision, "time": f"1970-01-01T00:00:{revision:02}.000Z",
            "from": {"state": "step", "step": start, "weights": {"canary": 0}},
            "to": {"state": "step", "step": step, "weights": {"canary": weight}}}))
    return events


GOOD = [leader(1, "a"), *record(2, "a", 1, 10, 1), *record(3, "a", 2, 10), leader(4, None), leader(5, "b"), *record(6, "b", 3, 20, 2)]


def test_a_good_story_is_one():
    story = Story(GOOD)
    assert [d["at"] for d in story.decisions] == [2, 6] and story.writers == [(2, "a"), (3, "a"), (6, "b")]
    story.nothing_between("a", 4, 6)


@pytest.mark.parametrize("events", [
    [*GOOD, leader(7, "c")], [*GOOD, *record(7, "a", 4)], [*GOOD, *record(7, "b", 5)], [*GOOD, *record(7, "b", 4, 30, 4)],
    [*GOOD, *record(7, "b", 4, 30, 2)], [*GOOD, record(7, "b", 4, 30, 3)[2]], [*GOOD, Event(7, "ledgers/chat", "x")],
    [*GOOD, leader(7, None), *record(8, "b", 4)]],
    ids=["two leaders", "a deposed one", "a record is missing", "a number is missing", "a number twice", "a decision alone",
         "a ledger alone", "nobody leads"])
def test_what_must_not_be_written_is_seen(events):
    with pytest.raises(AssertionError):
        Story(events)


def test_a_step_that_is_left_out_is_seen():
    Story([leader(1, "a"), *record(2, "a", 1, 0, 1), *record(3, "a", 2, 0, 2, 0, 1)]).chain()
    with pytest.raises(AssertionError):
        Story([leader(1, "a"), *record(2, "a", 1, 0, 1), *record(3, "a", 2, 0, 2, 0, 2)]).chain()
    with pytest.raises(AssertionError):
        Story([leader(1, "a"), *record(2, "a", 1, 0, 1), *record(3, "a", 2, 0, 2, 1, 1)]).chain()


def watched(*seen, excused=()):
    made = Watched.__new__(Watched)
    made.daemon, made.excused = types.SimpleNamespace(name="x"), list(excused)
    made.seen = [Seen(since, until, weight, role, "v2") for since, until, weight, role in seen]
    return made


CHANGES = [{"at": at, "to": {"weights": {"canary": weight}}} for at, weight in ((10, 20), (20, 50), (30, 0))]


@pytest.mark.parametrize("seen,excused,good", [
    ((9, 9.5, 20), (), False), ((9.9, 10.1, 20), (), True), ((15, 15.1, 50), (), False), ((25, 25.1, 20), (), True),
    ((31, 31.1, 50), (), True), ((32.1, 32.2, 50), (), False), ((40, 40.1, 50), [(25, 50)], True), ((40, 40.1, 20), [(15, 50)], True),
    ((40, 40.1, 50), [(15, 50)], True), ((51, 51.1, 20), [(15, 50)], False), ((26, 26.1, 51), [(15, 50)], False)])
def test_a_weight_that_nobody_decided_is_seen(seen, excused, good):
    one = watched((*seen, "member"), excused=excused)
    if good:
        one.check(CHANGES, 2.0)
    else:
        with pytest.raises(AssertionError):
            one.check(CHANGES, 2.0)


def test_two_that_lead_are_seen():
    first = watched((1, 1.1, 0, "leader"), (2, 2.1, 0, "leader"), (3, 3.1, 0, "member"))
    later = watched((2.5, 2.6, 0, "leader"), (4, 4.1, 0, "leader"))
    beside = watched((1.5, 1.6, 0, "leader"), (4, 4.1, 0, "leader"))
    beside.daemon = later.daemon = types.SimpleNamespace(name="y")
    assert never_two([first, later]) == 2
    with pytest.raises(AssertionError):
        never_two([first, beside])
