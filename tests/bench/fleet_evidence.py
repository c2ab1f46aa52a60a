"""What an instance of a fleet reports, in the daemon's own form (src/rollout/pack.h, tally.c, tally_groups.c): for a bench."""
import base64
import json
import random

GROUPS = 1024  # of units
FAILED, SLOW = 0.01, 0.05
GUARDS = {"error_rate": {"margin": 5}, "latency_p95": {"margin": 20}, "ttft_p95": {"margin": 20}}
BEFORE = (800_000, 200_000)  # requests of the baseline and the candidate that were counted before
RATE = (80, 20)              # … and each second


def count(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def column(values):
    out, at = bytearray(), 0
    while at < len(values):
        zeros = 0
        while at + zeros < len(values) and not values[at + zeros]:
            zeros += 1
        out += count((zeros - 1) << 1 | 1 if zeros else values[at] << 1)
        at += zeros or 1
    return bytes(out)


def seen(second):
    return [before + rate * second for before, rate in zip(BEFORE, RATE)]


def batch(requests, share):
    return b"".join(count(number) + count(int(number * share)) for number in requests)


def tally(epoch, second):
    """Of the three guards: failures of all and of those that ended soon, and two latencies."""
    requests = seen(second)
    guards = b"\3" + batch(requests, FAILED) * 2 + (b"\1" + batch(requests, SLOW)) * 2
    return b"\1" + count(epoch) + b"".join(map(count, requests)) + bytes([len(GUARDS)]) + guards + b"\0"


def arm(requests, rng):
    """Of each group of units: requests, failed, slow, slow to the first byte; no costs, no tokens a second."""
    shares = [rng.gauss(requests / GROUPS, (requests / GROUPS) ** 0.5) for _ in range(GROUPS)]
    all_of_them = [max(1, round(share)) for share in shares]
    columns = [[min(n, max(0, round(rng.gauss(n * share, (n * share) ** 0.5)))) for n in all_of_them] for share in (FAILED, SLOW, SLOW)]
    return b"".join(map(column, [all_of_them, *columns, [0] * GROUPS, [0] * GROUPS]))


def groups(epoch, second, seed):
    rng = random.Random(seed)  # they only grow, as good as
    arms = [bytes([index]) + arm(requests, rng) for index, requests in enumerate(seen(second))]
    return b"\x41" + count(epoch) + bytes([len(arms)]) + b"".join(arms)


def coded(data):
    return base64.b64encode(data).decode()


def report(records, what, second, seed=0):
    """The value of evidence/ID, or of evidence/ID/groups; `records`: of the routes, as they stand in shared/routes. Groups are
    other ones with another seed; if all instances had the same, their sum would not look like units that have nothing in common."""
    made = {}  # by epoch: as a rule the same for all
    for record in records.values():
        epoch = record["epoch"]
        if epoch not in made:
            made[epoch] = coded(tally(epoch, second) if what == "tally" else groups(epoch, second, seed))
    members = {"tally": lambda r: {"shares": r["shares"], "sample_ratio": 0.042847, "tally": made[r["epoch"]]},
               "groups": lambda r: {"groups": made[r["epoch"]]}}[what]
    return json.dumps({name: {"epoch": r["epoch"], **members(r)} for name, r in records.items()}, separators=(",", ":")).encode()


def ledger(serial, epoch, ids, second):
    one = tally(epoch, second)
    entries = b"".join(count(len(i)) + count(len(one)) + i.encode() + one for i in ids)
    return f"{serial} {coded(bytes([1]) + count(epoch) + count(len(ids)) + entries)}".encode()
