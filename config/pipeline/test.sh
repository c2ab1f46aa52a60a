#!/bin/sh
# Contract tests of the new version, at every endpoint of the free slot: sh config/pipeline/test.sh
set -eu
here=$(dirname "$0")
. "$here/lib.sh"
look
[ "$candidate_weight" = 0 ] || die $BUSY "$candidate has traffic: it is not free"
# shellcheck disable=SC2086 # one word for each endpoint
helper contract $candidate_urls
