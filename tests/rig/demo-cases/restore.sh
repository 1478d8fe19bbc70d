# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-only
#
# Demonstration: one saved guest, restored eagerly and then lazily.

. /rig/lib/rig.sh
. /rig/lib/lazy.sh
set -u

file=/tmp/demo.save
trap 'rig_guest_stop g 2>/dev/null; rm -f $file' EXIT

step() { printf '\n* %s\n' "$*"; }

# until_it_answers COMMAND... : restores; the time until the guest answers is
# left in $rig_took.
until_it_answers() {
    printf '# %s\n' "$*"
    rig_time '  until the guest answers' restore_and_ask "$@" ||
        { cat "$rig_tmp/restore.log"; rig_fail "$*"; }
}

restore_and_ask() {
    "$@" >"$rig_tmp/restore.log" 2>&1 && rig_guest_run g true
}

data_is_right() {
    rig_guest_run -t 120 g 'pattern check /mem/p 42' ||
        rig_fail "the guest's data is not what it was"
    echo '  the data in the guest is what it was'
}

save() { "$rig_xl" save g $file >/tmp/demo.log 2>&1; }

seconds() { printf '%d.%d s' $(($1 / 1000000)) $(($1 / 100000 % 10)); }

step 'A guest of 1 GiB, 384 MiB of it filled with data, is saved.'
rig_guest_start g pvh memory=1024 &&
    rig_guest_run -t 120 g 'pattern write /mem/p 384 42' &&
    rig_time '  xl save' save ||
    rig_fail 'no saved guest'

step 'Eager restore: the guest runs when all of its memory has been read.'
until_it_answers xl restore $file
eager=$rig_took
data_is_right
rig_guest_stop g

step 'Lazy restore: the guest runs at once, and its memory follows.'
until_it_answers xl restore --lazy=require $file
lazy=$rig_took
printf '# xl-ext lazy-wait g\n'
rig_time '  until all of its memory is there' xl-ext lazy-wait -q g ||
    rig_fail 'the fill failed'
data_is_right

step "In short: the guest answered $(seconds "$eager") after an eager restore began,"
echo "  and $(seconds "$lazy") after a lazy one."
