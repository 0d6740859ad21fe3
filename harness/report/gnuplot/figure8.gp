set ylabel "ms"
set xlabel "memory, MB (planned: the limit; measured: the peak held)"
set yrange [*:*]
set xrange [0:*]
set ytics autofreq
set lmargin 8
set key above left horizontal maxcols 3 width 0 height 0 samplen 1.5
set multiplot layout n_panels, 1
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    line(i) = series[i] eq 'planned' || series[i] eq 'proven bound'
    dash(i) = series[i] eq 'planned' ? 1 : 2
    if (p > 1) { unset key }
    plot for [i = 1:n_series] keyentry with lines lc rgb colour(i) lw 1.5 dt dash(i) title (line(i) ? series[i] : ''), \
         for [i = 1:n_series] keyentry with points lc rgb colour(i) pt mark(i) ps 0.6 \
             title (line(i) ? '' : series[i]), \
         for [i = 1:n_series] data using (in_panel(i) && line(i) ? $3 : NaN):4 every ::1 \
             with lines lc rgb colour(i) lw 1.5 dt dash(i) notitle, \
         for [i = 1:n_series] data using (in_panel(i) ? $3 : NaN):4:5:6 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && !line(i) ? $3 : NaN):4 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.6 notitle
}
unset multiplot
set key
