# Figure 6: models one after another: run `gnuplot figure6.gp` in this folder; restyle at will, the data is figure6.csv.
data = "figure6.csv"
n_panels = 2
array panels[2] = ['latency within 1500 MB: 26.8 s; mean 797 MB', 'preload without a limit: 71.3 s; mean 2031 MB']
n_series = 6
array series[6] = ['Whisp-M', 'between two', 'GPTN-1.3B', 'SD-UNet', 'ViT', 'DepA-S']
# Prepended to every figure, after the generated lines that set data, panels[] and series[].
set datafile separator comma
set datafile missing NaN
set encoding utf8
set key below left Left reverse vertical maxcols 1 samplen 2 spacing 1.1 height 0.6
set grid back lc rgb "#dddddd" lw 0.5
set border 3 lw 1 lc rgb "#444444"
set tics nomirror out
set xtics offset 0,0.3
set xlabel offset 0,0.5
set ylabel offset 1.2,0
# Okabe and Ito's colours, and a shape for each, for print without colour.
array okabe_ito[7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]
array shape[7] = [7, 5, 9, 11, 13, 6, 4]
colour(i) = okabe_ito[(i - 1) % 7 + 1]
mark(i) = shape[(i - 1) % 7 + 1]
set terminal svg noenhanced name 'figure6' size 528,608 dynamic font 'Helvetica,15' linewidth 1.4 background rgb 'white'
set output "figure6.svg"
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
unset output
set terminal pngcairo noenhanced size 1056,1216 font 'Helvetica,26' linewidth 2.5 pointscale 2.5
set output "figure6.png"
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
unset output
set terminal pdfcairo noenhanced size 3.3in,3.80in font 'Helvetica,8'
set output "figure6.pdf"
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
unset output
