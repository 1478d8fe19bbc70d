#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# Bash's completion: under the name xl-ext our commands, under xl also the
# distribution's; an xl that is not ours keeps its own.
set -u

. tests/unit/completion.bash
setup_completion

complete_line()
{
    COMP_LINE=$1 COMP_POINT=${#1}
    _xl_ext
    printf '%s\n' "${COMPREPLY[@]}"
}

. xl-cmds/completion/xl-ext.bash
complete -p xl-ext >/dev/null || bad=1
! complete -p xl 2>/dev/null || { echo "another's xl is completed"; bad=1; }
same_as_tables
same_operands
# Bash puts it behind the '=' that stands there already.
same 'auto' 'xl-ext usb-hc-create guest type=au'
same 'detach' 'xl-ext save --usb=d'

ln -s xl-ext "$dir/ours/xl"
hash -r
. xl-cmds/completion/xl-ext.bash
complete -p xl >/dev/null || { echo "our xl is not completed"; bad=1; }
same 'create' 'xl crea'
same 'usb-assign usb-attach' 'xl usb-a'
same 'create' "$dir/ours/xl crea"
exit $bad
