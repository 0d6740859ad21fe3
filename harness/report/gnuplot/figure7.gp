set key above left horizontal maxcols 0 maxrows 1 width 0 height 0 samplen 1
set xrange [1.4:9.6]
set xtics rotate by -28 left scale 0 offset -0.8,0.2
set logscale y
set yrange [* < 0.5:*] # what lies lower is shown, too
set ytics autofreq
set format y "%g"
set lmargin 6
set rmargin 9
set multiplot layout n_panels, 1
apart(i) = 0.14 * (i - (n_series + 1) / 2.0)
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.6

    set object 1 rect from 1.4, graph 0 to 5.5, graph 1 fc rgb "#f7f7f7" fs solid noborder behind
    if (p > 1) { unset key }
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    plot 1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         data using (strcol(1) eq panels[p] && strcol(2) eq series[1] && $9 > 0 ? $3 : NaN):8:($3 - 0.42):($3 + 0.42):8:9 every ::1 \
             with boxxyerror fs solid 0.6 noborder lc rgb "#e3d7b0" title (p == 1 ? "stated by the paper" : ""), \
         for [i = 1:n_series] data using (in_panel(i) ? $3 + apart(i) : NaN):5:6:7 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (in_panel(i) ? $3 + apart(i) : NaN):5 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.6 title series[i]
}
unset multiplot
unset object 1
unset logscale y
set key
