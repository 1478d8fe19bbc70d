#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# Under systemd a USB backend starts in a scope of its own, once, and does there
# what it does without systemd.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unshare -rm true 2>/dev/null ||
    { echo "no namespaces here: not checked"; exit 77; }
cat >"$dir/systemd-run" <<'EOT'
#!/bin/sh
echo "$*" >>"$SAID"
while [ "${1#--}" != "$1" ]; do shift; done
exec "$@"
EOT
chmod +x "$dir/systemd-run"

# backend yes|no PATH : as its parent starts it; without Xen it says so.
backend()
{
    # shellcheck disable=SC2016 # for the inner shell
    SAID=$dir/said PATH=$2 unshare -rm sh -c '
        mount -t tmpfs none /run
        [ "$0" = no ] || mkdir -p /run/systemd/system
        "$@" || echo "exit $?"' "$1" "$(realpath "$BUILD/xl-ext-usb-backend")" \
        5 "$dir" "$dir" "$dir" 2>/dev/null
}

without=$(backend no "$dir:$PATH")
[[ $without = *'exit 1' ]] || { echo "without systemd: $without"; exit 1; }
[ ! -e "$dir/said" ] || { echo "systemd-run without systemd"; exit 1; }
with=$(backend yes "$dir:$PATH")
[ "$with" = "$without" ] ||
    { echo "under systemd: $with"; echo "without: $without"; exit 1; }
grep -Eqx -- '--scope .*--unit=xl-ext-usb-backend-5-[0-9]+ /.* 5 .*' \
    "$dir/said" || { cat "$dir/said"; exit 1; }
[ "$(wc -l <"$dir/said")" = 1 ] || { echo "more than once"; exit 1; }

# No systemd-run to be had: as without systemd.
rm "$dir/systemd-run"
for program in sh mount mkdir; do
    ln -s "$(command -v $program)" "$dir/$program"
done
unshare=$(command -v unshare)
unshare() { "$unshare" "$@"; }
[ "$(backend yes "$dir")" = "$without" ] ||
    { echo "systemd without systemd-run"; exit 1; }
