#!/bin/sh
# Takes whatever the new version still has back to the baseline: sh config/pipeline/back.sh VERSION. Safe to repeat.
set -eu
here=$(dirname "$0")
. "$here/lib.sh"
version=${1:?is the version to take back}
lock
look
[ "$candidate_version" = "$version" ] || die $BUSY "$candidate_version is on trial, not $version"
case $state in
idle | rolled_back) say "$version has no traffic ($state)" ;;
*)
    ask rollback "$route" --reason "pipeline: back"
    summarize "$version was taken back by the pipeline"
    ;;
esac
