#!/bin/sh
# Configures and builds the release preset, without the tests: build/release/sluice.
set -eu
cd "$(dirname "$0")/.."
echo "building build/release/sluice"
cmake --preset release -DSLUICE_TESTS=OFF >/dev/null
cmake --build --preset release -- --quiet
