set ylabel "preload / streaming" offset 0.5,0
set key above left vertical maxcols 1 width 0 height 0 samplen 1
set yrange [0:*]
set ytics autofreq
set lmargin 8
set rmargin 9
apart(i) = 0.2 * (i - (n_series + 1) / 2.0)
stats data using 3 every ::1 name "place" nooutput
set xrange [0.4:place_max + 0.6]
set xtics rotate by (place_max > 8 ? -60 : -28) left scale 0 offset -0.6,0.2 # many names would lie on each other
set multiplot layout n_panels, 1
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    if (p > 1) { unset key }
    plot for [i = 1:n_series] keyentry with points lc rgb colour(i) pt mark(i) ps 0.6 title series[i], \
         1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] data using (in_panel(i) ? $3 + apart(i) : NaN):5:6:7 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (in_panel(i) ? $3 + apart(i) : NaN):5 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.6 notitle
}
unset multiplot
set key
