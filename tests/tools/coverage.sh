#!/bin/sh
# How much of the code the tests go through: sh tests/tools/coverage.sh [unit], in the repository's folder. Builds the preset
# "coverage", runs the unit tests (and, without "unit", the simulation and the integration tests, a quarter of an hour on two
# cores) and prints the table by layer; without "unit" it is put into docs/coverage.md. Exit 1 when a layer is below what
# the page promises. Whether the tests pass is tests/run.sh's to judge: this build is slow, and tests that measure times
# may fail in it; they are named. Logs: build/logs/coverage.*.
set -eu
root=$(pwd)
logs=$root/build/logs
mkdir -p "$logs"
cmake --preset coverage -DSLUICE_TESTS=ON >"$logs/coverage.build.log" 2>&1 &&
    cmake --build --preset coverage >>"$logs/coverage.build.log" 2>&1 || {
    tail -n 20 "$logs/coverage.build.log"
    exit 1
}
find build/coverage -name '*.gcda' -delete
tests='^(unit_|simulate|integration)'
[ "${1-}" != unit ] || tests='^unit_'
export GCOV_ERROR_FILE="$logs/coverage.gcov.log" # not among what the programs write to stderr
SLUICE_SCALE=${SLUICE_SCALE:-0.2} NPM_MODULES=$root/build/npm/node_modules \
    ctest --preset coverage --tests-regex "$tests" >"$logs/coverage.log" 2>&1 ||
    grep -E '^FAILED |^\[  FAILED  \] [a-z]' "$logs/coverage.log" || true
gcovr --root . --object-directory build/coverage --filter src/ --filter include/ --json build/coverage/coverage.json \
    build/coverage >"$logs/coverage.gcovr.log" 2>&1
if [ "${1-}" = unit ]; then
    /usr/bin/python3 tests/tools/coverage_table.py build/coverage/coverage.json
else
    /usr/bin/python3 tests/tools/coverage_table.py build/coverage/coverage.json docs/coverage.md
fi
