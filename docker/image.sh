#!/bin/sh
# The image for a release, with a docker engine: sh docker/image.sh makes, in build/image, the image as a tar
# (sluice-VERSION-image-ARCH.tar.gz) and the bill of what is in it (docker/sbom.py), told by the very container that built it.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^project(sluice VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
arch=$(docker version --format '{{.Server.Arch}}')
image=sluice:$version-$arch
name=sluice-files-$$
out=build/image
made=$out/sluice-$version-image-$arch
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
mkdir -p "$out"
build() {
    docker build --file docker/Dockerfile --build-arg SLUICE_REVISION="$(git rev-parse --short HEAD)" "$@" .
}
build --target build --tag sluice-build
build --tag "$image"
sh docker/check-image.sh "$image"
trap 'docker rm --force --volumes "$name" >/dev/null 2>&1 || true; rm -f "$out/files.tar"' EXIT
docker create --name "$name" "$image" >/dev/null
docker export --output "$out/files.tar" "$name"
docker run --rm --network none --env SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" --volume "$PWD/$out:/image:ro" --entrypoint python3 \
    sluice-build docker/sbom.py build/release /image/files.tar - >"$made.cdx.json"
docker save --output "$made.tar" "$image"
gzip -9nf "$made.tar"
ls "$made.tar.gz" "$made.cdx.json"
