# SPDX-License-Identifier: LGPL-2.1-only
load "style.gp"

set title "A lazily restored guest works long before its memory is present"
set xlabel "time since the start of the restore (s)"
set ylabel "guest memory present (MiB)"
set key right bottom
set xrange [0:]
set yrange [0:*<1100]
set lmargin 10

data = "data/memory.tsv"
at(way) = strcol(1) eq way ? column(2) / 1000. : NaN
# The first row of each way at which the guest works.
last = ""
works(way) = strcol(1) eq way && column(4) > 0 && last ne way \
    ? (last = way, column(2) / 1000.) : NaN

plot data using (at("eager")):3 with lines linestyle 1 title "eager", \
     data using (at("fast")):3 with lines linestyle 4 title "fast", \
     data using (at("lazy")):3 with lines linestyle 2 title "lazy", \
     data using (at("recorded")):3 with lines linestyle 3 \
         title "lazy, with a recorded working set", \
     data using (works("eager")):3 with points linestyle 1 pointsize 1.6 notitle, \
     data using (works("fast")):3 with points linestyle 4 pointsize 1.9 notitle, \
     data using (works("lazy")):3 with points linestyle 2 pointsize 1.6 notitle, \
     data using (works("recorded")):3 with points linestyle 3 pointsize 1.9 notitle, \
     NaN with points linecolor "#444444" pointtype 7 pointsize 1.4 \
         title "from here on the guest works"
