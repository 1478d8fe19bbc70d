#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# The sample of the autopkgtest is a save file for the program of this build, too.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
said=$(XL_EXT=$BUILD/xl-ext sh "$top/build-aux/debian/tests/image-info" 2>&1) ||
    { echo "$said"; exit 1; }
