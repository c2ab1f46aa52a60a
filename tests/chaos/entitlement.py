"""Which variants a unit was entitled to, by docs/split.md and by what was in force while its request ran.

Nothing of the product is asked for it but the weights: bucket and ranges are computed here."""
import bisect

from harness.xxh3 import xxh3_64

BUCKETS = 10_000
ADOPTION = 1.0  # seconds: until every worker decides by what the admin API shows; generous, for busy machines


def bucket(salt, unit):
    return xxh3_64(unit.encode(), xxh3_64(salt.encode())) % BUCKETS


def owner(names, weights, at):
    """The variant that owns a bucket: the first of `names` is the baseline, the others stack at both ends in turn."""
    left, right = 0, BUCKETS
    for index, name in enumerate(names[1:]):
        size = round(weights.get(name, 0) * 100)
        if index % 2 == 0:
            if left <= at < left + size:
                return name
            left += size
        else:
            if right - size <= at < right:
                return name
            right -= size
    return names[0]


class Ledger:
    """The weights of one route over time: what polls saw, and what decisions say happened between two of them."""

    def __init__(self, names):
        self.names = names
        self.starts, self.polls = [], []  # (begun, ended, weights), in order
        self.decided = []                 # (time, weights)

    def saw(self, begun, ended, weights):
        self.starts.append(begun)
        self.polls.append((begun, ended, weights))

    def decision(self, at, before, after):
        self.decided += [(at, before), (at, after)]

    def in_force(self, begun, ended):
        """Every set of weights that a request from `begun` to `ended` may have been decided by."""
        first = bisect.bisect_left(self.starts, begun - ADOPTION)
        while first > 0 and (first >= len(self.polls) or self.polls[first][1] > begun - ADOPTION):
            first -= 1
        last = bisect.bisect_right(self.starts, ended)
        found = [weights for _, _, weights in self.polls[first:last + 1]]
        opened = self.polls[first][0] if self.polls else begun
        closed = self.polls[last][1] if last < len(self.polls) else float("inf")
        return found + [weights for at, weights in self.decided if min(opened, begun) - ADOPTION <= at <= closed]

    def entitled(self, salt, unit, begun, ended):
        at = bucket(salt, unit)
        return {owner(self.names, weights, at) for weights in self.in_force(begun, ended)}
