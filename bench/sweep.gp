# Draws a table of sweep.sh:
#   gnuplot -c sweep.gp TABLE PNG SWEEP TITLE HELD MACHINE XLABEL REFERENCE
set terminal pngcairo size 900,600 font "sans,11" background "#ffffff"
set output ARG2
set encoding utf8
set datafile separator "\t"
set datafile missing NaN
set datafile columnheaders

array texts[5] = ["inference", "training step", "JVP with its primal", "sCD step", "sCT step"]
array colours[5] = ["#0072b2", "#d55e00", "#cc79a7", "#009e73", "#b8860b"]
array marks[5] = [7, 5, 11, 9, 13]
rows = "awk -F '\t' '!/^#/ && $2 != \"case\" && !seen[$%d]++ { print $%d }' '".ARG1."'"
xs = system(sprintf(rows, 1, 1))
cases = system(sprintf(rows, 2, 2))
index(name) = name eq "infer" ? 1 : name eq "train" ? 2 : name eq "jvp" ? 3 : name eq "scd" ? 4 : 5
only(name, column_) = strcol(2) eq name ? column(column_) : NaN

set label 1 ARG4 at screen 0.015, 0.965 left font ",15" noenhanced
set label 2 ARG5 at screen 0.015, 0.92 left textcolor "#444444" noenhanced
set label 3 ARG6 at screen 0.015, 0.882 left font ",9" textcolor "#777777" noenhanced

set border 3 linecolor "#666666"
set tics nomirror textcolor "#222222"
set grid xtics ytics linetype 1 linecolor "#e4e4e4"
set logscale xy
set xrange [] noextend
set yrange [] noextend
set xtics ()
set ytics ()
set for [x in xs] xtics add (x real(x))
set for [e = -2:7] for [m in "1 2 5"] ytics add (sprintf("%g", m * 10.0**e) m * 10.0**e)
set offsets graph 0.04, graph 0.04, graph 0.06, graph 0.04
set lmargin at screen 0.095
set rmargin at screen 0.765
set key at screen 0.78, 0.82 left top Left reverse samplen 1.5 spacing 1.4 textcolor "#222222"

two = ARG3 eq "shards"
if (two) { set multiplot }
set tmargin at screen 0.83
set bmargin at screen (two ? 0.42 : 0.105)
set ylabel "images/s" offset 0.5
if (two) { set for [x in xs] xtics add ("" real(x)) } else { set xlabel ARG7 noenhanced }
plot for [c in cases] ARG1 using 1:(only(c, 14)) with lines dashtype (6, 5) linewidth 1.2 \
         linecolor rgb colours[index(c)] notitle, \
     for [c in cases] ARG1 using 1:(only(c, 3)) with linespoints \
         linewidth 2 pointsize 1.1 pointtype marks[index(c)] linecolor rgb colours[index(c)] \
         title texts[index(c)], \
     NaN with lines dashtype (6, 5) linewidth 1.2 linecolor "#555555" title ARG8

if (two) {
  unset label 1; unset label 2; unset label 3
  unset key
  set tmargin at screen 0.37
  set bmargin at screen 0.105
  set ylabel "working memory, MiB"
  set xlabel ARG7 noenhanced
  set for [x in xs] xtics add (x real(x))
  plot for [c in cases] ARG1 using 1:(only(c, 9)) with linespoints linewidth 2 \
         pointsize 1.1 pointtype marks[index(c)] linecolor rgb colours[index(c)]
  unset multiplot
}
