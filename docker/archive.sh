#!/bin/sh
# The release archive, build/sluice-VERSION.tar.gz: the sources of HEAD and what npm would bring, so that it builds
# without npm. The same commit gives the same bytes.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^project(sluice VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
name=sluice-$version
made=build/archive
rm -rf "$made"
mkdir -p "$made/$name"
git archive HEAD | tar -x -C "$made/$name"
sh src/control/dashboard/uplot.sh "$made/npm" >/dev/null
cp -r "$made/npm/uplot" "$made/$name/src/control/dashboard/"
# Modes too: they depend on the umask of whoever makes it.
tar -C "$made" --sort=name --mtime="@$(git log -1 --format=%ct)" --owner=0 --group=0 --numeric-owner \
    --mode='u+rwX,go+rX,go-w' -cf - "$name" | gzip -9n >"build/$name.tar.gz"
rm -rf "$made"
echo "build/$name.tar.gz"
