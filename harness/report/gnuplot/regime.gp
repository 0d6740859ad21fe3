set logscale x
set format x "%g"
set xrange [0.03:30]
set xlabel "disk alone / kernels alone"
set lmargin 8
set key above left vertical maxcols 1 width 0 height 0 samplen 1
set multiplot layout n_panels, 1
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    back(i) = series[i] eq 'ceiling of overlap' || series[i] eq 'simulated'
    set logscale y
    set format y "%g"
    set yrange [*:*]
    set ytics autofreq
    if (p > 1) { unset key }
    plot 1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && series[i] eq 'ceiling of overlap' ? $3 : NaN):4 every ::1 \
             with lines dt 2 lc rgb "#666666" lw 1 title (series[i] eq 'ceiling of overlap' ? series[i] : ""), \
         for [i = 1:n_series] data using (in_panel(i) && series[i] eq 'simulated' ? $3 : NaN):4 every ::1 \
             with points lc rgb "#bbbbbb" pt 7 ps 0.3 title (series[i] eq 'simulated' ? series[i] : ""), \
         for [i = 1:n_series] data using (in_panel(i) && !back(i) ? $3 : NaN):4:5:6 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && !back(i) ? $3 : NaN):4 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.6 title (back(i) ? "" : series[i])
}
unset multiplot
unset logscale xy
set key
