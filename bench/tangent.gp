# Draws the table of tangent.sh: gnuplot -c tangent.gp TABLE PNG TITLE
set terminal pngcairo size 900,800 font "sans,11" background "#ffffff"
set output ARG2
set encoding utf8
set datafile separator "\t"
set datafile columnheaders

array colours[6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#555555"]
array marks[6] = [7, 5, 9, 11, 13, 4]
names = system("awk -F'\t' 'NR > 1 && !seen[$1]++ { gsub(\" \", \"~\", $1); print $1 }' '".ARG1."'")
plain(name) = system("printf %s '".name."' | tr '~' ' '")
only(name, column_) = strcol(1) eq plain(name) ? column(column_) : NaN

set label 1 ARG3 at screen 0.015, 0.97 left font ",15" noenhanced
set border 3 linecolor "#666666"
set tics nomirror textcolor "#222222"
set grid xtics ytics linetype 1 linecolor "#e4e4e4"
set logscale y
set format y "10^{%L}"
set xrange [0:1.5708]
set xtics ("0" 0, "π/8" pi/8, "π/4" pi/4, "3π/8" 3*pi/8, "π/2" pi/2)
set lmargin at screen 0.095
set rmargin at screen 0.72
set key at screen 0.735, 0.9 left top Left reverse samplen 1.5 spacing 1.4 textcolor "#222222"

set multiplot
set tmargin at screen 0.92
set bmargin at screen 0.54
set ylabel "rms of df/dt, σ_d" offset 0.5
plot for [i = 1:words(names)] ARG1 using 2:(only(word(names, i), 3)) with linespoints linewidth 2 \
         pointtype marks[(i - 1) % 6 + 1] linecolor rgb colours[(i - 1) % 6 + 1] \
         title plain(word(names, i)) noenhanced
unset label 1
set tmargin at screen 0.47
set bmargin at screen 0.09
set key at screen 0.735, 0.45
set ylabel "largest element on the way"
set xlabel "t, radians"
plot for [i = 1:words(names)] ARG1 using 2:(only(word(names, i), 6)) with lines linewidth 2 \
         linecolor rgb colours[(i - 1) % 6 + 1] notitle, \
     for [i = 1:words(names)] ARG1 using 2:(only(word(names, i), 7)) with lines linewidth 1.5 \
         dashtype (6, 4) linecolor rgb colours[(i - 1) % 6 + 1] notitle, \
     NaN with lines linewidth 2 linecolor "#555555" title "dF/dt", \
     NaN with lines linewidth 1.5 dashtype (6, 4) linecolor "#555555" title "cos t sin t dF/dt"
unset multiplot
