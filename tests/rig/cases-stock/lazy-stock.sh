# SPDX-License-Identifier: LGPL-2.1-only
#
# On a hypervisor without memory paging, or with upstream's, which is not sound:
# the reason is told; the guest is restored eagerly, or not at all where lazy was
# required.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh
. /rig/lib/nbd.sh

case $RIG_XEN in
stock)
    reason='restore: Xen: this hypervisor is built without memory paging *'
    check='*paging       no *cannot be restored lazily: this hypervisor is built '
    check+='without memory paging: install *' ;;
*)
    reason='restore: Xen: this hypervisor has memory paging, but not everything that *'
    check='*paging       yes *resume       no *hypercalls   no *grants       no '
    check+='*runs         no *cannot be restored lazily: a resumed Linux guest '
    check+='panics, because its vcpu_info page is paged out: install *' ;;
esac

said=$(xl-ext lazy-check) && rig_fail "lazy-check: possible"
echo "$said"
# shellcheck disable=SC2053 # a pattern
[[ $said == $check ]] || rig_fail "lazy-check: not the reason"

lazy_save pvh 1
said=$(xl restore --lazy=require "$lazy_file" 2>&1) && rig_fail "restored"
echo "$said"
# shellcheck disable=SC2053 # a pattern
[[ $said == $reason && $said == *=require* && $said != *$'\n'* ]] ||
    rig_fail "not one line with the reason"
lazy_no_trace || rig_fail "see above"

rig_time "restore" xl restore --lazy "$lazy_file" >"$RIG_TMP/said" 2>&1
line=$(head -n 1 "$RIG_TMP/said")
echo "$line"
# shellcheck disable=SC2053 # a pattern
[[ $line == $reason && $line == *eagerly* ]] || rig_fail "not the reason"
rig_guest_run -t 120 g 'pattern check /mem/p 42' || rig_fail "wrong data"
lazy_no_processes || rig_fail "see above"

# The same for a toolstack that runs the helper itself.
rig_guest_stop g
LIBXL_SAVE_HELPER=/usr/local/libexec/libxl-ext/xl-ext-save-helper \
    "$rig_xl" restore "$lazy_file" >"$RIG_TMP/said" 2>&1
grep 'Restoring eagerly' "$RIG_TMP/said" || rig_fail "$(<"$RIG_TMP/said")"
rig_guest_run -t 120 g 'pattern check /mem/p 42' || rig_fail "wrong data"

# From a server: xl reads it through a pipe.
rig_guest_stop g
nbd_serve "$lazy_file"
said=$(xl restore --lazy=require "$nbd_uri" 2>&1) && rig_fail "server: restored"
# shellcheck disable=SC2053 # a pattern
[[ $said == $reason && $said != *$'\n'* ]] || rig_fail "server: $said"
xl restore --lazy "$nbd_uri" >"$RIG_TMP/said" 2>&1 ||
    rig_fail "$(<"$RIG_TMP/said")"
rig_guest_run -t 120 g 'pattern check /mem/p 42' || rig_fail "server: data"
