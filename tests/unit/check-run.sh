#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# The runner of the unit tests: a failure and a test that never ends fail with
# their names, with what they printed, in order; and the others still count.
set -u

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0

# program NAME COMMAND
program() {
    printf '#!/bin/sh\n%s\n' "$2" >"$dir/$1"
    chmod +x "$dir/$1"
}
program slow 'sleep 0.5'
program pass 'echo nothing to see'
program fail 'echo why; exit 3'
program skip 'echo no such tool; exit 77'
program hang 'echo at work; sleep 600'
program deaf 'trap "" TERM; sleep 600; sleep 600'

# run WANTED-STATUS WANTED-OUTPUT PROGRAM...
run() {
    local want=$1 output=$2 said status
    shift 2
    said=$(TEST_JOBS=3 TEST_LIMIT=1 tests/unit/run "${@/#/$dir/}" 2>&1)
    status=$?
    if [ $status -ne "$want" ] || [ "$said" != "$output" ]; then
        printf 'run %s: exit %s\n%s\n' "$*" "$status" "$said"
        bad=1
    fi
}

run 0 'ok    slow
ok    pass
2 passed, 0 failed' slow pass
run 1 'ok    slow
FAIL  fail (exit 3)
    why
SKIP  skip
    no such tool
FAIL  hang (ended after 1 s, TEST_LIMIT, or killed)
    at work
ok    pass
FAIL  deaf (ended after 1 s, TEST_LIMIT, or killed)
2 passed, 3 failed' slow fail skip hang pass deaf
run 1 'SKIP  skip
    no such tool
0 passed, 0 failed' skip
run 1 'run: no test has such a name'

exit $bad
