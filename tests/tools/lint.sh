#!/bin/sh
# What the compiler does not check: sh tests/tools/lint.sh ROOT [CHECK…]. Without names all checks run. Prints
# FILE:LINE: message for everything found; exit 1 then. tests/tools/lint_test.sh proves that each can fail.
# shellcheck disable=SC2015,SC2038,SC2086 # names here have no blanks, and lists of them are words
set -eu
cd "$1"
shift
layers="base config metrics http traffic io upstream proxy rollout control app"
checks="layers private sizes functions headers libraries typedefs words paths examples lockfile shell format"
LC_ALL=C
export LC_ALL

c_files() {
    find src include tests -name '*.[ch]' | sort
}

# A layer includes itself and what stands left of it. A unit test of a layer counts as the layer.
check_layers() {
    c_files | xargs grep -n '#include "[a-z]*/' | awk -v layers="$layers" '
        BEGIN { n = split(layers, name, " "); for (i = 1; i <= n; i++) rank[name[i]] = i }
        {
            split($0, cut, ":")
            parts = split(cut[1], dir, "/")
            own = dir[1] == "tests" ? dir[3] : dir[2]
            other = $0; sub(/.*#include "/, "", other); sub(/\/.*/, "", other)
            if (other in rank && own in rank && rank[other] > rank[own])
                print cut[1] ":" cut[2] ": " own " includes " other ", which stands to its right"
        }'
}

# A quoted include is a public header (layer/x.h) or lies in the own layer; a private header of another layer
# is out of reach, by whatever path.
check_private() {
    c_files | xargs grep -n '#include "' | sed 's/^\([^:]*\):\([0-9]*\):.*#include "\(.*\)".*/\1 \2 \3/' |
        while read -r file line header; do
            [ -f "include/$header" ] && continue
            folder=${file%/*}
            case $file in
            tests/unit/*)
                [ -f "tests/unit/$header" ] && continue
                layer=${folder#tests/unit/}
                ;;
            tests/bench/*/*) # what stands in for a part of a layer
                layer=${folder#tests/bench/}
                ;;
            tests/fuzz/*/*) # what a layer is tried with; what the targets share is theirs too
                layer=${folder#tests/fuzz/}
                [ -f "tests/fuzz/${header#../}" ] && [ "../${header##*/}" = "$header" ] && continue
                ;;
            *)
                layer=${folder#*/}
                ;;
            esac
            layer=${layer%%/*}
            if [ ! -f "$folder/$header" ]; then
                echo "$file:$line: there is no $header"
                continue
            fi
            real=$(realpath --relative-to=. "$folder/$header")
            case $real in
            "src/$layer"/* | "tests/unit/$layer"/* | "tests/bench/$layer"/* | "tests/fuzz/$layer"/* | "tests/$layer"/*) ;;
            *) echo "$file:$line: $header is private to ${real%/*}" ;;
            esac
        done
}

check_sizes() {
    { c_files && find src tests config docker \( -name '*.py' -o -name '*.sh' -o -name '*js' -o -name '*.css' \) -not -path '*/node_modules/*'; } |
        xargs wc -l | awk '$2 != "total" && $1 > 450 { print $2 ":451: " $1 " lines; a file has at most 450" }'
}

# From the line that ends the signature to the closing brace in the first column.
check_functions() {
    find src include -name '*.[ch]' | sort | xargs awk '
        /^[^ \t#\/].*\) \{$/ || /^ .*\) \{$/ && !open && signature { open = FNR }
        /^[a-z].*[,(]$/ { signature = 1 }
        /^\}/ {
            if (open && FNR - open + 1 > 60)
                print FILENAME ":" open ": a function of " FNR - open + 1 " lines; it may have 60"
            open = 0; signature = 0
        }'
}

# The first line of a public header says what the noun is: "// noun: …".
check_headers() {
    find include -name '*.h' | sort | while read -r file; do
        noun=${file##*/}
        noun=${noun%.h}
        head -n 1 "$file" | grep -q "^// $noun: ." || echo "$file:1: does not begin with \"// $noun: what it is\""
    done
}

# library PATTERN ALLOWED MOST: files that include PATTERN match ALLOWED, and there are at most MOST of them.
library() {
    users=$(find src include -name '*.[ch]' | sort | xargs grep -lE "#include <$1>" || true)
    for file in $users; do
        echo "$file" | grep -qE "$2" || echo "$file:1: may not include <$1>; only $2 does"
    done
    count=$(echo "$users" | grep -cE "$2" || true)
    [ "$count" -le "$3" ] || echo "$(echo "$users" | tail -n 1):1: <$1> is included by $count files of $2, at most $3"
}

check_libraries() {
    library 'yaml\.h' '^src/config/' 1
    library 'llhttp\.h' '^src/http/' 1
    library 'zlib\.h' '^src/http/' 2
    library 'xxhash\.h' '^src/base/' 1
    library 'openssl/.*\.h' '^src/io/(tls|seal)' 12
    library 'curl/.*\.h' '^src/control/' 1
    library 'ares.*\.h' '^src/control/' 1
    library 'seccomp\.h' '^src/control/' 1
    library 'event2/http.*\.h' '^src/(control/admin_server\.c|app/demo/)' 40
    library 'event2/.*\.h' '^(src|include)/(io|upstream|proxy|control|app)/' 80
    library 'jansson\.h' '^(src|include)/(config|traffic|control|app)/' 40
}

# `struct noun`, not another name for it. The one exception gives its reason beside it.
check_typedefs() {
    find src include -name '*.[ch]' | sort | xargs grep -n '^ *typedef ' |
        grep -v '^include/io/stream\.h:' | sed 's/^\([^:]*:[0-9]*\):.*/\1: a typedef/'
}

check_words() {
    word='TO''DO|FIX''ME|XX''X|HA''CK'
    grep -rnwE "$word" src include tests docs config docker README.md CMakeLists.txt --include='*' \
        --exclude-dir=node_modules --exclude-dir=__pycache__ -I | sed 's/^\([^:]*:[0-9]*\):.*/\1: unfinished work is marked here/'
}

# Links of the documentation, and paths of this repository that it names in `…`.
check_paths() {
    for file in README.md $(find docs -name '*.md' | sort); do
        folder=$(dirname "$file")
        grep -noE '\]\([^)#: ]+(#[^) ]*)?\)' "$file" | sed 's/\](\([^)#]*\).*/\1/' |
            while IFS=: read -r line target; do
                [ -e "$folder/$target" ] || echo "$file:$line: links to $target, which is not there"
            done
        grep -noE '(^|[ `(])(src|include|tests|config|docs|docker|\.github|\.ci)/[A-Za-z0-9_./-]*[A-Za-z0-9_/]' "$file" |
            sed 's/:[ `(]/:/' | while IFS=: read -r line target; do
            [ -e "$target" ] || echo "$file:$line: names $target, which is not there"
        done
    done
}

# Every example configuration is in the README, and the README is where a reader finds it.
check_examples() {
    for file in config/*.yaml; do
        [ -e "$file" ] || continue
        grep -qF "$file" README.md || echo "README.md:1: does not name $file"
    done
}

# Lock files pin versions and checksums, not where they were fetched from.
check_lockfile() {
    find src tests -name package-lock.json -not -path '*/node_modules/*' | xargs -r grep -n '"resolved"' /dev/null |
        sed 's/^\([^:]*:[0-9]*\):.*/\1: names where a package was fetched from/'
}

check_shell() {
    find src tests config docker .ci -type f \( -name '*.sh' -o -path '.ci/*' \) -not -path '*/node_modules/*' |
        sort | while read -r file; do
        sh -n "$file" 2>&1 | sed "s|^|$file:1: |"
        grep -q '^set -eu' "$file" || echo "$file:1: has no \"set -eu\""
    done
}

# Other versions of clang-format write other things, so only the one that .clang-format was made for counts.
check_format() {
    for program in clang-format-14 clang-format; do
        command -v "$program" >/dev/null && "$program" --version | grep -q 'version 14\.' || continue
        c_files | xargs "$program" --dry-run -Werror 2>&1 | grep -E '^[^ ].*error' || true
        return
    done
}

[ $# -gt 0 ] || set -- $checks
found=$(for check in "$@"; do
    "check_$check" || true
done)
if [ -n "$found" ]; then
    printf '%s\n' "$found"
    printf '%s\n' "$found" | grep -c . | sed 's/$/ findings/'
    exit 1
fi
