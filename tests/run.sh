#!/bin/sh
# Every test, from nothing: sh tests/run.sh [release|asan|tsan …]. Installs what is missing, builds the presets,
# runs the unit tests, the lint and the integration tests on each. The last line is "N passed, N failed"; the exit
# code is 1 when something failed. Logs stay in build/logs.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)
logs=$root/build/logs
[ $# -gt 0 ] || set -- release asan tsan
sanitizer_scale=0.1 # of the numbers of the heavy tests: a sanitizer looks for kinds of mistakes, not for rates

install_npm() {
    mkdir -p build/npm
    if ! cmp -s tests/integration/npm/package-lock.json build/npm/installed.json; then
        cp tests/integration/npm/package.json tests/integration/npm/package-lock.json build/npm/
        (cd build/npm && npm ci --ignore-scripts --no-audit --no-fund >"$logs/npm.log" 2>&1) || {
            cat "$logs/npm.log"
            return 1
        }
        cp tests/integration/npm/package-lock.json build/npm/installed.json
    fi
}

build() { # PRESET
    cmake --preset "$1" -DSLUICE_TESTS=ON >"$logs/$1.build.log" 2>&1 &&
        cmake --build --preset "$1" >>"$logs/$1.build.log" 2>&1
}

# "PASSED FAILED" from the log of a ctest run: what cmocka and pytest counted; a test that counts nothing (a script) or
# that failed without saying so (a crash, a time-out) is one.
count() { # LOG
    awk '
        /^[0-9]+\/[0-9]+ Testing: / { passed = failed = 0 }
        /^\[  PASSED  \] [0-9]+ test/ { passed += $4 }
        /^ *[0-9]+ FAILED TEST/ { failed += $1 }
        /^=* ?([0-9]+ (passed|failed|errors?|skipped|warnings?|xfailed|deselected)(, )?)+ in [0-9.]+s/ {
            for (i = 1; i < NF; i++) {
                if ($(i + 1) ~ /^passed/) passed += $i
                if ($(i + 1) ~ /^(failed|error)/) failed += $i
            }
        }
        /^Test (Passed|Failed)\.$/ || /^Test time(out|d out)/ {
            bad = $2 != "Passed."
            if (bad && !failed) failed = 1
            if (!bad && !passed) passed = 1
            all_passed += passed; all_failed += failed
            passed = failed = 0
        }
        END { print all_passed + 0, all_failed + 0 }' "$1"
}

run() { # PRESET; sets passed and failed
    if ! build "$1"; then
        tail -n 40 "$logs/$1.build.log"
        echo "$1: does not build, see $logs/$1.build.log"
        failed=$((failed + 1))
        return
    fi
    scale=1
    [ "$1" = release ] || scale=$sanitizer_scale
    code=0
    SLUICE_SCALE=${SLUICE_SCALE:-$scale} OPENAI_MODULES=$root/build/npm/node_modules ctest --preset "$1" || code=$?
    cp "build/$1/Testing/Temporary/LastTest.log" "$logs/$1.log"
    set -- "$1" $(count "$logs/$1.log")
    if [ $code -ne 0 ] && [ "$3" -eq 0 ]; then
        set -- "$1" "$2" 1
    fi
    echo "$1: $2 passed, $3 failed"
    [ "$3" -eq 0 ] || echo "$1: the whole output is in $logs/$1.log"
    passed=$((passed + $2))
    failed=$((failed + $3))
}

mkdir -p "$logs"
sh docker/install.sh docker/packages-build.txt docker/packages-test.txt
install_npm || echo "the npm packages could not be installed: the tests that need them will fail"
passed=0
failed=0
for preset in "$@"; do
    run "$preset"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
