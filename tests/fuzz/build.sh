#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-only
# Builds the fuzzers and their seeds into build/fuzz; needs clang with its
# sanitizer runtime and a configured tree (make). Then, for an hour:
#
#   cd build/fuzz && ./fuzz-image -max_total_time=3600 -max_len=32768 image
set -eu

cd "$(dirname "$0")/../.."
out=build/fuzz
mkdir -p "$out/image"
flags="-std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Ibuild -Iinclude
       -Ilibxl-ext -Itests -g -O1"
sources="libxl-ext/core/ctx.c libxl-ext/core/io.c libxl-ext/image/*.c"

${CC:-cc} $flags -o "$out/seed-image" tests/fuzz/seed-image.c \
    tests/fakes/image_build.c tests/fakes/image_seeds.c
"$out/seed-image" "$out/image"
${CLANG:-clang} $flags -fsanitize=fuzzer,address,undefined \
    -fno-sanitize-recover=all -o "$out/fuzz-image" tests/fuzz/fuzz-image.c \
    $sources
echo "$out/fuzz-image $out/image"
