# SPDX-License-Identifier: LGPL-2.1-only
#
# Artefacts: folders outside the clone, shared by every clone on the machine,
# named by what they are made from. A folder that is there is complete.

cache=${XLX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/libxl-ext}

# key_of TEXT-OR-FILE... : a name for these inputs. An argument that is a file
# stands for its content.
key_of() {
    local part
    for part; do
        if [ -f "$part" ]; then cat "$part"; else echo "$part"; fi
    done | sha256sum | cut -c 1-24
}

# artefact NAME KEY BUILDER ARG... : prints the folder NAME-KEY; when it is not
# there yet, the program BUILDER fills it first, called as
# `BUILDER NEW-FOLDER ARG...`. Its output is shown only when it fails.
artefact() {
    local name=$1 folder=$cache/rig/$1-$2
    shift 2
    mkdir -p "$cache/rig"
    if [ ! -d "$folder" ]; then
        ( build_artefact "$name" "$folder" "$@" ) || return 1
    fi
    touch "$folder"
    echo "$folder"
}

build_artefact() {
    local name=$1 folder=$2 builder=$3 work
    shift 3
    exec 8>"$cache/rig/.$name.lock"
    flock -n 8 || {
        say "waiting for another run that builds the $name"
        flock 8
    }
    [ ! -d "$folder" ] || return 0
    rm -rf "$cache/rig/.new.$name".*
    work=$(mktemp -d "$cache/rig/.new.$name.XXXXXX")
    timed "building the $name" quietly "$work.log" "$builder" "$work" "$@" || {
        has_space || rm -rf "$work"
        die "the $name could not be built; the whole log: $work.log"
    }
    chmod 755 "$work"
    mv "$work" "$folder"
    rm -f "$work.log"
    drop_old "$name"
}

# Says so when too little is left for any artefact.
has_space() {
    local free
    free=$(df --output=avail -BM "$cache" | tail -n 1 | tr -dc 0-9)
    [ "$free" -lt 1024 ] || return 0
    say "only $free MiB are free in $cache: make room, or set XLX_CACHE to a" \
        "folder that has some 6 GiB"
    return 1
}

quietly() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 </dev/null && return
    tail -n 30 "$log" >&2
    return 1
}

# Artefacts nobody used for two weeks go when a newer one of their kind comes.
drop_old() {
    find "$cache/rig" -maxdepth 1 -name "$1-*" -type d -mtime +14 \
        -exec rm -rf {} +
}
