#!/bin/sh
# The changelog's section of a version, as the text of its release: sh docker/release-notes.sh TAG [ADDRESS]
# With ADDRESS, where a reader finds docs/ of that tag, links lead there. Lines are made whole: a forge breaks the text of
# a release where its source breaks. Exit 1 when there is no such section, or nothing in it.
set -eu
tag=${1:?sh docker/release-notes.sh vMAJOR.MINOR.PATCH [ADDRESS]}
cd "$(dirname "$0")/.."
awk -v version="${tag#v}" -v address="${2-}" '
    function put() {
        if (line == "") return
        if (address != "") gsub(/\]\([^):#]+(#[^)]*)?\)/, "&\001", line)
        # each link that was marked: ](x.md) becomes ](ADDRESS/x.md)
        while ((at = index(line, "\001")) > 0) {
            before = substr(line, 1, at - 1)
            match(before, /\]\([^()]*\)$/)
            line = substr(before, 1, RSTART + 1) address "/" substr(before, RSTART + 2) substr(line, at + 1)
        }
        print line
        line = ""
        written = 1
    }
    /^## / { put(); inside = index($0, "## [" version "]") == 1; next }
    !inside { next }
    /^$/ { put(); if (written) print ""; next }
    /^ *([-*|]|#+) / { put(); line = $0; next }
    { sub(/^ +/, ""); line = line == "" ? $0 : line " " $0 }
    END { put(); if (!written) exit 1 }' docs/CHANGELOG.md || {
    echo "release-notes.sh: docs/CHANGELOG.md has no section ${tag#v} with a text" >&2
    exit 1
}
