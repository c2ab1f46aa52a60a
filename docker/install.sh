#!/bin/sh
# Installs the packages of the given lists that are missing, with apt. Does nothing when none is. Daemons that
# an installation starts by itself (nginx, haproxy, prometheus) are stopped again: only their programs are wanted.
set -eu

wanted() {
    sed 's/#.*//' "$@" | while read -r package command; do
        [ -n "$package" ] || continue
        if [ -n "$command" ] && PATH="$PATH:/usr/sbin:/sbin" command -v "$command" >/dev/null; then
            continue
        fi
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || echo "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "install.sh: root or sudo is needed for: $*" >&2
        exit 1
    fi
}

stop_daemon() {
    if [ -d /run/systemd/system ]; then
        as_root systemctl stop "$1" 2>/dev/null || true
    elif command -v service >/dev/null; then
        as_root service "$1" stop >/dev/null 2>&1 || true
    fi
}

missing=$(wanted "$@")
[ -n "$missing" ] || exit 0
echo "install.sh: installing" $missing
as_root apt-get update -q
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
for package in $missing; do
    case $package in
    nginx*) stop_daemon nginx ;;
    haproxy | prometheus) stop_daemon "$package" ;;
    esac
done
