#!/bin/sh
# Starts the rollout of what is staged and follows it to its end: sh config/pipeline/canary.sh VERSION
# Exit codes: 0 promoted, 3 rolled back, 4 timed out, 5 the daemon is away. When it runs already, it is followed.
set -eu
here=$(dirname "$0")
. "$here/lib.sh"
version=${1:?is the version that is staged}
timeout=${PIPELINE_TIMEOUT:-7200}
lock
look
[ "$candidate_version" = "$version" ] || die $BUSY "$candidate_version is staged, not $version"
case $state in
idle) ask promote "$route" --reason "pipeline: $version" ;;
rolled_back | stopped) [ -z "${PIPELINE_RETRY:-}" ] || ask retry "$route" --reason "pipeline: $version again" ;;
*) say "the rollout of $version runs already ($state)" ;;
esac
look
case $state in
rolled_back | stopped | promoted) ;;
*) # the guard `quality` asks for the scores; a second time they are not counted
    [ ! -f "$report" ] || helper evaluate post --version "$version" --report "$report" --route "$route" ||
        say "the scores were not taken"
    ;;
esac
status=0
timeout "$timeout" sluice watch --exit-status "$route" 9>&- || status=$?
case $status in
0) summarize "$version is promoted" ;;
3) summarize "$version was rolled back" ;;
4 | 124)
    status=4
    if [ "${PIPELINE_ON_TIMEOUT:-leave}" = rollback ]; then
        ask rollback "$route" --reason "pipeline: not done after $timeout s" || say "it could not be rolled back"
    fi
    summarize "$version has not come to an end within $timeout s"
    ;;
*) die "$status" "sluice watch failed with exit code $status" ;;
esac
exit "$status"
