set ylabel "live memory, MB"
stats data using 5 every ::1 nooutput
set yrange [0:STATS_max * 1.15]
stats data using 4 every ::1 nooutput
set xrange [0:STATS_max]
set key at screen 0.13, screen 0.995 left top Left reverse horizontal maxcols 3 maxrows 0 width 0 height 0 samplen 1
set xlabel "time since the first request, s"
set style fill solid 0.75 noborder
set multiplot layout n_panels, 1 margins char 9, char 2, char 4, char 8 spacing 0, char 6
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    if (p == 2) {unset key}
    plot for [i = 1:n_series] data \
        using (strcol(1) eq panels[p] && strcol(2) eq series[i] && strcol(7) eq "-" ? $3 : NaN):(0):3:4:(0):5 \
        every ::1 with boxxyerror fc rgb colour(i) title series[i], \
        data using (strcol(1) eq panels[p] && strcol(6) ne "" ? $3 : NaN):6 every ::1 \
        with lines lc rgb "#000000" lw 0.7 title "process", \
        data using (strcol(1) eq panels[p] && strcol(7) ne "-" ? $3 : NaN):5:7 every ::1 \
        with labels offset 0,0.5 notitle
}
unset multiplot
