#!/bin/sh
# Makes the promoted version the baseline, and the old slot the free one: sh config/pipeline/full.sh VERSION
set -eu
here=$(dirname "$0")
. "$here/lib.sh"
version=${1:?is the version that was promoted}
lock
look
if [ "$baseline_version" = "$version" ] && [ "$baseline_weight" = 100 ]; then
    say "$version is the baseline already"
    exit 0
fi
[ "$candidate_version" = "$version" ] || die $BUSY "$candidate_version is on trial, not $version"
[ "$state" = promoted ] || die 1 "$version is not promoted ($state)"
new=$candidate
helper edit "$config" "$route" full "$candidate" "$baseline"
look
[ "$baseline $baseline_weight" = "$new 100" ] || die 1 "the daemon has not taken it: $baseline has $baseline_weight %"
say "$version is the baseline, in slot $new; $candidate is free"
