# SPDX-License-Identifier: LGPL-2.1-only
#
# The outer machine: QEMU without hardware virtualization, Xen as its kernel.
# README.md has the reason for each flag that is not obvious.

# SMAP/SMEP: the PV dom0 dies early with them. MONITOR: Xen dies in its idle
# loop. RDTSCP: the emulation lacks NRIPS, and guests using it are killed.
# PCID: off keeps XPTI simple. SSE4.2: its CRC32 is emulated bit by bit; a page's
# checksum takes 25 us by it, 6 us without it, and 0.1 us on a real processor.
cpu_model=EPYC,+svm,+npt,-pcid,-smap,-smep,-monitor,-rdtscp,-sse4.2

# eager-fpu: the XSAVE of the distribution's QEMU does not look at CR0.TS, so
# with Xen's lazy switching programs of dom0 and guests got each other's
# registers. Ours does, but a run may have to do without it.
xen_line() {
    echo "console=com1 dom0_mem=${dom0_mem}M,max:${dom0_mem}M" \
        "dom0_max_vcpus=$dom0_vcpus cpuidle=0 noreboot console_timestamps=boot" \
        "loglvl=all guest_loglvl=all spec-ctrl=eager-fpu"
}

share() {
    local access=${3:-readonly=on}
    printf '%s\n' -virtfs "local,path=${2//,/,,},mount_tag=$1,$(
        )security_model=none,multidevs=remap,$access"
}

shares() {
    local n
    share host "$run/rig"
    share run "$run"
    share out "$out" readonly=off
    share guest "$guest"
    share tools "$tools"
    [ -z "$given" ] || share given "$given"
    for n in "${!folders[@]}"; do
        share "cases$n" "${folders[n]}"
    done
}

# The rig's own lines go to standard output, or the terminal to a console.
# The machine's monitor is its own client: dom0 speaks to it through a port; another
# is for the watcher (watch.sh). Xen's console is a file, and a socket for keys.
ports() {
    local term='-chardev file,id=rig,path=/dev/stdout'
    if [ "$mode" = shell ]; then
        echo "-chardev stdio,id=shell,signal=off"
        term="-chardev file,id=rig,path=$run/events"
    fi
    echo "$term"
    echo "-chardev socket,id=console,path=$run/console,server=on,wait=off,$(
        )logfile=$out/console.log"
    echo "-device virtio-serial-pci,id=ports"
    echo "-device virtserialport,bus=ports.0,nr=1,chardev=rig,name=rig"
    echo "-chardev socket,id=watcher,path=$run/monitor,server=on,wait=off"
    echo "-mon chardev=watcher,mode=readline"
    echo "-chardev socket,id=qmp,path=$run/qmp,server=on,wait=off"
    echo "-mon chardev=qmp,mode=control"
    echo "-chardev socket,id=dom0qmp,path=$run/qmp,server=off"
    echo "-device virtserialport,bus=ports.0,nr=2,chardev=dom0qmp,name=qmp"
    [ "$mode" != shell ] ||
        echo "-device virtconsole,bus=ports.0,nr=3,chardev=shell,name=shell"
}

# Ports 1 and 2 of the xHCI take SuperSpeed devices, 3 to 12 do not: PVUSB
# carries high speed at most. dom0 sees port P of it as 1-P.
usb() {
    local n
    echo "-device qemu-xhci,id=xhci,p2=12,p3=2"
    echo "-device usb-ehci,id=ehci"
    echo "-chardev null,id=null"
    for n in 0 1 2 3; do
        truncate -s 16M "$run/disk$n"
        printf 'rig disk %d\n' "$n" |
            dd of="$run/disk$n" conv=notrunc status=none
        echo "-blockdev driver=raw,node-name=disk$n,$(
            )file.driver=file,file.filename=$run/disk$n"
    done
    echo "-device usb-tablet,bus=xhci.0,port=3,id=tablet"
    echo "-device usb-storage,bus=xhci.0,port=4,id=disk,drive=disk0,serial=RIG0"
}

# What cases plug in, and where dom0 finds the other side of it: what a sound
# card plays is recorded in /rig/run/sound.wav, as it is sent (the mixer would
# change it); a serial line's end is /dev/virtio-ports/line; of a network card's
# cable, eth0; a phone's files are /rig/run/phone.
usb_backs() {
    echo "-audiodev wav,id=sound,path=$run/sound.wav,out.mixing-engine=off"
    echo "-chardev socket,id=line,path=$run/line,server=on,wait=off"
    echo "-chardev socket,id=dom0line,path=$run/line,server=off"
    echo "-device virtserialport,bus=ports.0,nr=4,chardev=dom0line,name=line"
    echo "-netdev hubport,id=cable,hubid=0"
    echo "-netdev hubport,id=dom0cable,hubid=0"
    echo "-device virtio-net-pci,netdev=dom0cable,romfile=,$(
        )mac=52:54:00:00:00:01"
    mkdir -p "$run/phone"
    # QEMU wants to be told of it by its name out here.
    echo "$run" >"$run/folder"
    printf 'rig phone\n' >"$run/phone/note.txt"
    truncate -s 320M "$run/stick"
    echo "-blockdev driver=raw,node-name=stick,$(
        )file.driver=file,file.filename=$run/stick"
}

# Words of these lines hold no blanks, but for the paths of the shares.
machine_arguments() {
    local -n list=$1
    mapfile -t list < <(shares)
    # shellcheck disable=SC2207
    list+=($(ports) $(usb) $(usb_backs))
    list+=(
        -name libxl-ext-rig -nodefaults -display none -no-reboot
        -machine q35 -accel tcg,thread=multi -cpu "$cpu_model" -smp 2
        -m "${mem}M" -serial chardev:console
        -kernel "$xen" -append "$(xen_line)"
    )
    if [ -n "$disk" ]; then
        # Controllers come in no certain order there: one has a certain number.
        list+=(-drive "file=${disk//,/,,},format=raw,if=ide" -initrd
            "$installed/vmlinux console=hvc0 quiet panic=0 root=LABEL=dom0 rw $(
                )modprobe.blacklist=ehci_pci,$installed/initrd")
    else
        list+=(-initrd
            "$kernel/vmlinux console=hvc0 quiet panic=0 sysrq_always_enabled,$(
                )$dom0/dom0.cpio")
    fi
}

# The machine goes when the runner goes, however that happens. Its own messages
# are of interest only when it does not start.
start_machine() {
    local arguments
    machine_arguments arguments
    : >"$out/console.log"
    exec setpriv --pdeathsig KILL \
        "$qemu" "${arguments[@]}" 2>"$out/qemu.log"
}
