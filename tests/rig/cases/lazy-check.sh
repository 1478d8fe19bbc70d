# SPDX-License-Identifier: LGPL-2.1-only
#
# What lazy-check asks for, the patched hypervisor can do.

set -eu
. /rig/lib/rig.sh

xl-ext lazy-check || rig_fail "exit status $?"
missing=$(xl-ext lazy-check | sed -nE 's/^([^ ]+) +(no|unknown) .*/\1/p')
[ -z "$missing" ] || rig_fail "missing: $missing"
xl-ext lazy-check --json >"$RIG_TMP/json"
grep '"possible": true' "$RIG_TMP/json" || rig_fail "JSON"
[ "$(grep -c '"answer": "yes"' "$RIG_TMP/json")" = 11 ] ||
    rig_fail "$(<"$RIG_TMP/json")"
