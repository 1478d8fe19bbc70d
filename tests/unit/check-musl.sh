#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-only
# Library and commands compile with musl's headers, without a warning.
set -eu

command -v musl-gcc >/dev/null ||
    { echo "no musl-gcc here (Debian: musl-tools)"; exit 77; }

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# Of the system's headers only those that are no C library's.
for name in xen 'xen*.h' 'xs*.h' 'libxl*.h' '_libxl*.h' yajl uuid libnbd.h 'seccomp*.h' \
    linux asm-generic asm "$(gcc -print-multiarch)/asm"; do
    for header in /usr/include/$name; do
        [ ! -e "$header" ] || ln -sf "$header" "$dir/"
    done
done
musl-gcc -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I"$BUILD" -Iinclude \
    -Ilibxl-ext -idirafter "$dir" -idirafter "$dir/uuid" -Wall -Wextra -Werror \
    -fsyntax-only libxl-ext/*/*.c libxl-ext/*/*/*.c xl-cmds/*.c xl-cmds/*/*.c
