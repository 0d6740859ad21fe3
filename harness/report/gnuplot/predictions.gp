set ylabel "predicted / measured" offset 1,0
set key above left vertical maxcols 1 width 0 height 0 samplen 1
set xtics rotate by -28 left scale 0 offset -0.6,0.2
set lmargin 9
set rmargin 6
set xrange [*:*] # stats would leave out what is outside
set yrange [*:*]
unset logscale y
stats data using 3 every ::1 name "place" nooutput
set xrange [0.4:place_max + 0.6]
set logscale y
set ytics (0.25, 0.5, 0.7, 0.85, 1, 1.15, 1.4, 2, 4)
set object 1 rect from graph 0, first 0.85 to graph 1, first 1.15 fc rgb "#eeeeee" fs solid noborder behind
set object 2 rect from graph 0, first 0.9 to graph 1, first 1.1 fc rgb "#dddddd" fs solid noborder behind
set multiplot layout n_panels, 1
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    set xrange [*:*]
    set yrange [*:*]
    stats data using (strcol(1) eq panels[p] ? $5 : NaN) every ::1 name "value" nooutput
    set xrange [0.4:place_max + 0.6]
    set yrange [(value_min < 0.75 ? 0.9 * value_min : 0.7):(value_max > 1.3 ? 1.1 * value_max : 1.4)]
    if (p > 1) { unset key }
    of(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    plot for [i = 1:n_series] keyentry with points lc rgb colour(i) pt mark(i) ps 0.6 title series[i], \
         1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] data using (of(i) ? $3 + 0.8 * $8 : NaN):5:6:7 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.6 pt 0 notitle, \
         for [i = 1:n_series] data using (of(i) ? $3 + 0.8 * $8 : NaN):5 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.5 notitle
}
unset multiplot
unset object 1
unset object 2
unset logscale y
set key
