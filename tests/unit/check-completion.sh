#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# Bash's completion: under the name xl-ext our commands, under xl also the
# distribution's; an xl that is not ours keeps its own.
set -u

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/ours" "$dir/real"
ln -s "$(realpath "$BUILD/xl-ext")" "$dir/ours/xl-ext"
cat >"$dir/real/xl" <<'EOT'
#!/bin/sh
echo 'Usage xl [-v] <subcommand> [args]'
echo ' create              Create a domain'
EOT
chmod +x "$dir/real/xl"
PATH=$dir/ours:$dir/real:$PATH
bad=0

# words WORD... : what completes the last of them.
words()
{
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _xl_ext
    echo "${COMPREPLY[*]}"
}

# same WANTED WORD...
same()
{
    local want=$1 got
    shift
    got=$(words "$@")
    [ "$got" = "$want" ] || { echo "$*: '$got', wanted '$want'"; bad=1; }
}

. xl-cmds/xl-ext.bash
complete -p xl-ext >/dev/null || bad=1
! complete -p xl 2>/dev/null || { echo "another's xl is completed"; bad=1; }
same 'usb-attach usb-assign' xl-ext usb-a
same '' xl-ext crea
same '--bwlimit=' xl-ext lazy-set --bw

ln -s xl-ext "$dir/ours/xl"
hash -r
. xl-cmds/xl-ext.bash
complete -p xl >/dev/null || { echo "our xl is not completed"; bad=1; }
same 'create' xl crea
same 'usb-attach usb-assign' xl usb-a
same 'create' "$dir/ours/xl" crea
exit $bad
