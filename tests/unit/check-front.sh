#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# The installed xl hands on what is not ours, unchanged, and refuses a bad
# `restore --lazy` before it runs anything.
set -u

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/ours" "$dir/real"
ln -s "$(realpath "$BUILD/xl-ext")" "$dir/ours/xl"
ln -s "$(realpath "$BUILD/xl-ext")" "$dir/ours/xl-ext"
cat >"$dir/real/xl" <<'EOF'
#!/bin/bash
[ "$1" != die ] || kill -TERM $$
[ "$1" != cat ] || exec cat
printf '<%s>' "$@"
echo
exit 42
EOF
chmod +x "$dir/real/xl"
PATH=$dir/ours:$dir/real:$PATH

bad=0
# expect STATUS OUTPUT-PATTERN COMMAND...
expect()
{
    local want=$1 pattern=$2 got status
    shift 2
    got=$("$@" 2>&1)
    status=$?
    # shellcheck disable=SC2053 # a pattern is meant
    if [ "$status" != "$want" ] || [[ $got != $pattern ]]; then
        echo "$*: exit $status, output: $got"
        echo "    wanted: exit $want, output like: $pattern"
        bad=1
    fi
}

# Handed on: arguments, exit status, signals, standard input.
expect 42 '<list><-l><a b><>' xl list -l 'a b' ''
expect 42 '<-v><-f><list>' xl -v -f list
expect 42 '<help><create>' xl help create
expect 42 '<help><save>' xl help save
expect 42 '<>' xl
expect 42 '<restore><-p><file>' xl restore -p file
expect 42 '<-v><restore><file>' xl -v restore file
expect 42 '<save><guest><file>' xl save guest file
expect 143 '*' bash -c 'xl die'
expect 0 'through' bash -c 'echo through | xl cat'

# Ours.
expect 0 'Usage: xl-ext COMMAND*usb-attach*' xl-ext help
expect 2 'Usage: xl-ext COMMAND*' xl-ext
expect 42 '<help>?*libxl-ext adds to this xl:*usb-attach*More: xl COMMAND*' \
    xl help
expect 42 '<-v><help>?*libxl-ext adds to this xl:*' xl -v help
expect 0 'Usage: xl usb-attach *' xl help usb-attach
# The completions take a line with one blank before it for a command of xl's.
! xl-ext help | grep '^ [^ ]' || bad=1
# Each command once, in a group, and xl's names of some behind all others.
listed=$(xl-ext help | sed -n 's/^  \([a-z-]*\) .*/\1/p')
[ "$(sort <<<"$listed")" = "$(xl-ext help --commands | sort)" ] ||
    { echo "help does not list each command once: $listed"; bad=1; }
[ "$(tail -n 4 <<<"$listed" | xargs)" = \
    'usbdev-attach usbdev-detach usbctrl-attach usbctrl-detach' ] ||
    { echo "help: the aliases are not apart"; bad=1; }
expect 0 'Usage: xl-ext restore --lazy*' xl-ext restore --lazy --help
expect 0 'Usage: xl restore --lazy*' xl restore --lazy --help
expect 2 'xl-ext: nonsense: no such command?See: xl-ext help*' xl-ext nonsense
expect 2 'xl-ext: usb-atach: no such command: did you mean usb-attach?*' \
    xl-ext usb-atach
expect 2 'help: usb-atach: no such command: did you mean usb-attach?*' \
    xl-ext help usb-atach
expect 2 'xl-ext: --hlep: no such option: did you mean --help?*See: xl-ext help' \
    xl-ext --hlep
expect 2 'xl-ext: --nonsense: no such option?See: xl-ext help' xl-ext --nonsense
expect 0 'libxl-ext [0-9]*' xl-ext --version
# Options that may be the distribution's are only hinted at.
expect 42 'restore: --lzay: did you mean --lazy?*<restore><--lzay><file>' \
    xl restore --lzay file
expect 42 'restore: --fsat: did you mean --fast?*<restore><--fsat><file>' \
    xl-ext restore --fsat file
expect 1 'restore: --recrod=2s: did you mean --record?*restore: file: *' \
    xl restore --lazy --recrod=2s file
expect 42 'save: --usbb=detach: did you mean --usb?*<save><--usbb=detach><g>' \
    xl save --usbb=detach g
