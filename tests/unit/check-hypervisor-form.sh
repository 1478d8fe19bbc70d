#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-only
# The hypervisor's patches are mails that `git am` takes: sender, subject, text,
# Fixes, statistics that are right, licence of new files. Each is in the series,
# and in the cover letter of its group.
# FOLDER: check that one in place of hypervisor/.
set -eu

folder=${1:-hypervisor}

# The text of a mail, as git takes it apart: its subject, then the statistics
# that the diff really has.
taken()
{
    command -v git >/dev/null || return 0
    git mailinfo -b /dev/null /dev/null <"$1" | sed -n 's/^Subject: //p'
    git apply --numstat "$1" |
        awk '{ n++; a += $1; d += $2 } END { print n, a, d }'
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for patch in "$folder"/4.*/*.patch; do
    release=$(basename "$(dirname "$patch")")
    mkdir -p "$dir/$release"
    taken "$patch" >"$dir/$release/$(basename "$patch")"
done

perl - "$folder" "$dir" <<'EOT2'
use strict;
use warnings;

my ($folder, $taken) = @ARGV;
my $bad = 0;

sub wrong { print "@_\n"; $bad = 1 }

sub slurp {
    my ($path) = @_;
    local $/;
    open my $file, '<', $path or die "$path: $!\n";
    return scalar <$file>;
}

# --- one patch ---------------------------------------------------------------

my $head = qr{\AFrom\ 0{40}\ Mon\ Sep\ 17\ 00:00:00\ 2001\n
    From:\ Submitter\ <submitter\@libxl-ext\.invalid>\n
    Subject:\ \[PATCH\]\ ([a-z0-9_/]+:\ [^\n]*[^\n.])\n\n}x;

sub check_text {
    my ($path, $text) = @_;
    my $any = 0;
    for (split /\n/, $text) {
        if (/^Fixes:/) {
            /^Fixes: [0-9a-f]{12} \(".+"\)$/ or wrong("$path: $_");
        } else {
            length() <= 75 or wrong("$path: long line: $_");
            /[A-Za-z]{3}/ and $any = 1;
        }
        /^(Signed-off-by|Reported-by):/ and wrong("$path: left to the submitter: $_");
    }
    $any or wrong("$path: no text");
}

sub check_files {
    my ($path, $diff) = @_;
    $diff =~ /^diff --git a\/(\S+) b\/\1$/m or wrong("$path: no diff of git");
    for my $part (split /^(?=diff --git )/m, $diff) {
        my ($name) = $part =~ /^diff --git a\/(\S+)/ or next;
        $part =~ /^\+.*[ \t]$/m and wrong("$path: $name: blanks at an end of line");
        next unless $part =~ /^new file mode 100644$/m && $name =~ /\.[ch]$/;
        $part =~ m{^@@[^\n]*\n\+/\* SPDX-License-Identifier: GPL-2\.0-only \*/$}m or
            wrong("$path: $name: no SPDX line of GPL-2.0-only");
    }
}

sub check_numbers {
    my ($path, $stat, $release, $name, $subject) = @_;
    my ($files, $rest) = $stat =~ /^ (\d+) files? changed(.*)$/m or
        return wrong("$path: no statistics");
    my $more = $rest =~ /(\d+) insertion/ ? $1 : 0;
    my $less = $rest =~ /(\d+) deletion/ ? $1 : 0;
    my @git = split /\n/, slurp("$taken/$release/$name");
    @git == 2 or return wrong("$path: git does not take it") if @git;
    return unless @git;
    $git[0] eq $subject or wrong("$path: git takes for the subject: $git[0]");
    $git[1] eq "$files $more $less" or
        wrong("$path: statistics $files $more $less, of the diff $git[1]");
}

# Returns its subject.
sub check_patch {
    my ($release, $name) = @_;
    my $path = "$folder/$release/$name";
    my $mail = slurp($path);
    $mail =~ s/$head// or return wrong("$path: not the head of a mail"), '';
    my $subject = $1;
    length($subject) <= 70 or wrong("$path: long subject");
    my ($text, $notes) = $mail =~ /\A(.*?\n)---\n(.*?)^(?=diff --git )/ms or
        return wrong("$path: no line --- before its notes"), '';
    my $diff = substr $mail, length($text) + length("---\n") + length($notes);
    check_text($path, $text);
    $notes =~ /\ATest: \S/ or wrong("$path: its notes do not begin with Test:");
    check_files($path, $diff);
    check_numbers($path, $notes, $release, $name, $subject);
    return $subject;
}

# --- the series --------------------------------------------------------------

# Names of patches, each with its group.
sub read_series {
    my ($release) = @_;
    my ($group, %groups, @order);
    for (split /\n/, slurp("$folder/$release/series")) {
        if (/^# group (\S+)(?: needs (.+))?$/) {
            $group = $1;
            $groups{$_} or wrong("$release/series: group $group needs $_, not above")
                for split / /, $2 // '';
            $groups{$group} = 1;
        } elsif (!/^#/) {
            push @order, [$_, $group];
        }
    }
    return @order;
}

my %subjects;   # of the first release
my $cover = -e "$folder/README.md" ? slurp("$folder/README.md") : '';
for my $release (map { m{([^/]+)$} } glob "$folder/4.*") {
    my %listed;
    for (read_series($release)) {
        my ($name, $group) = @$_;
        $listed{$name}++ and wrong("$release/series: $name twice");
        -e "$folder/$release/$name" or
            (wrong("$release/series: there is no $name"), next);
        my $subject = check_patch($release, $name);
        my $number = substr $name, 0, 4;
        my ($letter) = $cover =~ /^## [^\n]*`$group`\)\n(.*?)(?=^## |\z)/ms;
        ($letter // '') =~ /^\s+$number /m or
            wrong("README.md: $name is not in the letter of $group");
        $subjects{$name} //= $subject;
    }
    $listed{m{([^/]+)$} ? $1 : ''} or wrong("$_: not in the series")
        for glob "$folder/$release/*.patch";
}
keys %subjects > 20 or wrong("few patches: " . keys %subjects);
exit $bad;
EOT2
