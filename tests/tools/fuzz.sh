#!/bin/sh
# Fuzzes (docs/fuzzing.md), with clang:
#   sh tests/tools/fuzz.sh SECONDS [TARGET…]    each target for so long, one after the other
#   sh tests/tools/fuzz.sh --short              each for a number of runs: the test fuzz_short
#   sh tests/tools/fuzz.sh --keep [TARGET…]     what the runs have found, as few inputs as reach as much, into tests/data/fuzz
#   sh tests/tools/fuzz.sh --coverage [TARGET…] what the kept inputs reach of the files that a target is meant for
# Inputs that the runs find stay in build/fuzz/corpus; those that fail go to build/fuzz/failed and make the exit code 1.
# shellcheck disable=SC2012,SC2015,SC2035,SC2046 # names here have no blanks, and lists of them are words
set -eu
cd "$(dirname "$0")/../.."
data=tests/data/fuzz
corpus=build/fuzz/corpus
failed=build/fuzz/failed
# Leaks are looked for at the end of every run that leaves memory behind.
export ASAN_OPTIONS=detect_leaks=1:quarantine_size_mb=8
export UBSAN_OPTIONS=print_stacktrace=1

all() {
    find tests/fuzz -name 'fuzz_*.c' | sed 's|.*/fuzz_\(.*\)\.c|\1|' | sort
}

# Bytes of an input, at most.
most() { # TARGET
    case $1 in
    record | request | response | tally) echo 4096 ;;
    config | unzip) echo 2048 ;;
    *) echo 1024 ;;
    esac
}

# Runs of the short run: a second or two each.
runs() { # TARGET
    case $1 in
    config | journal | record | tally | unzip) echo 5000 ;;
    *) echo 50000 ;;
    esac
}

# The files whose work the target is about.
files() { # TARGET
    case $1 in
    # what the two share is covered by both together
    request | response) echo http/head http/field http/framing http/parser http/hop http/chunk http/body http/writer http/trailer ;;
    skim) echo http/pick http/skim ;;
    sse) echo http/sse http/usage http/strip http/find ;;
    baggage) echo http/baggage ;;
    unzip) echo http/unzip http/zip ;;
    uri) echo http/uri ;;
    cookie) echo http/cookie ;;
    json_edit) echo http/rewrite http/scan traffic/body_edit ;;
    jwt) echo traffic/token ;;
    proxy_protocol) echo io/proxy_protocol ;;
    journal) echo control/journal ;;
    record) echo control/rollout_record ;;
    tally) echo rollout/pack rollout/tally rollout/tally_groups ;;
    config) (cd src && ls config/*.c | sed 's/\.c$//' | grep -v reference) ;;
    esac
}

build() { # PRESET
    mkdir -p build/logs
    cmake --preset "$1" >"build/logs/$1.build.log" 2>&1 && cmake --build --preset "$1" >>"build/logs/$1.build.log" 2>&1 || {
        tail -n 30 "build/logs/$1.build.log"
        exit 1
    }
}

# The kept inputs, each in a file.
unpack() { # TARGET FOLDER
    mkdir -p "$2"
    for kept in "$data/$1"/*; do
        case $kept in
        *.ar) (cd "$2" && ar x "$OLDPWD/$kept") ;;
        *) [ ! -f "$kept" ] || cp "$kept" "$2/" ;;
        esac
    done
}

dictionary() { # TARGET
    case $1 in
    request | response) echo -dict=tests/fuzz/http/http.dict ;;
    unzip) echo -dict=tests/fuzz/http/sse.dict ;;
    *) find tests/fuzz -name "$1.dict" | sed 's/^/-dict=/' ;;
    esac
}

# One target; prints a line about it. False: an input failed.
fuzz() { # TARGET FOLDER OPTION…
    target=$1
    folder=$2
    shift 2
    log=build/logs/fuzz_$target.log
    unpack "$target" "$folder"
    mkdir -p "$failed"
    code=0
    build/fuzz/tests/"fuzz_$target" -max_len="$(most "$target")" $(dictionary "$target") -print_final_stats=1 \
        -artifact_prefix="$failed/$target-" "$@" "$folder" >"$log" 2>&1 || code=$?
    awk -v target="$target" '
        / cov: / { edges = $0; sub(/.* cov: /, "", edges); sub(/ .*/, "", edges) }
        /number_of_executed_units/ { executions = $2 }
        /average_exec_per_sec/ { rate = $2 }
        END { printf "%-15s %11d executions, %7d a second, %5d edges\n", target, executions, rate, edges }' "$log"
    [ $code -ne 0 ] || return 0
    grep -E '^(impossible state|SUMMARY|==.*ERROR)|runtime error' "$log" || tail -n 20 "$log"
    sed -n "s|.*Test unit written to \(.*\)|failed: build/fuzz/tests/fuzz_$target \1|p" "$log"
    echo "all of it is in $log; an input that is kept ($data/$target) is a test from then on"
    return 1
}