expect 42 '<migrate><--debug><g><h>' xl migrate --debug g h
expect 2 'save: --usb takes =refuse or =detach*' xl save --usb detach g file
expect 2 'save: --usb takes =refuse or =detach*' xl save --usb=x g file
expect 2 'usb-list: --jsno: no such option: did you mean --json?*' \
    xl-ext usb-list --jsno
# Each says what it does, not its neighbour.
expect 0 'Usage: xl-ext dump-core *writes*memory to FILE*' \
    xl-ext dump-core --help
expect 0 'Usage: xl-ext usb-detach *DEVICE is one that the guest has*' \
    xl-ext usb-detach --help
[[ $(xl-ext dump-core --help) != *--usb* ]] || bad=1
[[ $(xl-ext usb-detach --help) != *'as for usb-attach'* ]] || bad=1
# It may be a command of the distribution's.
expect 42 'xl: usb-atach: did you mean usb-attach?*<usb-atach><a>' \
    xl usb-atach a
expect 42 '<ubs-attach>' xl ubs-attach
expect 42 '<usb-nothing>' xl usb-nothing
expect 42 '<lst>' xl lst
expect 2 'restore: --lazy takes =require*' xl restore --lazy=maybe file
expect 2 'restore: the save file is missing*' xl restore --lazy -p
expect 2 'restore: *--sidecar need --lazy*' xl restore --sidecar=x file
expect 2 'restore: --sidecar takes a path*' xl restore --lazy --sidecar x file
expect 2 'restore: --bwlimit takes bytes a second*' xl restore --lazy --bwlimit=x file
expect 2 'restore: --record cannot write beside FILE on an NBD server*' \
    xl restore --lazy --record nbd://host/x
expect 0 'Usage: xl restore --lazy*--fast*' xl restore --fast --help
expect 2 'restore: --lazy and --fast exclude each other*' \
    xl restore --lazy --fast file
expect 2 'restore: --fast takes no value*' xl restore --fast=always file
expect 2 'restore: *--record need --lazy, not*' \
    xl restore --fast --record file
expect 2 'restore: *--record need --lazy, not*' \
    xl restore --prefetch=1M --fast file
expect 2 'lazy-wait: takes one domain*' xl-ext lazy-wait
expect 2 'lazy-check: guest: takes no operand*' xl-ext lazy-check guest
expect 1 'Guests cannot be restored lazily: no hypervisor here*' \
    xl-ext lazy-check
expect 1 '{*"possible": false*"name": "xen"*"answer": "no"*}' \
    xl-ext lazy-check --json
expect 2 'lazy-list: --nonsense: *See: xl-ext lazy-list --help' \
    xl-ext lazy-list --nonsense
expect 2 'lazy-list: --nonsense: *See: xl lazy-list --help' \
    xl lazy-list --nonsense

# Help and examples have the name the program was called by, and no other.
commands=$(xl-ext help --commands)
[ -n "$commands" ] || { echo "xl-ext names no commands"; bad=1; }
ours=$(tr '\n' '|' <<<"$commands")
for command in $commands; do
    [ "$command" != help ] || continue # xl has one of its own
    lazy=
    [ "$command" != restore ] || lazy=--lazy
    long=$(xl-ext "$command" $lazy --help)
    short=$(xl "$command" $lazy --help)
    if [[ $short = *xl-ext\ * ]] || [ "$short" = "$long" ] ||
        [ "${long//xl-ext /xl }" != "$short" ] ||
        grep -E "^  xl (${ours%|}) " <<<"$long"; then
        echo "$command --help: not by the name it was called by"
        bad=1
    fi
done

# install-front: whole or undone, nothing foreign replaced, twice is as once.
tree()
{
    (cd "$dir/usr" && find . -printf '%P %y %l\n' | sort)
}
front()
{
    xl-ext install-front --dir="$dir/usr/sbin" "$@"
}
# same WHAT : the tree is what $before is.
same()
{
    [ "$(tree)" = "$before" ] || { echo "$1: the tree:"; tree; bad=1; }
}
program=$(realpath "$BUILD/xl-ext")
completions=$dir/usr/share/bash-completion/completions
mkdir -p "$dir/usr/sbin" "$dir/usr/share"
expect 2 'install-front: --dir=x: not an absolute path*' \
    xl-ext install-front --dir=x
