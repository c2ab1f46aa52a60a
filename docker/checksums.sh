#!/bin/sh
# FOLDER/SHA256SUMS, of every file in it: sh docker/checksums.sh FOLDER. `sha256sum -c SHA256SUMS` checks them.
set -eu
cd "${1:?sh docker/checksums.sh FOLDER}"
rm -f SHA256SUMS
sums=$(LC_ALL=C sha256sum -- *) # not into a file that is one of them
printf '%s\n' "$sums" >SHA256SUMS
