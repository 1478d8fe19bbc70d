#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# Xen's verify-stream-v2 says of each file of the corpus what is expected of it:
# tests/fakes/image_model.c has its rules right.
#
#   VERIFY_STREAM   that program (/usr/lib/xen-*/bin/verify-stream-v2)
set -eu

verify=${VERIFY_STREAM:-}
for path in /usr/lib/xen-*/bin /usr/libexec/xen/bin /usr/lib/xen/bin; do
    [ -n "$verify" ] || [ ! -f "$path/verify-stream-v2" ] ||
        verify=$path/verify-stream-v2
done
[ -n "$verify" ] ||
    { echo "no verify-stream-v2 here (Debian: xen-utils)"; exit 77; }
command -v python3 >/dev/null || { echo "no python3 here"; exit 77; }
[ -x "$BUILD/unit/test-image-corpus" ] ||
    { echo "test-image-corpus is not built: T=image-corpus has both"; exit 77; }

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
XLX_CORPUS=$dir "$BUILD/unit/test-image-corpus" >"$dir/log" 2>&1 ||
    { cat "$dir/log"; exit 1; }

# One process for all: as a program it takes a minute for each thousand.
python3 - "$verify" "$dir" <<'EOF'
import importlib.machinery, importlib.util, os, sys

verify, folder = sys.argv[1:]
sys.path.insert(0, os.path.join(os.path.dirname(verify), "../lib/python"))
loader = importlib.machinery.SourceFileLoader("verify_stream", verify)
program = importlib.util.module_from_spec(
    importlib.util.spec_from_loader(loader.name, loader))
sys.dont_write_bytecode = True
loader.exec_module(program)
program.quiet = True

accepted = wrong = 0
with open(os.path.join(folder, "list")) as files:
    for line in files:
        number, want, name = line.rstrip("\n").split(" ", 2)
        with open(os.path.join(folder, number), "rb") as program.fin:
            status = program.read_stream("xl")
        accepted += status == 0
        if (status == 0) != (want == "1"):
            wrong += 1
            print("%s: exit %d" % (name, status))
if not accepted:
    sys.exit("nothing was accepted")
sys.exit(wrong > 0)
EOF
