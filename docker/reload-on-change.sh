#!/bin/sh
# Reloads sluice when a file of its configuration has changed:  reload-on-change FOLDER [SECONDS]
# Looks at every file of FOLDER each SECONDS, 2, following symbolic links: a Kubernetes ConfigMap changes by a link that is
# swapped. `sluice reload` asks the admin API where SLUICE_ADMIN says, waits, and prints what came of it; after a mistake
# the old configuration serves on, and the next change is tried. It is the second container of the pod, so that sluice
# itself need not watch anything.
set -eu
folder=${1:?usage: reload-on-change FOLDER [SECONDS]}
seconds=${2:-2}
[ -d "$folder" ] || {
    echo "reload-on-change: $folder is not a folder" >&2
    exit 2
}
# A shell that is process 1 has no other way to end.
trap 'exit 0' TERM INT

# Names and contents; what disappears while it is read makes another sum now and the right one the next time.
sum() {
    for file in "$folder"/*; do
        [ ! -f "$file" ] || sha256sum "$file" 2>/dev/null || true
    done | sha256sum
}

wait_a_while() { # in the background: a shell handles a signal only when what it waits for has ended, or by `wait`
    sleep "$seconds" &
    wait $!
}

before=$(sum)
while :; do
    wait_a_while
    now=$(sum)
    [ "$now" != "$before" ] || continue
    wait_a_while # whoever writes several files has finished
    before=$(sum)
    echo "reload-on-change: $folder has changed" >&2
    until sluice reload; do # 5: nobody answers; it starts, or starts anew, and is asked again. Else the file is wrong
        [ $? = 5 ] || break
        wait_a_while
    done
done
