# SPDX-License-Identifier: LGPL-2.1-only
#
# Programs for another release of Debian are built in a system of that release.

# inside ROOT FOLDER... -- COMMAND... : COMMAND in the system at ROOT, where each
# FOLDER has the same path as here. An empty ROOT means this host.
inside() {
    local root=$1 folders=()
    shift
    while [ "$1" != -- ]; do
        folders+=("$1")
        shift
    done
    shift
    [ -n "$root" ] || { "$@"; return; }
    (cd / && unshare -m bash -c "$inside_script" inside "$root" \
        "${#folders[@]}" "${folders[@]}" "$@")
}

# shellcheck disable=SC2016 # for the inner shell
inside_script='
    set -eu
    root=$1 nr=$2
    shift 2
    for folder in "${@:1:nr}"; do
        mkdir -p "$root$folder"
        mount --bind "$folder" "$root$folder"
    done
    shift "$nr"
    mount -t proc proc "$root/proc"
    mount --bind /dev "$root/dev"
    export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
    exec chroot "$root" "$@"
'
