#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# The service's unit, as systemd reads it, and its init script, as shells do:
# what can be known without starting them. The rig starts the script.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
service=xl-cmds/service

for shell in sh dash bash; do
    ! command -v "$shell" >/dev/null || "$shell" -n $service/libxl-ext-usb.init.in
done

# One that logrotate does not understand is ignored, with an error; so is one
# that a group can write, as in a clone under umask 002.
install -m 644 $service/xl-ext.logrotate "$dir/rotate"
if command -v logrotate >/dev/null; then
    logrotate -d -s "$dir/state" "$dir/rotate" >"$dir/said" 2>&1 &&
        ! grep '^error' "$dir/said" || { cat "$dir/said"; exit 1; }
fi

# The unit leaves what the watcher keeps by itself, no less and no more.
grep -o ' CAP([A-Z_]*)' xl-cmds/usb_confine.c | sed 's/.*(\(.*\))/CAP_\1/' | sort >"$dir/kept"
sed -n 's/^CapabilityBoundingSet=//p' $service/libxl-ext-usb.service.in |
    tr ' ' '\n' | sort >"$dir/left"
[ -s "$dir/kept" ] && diff "$dir/kept" "$dir/left" ||
    { echo "usb_confine.c and the unit differ in capabilities"; exit 1; }

command -v systemd-analyze >/dev/null ||
    { echo "no systemd-analyze here: the unit is not checked"; exit 77; }
sed "s|@sbindir@|$(realpath "$BUILD")|" $service/libxl-ext-usb.service.in \
    >"$dir/libxl-ext-usb.service"
# It tells of what it ignores, and succeeds.
status=0
systemd-analyze verify --man=no "$dir/libxl-ext-usb.service" \
    >"$dir/said" 2>&1 || status=$?
if [ $status -ne 0 ] || grep libxl-ext-usb "$dir/said"; then
    cat "$dir/said"
    exit 1
fi
