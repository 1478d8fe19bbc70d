#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-only
# Documentation, help texts, messages and the public headers have none of the
# words that docs/glossary.md lists as not used. Code, options and names in JSON or xenstore
# keep theirs: code spans and literals without a blank are not looked at.
set -eu

glossary=docs/glossary.md
pages='README.md CONTRIBUTING.md SECURITY.md hypervisor/README.md
    tests/guests/README.md tests/rig/README.md docs/*.md docs/*.pod'

# check WHAT FILE... : prints each place, and fails where there is one.
check() {
    perl - "$glossary" "$@" <<'END'
use strict;
use warnings;

my ($glossary, $what, @files) = @ARGV;

sub slurp {
    my ($path) = @_;
    local $/;
    open my $file, '<', $path or die "$path: $!\n";
    my $text = <$file>;
    defined $text or die "$path: empty\n";
    return $text;
}

# The rows below the last heading of the glossary: words, and what to write.
sub words_of {
    my ($text) = @_;
    my %write;
    $text =~ s/.*^## Words that are not used\n//ms or die "$glossary: no list\n";
    while ($text =~ /^\| ([^|]+?) \| ([^|]+?) \|$/mg) {
        my ($never, $instead) = ($1, $2);
        next if $never eq 'never';
        $write{$_} = $instead for split /, /, $never;
    }
    return %write;
}

# All but the newlines, so that the numbers of lines stay.
sub blank {
    my ($text) = @_;
    $text =~ s/[^\n]/ /g;
    return $text;
}

sub prose_of {
    my ($path, $text) = @_;
    $text =~ s/^## Words that are not used\n.*//ms if $path eq $glossary;
    $text =~ s/ \|[^|\n]*\|$/ | |/mg if $path eq $glossary;
    $text =~ s/(^```.*?^```)/blank($1)/emsg;
    $text =~ s/^( {4}.*)/blank($1)/emg;
    $text =~ s/(`[^`\n]*`)/blank($1)/eg;
    $text =~ s/\b[CF]<([^<>]*)>/blank($1)/eg;
    $text =~ s/\b[BIL]<([^<>]*)>/$1/g;
    return ([1, $text]);
}

# Literals beside each other are one text.
sub messages_of {
    my ($path, $text) = @_;
    my @texts;
    my $literal = qr/"(?:[^"\\\n]|\\.)*"/;
    $text =~ s{(/\*.*?\*/)}{blank($1)}esg;
    while ($text =~ /($literal(?:\s*$literal)*)/g) {
        my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);
        my $all = $1;
        $all =~ s/"\s*"//g;
        $all =~ s/\\[nl]/ /g;
        push @texts, [$line, $all] if $all =~ / /;
    }
    return @texts;
}

# Each comment, without what frames it.
sub comments_of {
    my ($path, $text) = @_;
    my @texts;
    while ($text =~ m{/\*(.*?)\*/}sg) {
        my $line = 1 + (substr($text, 0, $-[1]) =~ tr/\n//);
        push @texts, [$line, $1 =~ s/^ *\* ?/ /mgr];
    }
    return @texts;
}

my %texts_of = (
    pages => \&prose_of, messages => \&messages_of, comments => \&comments_of);
my %write = words_of(slurp($glossary));
keys %write > 20 or die "$glossary: too few words\n";
my $any = join '|', map { s/ /\\s+/gr } map { quotemeta =~ s/\\ / /gr }
    sort { length $b <=> length $a } keys %write;
my ($bad, $seen) = (0, 0);
for my $path (@files) {
    my $text = slurp($path);
    for ($texts_of{$what}->($path, $text)) {
        my ($line, $prose) = @$_;
        $seen++;
        while ($prose =~ /\b($any)\b(?!\s+of\b|-)/gi) {
            my $at = $line + (substr($prose, 0, $-[1]) =~ tr/\n//);
            my $found = lc $1 =~ s/\s+/ /gr;
            print "$path:$at: \"$found\": write: $write{$found}\n";
            $bad = 1;
        }
    }
}
$seen or die "$what: nothing to look at\n";
exit $bad;
END
}

# finds COUNT WHAT FILE
finds() {
    count=$1
    shift
    check "$@" >"$dir/found" && { echo "check-words: $1: nothing is found"; exit 1; }
    [ "$(wc -l <"$dir/found")" -eq "$count" ] ||
        { echo "check-words: $1: found:"; cat "$dir/found"; exit 1; }
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/page.md" <<'END'
The guest goes
on. Its memory Is Out; the date is out of range. `goes on`

    what is out
END
cat >"$dir/text.c" <<'END'
f("it goes " /* goes on */
  "on\n", "held-back", "held back");
END
finds 2 pages "$dir/page.md"
finds 2 messages "$dir/text.c"
finds 1 comments "$dir/text.c"

status=0
# shellcheck disable=SC2086 # patterns of names
check pages $pages || status=1
# shellcheck disable=SC2046 # names without blanks
check messages $(find libxl-ext xl-cmds -name '*.[ch]' | sort) \
    docs/figures/*.gp docs/figures/*.dot || status=1
check comments include/*.h || status=1
exit $status
