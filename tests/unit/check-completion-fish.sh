#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# Fish's completion: what it offers is what bash's does.
set -u

command -v fish >/dev/null || { echo "no fish here (Debian: fish)"; exit 77; }

. tests/unit/completion.bash
setup_completion
export HOME=$dir XDG_CONFIG_HOME=$dir XDG_DATA_HOME=$dir

complete_line()
{
    fish --no-config -c 'source xl-cmds/completion/xl-ext.fish
        complete -C $argv[1]' "$1" | cut -f 1
}

same_as_tables
same_operands
same 'type=auto' 'xl-ext usb-hc-create guest type=au'
same '--usb=detach' 'xl-ext save --usb=d'
exit $bad
