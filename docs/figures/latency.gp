# SPDX-License-Identifier: LGPL-2.1-only
width = 960
height = 540
load "style.gp"

set xlabel "ports that are pending"
set logscale xy
set xrange [0.8:6000]
set yrange [500:1e8]
set xtics (1, 8, 64, 1000, 4000)
set format y "10^{%L}"
set key below left vertical maxcolumns 1
set multiplot layout 1,2 margins 0.085,0.985,0.36,0.92 spacing 0.1

set title "An own vector does not wait for other ports..."
set ylabel "until the handler of the last port (instructions)"
data = "data/latency-pending.tsv"
plot data using 1:2 with linespoints linestyle 1 title "upcall, 2-level", \
     data using 1:3 with linespoints linestyle 5 dashtype 2 title "upcall, FIFO", \
     data using 1:4 with linespoints linestyle 4 title "upcall, FIFO, priority 0", \
     data using 1:5 with linespoints linestyle 2 title "own vector"

set title "...if it may interrupt their handlers"
set ylabel "from the send to the handler (instructions)"
data = "data/latency-handled.tsv"
plot data using 1:2 with linespoints linestyle 1 title "upcall, 2-level", \
     data using 1:3 with linespoints linestyle 5 dashtype 2 title "upcall, FIFO", \
     data using 1:4 with linespoints linestyle 4 title "upcall, FIFO, priority 0", \
     data using 1:5 with linespoints linestyle 3 dashtype 3 \
         title "own vector, handlers with interrupts off", \
     data using 1:6 with linespoints linestyle 2 \
         title "own vector, handlers with interrupts on"
