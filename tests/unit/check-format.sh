#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-only
# Every C file is as .clang-format has it. Other versions of clang-format than
# that of Debian 12 format some places otherwise, so they are not asked.
set -eu

format=clang-format-14
if ! command -v "$format" >/dev/null; then
    echo "the format of the files is not checked: no $format"
    exit 0
fi
if ! git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    echo "the format of the files is not checked: not a git checkout"
    exit 0
fi

# What is badly formatted is found.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp .clang-format "$dir"
echo 'int  f(void) {return 0;}' >"$dir/bad.c"
if "$format" --dry-run -Werror "$dir/bad.c" 2>/dev/null; then
    echo "a badly formatted file was not found" >&2
    exit 1
fi

git ls-files -z '*.c' '*.h' >"$dir/files"
if ! xargs -0 "$format" --dry-run -Werror <"$dir/files"; then
    echo "to format them: git ls-files -z '*.c' '*.h' | xargs -0 $format -i" >&2
    exit 1
fi
