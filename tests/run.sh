#!/bin/sh
# Every test, from nothing: sh tests/run.sh [release|asan|tsan …]; without names what SLUICE_TEST_BUILDS says, else all
# three. Installs what is missing, builds the presets, runs the unit tests, the lint and the integration tests. The last
# line is "N passed, N failed"; the exit code is 1 when something failed. Logs stay in build/logs.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)
logs=$root/build/logs
[ $# -gt 0 ] || set -- ${SLUICE_TEST_BUILDS:-release asan tsan}
sanitizer_scale=0.2 # of the numbers of the heavy tests: a sanitizer looks for kinds of mistakes, not for rates

# A report of any sanitizer fails the test whose program wrote it, by an exit code that means nothing else.
export ASAN_OPTIONS=detect_leaks=1:exitcode=66
export UBSAN_OPTIONS=print_stacktrace=1:exitcode=66
export TSAN_OPTIONS=halt_on_error=0:exitcode=66:second_deadlock_stack=1

install_npm() {
    cmp -s tests/integration/npm/package-lock.json build/npm/installed.json && return
    mkdir -p build/npm &&
        cp tests/integration/npm/package.json tests/integration/npm/package-lock.json build/npm/ &&
        (cd build/npm && npm ci --ignore-scripts --no-audit --no-fund) >"$logs/npm.log" 2>&1 &&
        cp tests/integration/npm/package-lock.json build/npm/installed.json
}

build() { # PRESET
    cmake --preset "$1" -DSLUICE_TESTS=ON >"$logs/$1.build.log" 2>&1 &&
        cmake --build --preset "$1" >>"$logs/$1.build.log" 2>&1
}

# "PASSED FAILED" from what ctest wrote to FOLDER: what cmocka and pytest counted; a test that counts nothing (a script)
# or that failed without saying so (a crash, a time-out) is one. LastTest.log calls a program that is not there passed,
# so the list of the failed decides.
count() { # FOLDER
    touch "$1/LastTestsFailed.log" "$1/LastTest.log"
    awk '
        FILENAME ~ /LastTestsFailed\.log$/ { sub(/^[0-9]*:/, ""); bad[$0]; next }
        /^[0-9]+\/[0-9]+ Testing: / { name = $0; sub(/^[^:]*: /, "", name); passed = failed = 0 }
        /^\[  PASSED  \] [0-9]+ test/ { passed += $4 }
        /^ *[0-9]+ FAILED TEST/ { failed += $1 }
        /^=* ?([0-9]+ (passed|failed|errors?|skipped|warnings?|xfailed|deselected)(, )?)+ in [0-9.]+s/ {
            for (i = 1; i < NF; i++) {
                if ($(i + 1) ~ /^passed/) passed += $i
                if ($(i + 1) ~ /^(failed|error)/) failed += $i
            }
        }
        /^Test (Passed|Failed)\.$/ {
            if (name in bad && !failed) failed = 1
            if (!(name in bad) && !passed) passed = 1
            all_passed += passed; all_failed += failed
            passed = failed = 0
        }
        END { print all_passed + 0, all_failed + 0 }' "$1/LastTestsFailed.log" "$1/LastTest.log"
}

# Runs a preset's tests. The source is the same in all builds, so the lint runs in one of them.
run_ctest() { # PRESET
    scale=1
    fixed=
    without='^$'
    if [ "$1" != release ]; then
        scale=$sanitizer_scale
        without=^lint
        # Pure layers have no threads to look at.
        [ "$1" != tsan ] || without='^(lint|fuzz_|simulate|unit_(config|http|rollout)$)'
        # Kernels that spread addresses widely leave the sanitizers of gcc 12 no room for their shadow.
        ! setarch -R true 2>/dev/null || fixed='setarch -R'
    fi
    SLUICE_SCALE=${SLUICE_SCALE:-$scale} NPM_MODULES=$root/build/npm/node_modules \
        $fixed ctest --preset "$1" --exclude-regex "$without"
}

run() { # PRESET; adds to passed and failed
    begun=$(date +%s)
    if ! build "$1"; then
        tail -n 40 "$logs/$1.build.log"
        echo "$1: does not build, see $logs/$1.build.log"
        failed=$((failed + 1))
        return
    fi
    # What an earlier run left must not be counted when this one does not come to its tests.
    written=build/$1/Testing/Temporary
    mkdir -p "$written"
    rm -f "$written"/LastTest*.log
    code=0
    run_ctest "$1" || code=$?
    set -- "$1" $(count "$written")
    cp "$written/LastTest.log" "$logs/$1.log"
    if [ $code -ne 0 ] && [ "$3" -eq 0 ]; then
        set -- "$1" "$2" 1
    fi
    echo "$1: $2 passed, $3 failed, in $(($(date +%s) - begun)) s; the whole output is in $logs/$1.log"
    passed=$((passed + $2))
    failed=$((failed + $3))
}

mkdir -p "$logs"
sh docker/install.sh docker/packages-build.txt docker/packages-test.txt
# Without them the tests of these clients fail and say so; the others run.
install_npm || {
    tail -n 20 "$logs/npm.log"
    echo "npm could not install the clients of the tests, see $logs/npm.log"
}
passed=0
failed=0
for preset in "$@"; do
    run "$preset"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
