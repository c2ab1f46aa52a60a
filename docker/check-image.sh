#!/bin/sh
# Whether an image is as it should be: sh docker/check-image.sh IMAGE, with a docker engine that has it. Its files are below
# 60 MB; it runs as a user of its own, with nothing writable, without capabilities and without a network; it becomes healthy,
# takes a changed file at HUP, ends with 0 at TERM; its demo runs. What is not so is printed, with the container's log; exit 1.
set -eu
image=${1:?sh docker/check-image.sh IMAGE}
cd "$(dirname "$0")/.."
most=60000000
patience=${SLUICE_PATIENCE:-60} # seconds for each thing that is waited for
version=$(sed -n 's/^project(sluice VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
name=sluice-check-$$
work=$(mktemp -d)

finish() {
    docker rm --force --volumes "$name" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

wrong() {
    echo "check-image.sh: $image: $*" >&2
    docker logs "$name" 2>&1 | tail -n 20 >&2 || true
    exit 1
}

# What an engine calls an image's size hangs on where it stores it; the files as a tar are the same everywhere.
check_size() {
    docker create --name "$name" "$image" >/dev/null || wrong "no container can be made of it"
    bytes=$(docker export "$name" | wc -c)
    docker rm --volumes "$name" >/dev/null
    [ "$bytes" -gt 1000000 ] || wrong "its files have $bytes bytes: there is nothing in it"
    [ "$bytes" -lt $most ] || wrong "its files have $bytes bytes, not below $most"
    echo "files: $bytes bytes"
}

check_user() {
    user=$(docker image inspect --format '{{.Config.User}}' "$image")
    case ${user%%:*} in
    "" | 0 | root) wrong "it runs as ${user:-root}" ;;
    esac
    echo "user: $user"
}

# As narrow as it can be run: what the documentation promises holds here too.
narrow() {
    docker run --read-only --network none --cap-drop ALL --security-opt no-new-privileges "$@"
}

check_version() {
    said=$(narrow --rm "$image" version) || wrong "\`sluice version\` fails: $said"
    case $said in
    "sluice $version ("*")") echo "version: $said" ;;
    *) wrong "it says \"$said\", not sluice $version" ;;
    esac
}

wait_for() { # WHAT COMMAND …
    what=$1
    shift
    begun=$(date +%s)
    until "$@"; do
        [ $(($(date +%s) - begun)) -lt "$patience" ] || wrong "$what, not within $patience s"
        sleep 0.5
    done
    echo "$what"
}

is_healthy() {
    state=$(docker inspect --format '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}' "$name")
    case $state in
    "running healthy") ;;
    "running starting") return 1 ;;
    *) wrong "it is $state" ;; # unhealthy, without a check, or ended
    esac
}

has_reloaded() {
    docker exec "$name" sluice status --once | grep -q '^  stable  *50%'
}

has_ended() {
    [ "$(docker inspect --format '{{.State.Status}}' "$name")" = exited ]
}

# The user of the image reads what this script writes: whatever the umask here.
configure() { # WEIGHT WEIGHT
    sed "s/weight: 90/weight: $1/; s/weight: 10/weight: $2/" config/minimal.yaml >"$work/etc/new"
    chmod 644 "$work/etc/new"
    mv "$work/etc/new" "$work/etc/sluice.yaml"
}

check_life() {
    chmod 755 "$work"
    mkdir -m 755 "$work/etc"
    configure 90 10
    narrow --detach --name "$name" --volume "$work/etc:/etc/sluice:ro" "$image" >/dev/null || wrong "it does not start"
    wait_for "healthy" is_healthy
    configure 50 50
    docker kill --signal HUP "$name" >/dev/null
    wait_for "reloaded at HUP" has_reloaded
    is_healthy || wrong "it is not healthy any more"
    docker kill --signal TERM "$name" >/dev/null
    wait_for "ended at TERM" has_ended
    code=$(docker inspect --format '{{.State.ExitCode}}' "$name")
    [ "$code" = 0 ] || wrong "it ended with $code at TERM"
}

check_demo() {
    said=$(narrow --rm --tmpfs /tmp "$image" demo --plain --duration 2s) || wrong "the demo fails: $said"
    echo "demo: ran"
}

check_size
check_user
check_version
check_life
check_demo
echo "$image is as it should be"
