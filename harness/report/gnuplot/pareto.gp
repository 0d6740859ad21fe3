set ylabel "integrated latency, ms"
set xlabel "memory limit, MB"
set yrange [*:*]
set xrange [0:*]
set ytics autofreq
set lmargin 8
set key above left horizontal maxcols 0 maxrows 1 width 0 height 0 samplen 1.5
set multiplot layout n_panels, 1
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    plot for [i = 1:n_series] data \
        using (strcol(1) eq panels[p] && strcol(2) eq series[i] ? $3 : NaN):4 every ::1 \
        with linespoints lc rgb colour(i) lw 1.5 pt mark(i) ps 0.5 title series[i]
}
unset multiplot