expect 1 "install-front: $dir/none/xl: cannot make the link: No such*" \
    xl-ext install-front --dir="$dir/none"
before=$(tree)
expect 0 '' front --remove
same 'removed where there is none'
expect 0 '' front
[ "$(readlink "$dir/usr/sbin/xl")" = "$program" ] ||
    { echo "no front"; tree; bad=1; }
before=$(tree)
expect 0 '' front
same 'installed twice'
ln -sfn /gone/xl-ext "$dir/usr/sbin/xl"
expect 0 '' front
same 'installed over one of ours that is elsewhere'
PATH=$dir/usr/sbin:$PATH expect 42 '<list>' xl list
expect 0 '' front --remove

# Beside an installed program, and with its completion.
mkdir -p "$completions"
touch "$completions/xl-ext"
ln -s "$program" "$dir/usr/sbin/xl-ext"
before=$(tree)
expect 0 '' front
[ "$(readlink "$dir/usr/sbin/xl") $(readlink "$completions/xl")" = \
    'xl-ext xl-ext' ] || { echo "not beside the program"; tree; bad=1; }
expect 0 '' front --remove
same 'removed'
for foreign in "$dir/usr/sbin/xl" "$completions/xl"; do
    for kind in file link; do
        case $kind in
        file) echo theirs >"$foreign" ;;
        link) ln -s /theirs/xl "$foreign" ;;
        esac
        before=$(tree)
        expect 1 "install-front: *: belongs to another program: it stays; *" front
        same "install over a foreign $kind"
        expect 0 "install-front: *: belongs to another program: it stays" \
            front --remove
        same "remove of a foreign $kind"
        rm "$foreign"
    done
done
mkdir "$dir/usr/sbin/xl"
before=$(tree)
expect 1 "install-front: *: belongs to another program*" front
same 'install over a folder'

# Bad files: one line that names the file, nothing run.
echo text >"$dir/text"
gzip -c "$dir/text" >"$dir/text.gz"
: >"$dir/empty"
head -c 40 /dev/zero >"$dir/zero"
expect 1 "restore: */gone: *" xl restore --lazy "$dir/gone"
for f in text empty zero; do
    expect 1 "restore: $dir/$f: *" xl restore --lazy "$dir/$f"
    expect 1 "restore: $dir/$f: *" xl restore --lazy=require "$dir/$f"
    expect 1 "restore: $dir/$f: *" xl restore --fast "$dir/$f"
done
expect 1 "restore: $dir: *" xl restore --lazy "$dir"

# A compressed file is unpacked on the way.
cat >"$dir/real/xl" <<'EOF'
#!/bin/bash
printf '<%s>' "${@:1:$#-1}"
cat "${!#}"
exit 42
EOF
expect 42 '*compressed with gzip*restoring eagerly*<restore><-p>text' \
    xl restore --lazy -p "$dir/text.gz"
expect 1 '*compressed with gzip*nothing was restored*' \
    xl restore --lazy=require "$dir/text.gz"

expect 42 '*compressed with gzip*as the distribution*<restore><-p>text' \
    xl restore -p --fast "$dir/text.gz"

# By whatever else packs, where it is installed; the name says nothing.
while read -r name packer; do
    # shellcheck disable=SC2086 # a command and its options
    command -v ${packer%% *} >/dev/null || continue
    $packer <"$dir/text" >"$dir/packed"
    expect 42 "*compressed with $name: *restoring eagerly*<restore><-p>text" \
        xl restore --lazy -p "$dir/packed"
done <<EOF
zstd zstd -qc
zstd pzstd -qc
xz xz -c
lzma lzma -c
lz4 lz4 -qc
lz4 lz4 -qlc
bzip2 bzip2 -c
EOF

# A pipe is a good image that cannot be lazy; nothing of it is lost.
mkfifo "$dir/fifo"
echo 'through the pipe' >"$dir/fifo" &
expect 42 '*restoring eagerly*<restore><-p>through the pipe' \
    xl restore --lazy -p "$dir/fifo"
expect 1 '*nothing was restored*' xl restore --lazy=require "$dir/fifo"
echo 'through the pipe' >"$dir/fifo" &
expect 42 '*as the distribution*<restore><-p>through the pipe' \
    xl restore --fast -p "$dir/fifo"

exit "$bad"
