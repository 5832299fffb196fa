# Draws tables of few loop: distance, precision and recall by generation, one line per loop,
# labelled with the name of its folder.
#   gnuplot -c bench/loop.gp PNG TITLE DIR/loop.csv [DIR/loop.csv ...]      at most 7
set terminal pngcairo size 1200,420 font "sans,11" background "#ffffff"
set output ARG1
set encoding utf8
set datafile separator ","
set datafile columnheaders

loops = ARGC - 2
table(i) = ARGV[i + 2]
label(i) = system("basename \"$(dirname '".table(i)."')\"")
array colours[7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#555555", "#56b4e9"]

set label 1 ARG2 at screen 0.015, 0.955 left font ",15" noenhanced
set border 3 linecolor "#666666"
set tics nomirror textcolor "#222222"
set grid xtics ytics linetype 1 linecolor "#e4e4e4"
set xlabel "generation"
set xtics 1
set xrange [*:*] noextend
set offsets 0.2, 0.2, 0, 0
set tmargin at screen 0.82
set bmargin at screen 0.16

set multiplot
set key off
set lmargin at screen 0.07
set rmargin at screen 0.30
set title "Fréchet distance (squared)"
set logscale y
set format y "%.0e"
plot for [i = 1:loops] table(i) using "generation":"fd" with linespoints linewidth 2 pointtype 7 \
  linecolor rgb colours[i]
unset label 1
unset logscale y
set format y "%g"
set yrange [0:1]
set lmargin at screen 0.36
set rmargin at screen 0.58
set title "precision"
plot for [i = 1:loops] table(i) using "generation":"precision" with linespoints linewidth 2 \
  pointtype 7 linecolor rgb colours[i]
set lmargin at screen 0.63
set rmargin at screen 0.85
set title "recall"
set key at screen 0.86, 0.80 left top Left reverse samplen 1.5 spacing 1.4 textcolor "#222222"
plot for [i = 1:loops] table(i) using "generation":"recall" with linespoints linewidth 2 \
  pointtype 7 linecolor rgb colours[i] title label(i) noenhanced
unset multiplot
