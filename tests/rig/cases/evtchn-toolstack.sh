# SPDX-License-Identifier: LGPL-2.1-only
#
# The evtchn commands on a hypervisor with vectors for single channels, with a
# guest that offers some by hypercall, and one for which they are written into
# xenstore.

set -eu
. /rig/lib/rig.sh

# start NAME OPTION... : the guest of tests/guests/evtchn, four vCPUs.
start() {
    local name=$1
    shift
    cat >"$RIG_TMP/$name.cfg" <<EOT
name = "$name"
uuid = "6b1f7b8e-0000-4000-8000-00000000000${#name}"
type = "pvh"
kernel = "/rig/tools/evtchn-guest"
cmdline = "run=serve vcpus=4 $*"
memory = 32
vcpus = 4
on_crash = "destroy"
EOT
    rm -f "/var/log/xen/console/guest-$name.log"
    "${rig_xl:?}" create -q "$RIG_TMP/$name.cfg"
    rig_wait_for 60 grep -aq 'serve: ready' \
        "/var/log/xen/console/guest-$name.log" ||
        rig_fail "guest $name: $(rig_guest_log "$name" | tail -n 5)"
}

# arrives NAME PORT HOW : the guest says so from now on.
arrives() {
    local lines
    lines=$(rig_guest_log "$1" | wc -l)
    rig_wait_for 30 eval \
        "rig_guest_log $1 | tail -n +$((lines + 1)) | grep '^port $2: .*$3'" ||
        rig_fail "guest $1, port $2: not $3: $(rig_guest_log "$1" | tail -n 20)"
    echo "ok: port $2 of $1: $3"
}

# refuses TEXT COMMAND... : fails with one line that has TEXT.
refuses() {
    local text=$1 said
    shift
    said=$("$@" 2>&1) && rig_fail "$*: was done: $said"
    [[ $said == *"$text"* && $said != *$'\n'* ]] ||
        rig_fail "$*: says $said, not $text"
    echo "ok: $said"
}

# binding NAME PORT : "VCPU VECTOR" of the listing.
binding() {
    xl evtchn-list "$1" | awk -v p="$2" '$1 == p { print $4, $5 }'
}

# hot NAME NR : the first ports that the guest has open to itself.
hot() {
    xl evtchn-list "$1" |
        awk -v d="$(rig_domid "$1"):" '$2 == "interdomain" &&
            index($3, d) == 1 { print $1 }' | head -n "$2"
}

bindings_of() { xl evtchn-list "$1" | awk '$5 ~ /^0x/ { print $1, $4, $5 }'; }

# --- by hypercall

start g ports=8 hot=4 offer=8
xl evtchn-list g
[ "$(xl evtchn-list g | grep -c '^vCPU [0-3] offers 0x40-0x47$')" = 4 ] ||
    rig_fail "the offers are not shown"
xl evtchn-list g | grep -q 'note: this hypervisor' && rig_fail "it can"

# The end of a pair that events come to.
rig_wait_for 20 eval 'rig_guest_log g | grep "^port "' || rig_fail "no events"
port=$(rig_guest_log g | sed -n 's/^port \([0-9]*\): .*/\1/p' | head -n 1)
arrives g "$port" 'by upcall'
xl evtchn-bind g "$port" 2 0x45 | grep -x "domain .*: vCPU 2, vector 0x45"
[ "$(binding g "$port")" = "2 0x45t" ] || rig_fail "$(binding g "$port")"
arrives g "$port" 'by vector 69 on vcpu 2'
before=$(bindings_of g)
refuses 'does not offer vector 0x60 on vCPU 2' xl evtchn-bind g "$port" 2 0x60
refuses 'vector 0x1f is not between 0x20 and 0xff' xl evtchn-bind g "$port" 2 0x1f
refuses 'no vCPU 4: the domain has 4' xl evtchn-bind g "$port" 4
refuses 'is not open' xl evtchn-bind g 4000 1
refuses "port $port already has vector 0x45 on vCPU 2" \
    xl evtchn-bind g "$(($(hot g 16 | grep -vx "$port" | head -n 1)))" 2 0x45
