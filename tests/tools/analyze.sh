#!/bin/sh
# Looks for mistakes in src and include without running them: sh tests/tools/analyze.sh [tidy|cppcheck|gcc …]; without
# names all three. Run it in the repository's folder. Prints every finding; exit 1 then. What is looked for stands in
# .clang-tidy; the logs stay in build/logs. On two cores about six minutes, the second time gcc looks only at what changed.
set -eu
commands=build/analyze/commands # the same commands for those who do not know gcc's -fanalyzer
logs=build/logs
jobs=$(getconf _NPROCESSORS_ONLN)
[ $# -gt 0 ] || set -- tidy cppcheck gcc

prepare() {
    mkdir -p "$commands" "$logs"
    # cppcheck asks that every file of the commands be there, also what is made, which it then passes over.
    { cmake --preset analyze && cmake --build --preset analyze --target dashboard; } >"$logs/analyze.log" 2>&1 || {
        tail -n 20 "$logs/analyze.log"
        exit 1
    }
    sed 's/ -fanalyzer / /' build/analyze/compile_commands.json >"$commands/compile_commands.json"
}

# One file a process: in one that reads several, clang 14 takes every va_list but the first's for uninitialised.
tidy() {
    find src -name '*.c' | sort | xargs -P "$jobs" -n 1 clang-tidy-14 -p "$commands" --quiet 2>/dev/null
}

# It makes paths relative before it compares them: an absolute -i passes nothing over.
cppcheck_all() {
    cppcheck --quiet -j "$jobs" --project="$commands/compile_commands.json" -i build --suppress='*:/usr/*' \
        --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
        --library=tests/tools/cppcheck.cfg \
        --template='{file}:{line}: {message} [{id}]' 2>&1
}

# What has a finding does not build, so that it is found again the next time.
gcc_analyzer() {
    cmake --build --preset analyze -- -k 0
}

prepare
failed=
for tool in "$@"; do
    code=0
    case $tool in
    tidy) tidy >"$logs/tidy.log" || code=1 ;;
    cppcheck) cppcheck_all >"$logs/cppcheck.log" || code=1 ;;
    gcc) gcc_analyzer >"$logs/gcc.log" 2>&1 || code=1 ;;
    *)
        echo "analyze.sh: there is no $tool" >&2
        exit 2
        ;;
    esac
    [ $code -eq 0 ] || {
        cat "$logs/$tool.log"
        failed="$failed $tool"
    }
done
[ -z "$failed" ] || {
    echo "findings of:$failed"
    exit 1
}
echo "no findings"
