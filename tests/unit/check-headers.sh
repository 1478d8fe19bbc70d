#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-only
# Every public header compiles alone, as strict C99 and as C++.
set -eu

for h in include/*.h; do
    echo "#include \"$(basename "$h")\"" |
        $CC -std=c99 -pedantic -Wall -Wextra -Werror -Iinclude -x c \
            -fsyntax-only -
    if [ -n "$CXX" ]; then
        echo "#include \"$(basename "$h")\"" |
            $CXX -Wall -Wextra -Werror -Iinclude -x c++ -fsyntax-only -
    fi
done
