# SPDX-License-Identifier: LGPL-2.1-only
#
# What cannot be restored is refused before there is a domain, in one line that
# names the file and the cause; what cannot be restored lazily is told apart.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

all_statuses() { xl-ext lazy-list --json; }

# refused WHAT LINE COMMAND... : LINE is a pattern for all that it prints.
refused() {
    local what=$1 line=$2 said status=0 before
    shift 2
    before=$(all_statuses)
    said=$("$@" 2>&1) || status=$?
    echo "$what: $said ($status)"
    [ $status != 0 ] || rig_fail "$what: it was restored"
    [ "$(wc -l <<<"$said")" = 1 ] || rig_fail "$what: not one line"
    # shellcheck disable=SC2053 # a pattern
    [[ $said == $line ]] || rig_fail "$what: not '$line'"
    lazy_no_trace || rig_fail "$what: something is left"
    [ "$(all_statuses)" = "$before" ] || rig_fail "$what: a status is left"
}

# eagerly WHAT LINE COMMAND... : LINE is a pattern for the first that it prints.
eagerly() {
    local what=$1 line=$2 said
    shift 2
    "$@" >"$RIG_TMP/said" 2>&1 || rig_fail "$what: $(<"$RIG_TMP/said")"
    said=$(head -n 1 "$RIG_TMP/said")
    echo "$what: $said"
    # shellcheck disable=SC2053 # a pattern
    [[ $said == $line ]] || rig_fail "$what: not '$line'"
    [ -z "$(lazy_field "$(rig_domid g)" state)" ] || rig_fail "$what: lazily"
    lazy_no_processes || rig_fail "$what: something is left"
    rig_guest_run -t 120 g 'pattern check /mem/p 42' || rig_fail "$what: data"
    rig_guest_stop g
}

# Level 0: a gzip file that costs no time.
pack() {
    python3 -c 'import gzip, shutil, sys
shutil.copyfileobj(open(sys.argv[1], "rb"), gzip.open(sys.argv[2], "wb", 0))' \
        "$@"
}

as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

lazy_save pvh 1
bad=$RIG_TMP/bad
size=$(stat -c %s "$lazy_file")
libxc=$(head -c 65536 "$lazy_file" | grep -abom 1 XENF | cut -d : -f 1)

refused "no file" "restore: $bad: *" xl restore --lazy "$bad"
refused "a folder" "restore: $RIG_TMP: *" xl restore --lazy "$RIG_TMP"
: >"$bad"
refused "empty" "restore: $bad: *" xl restore --lazy "$bad"
head -c 1000000 /dev/urandom >"$bad"
refused "noise" "restore: $bad: not *" xl restore --lazy "$bad"
cp "$lazy_file" "$bad"
printf '\x7f\0\0\0' |
    dd of="$bad" bs=1 seek=$((libxc + 32)) conv=notrunc status=none
refused "unknown record" "restore: $bad: *record*" xl restore --lazy "$bad"
cp "$lazy_file" "$bad"
for cut in 1 20 $((size / 2)) $((size - libxc - 40)) $((size - 40)); do
    truncate -s $((size - cut)) "$bad"
    refused "$cut bytes short" "restore: $bad: *" xl restore --lazy "$bad"
done

chmod 600 "$lazy_file"
refused "nobody's" "restore: $lazy_file: *Permission denied" \
    as_nobody xl restore --lazy "$lazy_file"
chmod 644 "$lazy_file"
refused "not root" "restore: *root*" as_nobody xl restore --lazy "$lazy_file"

pack "$lazy_file" "$bad"
refused "packed, required" "restore: $bad: *compressed*" \
    xl restore --lazy=require "$bad"
eagerly "packed" "restore: $bad: *compressed*" xl restore --lazy "$bad"
rm "$bad"
refused "a pipe, required" "restore: /dev/fd/*: *pipe*" \
    xl restore --lazy=require <(cat "$lazy_file" 2>/dev/null)
eagerly "a pipe" "restore: /dev/fd/*: *pipe*" \
    xl restore --lazy <(cat "$lazy_file")
