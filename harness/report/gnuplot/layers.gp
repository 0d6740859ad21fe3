set ylabel "predicted / measured" offset 1,0
set key at screen 0.13, screen 0.995 left top Left reverse horizontal maxcols 4 maxrows 0 width -1 height 0 samplen 1
set logscale y
set ytics (0.25, 0.5, 0.7, 1, 1.4, 2, 4)
set xlabel "layer"
set multiplot layout n_panels, 1 margins char 9, char 2, char 4, char 6 spacing 0, char 6
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    set xrange [*:*]
    set yrange [*:*]
    stats data using (strcol(1) eq panels[p] ? $4 : NaN) every ::1 name "ratio" nooutput
    set yrange [(ratio_min < 0.7 ? 0.8 * ratio_min : 0.6):(ratio_max > 1.4 ? 1.2 * ratio_max : 1.6)]
    set object 1 rect from graph 0, first 0.85 to graph 1, first 1.15 fc rgb "#eeeeee" fs solid noborder behind
    set object 2 rect from graph 0, first 0.9 to graph 1, first 1.1 fc rgb "#dddddd" fs solid noborder behind
    if (p > 1) { unset key }
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    plot 1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] keyentry with points lc rgb colour(i) pt mark(i) ps 0.6 title series[i], \
         for [i = 1:n_series] data using (in_panel(i) ? $3 : NaN):4:(0.25 + 2.5 * $7) every ::1 \
             with points lc rgb colour(i) pt mark(i) ps variable notitle
}
unset multiplot
unset object 1
unset object 2
unset logscale y
set key
