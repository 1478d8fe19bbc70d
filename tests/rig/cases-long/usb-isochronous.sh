# SPDX-License-Identifier: LGPL-2.1-only
#
# Isochronous both ways: what a guest plays is recorded by the outer machine sample
# by sample; a source of 8,000 packets a second is heard, each packet as it was sent,
# and how many were lost is measured. QEMU's backend answers every such request with
# an error. Sound and packets come in time only where nothing else runs: on a busy
# machine the sound has gaps.

. /rig/host/cases/usb.bash

record=/rig/run/sound.wav

# A record ends when its stream does, and QEMU forgets what it has not played yet: up
# to a second of what it took faster than it plays.
recorded() {
    unplug sound
    "$rig_tools/usb-try" heard $record "$1"
}

plug sound sound
check "dom0 plays" says "bad=0" "$rig_tools/usb-try" play "$sound" 01 3
check "which is recorded" recorded 3

plug sound sound
ip_plug camera stream-high
start_guest
check "attach a sound card" xl usb-attach $guest "$sound"
check "the guest sees it" rig_wait_for 10 guest_sees 46f4:0002
check "and plays 10 s" says "bad=0" \
    rig_guest_run -t 60 $guest usb-try play 46f4:0002 01 10
check "the list tells" xl usb-list $guest
check "detach" xl usb-detach $guest "$sound"
check "every sample of nine seconds was recorded, in order" recorded 9

check "attach a camera" xl usb-attach $guest "$camera" --force
check "the guest sees it" rig_wait_for 10 guest_sees f426:5001
check "80,000 packets in 10 s" heard_well \
    "$(rig_guest_run -t 60 $guest usb-try listen f426:5001 81 80000 192 32 15)"
check "10,000 more" heard_well \
    "$(rig_guest_run -t 60 $guest usb-try listen f426:5001 81 10000 192 32 15)"
check "a second time" heard_well \
    "$(rig_guest_run -t 60 $guest usb-try listen f426:5001 81 16000 192 16 15)"
check "detach" xl usb-detach $guest "$camera"
check "both have gone home" eval '! shows $guest "[0-9][^ ]*"'
