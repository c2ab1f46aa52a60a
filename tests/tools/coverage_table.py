#!/usr/bin/python3
"""The table of docs/coverage.md from gcovr's JSON: coverage_table.py JSON [PAGE]. It is printed, or put into the page
between <!-- measured --> and <!-- end -->. Exit 1 when the branches of a layer are below what is promised."""
import collections
import json
import re
import sys

LAYERS = "base config metrics http traffic io upstream proxy rollout control app".split()
PURE = {"base": 90, "config": 90, "metrics": 90, "http": 90, "traffic": 90, "rollout": 90}
WHOLE = 80
# must() states what cannot be: the branch in which it is false ends the process, and no test can take it.
IMPOSSIBLE = re.compile(r"\bmust\(")


class Count:
    """Lines and branches, and those that were gone through."""

    def __init__(self):
        self.lines = self.lines_run = self.branches = self.taken = self.all_branches = self.all_taken = 0

    def add(self, line, text):
        """One line of gcovr's; `text` is the source's."""
        taken = sum(branch["count"] > 0 for branch in line["branches"])
        self.lines += 1
        self.lines_run += line["count"] > 0
        self.all_branches += len(line["branches"])
        self.all_taken += taken
        if not IMPOSSIBLE.search(text):
            self.branches += len(line["branches"])
            self.taken += taken

    def row(self, name):
        """Of the table."""
        return (f"| {name} | {100 * self.lines_run / self.lines:.1f} | {self.percent():.1f} | {self.branches:,} | "
                f"{self.branches - self.taken:,} | {100 * self.all_taken / self.all_branches:.1f} |")

    def percent(self):
        """Of the branches."""
        return 100 * self.taken / self.branches


def read(path):
    """Counts by layer."""
    counts = collections.defaultdict(Count)
    with open(path, encoding="utf-8") as file:
        files = json.load(file)["files"]
    for each in files:
        layer = each["file"].split("/")[1]
        with open(each["file"], encoding="utf-8") as file:
            source = file.read().split("\n")
        for line in each["lines"]:
            if line.get("gcovr/noncode") or line.get("gcovr/excluded"):
                continue
            for name in (layer, "whole"):
                counts[name].add(line, source[line["line_number"] - 1])
    return counts


def main():
    """Prints or replaces the table."""
    counts = read(sys.argv[1])
    rows = ["| layer | lines % | branches % | branches | not taken | branches % with `must()` |",
            "| --- | --- | --- | --- | --- | --- |"]
    rows += [counts[name].row(f"{name} (pure)" if name in PURE else name) for name in LAYERS]
    rows += [counts["whole"].row("**whole**")]
    table = "\n".join(rows)
    print(table)
    if len(sys.argv) > 2:
        with open(sys.argv[2], encoding="utf-8") as file:
            page = file.read()
        page, places = re.subn(r"(?<=<!-- measured -->\n).*(?=<!-- end -->)", lambda _: table + "\n\n", page, flags=re.S)
        if places != 1:
            sys.exit(f"{sys.argv[2]} has no place for the table, between <!-- measured --> and <!-- end -->")
        with open(sys.argv[2], "w", encoding="utf-8") as file:
            file.write(page)
    low = [f"{name}: {counts[name].percent():.1f} % of the branches, {least} are promised"
           for name, least in {**PURE, "whole": WHOLE}.items() if counts[name].percent() < least]
    print("\n".join(low), end="\n" if low else "")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
