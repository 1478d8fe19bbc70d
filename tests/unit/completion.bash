# SPDX-License-Identifier: LGPL-2.1-only
# What the checks of the completions share: commands in a folder of their own,
# among them a distribution's xl, and what has to be completed to what.

setup_completion()
{
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
    mkdir "$dir/ours" "$dir/real"
    ln -s "$(realpath "$BUILD/xl-ext")" "$dir/ours/xl-ext"
    cat >"$dir/real/xl" <<'EOS'
#!/bin/sh
echo 'Usage xl [-v] <subcommand> [args]'
echo ' create              Create a domain'
EOS
    chmod +x "$dir/real/xl"
    PATH=$dir/ours:$dir/real:$PATH
    export PATH
    bad=0
}

# same WANTED LINE : what `complete_line` makes of the line, in one line.
same()
{
    local got
    got=$(complete_line "$2" | sort | xargs)
    [ "$got" = "$1" ] || { echo "$2: '$got', wanted '$1'"; bad=1; }
}

# Every command and every option of the tables, and nothing else.
same_as_tables()
{
    local command commands
    commands=$(xl-ext help --commands) || bad=1
    [ -n "$commands" ] || { echo "xl-ext names no commands"; bad=1; }
    same "$(sort <<<"$commands" | xargs)" 'xl-ext '
    for command in $commands; do
        same "$(xl-ext help --options="$command" | sort | xargs)" \
            "xl-ext $command --"
    done
}

# What stands behind a command.
same_operands()
{
    same 'usb-assign usb-attach' 'xl-ext usb-a'
    same '' 'xl-ext crea'
    same '--bwlimit=' 'xl-ext lazy-set --bw'
    same 'check list' 'xl-ext usb-policy '
    same 'ports= type= version=' 'xl-ext usb-hc-create guest '
    same 'off on' 'xl-ext evtchn-allow guest o'
    same '' 'xl-ext nonsense '
    touch "$dir/a.save" "$dir/a.other"
    same "$dir/a.other $dir/a.save" "xl-ext image-info $dir/a."
}
