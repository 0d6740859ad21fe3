set ylabel "slowdown" offset 0.3,0
set xrange [-0.05:2.05]
set xtics 0.5
set key at screen 0.1, screen 0.995 left top horizontal maxcols 0 maxrows 1 width -1 samplen 1
of(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
apart(i) = 0.012 * (i - (n_series + 1) / 2.0)  # so that bars at one ratio stand side by side
unset xlabel
part = 1.0 / n_panels
set multiplot layout n_panels, 1 margins 0.15, 0.96, 0.32 * part, 1 - 0.32 * part \
    spacing 0, 0.3 * part
do for [p = 1:n_panels] {
    set yrange [*:*]  # stats would leave out what is outside
    stats data using (strcol(1) eq panels[p] ? $4 : NaN) every ::1 name "y" nooutput
    # A copy over a bus takes tens of times as long as a kernel: then the axis is logarithmic.
    if (y_max > 6) {
        set logscale y
        set yrange [0.9:y_max * 1.2]
        set ytics (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500)
    } else {
        unset logscale y
        set yrange [(y_min < 0.95 ? y_min - 0.05 : 0.9):(y_max > 1.3 ? y_max : 1.3) + 0.1]
        set ytics autofreq
    }
    set format y "%g"
    set title panels[p] offset 0,-0.8
    if (p > 1) { unset key }
    if (p == n_panels) { set xlabel "extra load / bytes of the kernel's inputs" }
    plot 1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] data using (of(i) ? $3 + apart(i) : NaN):4:5:6 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (of(i) ? $3 + apart(i) : NaN):4 every ::1 \
             with linespoints lc rgb colour(i) lw 1.5 pt mark(i) ps 0.6 title series[i]
}
unset multiplot
unset logscale y
set key