fuzz_all() { # SECONDS TARGET…
    seconds=$1
    shift
    build fuzz
    for target in "$@"; do
        fuzz "$target" "$corpus/$target" -max_total_time="$seconds" || bad=1
    done
}

# The same inputs every time.
fuzz_short() {
    build fuzz
    rm -rf build/fuzz/short
    for target in $(all); do
        fuzz "$target" "build/fuzz/short/$target" -runs="$(runs "$target")" -seed=1 || bad=1
    done
}

keep() { # TARGET…
    build fuzz
    for target in "$@"; do
        made=build/fuzz/kept/$target
        rm -rf "$made"
        mkdir -p "$made" "$corpus/$target" "$data/$target"
        unpack "$target" "$corpus/$target"
        build/fuzz/tests/"fuzz_$target" -set_cover_merge=1 -use_counters=0 -max_len="$(most "$target")" "$made" "$corpus/$target" \
            >"build/logs/fuzz_$target.log" 2>&1
        # A name has room for 15 bytes in an archive.
        (
            cd "$made"
            for input in *; do
                mv "$input" "$(printf %.12s "$input")"
            done
            rm -f "$OLDPWD/$data/$target/corpus.ar"
            ar rcSD "$OLDPWD/$data/$target/corpus.ar" *
        )
        printf '%-15s %5d inputs, %7d bytes\n' "$target" "$(ls "$made" | wc -l)" "$(wc -c <"$data/$target/corpus.ar")"
    done
}

program() { # llvm-cov, llvm-profdata: with or without a version
    command -v "$1" || command -v "$1-14"
}

cover() { # TARGET…
    build fuzz-coverage
    profdata=$(program llvm-profdata)
    cov=$(program llvm-cov)
    raw=build/fuzz-coverage/profile
    printf '%-15s %-28s %8s %8s\n' target file lines branches
    for target in "$@"; do
        [ "$target" != response ] || continue # with request: they share their files
        with=$target
        [ "$target" != request ] || with="request response"
        rm -rf "$raw"
        for one in $with; do
            LLVM_PROFILE_FILE=$raw/$one build/fuzz-coverage/tests/"fuzz_$one" "$data/$one" >/dev/null
        done
        "$profdata" merge -o "$raw/all" "$raw"/*
        "$cov" export --summary-only --instr-profile="$raw/all" build/fuzz-coverage/tests/"fuzz_$target" \
            $(for one in $with; do echo "-object=build/fuzz-coverage/tests/fuzz_$one"; done) \
            $(files "$target" | tr ' ' '\n' | sed 's|.*|src/&.c|') | python3 -c '
import json, sys
target = sys.argv[1]
data = json.load(sys.stdin)["data"][0]
def line(name, summary):
    lines, branches = summary["lines"]["percent"], summary["branches"]["percent"]
    print(f"{target:15} {name:28} {lines:7.1f}% {branches:7.1f}%")
for file in data["files"]:
    line(file["filename"].split("/src/")[-1], file["summary"])
line("all of them", data["totals"])' "$target"
    done
}

bad=0
what=${1:?sh tests/tools/fuzz.sh SECONDS|--short|--keep|--coverage [TARGET…]}
shift
[ $# -gt 0 ] || set -- $(all)
case $what in
--short) fuzz_short ;;
--keep) keep "$@" ;;
--coverage) cover "$@" ;;
*) fuzz_all "$what" "$@" ;;
esac
exit $bad
