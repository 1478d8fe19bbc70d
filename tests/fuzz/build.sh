#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-only
# Builds the fuzzers and their seeds into build/fuzz; needs clang with its
# sanitizer runtime and a configured tree (make; BUILD=FOLDER: one made with
# make B=FOLDER). `make fuzz` runs each of them for an hour, or FUZZ_SECONDS=N; one
# alone is
#
#   cd build/fuzz
#   ./fuzz-image -max_total_time=3600 -max_len=32768 image
set -eu

cd "$(dirname "$0")/../.."
build=${BUILD:-build}
out=$build/fuzz
mkdir -p "$out/image" "$out/sidecar" "$out/offers" "$out/usbd"
cp -r tests/fuzz/corpus/. "$out"
flags="-std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I$build -Iinclude
       -Ilibxl-ext -Itests -g -O1 $(pkg-config --cflags uuid)"
sources="libxl-ext/core/*.c libxl-ext/host/new_file.c
         libxl-ext/image/*.c tests/fakes/image_build.c
         tests/fakes/image_seeds.c"

# shellcheck disable=SC2086 # lists
${CC:-cc} $flags -o "$out/seed-image" tests/fuzz/seed-image.c $sources \
    -lyajl -luuid
"$out/seed-image" "$out/image" "$out/sidecar"
for name in image sidecar; do
    # shellcheck disable=SC2086
    ${CLANG:-clang} $flags -fsanitize=fuzzer,address,undefined \
        -fno-sanitize-recover=all -o "$out/fuzz-$name" \
        "tests/fuzz/fuzz-$name.c" $sources -lyajl -luuid
    echo "$out/fuzz-$name $out/$name"
done

printf 'version=1\nserial=7\nvcpu/0=0x41-0x48 0x51\nport/10=0 0x41\n' \
    >"$out/offers/good"
sources="libxl-ext/core/*.c libxl-ext/evtchn/offers.c libxl-ext/evtchn/spread.c
         libxl-ext/evtchn/places_text.c
         libxl-ext/xen/xenstore.c libxl-ext/xen/xenstore_daemon.c
         tests/fakes/xenstore_mem.c"
# shellcheck disable=SC2086
${CLANG:-clang} $flags -fsanitize=fuzzer,address,undefined \
    -fno-sanitize-recover=all -o "$out/fuzz-offers" tests/fuzz/fuzz-offers.c \
    $sources -lxenstore -luuid
echo "$out/fuzz-offers $out/offers"

sources="libxl-ext/usbd/control.c libxl-ext/usbd/descriptors.c
         libxl-ext/usbd/iso.c"
# shellcheck disable=SC2086
${CC:-cc} $flags -o "$out/seed-usbd" tests/fuzz/seed-usbd.c \
    tests/fakes/usb_sets.c
"$out/seed-usbd" "$out/usbd"
# shellcheck disable=SC2086
${CLANG:-clang} $flags -fsanitize=fuzzer,address,undefined \
    -fno-sanitize-recover=all -o "$out/fuzz-usbd" tests/fuzz/fuzz-usbd.c $sources
echo "$out/fuzz-usbd $out/usbd"

# fuzzer NAME LIBRARIES SOURCE... : of tests/fuzz/fuzz-NAME.c.
fuzzer()
{
    name=$1 libs=$2
    shift 2
    # shellcheck disable=SC2086 # lists
    ${CLANG:-clang} $flags -fsanitize=fuzzer,address,undefined \
        -fno-sanitize-recover=all -o "$out/fuzz-$name" \
        "tests/fuzz/fuzz-$name.c" "$@" $libs
    echo "$out/fuzz-$name $out/$name"
}

fuzzer policy -luuid libxl-ext/usb/admission/policy.c libxl-ext/core/*.c
fuzzer intent '-lyajl -luuid' libxl-ext/usb/assign/intent_json.c \
    libxl-ext/usb/device/busid.c libxl-ext/core/*.c
fuzzer message '-lyajl -luuid -lxenstore' libxl-ext/lazy/message.c \
    libxl-ext/lazy/status.c libxl-ext/xen/domain.c libxl-ext/xen/xenstore.c \
    libxl-ext/xen/xenstore_daemon.c libxl-ext/host/sysfs.c libxl-ext/core/*.c
fuzzer front '' libxl-ext/xen/usb_front.c

fuzzer sysfs -luuid libxl-ext/core/*.c libxl-ext/host/sysfs.c \
    libxl-ext/usb/device/busid.c libxl-ext/usb/device/device.c \
    libxl-ext/usb/device/needs.c libxl-ext/usbd/descriptors.c \
    tests/fakes/sysfs_mem.c
controller=libxl-ext/usb/controller
fuzzer guest '-luuid -lxenstore' libxl-ext/core/*.c libxl-ext/evtchn/devices.c \
    libxl-ext/host/fds.c libxl-ext/host/lock.c libxl-ext/host/process.c \
    libxl-ext/host/program.c libxl-ext/host/sysfs.c $controller/backend.c \
    $controller/hc.c $controller/hc_state.c $controller/log.c \
    $controller/usbback.c libxl-ext/usb/device/busid.c \
    libxl-ext/usb/device/drivers.c libxl-ext/usbd/bus.c \
    libxl-ext/usbd/port_status.c libxl-ext/xen/domain.c \
    libxl-ext/xen/xenstore.c libxl-ext/xen/xenstore_daemon.c \
    tests/fakes/xenstore_mem.c
fuzzer ring '-luuid -lxenctrl -lxenevtchn -lxenforeignmemory' \
    libxl-ext/core/*.c libxl-ext/lazy/pages.c libxl-ext/xen/paging_ring.c
