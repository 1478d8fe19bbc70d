# SPDX-License-Identifier: LGPL-2.1-only
#
# A guest that is kept paused while it is restored lazily has, in the end,
# every page of its save file, most of them in 2 MiB pages, and no pager.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

restore_and_compare() {
    local domid what="$1, $2 vCPUs" pages large
    lazy_save "$1" "$2"
    rig_time "$what: restore" lazy_restore -p "$lazy_file"
    domid=$(rig_domid g)
    rig_time "$what: fill" xl-ext lazy-wait --quiet g
    lazy_numbers "$domid"
    lazy_complete "$domid" || rig_fail "$what: see above"
    rig_time "$what: compare" rig_compare g "$lazy_file" ||
        rig_fail "$what: pages differ"

    pages=$(lazy_field "$domid" pages)
    large=$(lazy_field "$domid" pages_2m)
    echo "$what: $((large * 100 / pages)) % in 2 MiB pages"
    [ $((large * 10)) -ge $((pages * 6)) ] ||
        rig_fail "$what: $large of $pages pages are in 2 MiB pages"
    rig_guest_stop g
}

for type in pvh hvm; do
    for vcpus in 1 2; do
        restore_and_compare $type $vcpus
    done
done
