#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-only
# The man pages are well-formed and name every command and every option.
set -eu

podchecker docs/*.pod
bad=0
# Not in the loops' heads, where a failure would be an empty list.
commands=$("$BUILD/xl-ext" help --commands)
[ -n "$commands" ] || { echo "xl-ext names no commands"; exit 1; }
for command in $commands; do
    page=$(grep -lE "(B<(xl )?|=head2 )$command([ >]|\$)" docs/*.pod) ||
        { echo "no man page has the command $command"; bad=1; continue; }
    options=$("$BUILD/xl-ext" help --options="$command")
    for option in $options; do
        option=${option%=}
        [ "$option" != --help ] || continue
        # shellcheck disable=SC2086 # one or two pages
        grep -q -- "$option" $page ||
            { echo "no man page has $command $option"; bad=1; }
    done
done
exit $bad
