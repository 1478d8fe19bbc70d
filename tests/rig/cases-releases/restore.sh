# SPDX-License-Identifier: LGPL-2.1-only
#
# Guests saved on the other release (save.sh, and --give). A newer Xen restores
# them, by the distribution's xl and by ours, and every page is what it was. An
# older one says that it cannot, or does it rightly; our tools read both.

set -eu
. /rig/lib/rig.sh

# reads_it FILE TYPE : what our tools make of it.
reads_it() {
    xl-ext image-info "$1" >"$rig_tmp/info" && cat "$rig_tmp/info"
    grep -q "^type *$2\$" "$rig_tmp/info" || rig_fail "image-info: not $2"
    xl-ext image-verify "$1" || rig_fail "image-verify: $1"
}

is_what_it_was() {
    rig_compare g "$1" || rig_fail "$2: pages differ"
    "$rig_xl" unpause g
    rig_guest_wait g
    rig_guest_run g 'pattern check /mem/p 42' || rig_fail "$2: wrong data"
    rig_guest_stop g
}

# refused WHAT : it failed with a reason, and left nothing.
refused() {
    tail -n 3 "$rig_tmp/said"
    grep -q error "$rig_tmp/said" || rig_fail "$1: no reason"
    rig_wait_for 20 eval "[ \$($rig_xl list | wc -l) = 2 ]" ||
        rig_fail "$1: a domain is left"
}

# restored WHAT FILE COMMAND...
restored() {
    local what=$1 file=$2
    shift 2
    if "$@" -p "$file" >"$rig_tmp/said" 2>&1; then
        is_what_it_was "$file" "$what"
        echo "ok: $what: restored"
    elif [ "$RIG_SUITE" = bookworm ]; then
        refused "$what"
        echo "ok: $what: an older Xen refuses it"
    else
        cat "$rig_tmp/said"
        rig_fail "$what: not restored"
    fi
}

found=0
for file in $(find /rig/given -name '*.save' ! -name "$RIG_SUITE-*"); do
    found=$((found + 1))
    name=$(basename "$file" .save)
    cp "$file" "$rig_tmp/g.save"
    reads_it "$rig_tmp/g.save" "${name#*-}"
    restored "$name, xl restore" "$rig_tmp/g.save" "$rig_xl" restore
    restored "$name, xl restore --lazy" "$rig_tmp/g.save" xl restore --lazy
done
[ $found = 2 ] || rig_fail "$found save files of the other release"
