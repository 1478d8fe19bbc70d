#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# Zsh's completion: what it offers is what bash's does.
set -u

command -v zsh >/dev/null || { echo "no zsh here (Debian: zsh)"; exit 77; }

. tests/unit/completion.bash
setup_completion

# What zsh's own functions would be given. Its editor is not there.
cat >"$dir/run" <<'EOS'
_files() { print -l -- ${PREFIX}*(N) }
_default() { print default }
compset() { [[ $2 = '*=' ]] && PREFIX=${PREFIX#*=} }
_describe() {
    local name word
    for name in ${@[4,-1]:#-*}; do
        [[ -n $name ]] || continue
        for word in ${(P)name}; do
            word=${word%%:*}
            [[ $word != $PREFIX* ]] || print -r -- $word
        done
    done
}
line=$1
words=(${(z)line})
[[ $line != *' ' ]] || words+=('')
CURRENT=$#words PREFIX=$words[-1] service=${words[1]:t}
. xl-cmds/completion/_xl-ext
EOS

complete_line()
{
    zsh -f "$dir/run" "$1"
}

same_as_tables
same_operands
same 'type=auto' 'xl-ext usb-hc-create guest type=au'
same '--usb=detach' 'xl-ext save --usb=d'
same 'default' 'xl crea'

ln -s xl-ext "$dir/ours/xl"
same 'create' 'xl crea'
same 'usb-assign usb-attach' 'xl usb-a'
grep -q '^#compdef xl-ext xl$' <(head -n 1 xl-cmds/completion/_xl-ext) || bad=1
exit $bad
