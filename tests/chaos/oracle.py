"""Judges what happened: each request answered exactly once, by a variant it was entitled to, its bodies intact, and counted once."""
import collections

from endpoints import FAULTS
from world import ATTEMPTS, SALT


def receipts_by_id(book):
    found = collections.defaultdict(list)
    for receipt in book:
        if not receipt.mirrored:
            found[receipt.id].append(receipt)
    return found


def lines_by_id(lines):
    found = collections.defaultdict(list)
    for line in lines:
        if not line.get("mirror"):
            found[line["request_id"]].append(line)
    return found


class Oracle:
    """`happened` has: accounts, book (receipts), lines (of the access log), ledgers, world, operator."""

    def __init__(self, happened):
        self.happened = happened
        self.receipts = receipts_by_id(happened.book)
        self.lines = lines_by_id(happened.lines)
        self.violations = []

    def say(self, account, what):
        self.violations.append(f"{account.id}: {what}: {account} {self.receipts[account.id]} {self.lines[account.id]}")

    def judge(self):
        ids = collections.Counter(a.id for a in self.happened.accounts)
        assert not [i for i, n in ids.items() if n > 1], "ids are the clients' own"
        for account in self.happened.accounts:
            for wrong in account.wrong:
                self.say(account, wrong)
            {"answered": self.answered, "aborted": self.aborted, "raced": self.raced, "cut": self.broken, "silent": self.silent}[account.end](account)
            self.attempts(account)
        self.pins()
        return self.violations

    # ---- how each ended

    def excused(self, account):
        """Something that was broken on purpose explains a failure."""
        world, operator = self.happened.world, self.happened.operator
        touched = any(r.did in FAULTS for r in self.receipts[account.id])
        return world.faults and (touched or operator.in_trouble(account.begun, account.ended))

    def answered(self, account):
        lines = self.lines[account.id]
        if len(lines) != 1:
            self.say(account, f"answered once and counted {len(lines)} times")
            return
        (line,) = lines
        if line["status"] != account.status and line["status"] != 499:
            self.say(account, f"counted as {line['status']}")
        if account.path == "/none":
            if account.status != 404 or self.receipts[account.id]:
                self.say(account, "no route, and yet")
            return
        if account.status != 200 and not self.excused(account):
            self.say(account, "failed for nothing")
        if account.endpoint:
            self.by_whom(account, line)

    def by_whom(self, account, line):
        answering = [r for r in self.receipts[account.id] if r.endpoint == account.endpoint]
        if not answering:
            self.say(account, "answered by an endpoint that never had it")
        if any(r.sha != account.sha for r in self.receipts[account.id]):
            self.say(account, "an endpoint had another body")
        if account.variant not in (line["variant"], line.get("fallback")):
            self.say(account, "the log tells of another variant")
        allowed = self.allowed(account)
        if account.variant not in allowed:
            self.say(account, f"entitled to {sorted(allowed)}")

    def allowed(self, account):
        world, ledger = self.happened.world, self.happened.ledgers.get(account.path[1:])
        if account.path == "/plain":
            return {"stable"}
        if account.path == "/session":
            return {n for weights in ledger.in_force(account.begun, account.ended) for n, w in weights.items() if w > 0}
        fallback = {"stable"} if world.fallback and self.excused(account) else set()
        return ledger.entitled(SALT, account.unit, account.begun, account.ended) | fallback

    def aborted(self, account):
        if len(self.lines[account.id]) > 1:
            self.say(account, "counted twice")

    def raced(self, account):
        """The proxy had closed the connection before the request came: then it knows nothing of it."""
        if self.lines[account.id] or self.receipts[account.id]:
            self.say(account, "its connection was closed under a request that was taken")

    def broken(self, account):
        if not self.excused(account):
            self.say(account, "the connection ended before the answer did")
        if account.status and len(self.lines[account.id]) != 1:
            self.say(account, f"begun to be answered and counted {len(self.lines[account.id])} times")

    def silent(self, account):
        self.say(account, "never answered")

    # ---- what was sent upstream

    def attempts(self, account):
        had = sorted(self.receipts[account.id], key=lambda r: r.at)
        most = 2 * (1 + ATTEMPTS) + 2  # each variant's attempts, and an idle connection that was gone, once each
        if len(had) > most:
            self.say(account, f"sent {len(had)} times")
        if account.method != "POST" or len(had) < 2:
            return
        for receipt in had[:-1]:  # what may have been acted on is not sent again, unless the endpoint itself said that it failed
            if receipt.did not in ("status", "garbage"):
                self.say(account, f"a POST that an endpoint had ({receipt.did}) was sent again")

    # ---- who was pinned

    def pins(self):
        """A session keeps its variant as long as that has any weight."""
        sessions = collections.defaultdict(list)
        for account in self.happened.accounts:
            if account.path == "/session" and account.pin and account.end == "answered" and account.endpoint:
                sessions[account.pin].append(account)
        ledger = self.happened.ledgers["session"]
        for accounts in sessions.values():
            first = accounts[0]
            for account in accounts[1:]:
                gone = any(not weights.get(first.variant) for weights in ledger.in_force(first.begun, account.ended))
                if account.variant != first.variant and not gone and not self.excused(account):
                    self.say(account, f"pinned to {first.variant} since {first.id}")
