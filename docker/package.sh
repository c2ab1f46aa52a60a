#!/bin/sh
# The Debian package, build/package/sluice_VERSION_ARCH.deb: sh docker/package.sh [BUILD_FOLDER]
# Builds the release preset first; with a BUILD_FOLDER what was built there is packed as it is. SLUICE_DEB_RELEASE is the
# revision of the package, 1. The same binary gives the same bytes: times are those of the commit, or $SOURCE_DATE_EPOCH.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
sh docker/install.sh docker/packages-build.txt docker/packages-package.txt
built=${1:-}
if [ -z "$built" ]; then
    sh docker/build.sh
    built=build/release
fi
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CMakeLists.txt)}"
export SOURCE_DATE_EPOCH
out=${SLUICE_PACKAGE_OUT:-$here/build/package}
log=$out/log
mkdir -p "$out"
fail() {
    tail -n 30 "$log" >&2
    exit 1
}
umask 022
cpack --config "$built/CPackConfig.cmake" -B "$out" -D CPACK_DEBIAN_PACKAGE_RELEASE="${SLUICE_DEB_RELEASE:-1}" >"$log" 2>&1 || fail
rm -rf "$out/_CPack_Packages"
sed -n 's/^CPack: - package: \(.*\) generated\.$/\1/p' "$log"
