# SPDX-License-Identifier: LGPL-2.1-only

# new_system FOLDER PACKAGE... : a small Debian with these packages.
new_system() {
    local folder=$1 packages
    shift
    versions "$@" >/dev/null || return
    packages=$*
    debootstrap --variant=minbase --include="${packages// /,}" "$suite" \
        "$folder" "$(mirror)"
}
