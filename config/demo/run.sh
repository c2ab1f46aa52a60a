#!/bin/sh
# The demo from nothing: installs what the build needs, builds, runs `sluice demo` with the given options
# (--fail errors, --duration 5m, --port 8080, …; --help lists them). Ctrl-C or TERM ends it.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
sh "$root/docker/install.sh" "$root/docker/packages-build.txt"
sh "$root/docker/build.sh"
exec "$root/build/release/sluice" demo "$@"
