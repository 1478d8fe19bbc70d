# SPDX-License-Identifier: LGPL-2.1-only
#
# The channels of guests and of dom0 on upstream's hypervisor: what they are, on
# which vCPU, whose they are, and what this hypervisor cannot do.

set -eu
. /rig/lib/rig.sh

disk=$RIG_TMP/disk
truncate -s 16M "$disk"
rig_guest_start g pvh vcpus=2 \
    "disk = [ 'format=raw, vdev=xvda, backendtype=qdisk, target=$disk' ]"
rig_guest_run g 'head -c 16 /dev/xvda | wc -c' | grep -x 16
# Beside the disk's QEMU: usb-qemu.sh.
xl usb-hc-create g

# line PATTERN : the one line of the listing that matches it.
line() {
    local lines
    lines=$(grep -E "$1" "$RIG_TMP/list") && [ "$(wc -l <<<"$lines")" = 1 ] ||
        rig_fail "not one line for $1"
    echo "$lines"
}

xl evtchn-list g | tee "$RIG_TMP/list"
head -n 1 "$RIG_TMP/list" | grep -q '^ *PORT  TYPE  *REMOTE  *VCPU  DEVICE$' ||
    rig_fail "columns of another hypervisor"
line 'interdomain +0:[0-9]+ +[01] +xenstore$'
line 'interdomain +0:[0-9]+ +[01] +console$'
port=$(line 'interdomain +0:[0-9]+ +[01] +vbd/51712( queue 0)?$' |
    awk '{ print $1 }')
line 'interdomain +0:[0-9]+ +[01] +vusb/0$'
line '^note: vbd/51712: one queue for 2 vCPUs: '
line '^note: this hypervisor has no interrupt vectors for single channels: '
grep -q ' virq ' "$RIG_TMP/list" && grep -q ' ipi ' "$RIG_TMP/list" ||
    rig_fail "no VIRQ, or no IPI"

# The guest's own word on the port.
[ "$(xenstore-read "/local/domain/$(rig_domid g)/device/vbd/51712/event-channel" \
    2>/dev/null || xenstore-read \
    "/local/domain/$(rig_domid g)/device/vbd/51712/queue-0/event-channel")" \
    = "$port" ] || rig_fail "another port than the guest's"

# dom0 is a PV domain, and the other end.
xl evtchn-list 0 >"$RIG_TMP/list"
line "vbd/51712( queue 0)? of domain $(rig_domid g)\$"
line "xenstore of domain $(rig_domid g)\$"
line '^note: a PV domain: '

xl evtchn-list --json g >"$RIG_TMP/json"
grep -q '"device": "console"' "$RIG_TMP/json" || rig_fail "JSON"
grep -q '"vectors": false' "$RIG_TMP/json" || rig_fail "JSON"

said=$(xl evtchn-list 4711 2>&1) && rig_fail "a domain that is not there"
[ "$said" = "error: domain 4711: no such domain" ] || rig_fail "$said"

for command in "evtchn-bind g $port 1" "evtchn-unbind g $port" \
    "evtchn-allow g off" "evtchn-spread g" "evtchn-spread g --watch"; do
    # shellcheck disable=SC2086 # words
    said=$(xl $command 2>&1) && rig_fail "$command: $said"
    [[ $said == "error: Xen: this hypervisor has no interrupt vectors for \
single event channels: install "* && $said != *$'\n'* ]] || rig_fail "$said"
done
