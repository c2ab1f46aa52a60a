#!/bin/sh
# Asks the old and the new version the golden questions and compares: sh config/pipeline/evaluate.sh VERSION
set -eu
here=$(dirname "$0")
. "$here/lib.sh"
version=${1:?is the new version}
look
[ "$candidate_weight" = 0 ] || die $BUSY "$candidate has traffic: it is not free"
helper evaluate compare --version "$version" --report "$report" --golden "${PIPELINE_GOLDEN:-$here/golden.json}" \
    --baseline "$baseline=${baseline_urls%% *}" --candidate "$candidate=${candidate_urls%% *}" \
    --margin "${PIPELINE_MARGIN:-0.02}" --min "${PIPELINE_MIN:-0.8}" --repeats "${PIPELINE_REPEATS:-5}"
