# SPDX-License-Identifier: LGPL-2.1-only
load "style.gp"

set title "The larger the guest, the more time a lazy restore saves"
set xlabel "size of the guest"
set ylabel "time until the guest continues its work (s)"
set logscale xy 2
set xrange [200:5200]
set yrange [0.5:32]
set xtics ("256 MiB" 256, "1 GiB" 1024, "4 GiB" 4096)
set ytics (0.5, 1, 2, 4, 8, 16, 32)

data = "data/work.tsv"
size(host) = strcol(1) eq host ? column(2) : NaN

plot data using (size("quiet")):($3 / 1000) with linespoints linestyle 1 \
         title "eager", \
     data using (size("quiet")):($5 / 1000) with linespoints linestyle 2 \
         title "lazy", \
     data using (size("quiet")):($6 / 1000) with linespoints linestyle 3 \
         title "lazy, with a recorded working set", \
     data using (size("busy")):($3 / 1000) with points linestyle 1 \
         pointtype 6 pointsize 1.5 title "eager, busy host", \
     data using (size("busy")):($5 / 1000) with points linestyle 2 \
         pointtype 4 pointsize 1.5 title "lazy, busy host", \
     data using (size("busy")):($6 / 1000) with points linestyle 3 \
         pointtype 8 pointsize 1.7 title "lazy, recorded, busy host"
