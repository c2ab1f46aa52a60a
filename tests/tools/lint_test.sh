#!/bin/sh
# Proves that every check of lint.sh can fail: sh tests/tools/lint_test.sh ROOT. Plants one violation at a time in
# a copy of the tree and expects the check to name it; without one the check is silent.
# shellcheck disable=SC2016 # what is planted has backquotes
set -eu
root=$1
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
failures=0

fresh() {
    rm -rf "$copy/tree"
    mkdir "$copy/tree"
    for part in src include tests docs config docker .ci .github README.md LICENSE CMakeLists.txt .clang-format; do
        [ -e "$root/$part" ] && cp -R "$root/$part" "$copy/tree/"
    done
    cd "$copy/tree"
}

fail() {
    echo "FAILED: $1"
    failures=$((failures + 1))
}

silent() {
    sh "$root/tests/tools/lint.sh" "$copy/tree" "$1" >"$copy/out" 2>&1 || { fail "$1 finds something in the clean tree" && cat "$copy/out"; }
}

# expect CHECK WORDS: the check fails and its output has the words.
expect() {
    if sh "$root/tests/tools/lint.sh" "$copy/tree" "$1" >"$copy/out" 2>&1; then
        fail "$1 does not find: $2"
    elif ! grep -qF -e "$2" "$copy/out"; then
        fail "$1 does not say: $2" && cat "$copy/out"
    fi
}

repeat() { # COUNT TEXT
    awk -v count="$1" -v text="$2" 'BEGIN { for (i = 0; i < count; i++) print text }'
}

fresh
for check in layers private sizes functions headers libraries typedefs words paths examples lockfile shell format; do
    silent "$check"
done

echo '#include "proxy/plan.h"' >>src/config/settle.c
expect layers 'src/config/settle.c:'
fresh
echo '#include "traffic/split.h"' >>include/http/head.h
expect layers 'include/http/head.h:'
fresh
echo '#include "control/emit.h"' >>tests/unit/base/main.c
expect layers 'tests/unit/base/main.c:'

fresh
echo '#include "../control/access.h"' >>src/app/main.c
expect private 'access.h is private to src/control'
fresh
echo '#include "../../../src/control/access.h"' >>tests/unit/app/main.c
expect private 'access.h is private to src/control'
fresh
echo '#include "../../../src/control/access.h"' >>tests/fuzz/http/fuzz_uri.c
expect private 'access.h is private to src/control'
fresh
echo '#include "nowhere.h"' >>src/base/mem.c
expect private 'there is no nowhere.h'

fresh
repeat 451 '' >src/base/long.c
expect sizes 'src/base/long.c:451:'
fresh
repeat 451 '#' >tests/integration/test_long.py
expect sizes 'tests/integration/test_long.py:451:'

fresh
{ echo 'static void much(int a) {' && repeat 59 '    a++;' && echo '}'; } >src/base/much.c
expect functions 'src/base/much.c:1:'
fresh
{ echo 'static void much(int a,' && echo '                 int b) {' && repeat 59 '    a++;' && echo '}'; } >src/base/much.c
expect functions 'src/base/much.c:2:'
fresh
{ echo 'static void enough(int a) {' && repeat 58 '    a++;' && echo '}'; } >src/base/enough.c
silent functions

fresh
echo '// something' >include/base/noun.h
expect headers 'include/base/noun.h:1:'

for planted in 'src/config/other.c yaml.h' 'src/proxy/x.c llhttp.h' 'src/base/other.c xxhash.h' 'src/app/x.c curl/curl.h' 'src/upstream/x.c ares.h' \
    'src/proxy/x.c event2/http.h' 'src/http/x.c event2/event.h' 'src/proxy/x.c jansson.h' 'src/proxy/x.c openssl/ssl.h'; do
    fresh
    echo "#include <${planted#* }>" >"${planted% *}"
    expect libraries 'include'
done

fresh
echo 'typedef int number;' >>src/base/mem.c
expect typedefs 'src/base/mem.c:'

fresh
printf '// %s: later\n' 'TO''DO' >>src/base/mem.c
expect words 'src/base/mem.c:'
fresh
printf '%s\n' 'FIX''ME' >>docs/api.md
expect words 'docs/api.md:'

fresh
echo 'See [there](docs/nothing.md).' >>README.md
expect paths 'links to docs/nothing.md'
fresh
echo 'See `src/nothing/x.c`.' >>docs/api.md
expect paths 'names src/nothing/x.c'

fresh
echo 'listeners: []' >config/forgotten.yaml
expect examples 'config/forgotten.yaml'

fresh
mkdir -p tests/new
echo '  "resolved": "somewhere",' >tests/new/package-lock.json
expect lockfile 'tests/new/package-lock.json:1'

fresh
echo 'if' >>config/demo/run.sh
expect shell 'config/demo/run.sh'
fresh
echo 'true' >docker/careless.sh
expect shell 'docker/careless.sh:1: has no'

if command -v clang-format-14 >/dev/null; then
    fresh
    echo 'int  x ;' >>src/base/mem.c
    expect format 'src/base/mem.c:'
fi

[ "$failures" -eq 0 ] || { echo "$failures failed" && exit 1; }
