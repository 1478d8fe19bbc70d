#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-only
# The man pages are well-formed and name every command and every option.
set -eu

podchecker docs/*.pod
bad=0
for command in $("$BUILD/xl-ext" help --commands); do
    page=$(grep -lE "(B<(xl )?|=head2 )$command([ >]|\$)" docs/*.pod) ||
        { echo "no man page has the command $command"; bad=1; continue; }
    for option in $("$BUILD/xl-ext" help --options="$command"); do
        option=${option%=}
        [ "$option" != --help ] || continue
        # shellcheck disable=SC2086 # one or two pages
        grep -q -- "$option" $page ||
            { echo "no man page has $command $option"; bad=1; }
    done
done
exit $bad
