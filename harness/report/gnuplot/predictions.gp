set ylabel "predicted / measured" offset 1,0
set xrange [*:*] # stats would leave out what is outside
set yrange [*:*]
set key above left vertical maxcols 1 width 0 height 0 samplen 1
set xtics rotate by -28 left scale 0 offset -0.6,0.2
set lmargin 9
set rmargin 6
stats data using 3 every ::1 name "place" nooutput
set xrange [0.4:place_max + 0.6]
set logscale y
stats data using 5 every ::1 name "value" nooutput
bottom = value_min < 0.7 ? 0.9 * value_min : 0.7
top = value_max > 1.4 ? 1.1 * value_max : 1.4
set yrange [bottom:top]
set ytics (0.25, 0.5, 0.7, 0.85, 1, 1.15, 1.4, 2, 4)
set object 1 rect from graph 0, first 0.85 to graph 1, first 1.15 fc rgb "#eeeeee" fs solid noborder behind
set object 2 rect from graph 0, first 0.9 to graph 1, first 1.1 fc rgb "#dddddd" fs solid noborder behind
of(i) = strcol(2) eq series[i]
plot 1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
     for [i = 1:n_series] data using (of(i) ? $3 + 0.8 * $8 : NaN):5:6:7 every ::1 \
         with yerrorbars lc rgb colour(i) lw 0.6 pt 0 notitle, \
     for [i = 1:n_series] data using (of(i) ? $3 + 0.8 * $8 : NaN):5 every ::1 \
         with points lc rgb colour(i) pt mark(i) ps 0.5 title series[i]
unset logscale y
unset object 1
unset object 2
