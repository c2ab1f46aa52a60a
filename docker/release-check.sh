#!/bin/sh
# Whether HEAD may be released as TAG: sh docker/release-check.sh TAG [BINARY]. Every obstacle is printed; exit 1 then.
# BINARY was built for the release: its version and commit must be these.
set -eu
tag=${1:?sh docker/release-check.sh vMAJOR.MINOR.PATCH [BINARY]}
binary=${2:+$(realpath "$2")}
cd "$(dirname "$0")/.."
version=$(sed -n 's/^project(sluice VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
obstacles=0

obstacle() {
    echo "release-check.sh: $*" >&2
    obstacles=$((obstacles + 1))
}

check_tag() {
    echo "$tag" | grep -qE '^v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$' || obstacle "the tag $tag is not of the form vMAJOR.MINOR.PATCH"
    [ "$tag" = "v$version" ] || obstacle "the tag is $tag, and CMakeLists.txt says $version"
}

# The tag must be this very commit, and what lies in the folder must be the commit.
check_commit() {
    head=$(git rev-parse HEAD)
    tagged=$(git rev-parse --quiet --verify "refs/tags/$tag^{commit}") || tagged=
    if [ -z "$tagged" ]; then
        obstacle "there is no tag $tag"
    elif [ "$tagged" != "$head" ]; then
        obstacle "the tag $tag is $(git rev-parse --short "$tagged"), and HEAD is $(git rev-parse --short HEAD)"
    fi
    changed=$(git status --porcelain)
    [ -z "$changed" ] || obstacle "there is something that is not committed: $(echo "$changed" | head -n 3 | tr -s ' \n' ' ' | sed 's|^ ||; s| $||')"
}

# The newest section with a number is this version's, has a date and a text; nothing waits under Unreleased.
check_changelog() {
    newest=$(grep '^## \[[0-9]' docs/CHANGELOG.md | head -n 1)
    case $newest in
    "## [$version] - "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]) ;;
    "## [$version]"*) obstacle "docs/CHANGELOG.md has no date for $version: $newest" ;;
    *) obstacle "the newest section of docs/CHANGELOG.md is not $version's: ${newest:-there is none}" ;;
    esac
    [ -n "$(sh docker/release-notes.sh "v$version" 2>/dev/null)" ] || obstacle "docs/CHANGELOG.md says nothing of $version"
    waiting=$(awk '/^## / { inside = $0 ~ /^## \[Unreleased\]/; next } inside && NF' docs/CHANGELOG.md)
    [ -z "$waiting" ] || obstacle "docs/CHANGELOG.md has something under Unreleased: $(echo "$waiting" | head -n 1)"
    packaged=$(sed -n '1s/^sluice (\([^)]*\)-[^-)]*) .*/\1/p' docker/deb/changelog)
    [ "$packaged" = "$version" ] || obstacle "docker/deb/changelog begins with ${packaged:-nothing}, not with $version"
}

# CMake writes the commit into the binary when it configures, so an old build folder has an old one.
check_binary() {
    said=$("$binary" version) || said="nothing"
    commit=$(echo "$said" | sed -n "s/^sluice $version (\([0-9a-f]\{7,40\}\))\$/\1/p")
    built=
    [ -z "$commit" ] || built=$(git rev-parse --quiet --verify "$commit^{commit}") || built=
    [ "$built" = "$(git rev-parse HEAD)" ] || obstacle "the binary says $said, not sluice $version ($(git rev-parse --short HEAD))"
}

check_tag
check_commit
check_changelog
[ -z "$binary" ] || check_binary
[ $obstacles -eq 0 ] || exit 1
echo "$tag may be released: $(git rev-parse --short HEAD)"
