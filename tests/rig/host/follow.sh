# SPDX-License-Identifier: LGPL-2.1-only
#
# Follows a run: prints what the cases print, and keeps count.

current='' last=-1 ended=no
pending=()  # indices of the cases that have not passed yet, as planned
passed=()   # and those that have, in this machine
repeated=() # names of cases that did not pass at the first try

# What did not pass is run again in a machine booted anew: nothing of the first
# try is left there, and the machine itself may be what failed.
run_cases() {
    local try
    pending=("${!cases[@]}")
    for ((try = 1; ; try++)); do
        run_machine
        drop_passed
        [ ${#pending[@]} -gt 0 ] && [ "$try" -lt "$tries" ] || break
        keep_logs "$try"
    done
    conclude
}

run_machine() {
    current='' last=-1 ended=no passed=()
    rm -f "$run/why" "$run/booted"
    write_plan
    start_watched
    while IFS= read -r line || [ -n "$line" ]; do
        line=${line%$'\r'}
        case $line in
        *"@rig@ "*)
            [ -z "${line%%@rig@ *}" ] || print_line "${line%%@rig@ *}"
            # shellcheck disable=SC2086
            on_event ${line#*@rig@ }
            [ $ended = no ] || break ;;
        *) print_line "$line" ;;
        esac
    done <&7
    exec 7<&-
    end_machine
}

drop_passed() {
    local n left=()
    for n in "${pending[@]}"; do
        [[ " ${passed[*]} " == *" $n "* ]] || left+=("$n")
    done
    pending=("${left[@]}")
}

names_of() {
    local n
    for n in "$@"; do
        printf '%s ' "${cases[n]}"
    done
}

# Of the try that failed; the next one writes its own.
keep_logs() {
    local folder=$out/try$1
    repeated+=("${pending[@]}")
    mkdir -p "$folder"
    find "$out" -mindepth 1 -maxdepth 1 ! -name 'try*' \
        -exec mv -t "$folder" {} +
    say "once more, in a machine booted anew: $(names_of "${pending[@]}")"
}

start_watched() {
    touch "$run/alive"
    say "booting ($suite, $flavour Xen, ${mem} MiB, dom0 ${dom0_mem} MiB$(which_qemu))"
    booting=$SECONDS
    exec 7< <(start_machine </dev/null)
    machine=$!
    watch_machine </dev/null >/dev/null &
    watcher=$!
}

# Named when it is not ours: what a guest does there says less.
which_qemu() {
    case $qemu in
    "$cache"/*) ;;
    *) echo ", the distribution's QEMU" ;;
    esac
}

print_line() {
    printf '%s\n' "$1"
    [ -z "$current" ] || printf '%s\n' "$1" >>"$out/${cases[current]%.sh}.log"
}

on_event() {
    touch "$run/alive"
    case $1 in
    booted) touch "$run/booted" ;;
    ready) say "dom0 is up ... $((SECONDS - booting)) s" ;;
    start)
        current=$2 last=$2 started=$SECONDS
        printf -- '--- %s\n' "${cases[current]}" ;;
    done) on_done "$3" ;;
    broken) echo "${*:2}" >"$run/why"; ended=yes ;;
    end) ended=yes ;;
    esac
}

on_done() {
    local took=$((SECONDS - started)) name=${cases[current]}
    case $1 in
    0) passed+=("$current"); echo "--- passed: $name ($took s)" ;;
    124 | 137) echo "--- FAILED: $name (cut off after $took s)" ;;
    *) echo "--- FAILED: $name (exit status $1, $took s)" ;;
    esac
    current=
}

end_machine() {
    local lines=15
    kill -KILL "$machine" 2>/dev/null
    kill "$watcher" 2>/dev/null
    wait "$machine" "$watcher" 2>/dev/null
    if [ $ended = no ] && [ ! -s "$run/why" ]; then
        echo "the machine went away" >"$run/why"
    fi
    [ -s "$run/why" ] || return 0
    name_the_rest
    echo "--- the machine: $(cat "$run/why"); its last lines:"
    # What Xen was asked for is long.
    [[ $(<"$run/why") != hung:* ]] || lines=150
    tail -n $lines "$out/console.log" | tr -d '\r'
}

# The case that was running, and those that did not get their turn.
name_the_rest() {
    local n
    [ -z "$current" ] || echo "--- FAILED: ${cases[current]}"
    for n in "${pending[@]}"; do
        [ "$n" -le "$last" ] || echo "--- NOT RUN: ${cases[n]}"
    done
}

conclude() {
    [ ${#repeated[@]} -eq 0 ] ||
        say "not passed at the first try, have a look: $(names_of "${repeated[@]}")"
    say "logs are in $out"
    echo "$((${#cases[@]} - ${#pending[@]})) passed, ${#pending[@]} failed"
    [ ${#pending[@]} -eq 0 ] && [ ! -s "$run/why" ]
}

run_shell() {
    local was
    [ -t 0 ] || die "--shell needs a terminal"
    was=$(stty -g)
    write_plan
    say "booting; leave the dom0 shell with exit or ctrl-d"
    : >"$run/events"
    touch "$run/alive" "$run/booted"
    start_machine </dev/tty &
    machine=$!
    end_with_shell </dev/null &
    watcher=$!
    wait "$machine" 2>/dev/null
    stty "$was"
    echo
    [ ! -s "$run/why" ] || die "$(cat "$run/why")"
}

end_with_shell() {
    local why
    while sleep 0.5; do
        why=$(crash_seen) && echo "$why" >"$run/why" && break
        why=$(grep -aom 1 '@rig@ broken.*' "$run/events") &&
            echo "${why#*broken }" >"$run/why" && break
        ! grep -aq '@rig@ end' "$run/events" || break
    done
    kill -KILL "$machine" 2>/dev/null
}
