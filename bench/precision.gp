# Draws the progress of fp32 and bf16 runs, one panel per recipe (at most 3).
#   gnuplot -c bench/precision.gp TABLE PNG
set terminal pngcairo size 1200,420 font "sans,11" background "#ffffff"
set output ARG2
set encoding utf8
set datafile separator "\t"
set datafile columnheaders

names = system("awk -F '\t' 'NR > 1 && !seen[$1]++ { print $1 }' '".ARG1."'")
seeds = system("awk -F '\t' 'NR > 1 && !seen[$3]++ { print $3 }' '".ARG1."'")
only(name, precision, seed, column_) = \
  strcol(1) eq name && strcol(2) eq precision && strcol(3) eq seed ? column(column_) : NaN
what(name) = name eq "teacher" ? "mean squared error" : "distance to the teacher, σ_d"

set border 3 linecolor "#666666"
set tics nomirror textcolor "#222222"
set grid xtics ytics linetype 1 linecolor "#e4e4e4"
set xlabel "step"
set xrange [0:*]
set tmargin at screen 0.88
set bmargin at screen 0.14
set multiplot
do for [k = 1:words(names)] {
  name = word(names, k)
  set lmargin at screen 0.065 + 0.325 * (k - 1)
  set rmargin at screen 0.325 * k
  set title "fashion-".name noenhanced
  set ylabel what(name) noenhanced offset 1
  set key top right samplen 2 textcolor "#222222"
  plot for [s in seeds] ARG1 using (only(name, "fp32", s, 4)):(only(name, "fp32", s, 5)) \
           with lines linewidth 2.5 linecolor rgb "#0072b2" \
           title s eq word(seeds, 1) ? "fp32, each seed" : "", \
       for [s in seeds] ARG1 using (only(name, "bf16", s, 4)):(only(name, "bf16", s, 5)) \
           with lines linewidth 2 dashtype (4, 4) linecolor rgb "#d55e00" \
           title s eq word(seeds, 1) ? "bf16, each seed" : ""
}
unset multiplot
