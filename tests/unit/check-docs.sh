#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-only
# The man pages are well-formed and name every command and every option, and those
# of the headers have each public prototype with its contract.
set -eu

podchecker docs/*.pod "$BUILD"/pod/*.pod 2>&1 | grep -v 'pod syntax OK' && exit 1
bad=0
# Not in the loops' heads, where a failure would be an empty list.
commands=$("$BUILD/xl-ext" help --commands)
[ -n "$commands" ] || { echo "xl-ext names no commands"; exit 1; }
for command in $commands; do
    page=$(grep -lE "(B<(xl )?|=head2 )$command([ >]|\$)" docs/*.pod) ||
        { echo "no man page has the command $command"; bad=1; continue; }
    options=$("$BUILD/xl-ext" help --options="$command")
    for option in $options; do
        option=${option%=}
        [ "$option" != --help ] || continue
        # shellcheck disable=SC2086 # one or two pages
        grep -q -- "$option" $page ||
            { echo "no man page has $command $option"; bad=1; }
    done
done

# Each page of ours that something refers to is there.
pages=$(grep -ohE '\b(libxl[_-]ext|xl-ext)[a-z_.-]*\([1-8]\)' README.md docs/*.md \
    docs/*.pod "$BUILD"/pod/*.pod xl-cmds/*.c xl-cmds/service/* | sort -u)
[ -n "$pages" ] || { echo "nothing refers to a page"; bad=1; }
for page in $pages; do
    file=${page%)}
    [ -s "$BUILD/man/${file%(*}.${file#*(}" ] ||
        { echo "there is no page $page"; bad=1; }
done

for header in include/*.h; do
    name=$(basename "$header" .h)
    functions=$(grep -E '^[a-z]' "$header" | grep -v '^typedef' |
        grep -oE '\bxlx_[a-z0-9_]+\(' | sort -u)
    [ -n "$functions" ] || { echo "$header has no functions"; bad=1; }
    for function in $functions; do
        # Below its heading: the prototype, and then a text.
        awk -v head="=head2 ${function}" -v call="$function" '
            index($0, head) == 1 { at = 1; next }
            at && /^=/ { at = 0 }
            at && /^    / && index($0, call) { prototype = 1 }
            at && prototype && /^[^ ]/ { text = 1 }
            END { exit !text }' "$BUILD/pod/$name.3.pod" ||
            { echo "$name(3) does not explain $function)"; bad=1; }
    done
done

# What a header can have.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/libxl_ext_x.h" <<'END'
/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * An example: `a` < b. More of it.
 */
#ifndef LIBXL_EXT_X_H
#define LIBXL_EXT_X_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XLX_ONE 1 /* a
                   * comment; */
#define XLX_TWO \
    2

/* What it does,
 * in xlx_do().
 *
 * -EINVAL  no;
 * -ENOMEM  none
 */
int xlx_do(int a, /* one; */
           int b);
int xlx_do_more(void);

/* --- a part --------------------------------------------------------------- */

struct xlx_x {
    int x; /* { */
};

#ifdef __cplusplus
}
#endif

#endif
END
perl build-aux/header-pod "$dir/libxl_ext_x.h" include/libxl_ext.h >"$dir/got"
cat >"$dir/want" <<'END'
=head1 NAME

libxl_ext_x - An example: a E<lt> b

=head1 SYNOPSIS

    #include <libxl_ext_x.h>

    cc ... $(pkg-config --cflags --libs libxl-ext)

=head1 DESCRIPTION

An example: C<< a >> E<lt> b. More of it.

libxl_ext(3) has what applies to all calls: errors, results, threads.

=head1 INTERFACE

=head2 XLX_ONE, XLX_TWO

    #define XLX_ONE 1 /* a
                       * comment; */
    #define XLX_TWO \
        2

=head2 xlx_do(), xlx_do_more()

    int xlx_do(int a, /* one; */
               int b);
    int xlx_do_more(void);

What it does,
in B<xlx_do>().

    -EINVAL  no;
    -ENOMEM  none

=head1 A PART

=head2 struct xlx_x

    struct xlx_x {
        int x; /* { */
    };

=head1 SEE ALSO

libxl_ext(3), xl-ext(1)
END
diff "$dir/want" "$dir/got" || { echo "header-pod prints that"; bad=1; }
exit $bad
