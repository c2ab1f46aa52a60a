#!/bin/sh
# A clean Debian 12 to try things in:  sh tests/tools/root.sh FOLDER [PACKAGE …]
# FOLDER, which must not be there yet, becomes the root of a freshly installed minimal system (debootstrap, minbase) with these
# packages and what they depend on, from the sources that this machine's apt has. Inside, apt works as on any machine: its
# lists are there, and the names are resolved as here. What was made once is kept in build/root (or $SLUICE_ROOT_CACHE) and
# copied the next time, which takes a second; remove that folder to begin from nothing. Needs root.
set -eu
umask 022 # whoever calls it: this is what a machine has
here=$(cd "$(dirname "$0")/../.." && pwd)
cache=${SLUICE_ROOT_CACHE:-$here/build/root}
suite=bookworm
arch=$(dpkg --print-architecture)
as_is="--numeric-owner --xattrs --xattrs-include=*"

# "URI SUITE" of this machine's own Debian sources: the archive, updates, security.
sources() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' |
        awk -v suite=$suite '$2 == suite || index($2, suite "-") == 1' | sort -u
}

# Everything is unpacked in memory, since dpkg waits for the disk at every file, in a mount namespace that ends with it.
in_memory() { # FUNCTION ARGUMENT …
    export here cache suite arch work
    work=$(mktemp -d)
    code=0
    unshare --mount --propagation private sh -eu "$here/tests/tools/root.sh" --inside "$@" >"$cache/log" 2>&1 || code=$?
    rmdir "$work"
    [ $code = 0 ] || {
        tail -n 20 "$cache/log" >&2
        exit 1
    }
}

keep() { # NAME: a whole file or none
    tar -C "$work/root" --one-file-system $as_is -cf "$cache/$1.part" .
    mv "$cache/$1.part" "$cache/$1"
}

make_base() { # URI NAME
    debootstrap --variant=minbase --arch="$arch" --cache-dir="$cache/archives" $suite "$work/root" "$1"
    rm -f "$work"/root/var/cache/apt/archives/*.deb
    sources | sed 's/.*/deb & main/' >"$work/root/etc/apt/sources.list"
    name_servers
    chroot "$work/root" apt-get -q update
    keep "$2"
}

name_servers() {
    rm -f "$work/root/etc/resolv.conf"
    cp -L /etc/resolv.conf /etc/hosts "$work/root/etc/"
}

make_with() { # BASE NAME PACKAGE …
    tar -C "$work/root" $as_is -xf "$cache/$1"
    name_servers
    mount -t proc proc "$work/root/proc"
    mount --bind "$cache/archives" "$work/root/var/cache/apt/archives"
    mkdir -p "$cache/archives/partial"
    name=$2
    shift 2
    DEBIAN_FRONTEND=noninteractive chroot "$work/root" apt-get -q install -y --no-install-recommends \
        -o DPkg::Options::=--force-unsafe-io "$@"
    keep "$name"
}

if [ "${1-}" = --inside ]; then
    shift
    mount -t tmpfs -o mode=755,size=4g tmpfs "$work"
    mkdir "$work/root"
    "$@"
    exit
fi
[ $# -ge 1 ] && [ ! -e "$1" ] || {
    echo "usage: root.sh FOLDER [PACKAGE …]; FOLDER must not be there yet" >&2
    exit 2
}
folder=$1
shift
mkdir -p "$cache/archives"
exec 9>"$cache/lock" # one at a time; the next finds what this one made
flock 9
[ -n "$(sources)" ] || apt-get -q update >&2
wanted=$(sources)
base=base-$(echo "$suite $arch $wanted" | cksum | cut -d' ' -f1).tar
[ -e "$cache/$base" ] || in_memory make_base "$(echo "$wanted" | awk -v suite=$suite '$2 == suite { print $1; exit }')" "$base"
made=$base
if [ $# -gt 0 ]; then
    made=with-$(echo "$base $*" | cksum | cut -d' ' -f1).tar
    [ -e "$cache/$made" ] || in_memory make_with "$base" "$made" "$@"
fi
mkdir "$folder"
chmod 755 "$folder"
tar -C "$folder" $as_is -xf "$cache/$made"
