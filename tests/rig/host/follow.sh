# SPDX-License-Identifier: LGPL-2.1-only
#
# Follows a run: prints what the cases print, and keeps count.

passed=0 failed=0 current='' last=-1 ended=no
repeated=() # names of cases that did not pass at the first try

run_cases() {
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
    conclude
}

start_watched() {
    touch "$run/alive"
    say "booting ($flavour Xen, ${mem} MiB, dom0 ${dom0_mem} MiB$(which_qemu))"
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
    again) on_again "$3" ;;
    done) on_done "$3" ;;
    broken) echo "${*:2}" >"$run/why"; ended=yes ;;
    end) ended=yes ;;
    esac
}

on_again() {
    repeated+=("${cases[current]}")
    echo "--- failed: ${cases[current]} (exit status $1): once more"
}

on_done() {
    local took=$((SECONDS - started)) name=${cases[current]}
    case $1 in
    0) passed=$((passed + 1)); echo "--- passed: $name ($took s)" ;;
    124 | 137) echo "--- FAILED: $name (cut off after $took s)" ;;
    *) echo "--- FAILED: $name (exit status $1, $took s)" ;;
    esac
    current=
}

conclude() {
    kill -KILL "$machine" 2>/dev/null
    if [ $ended = no ] && [ ! -s "$run/why" ]; then
        echo "the machine went away" >"$run/why"
    fi
    if [ -s "$run/why" ]; then
        name_the_rest
        echo "--- the machine: $(cat "$run/why"); its last lines:"
        tail -n 15 "$out/console.log" | tr -d '\r'
    fi
    failed=$((${#cases[@]} - passed))
    [ ${#repeated[@]} -eq 0 ] ||
        say "failed at the first try, have a look: ${repeated[*]}"
    say "logs are in $out"
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ] && [ ! -s "$run/why" ]
}

# The case that was running, and those that did not get their turn.
name_the_rest() {
    local n
    [ -z "$current" ] || echo "--- FAILED: ${cases[current]}"
    for n in "${!cases[@]}"; do
        [ "$n" -le "$last" ] || echo "--- NOT RUN: ${cases[n]}"
    done
}

run_shell() {
    local was
    [ -t 0 ] || die "--shell needs a terminal"
    was=$(stty -g)
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
