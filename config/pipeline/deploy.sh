#!/bin/sh
# test, evaluate, stage, canary, full: sh config/pipeline/deploy.sh VERSION. Run again after it died, it goes on where
# it was. Exit codes: 0 the version has everything; 1 it failed before it had traffic; 3, 4, 5 as of canary.sh; 75 busy.
set -eu
here=$(dirname "$0")
. "$here/lib.sh"
version=${1:?is the new version}
lock
look
if [ "$baseline_version" = "$version" ] && [ "$baseline_weight" = 100 ]; then
    say "$version is the baseline already"
    exit 0
fi
under_way=
case $state in
idle) ;;
rolled_back | stopped) [ "$candidate_version" != "$version" ] || [ -n "${PIPELINE_RETRY:-}" ] || under_way=1 ;;
*)
    [ "$candidate_version" = "$version" ] || die $BUSY "a rollout of $candidate_version is under way ($state)"
    under_way=1
    ;;
esac
if [ -z "$under_way" ]; then
    # What brings the new version to the free slot, your own: it gets the version, the slot and its addresses.
    if [ -n "${PIPELINE_DEPLOY:-}" ]; then
        # shellcheck disable=SC2086 # one word for each endpoint
        sh "$PIPELINE_DEPLOY" "$version" "$candidate" $candidate_urls 9>&-
    fi
    sh "$here/test.sh"
    sh "$here/evaluate.sh" "$version"
    sh "$here/stage.sh" "$version"
fi
sh "$here/canary.sh" "$version"
sh "$here/full.sh" "$version"
