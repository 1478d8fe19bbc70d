# SPDX-License-Identifier: LGPL-2.1-only
# What all graphs have in common. The colours are Okabe and Ito's, which people
# who do not see all colours can tell apart; lines also differ in their points.

if (!exists("width")) width = 720
if (!exists("height")) height = 432
set terminal svg size width,height font "sans-serif,13" linewidth 1.2 \
    background "#ffffff"
set encoding utf8
set datafile separator "\t"
set datafile commentschars "#"

set border 3 linecolor "#444444"
set tics nomirror out textcolor "#222222"
set grid linecolor "#dddddd" linetype 1 linewidth 0.6
set key left top reverse Left samplen 2.5
set title font ",15"
set lmargin 9
set rmargin 4

# By meaning: the distribution's way, ours, and what is compared with them.
set style line 1 linecolor "#d55e00" linewidth 2 pointtype 7 pointsize 0.8
set style line 2 linecolor "#0072b2" linewidth 2 pointtype 5 pointsize 0.8
set style line 3 linecolor "#009e73" linewidth 2 pointtype 9 pointsize 1.0
set style line 4 linecolor "#cc79a7" linewidth 2 pointtype 13 pointsize 1.0
set style line 5 linecolor "#000000" linewidth 1.5 pointtype 4 pointsize 1.2
