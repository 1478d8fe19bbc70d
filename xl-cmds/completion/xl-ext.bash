# SPDX-License-Identifier: LGPL-2.1-only
# Completion for xl-ext, by what xl-ext itself says. Under the name xl (see
# xl-ext install-front) the distribution's commands come along.

# Those that begin with $2.
_xl_ext_distribution()
{
    "$1" help 2>/dev/null |
        awk -v start="$2" '/^ [^ ]/ && index($1, start) == 1 { print $1 }'
}

_xl_ext()
{
    # Bash has taken the line apart at each '=' and ':', too.
    local line=${COMP_LINE:0:COMP_POINT} words=() word candidates
    read -ra words <<<"$line"
    [[ $line != *[[:blank:]] ]] || words+=("")
    word=${words[${#words[@]} - 1]}

    COMPREPLY=()
    mapfile -t candidates < <(
        xl-ext help --complete -- "${words[@]:1}" 2>/dev/null
        [[ ${#words[@]} -gt 2 || ${words[0]##*/} != xl ]] ||
            _xl_ext_distribution "${words[0]}" "$word"
    )
    if [[ ${candidates[0]-} = @files ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "${word##*=}")
        return
    fi
    candidates=("${candidates[@]%%$'\t'*}")
    [[ ${#candidates[@]} -ne 1 || ${candidates[0]} != *= ]] ||
        compopt -o nospace 2>/dev/null
    [[ $word != *=* || $COMP_WORDBREAKS != *=* ]] ||
        candidates=("${candidates[@]#*=}")
    COMPREPLY=("${candidates[@]}")
}
complete -F _xl_ext xl-ext
# Another xl keeps the completion that it has.
[[ $(readlink "$(type -P xl)") != *xl-ext ]] || complete -o default -F _xl_ext xl
