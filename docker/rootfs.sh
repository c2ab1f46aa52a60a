#!/bin/sh
# What the image consists of:  sh docker/rootfs.sh FOLDER [BINARY]
# FOLDER, which must not be there yet, becomes the root of the image: the stripped BINARY (build/release/sluice), the
# libraries that it is linked with and no others, the certificates of public authorities, a user, a shell with what
# reload-on-change needs, and of each Debian package that something was taken from its licence and its version, where
# scanners of images look for them. The same files give the same root; times are $SOURCE_DATE_EPOCH, or the BINARY's.
set -eu
umask 022
here=$(cd "$(dirname "$0")/.." && pwd)
if [ $# -lt 1 ] || [ -e "$1" ]; then
    echo "usage: rootfs.sh FOLDER [BINARY]; FOLDER must not be there yet" >&2
    exit 2
fi
binary=${2:-$here/build/release/sluice}
user=10001 # numeric, so that `runAsNonRoot` can be checked; above what distributions give away
[ -x "$binary" ] || {
    echo "rootfs.sh: there is no $binary; sh docker/build.sh makes it" >&2
    exit 1
}
mkdir -p "$1"
root=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Debian 12 has one tree, under /usr.
for name in bin lib lib64 sbin; do
    mkdir -p "$root/usr/$name"
    ln -s "usr/$name" "$root/$name"
done

take() { # FILE: as it is, where it is, and what it is a link to
    case $1 in
    /usr/*) file=$1 ;;
    *) file=/usr$1 ;; # by /bin and /lib, which are links
    esac
    [ ! -e "$root$file" ] || return 0
    mkdir -p "$root${file%/*}"
    cp -a "$file" "$root$file"
    echo "$file" >>"$work/taken"
    [ ! -L "$file" ] || take "$(realpath "$file")"
}

libraries() { # FILE …: what they are linked with, the linker too
    ldd "$@" | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p' | sort -u
}

# The packages that the files of standard input are from. A package may know a file by its place before the trees were
# merged; a file that none has is a mistake.
packages_of() {
    while read -r file; do
        printf '%s\n%s\n' "$file" "${file#/usr}"
    done >"$work/asked"
    xargs dpkg-query -S <"$work/asked" >"$work/owners" 2>/dev/null || true # half of the names are known
    awk 'FILENAME ~ /owners$/ { path = $NF; sub(/^\/usr/, "", path); known[path]; sub(/[:,].*/, ""); print; next }
        { path = $1; sub(/^\/usr/, "", path) }
        !(path in known) { print "rootfs.sh: no package has " $1 >"/dev/stderr"; bad = 1 }
        END { exit bad }' "$work/owners" "$work/asked"
}

mkdir -p "$root/usr/local/bin"
strip -o "$root/usr/local/bin/sluice" "$binary"
install -m 755 "$here/docker/reload-on-change.sh" "$root/usr/local/bin/reload-on-change"
tools="/usr/bin/dash /usr/bin/sleep /usr/bin/sha256sum"
# shellcheck disable=SC2086 # a list
libraries "$binary" $tools >"$work/linked"
for file in $tools $(cat "$work/linked"); do
    take "$file"
done
ln -s dash "$root/usr/bin/sh"

# One file, found by OpenSSL under the first name and by curl under the second; SSL_CERT_FILE names another.
mkdir -p "$root/etc/ssl/certs" "$root/usr/lib/ssl"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
ln -s /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
ln -s /etc/ssl/certs "$root/usr/lib/ssl/certs"
cp -L /etc/ssl/openssl.cnf "$root/etc/ssl/"
ln -s /etc/ssl/openssl.cnf "$root/usr/lib/ssl/openssl.cnf"

printf 'root:x:0:0:root:/:/usr/sbin/nologin\nsluice:x:%s:%s:sluice:/nonexistent:/usr/sbin/nologin\n' $user $user >"$root/etc/passwd"
printf 'root:x:0:\nsluice:x:%s:\n' $user >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
cp -L /etc/os-release "$root/etc/"
mkdir -p "$root/etc/sluice" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/var/lib/dpkg/status.d"
chmod 1777 "$root/tmp"
install -d -m 750 -o $user -g $user "$root/var/lib/sluice" "$root/var/log/sluice"

packages_of <"$work/taken" >"$work/packages"
printf 'ca-certificates\nopenssl\n' >>"$work/packages"
sort -u "$work/packages" | while read -r package; do
    install -D -m 644 "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/copyright"
    dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$package"
done
install -d "$root/usr/share/common-licenses"
cp -a /usr/share/common-licenses/. "$root/usr/share/common-licenses/"
install -D -m 644 "$here/docker/deb/copyright" "$root/usr/share/doc/sluice/copyright"
install -m 644 "$here/LICENSE" "$root/usr/share/doc/sluice/LICENSE"

: "${SOURCE_DATE_EPOCH:=$(stat -c %Y "$binary")}"
find "$root" -depth -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
du -s --apparent-size --block-size=1000000 "$root" | sed 's/\t.*/ MB/'
