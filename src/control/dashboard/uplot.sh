#!/bin/sh
# uplot.sh FOLDER: FOLDER/uplot gets uPlot from npm, the very bytes that package-lock.json names. Does nothing when it has them.
set -eu
from=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
[ -e uplot/LICENSE ] && cmp -s "$from/package-lock.json" uplot/package-lock.json && exit 0
cp "$from/package.json" "$from/package-lock.json" .
npm ci --ignore-scripts --no-audit --no-fund
mkdir -p uplot
for file in LICENSE dist/uPlot.iife.min.js dist/uPlot.min.css; do
    cp "node_modules/uplot/$file" uplot/
done
cp package-lock.json uplot/
rm -rf node_modules
