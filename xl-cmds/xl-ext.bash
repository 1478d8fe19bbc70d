# SPDX-License-Identifier: LGPL-2.1-only
# Completion for xl-ext: commands and options come from xl-ext itself. Under the
# name xl (see xl-ext install-front) the distribution's commands come along.

_xl_ext_commands()
{
    xl-ext help --commands 2>/dev/null
    [ "${1##*/}" != xl ] || "$1" help 2>/dev/null | awk '/^ [^ ]/ { print $1 }'
}

_xl_ext()
{
    local cur=${COMP_WORDS[COMP_CWORD]} words

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words=$(_xl_ext_commands "${COMP_WORDS[0]}")
    elif [ "${cur#-}" != "$cur" ]; then
        words=$(xl-ext help --options="${COMP_WORDS[1]}" 2>/dev/null)
    elif [[ ${COMP_WORDS[1]} = restore || ${COMP_WORDS[1]} = image-* ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
    elif [ "${COMP_WORDS[1]}" = usb-policy ]; then
        case $COMP_CWORD-${COMP_WORDS[2]} in
        2-*) words="check list" ;;
        3-check) words=$(find /sys/bus/usb/devices -name '[0-9]*' \
            ! -name '*:*' -printf '%f ' 2>/dev/null) ;;
        esac
    elif [ "$COMP_CWORD" -eq 2 ]; then
        words=$(xl list 2>/dev/null | awk 'NR > 1 { print $1 }')
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _xl_ext xl-ext
# Another xl keeps the completion that it has.
[[ $(readlink "$(type -P xl)") != *xl-ext ]] || complete -o default -F _xl_ext xl
