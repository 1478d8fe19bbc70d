#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
#
# Whether the runner notices what it must: a case that fails, one that hangs,
# what a case leaves behind, a dom0 that dies, a machine that is gone, a
# busy host. By hand: nine boots, five minutes.

set -u
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

expect() {
    if grep -qE -- "$2" "$work/output"; then
        echo "ok: $1"
    else
        echo "FAILED: $1: no line like '$2'"
        failures=$((failures + 1))
    fi
}

# runs STATUS OPTION-OR-CASE... : a run that must end with STATUS.
runs() {
    local wanted=$1 status=0
    shift
    "$here/run" --out "$work/out" "$@" >"$work/output" 2>&1 || status=$?
    cp "$work/output" "$work/last"
    echo "--- exit status $status" >>"$work/output"
    expect "exit status $wanted" "^--- exit status $wanted\$"
}

cd "$work" || exit 1
mkdir 'a folder, with blanks'
pass='a folder, with blanks/pass.sh'
echo 'echo "from $PWD"; echo kept >"$RIG_OUT/kept"' >"$pass"
echo 'printf "no end of line"; exit 3' >fail.sh
echo 'sleep 1000 & sleep 1000' >hang.sh
# The logs of the first try are put away before the second.
echo '[ -d "$RIG_OUT/try1" ]' >second.sh
cat >leave.sh <<'EOT'
. /rig/lib/rig.sh
rig_guest_create g pvh
rig_usb_plug toy keyboard
setsid sleep 1000 &
sleep 1
EOT
echo 'echo c >/proc/sysrq-trigger; sleep 60' >panic.sh
echo 'xl debug-keys R; sleep 60' >reboot.sh

runs 1 --timeout 20 "$pass" fail.sh hang.sh leave.sh "$pass"
expect "a case that passes" '^--- passed: pass.sh '
expect "its output" '^from /rig/'
expect "a case that fails" '^--- FAILED: fail.sh \(exit status 3'
expect "its last line" '^no end of line'
expect "a case that hangs" '^--- FAILED: hang.sh \(cut off'
expect "a process left behind" 'left behind: process .* sleep 1000'
expect "a guest left behind" 'left behind: guest g'
expect "a device left behind" 'left behind: USB device toy'
expect "counts" '^3 passed, 2 failed$'
[ "$(cat out/kept)" = kept ] || { echo "FAILED: output"; failures=1; }

runs 0 --tries 2 second.sh "$pass"
expect "what failed is run again" '^rig: once more, .*: second.sh $'
expect "and only that" '^2 passed, 0 failed$'
expect "and named" '^rig: not passed at the first try, .*: second.sh $'

runs 1 panic.sh "$pass"
expect "dom0 died" 'crashed: .*Kernel panic'
expect "the next case did not run" '^--- NOT RUN: pass.sh'
expect "counts" '^0 passed, 2 failed$'

runs 1 reboot.sh
expect "the machine is gone" 'went away'
expect "counts" '^0 passed, 1 failed$'

runs 1 nowhere.sh
expect "no such case" 'no such case'
runs 1 --suite sid "$pass"
expect "no such suite" "unknown suite 'sid'; there are: bookworm trixie\$"
runs 1 --suite trixie --xen patched "$pass"
expect "no patches for it" 'the rig builds it for Xen 4.17, trixie has 4.20'
runs 1 --xen nowhere "$pass"
expect "no such hypervisor" "takes patched, .* and 'nowhere' is no file\$"
runs 1 --give nowhere "$pass"
expect "nothing to give" 'give: no folder nowhere\$'
runs 0 --xen stock "$pass"
expect "stock Xen" '^1 passed, 0 failed$'

# A busy host keeps a busy machine waiting; that is no time of the machine's.
cat >wait.sh <<'EOT'
. /rig/lib/rig.sh
while :; do :; done &
start=$SECONDS
rig_wait_for 20 false
took=$((SECONDS - start))
kill $!
echo "20 s took $took s"
[ $took -ge 24 ]
EOT
for loop in 1 2 3 4 5 6 7 8; do
    timeout 300 sh -c 'while :; do :; done' &
done
runs 0 wait.sh
kill $(jobs -p)
expect "a wait on a busy host" '^20 s took'

echo "$failures failures"
[ $failures -eq 0 ]
