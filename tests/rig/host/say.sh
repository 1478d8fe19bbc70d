# SPDX-License-Identifier: LGPL-2.1-only
#
# What the rig tells its user. Progress goes to standard error, so that
# functions can hand their result back on standard output.

say() { printf 'rig: %s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

# timed TEXT COMMAND... : runs COMMAND and says what took how long.
timed() {
    local text=$1 start=$SECONDS
    shift
    say "$text ..."
    "$@" || return
    say "$text ... $((SECONDS - start)) s"
}
