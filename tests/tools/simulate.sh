#!/bin/sh
# Puts the tables of a full simulation into docs/statistics.md, between <!-- simulated: NAME --> and <!-- end -->:
# sh tests/tools/simulate.sh PROGRAM [NAME…], where PROGRAM is simulate_rollout of a release build. All of them take about
# half an hour. Exit 1 when a figure is not what the page claims; the tables are put in nevertheless, to be looked at.
set -eu
program=$1
shift
page=docs/statistics.md
[ $# -gt 0 ] || set -- $(sed -n 's/^<!-- simulated: \([a-z]*\) -->$/\1/p' "$page")
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
code=0
for name in "$@"; do
    echo "$name…" >&2
    "$program" --full "$name" >"$made/table" || code=1
    awk -v name="$name" -v table="$made/table" '
        $0 == "<!-- end -->" { inside = 0 }
        !inside { print }
        $0 == "<!-- simulated: " name " -->" {
            inside = 1
            while ((getline line < table) > 0) print line
            print ""
        }' "$page" >"$made/page"
    cp "$made/page" "$page"
done
exit $code
