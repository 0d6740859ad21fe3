set ylabel "live memory, MB"
set yrange [0:*]
set ytics autofreq
set xrange [0:*]
set key at screen 0.13, screen 0.995 left top Left reverse horizontal maxcols 2 maxrows 0 width -3 height 0 samplen 1
set xlabel "time since the first byte was asked for, ms"
# Some marks on each line, for print without colour.
stats data using 3 every ::1 name "row" nooutput
apart = int(row_records / (8.0 * n_series * n_panels)) + 1
set multiplot layout n_panels, 1 margins char 9, char 2, char 4, char 8 spacing 0, char 6
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    if (p > 1) { unset key }
    plot for [i = 1:n_series] keyentry with linespoints lc rgb colour(i) lw 1.5 pt mark(i) ps 0.7 title series[i], \
        for [i = 1:n_series] data \
        using (strcol(1) eq panels[p] && strcol(2) eq series[i] ? $3 : NaN):4 every ::1 \
        with steps lc rgb colour(i) lw 1.5 notitle, \
        for [i = 1:n_series] data \
        using (strcol(1) eq panels[p] && strcol(2) eq series[i] && int($0) % apart == 0 ? $3 : NaN):4 every ::1 \
        with points lc rgb colour(i) pt mark(i) ps 0.7 notitle
}
unset multiplot
set key
