#!/bin/sh
# Writes the new version into the configuration and loads it; no traffic moves: sh config/pipeline/stage.sh VERSION
set -eu
here=$(dirname "$0")
. "$here/lib.sh"
version=${1:?is the new version}
lock
look
case $state in
idle | rolled_back | stopped) ;;
promoted) die $BUSY "$candidate_version is promoted and not the baseline yet: sh $here/full.sh $candidate_version" ;;
*) die $BUSY "a rollout of $candidate_version is under way ($state)" ;;
esac
[ "$candidate_weight" = 0 ] || die $BUSY "$candidate has $candidate_weight % of the traffic: it is not free"
helper edit "$config" "$route" stage "$candidate" "$version"
look
[ "$candidate_version" = "$version" ] || die 1 "the daemon has $candidate_version, not $version: does it read $config?"
say "staged $version as $candidate"
