#!/bin/sh
# Installs the packages of the given lists that are missing, with apt; does nothing when none is. The daemons among
# them (nginx, haproxy, prometheus) are not started: only their programs are wanted.
# shellcheck disable=SC2086 # the names of the missing packages are words
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
    else
        sudo "$@"
    fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1
}

# Debian asks this program before it starts a daemon; 101 is no. One that is there already is somebody's decision.
policy=/usr/sbin/policy-rc.d
forbid_daemons() {
    [ ! -e $policy ] || return 0
    ours=yes
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
}

finish() {
    [ -z "$ours" ] || as_root rm -f $policy
    rm -f "$log"
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "install.sh: no apt here; what is needed is listed in: $*" >&2
    exit 1
fi
missing=$(wanted "$@")
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    echo "install.sh: root or sudo is needed to install:" $missing >&2
    exit 1
fi
echo "install.sh: installing" $missing
ours=
log=$(mktemp)
trap finish EXIT
trap 'exit 1' HUP INT TERM
forbid_daemons
# One source that does not answer is no reason to stop: the packages may well come from the others.
apt update || tail -n 5 "$log" >&2
if ! apt install -y --no-install-recommends $missing; then
    tail -n 40 "$log" >&2
    echo "install.sh: apt could not install them" >&2
    exit 1
fi
# Nor are they to start with the machine from now on.
if [ -d /run/systemd/system ]; then
    for package in $missing; do
        case $package in
        nginx | haproxy | prometheus) as_root systemctl --quiet disable "$package" || true ;;
        esac
    done
fi