refuses 'domain 4711: no such domain' xl evtchn-bind 4711 1 0
refuses 'a PV domain' xl evtchn-bind 0 1 0
[ "$(bindings_of g)" = "$before" ] || rig_fail "a refusal changed something"
xl evtchn-unbind g "$port" | grep 'back on the upcall'
[ "$(binding g "$port")" = "0 -" ] || rig_fail "$(binding g "$port")"
arrives g "$port" 'by upcall'

xl evtchn-spread g --hot=4 --sample=3000 --dry-run
[ -z "$(bindings_of g)" ] || rig_fail "a dry run bound something"
xl evtchn-spread g --hot=4 --sample=3000 --json | tee "$RIG_TMP/json"
number() { sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" "$RIG_TMP/json"; }
[ "$(number index_before)" -le 300 ] || rig_fail "it was spread before"
[ "$(number index_after)" -ge 950 ] || rig_fail "it is not spread"
[ "$(bindings_of g | awk '{ print $2 }' | sort -u | wc -l)" = 4 ] ||
    rig_fail "not on four vCPUs: $(bindings_of g)"
[ "$(bindings_of g | wc -l)" = 4 ] || rig_fail "not four: $(bindings_of g)"
arrives g "$port" 'by vector'
xl evtchn-spread g --hot=4 --sample=3000 | grep ': 0 changed, 4 with vectors'
xl evtchn-list g | grep -q ' 0x4[0-7]t .*-$' || xl evtchn-list g

xl evtchn-allow g off | grep 'switched off'
[ -z "$(bindings_of g)" ] || rig_fail "still bound: $(bindings_of g)"
arrives g "$port" 'by upcall'
refuses 'are switched off for it' xl evtchn-bind g "$port" 2 0x45
xl evtchn-allow g on | grep 'allowed'
xl evtchn-bind g "$port" 2 0x45
arrives g "$port" 'by vector 69 on vcpu 2'
rig_guest_stop g

# --- in xenstore, as channels come and go

# offer NODE VALUE : what a driver of the guest would write.
offer() {
    xenstore-write "/local/domain/$(rig_domid uu)/data/evtchn-vectors/$1" "$2"
}

start uu ports=4 hot=2
offer version 1
offer vcpu/1 '0x50-0x53'
offer serial 1
port=$(hot uu 1)
offer "port/$port" '1 0x52'
xl evtchn-list uu | grep -x 'vCPU 1 offers 0x50-0x53' || rig_fail "no offer"
[ -z "$(bindings_of uu)" ] || rig_fail "who bound that?"
xl evtchn-spread uu --watch --every=3600 >"$RIG_TMP/watch" 2>&1 &
watch=$!
bound() { [ "$(binding uu "$port")" = "$1" ]; }
rig_wait_for 20 bound '1 0x52t' || rig_fail "$(<"$RIG_TMP/watch")"
refuses 'another evtchn-spread' xl evtchn-spread uu --watch
offer "port/$port" '1 0x50'
rig_wait_for 20 bound '1 0x50t' || rig_fail "$(<"$RIG_TMP/watch")"

offer vcpu/0 '0x1f'
offer serial 2
refused() { grep -q 'vcpu/0: not a list of vectors' "$RIG_TMP/watch"; }
rig_wait_for 20 refused || rig_fail "not told: $(<"$RIG_TMP/watch")"
bound '1 0x50t' || rig_fail "a refusal changed something"
done_is() {
    xenstore-read "/local/domain/$(rig_domid uu)/data/evtchn-vectors/done" |
        grep -q "$1"
}
rig_wait_for 20 done_is '^2 .*vcpu/0' || rig_fail "the guest is not told"

# The same guest as another domain.
rig_guest_stop uu
start uu ports=4 hot=2
port=$(hot uu 1)
offer version 1
offer vcpu/3 '0x60'
offer "port/$port" '3 0x60'
rig_wait_for 20 bound '3 0x60t' || rig_fail "$(<"$RIG_TMP/watch")"
offer vcpu/3 ''
xenstore-rm "/local/domain/$(rig_domid uu)/data/evtchn-vectors/port/$port"
offer serial 1
rig_wait_for 20 done_is '^1$' || rig_fail "not withdrawn"
bound '0 -' || rig_fail "withdrawn, and $(binding uu "$port")"

cat "$RIG_TMP/watch"
kill $watch
wait $watch || rig_fail "the watch ended with $?"
