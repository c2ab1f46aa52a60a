#!/bin/sh
# Pushes what was built for each architecture as one image: sh docker/push-image.sh REPOSITORY VERSION TAR…
# Each TAR is `docker save` of sluice:VERSION-ARCH, called …-ARCH.tar.gz. REPOSITORY:VERSION-ARCH are pushed, and
# REPOSITORY:VERSION, which means the one that fits. The last line is its digest. The engine must be logged in.
set -eu
repository=$(echo "${1:?sh docker/push-image.sh REPOSITORY VERSION TAR…}" | tr '[:upper:]' '[:lower:]') # as registries want it
version=${2:?the version is missing}
shift 2
[ $# -gt 0 ] || {
    echo "push-image.sh: there is no TAR" >&2
    exit 2
}
for tar in "$@"; do
    arch=${tar##*-}
    arch=${arch%%.*}
    docker load --input "$tar" >&2
    docker tag "sluice:$version-$arch" "$repository:$version-$arch"
    docker push "$repository:$version-$arch" >&2
    set -- "$@" "$repository:$version-$arch"
    shift
done
docker buildx imagetools create --tag "$repository:$version" "$@" >&2
docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$repository:$version"
