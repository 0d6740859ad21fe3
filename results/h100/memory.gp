# Memory over time: run `gnuplot memory.gp` in this folder; restyle at will, the data is memory.csv.
data = "memory.csv"
n_panels = 5
array panels[5] = ['ResNet (f32 image)', 'ViT (f16 image)', 'ViT (f32 image)', 'GPTN-S (f32 image)', 'SD-UNet (f16 image)']
n_series = 6
array series[6] = ['preload', 'always-next', 'latency', 'lc-opg', 'preload-transform', 'same-op-type']
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
set terminal svg noenhanced name 'memory' size 528,1840 dynamic font 'Helvetica,15' linewidth 1.4 background rgb 'white'
set output "memory.svg"
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
unset output
set terminal pngcairo noenhanced size 1056,3680 font 'Helvetica,26' linewidth 2.5 pointscale 2.5
set output "memory.png"
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
unset output
set terminal pdfcairo noenhanced size 3.3in,11.50in font 'Helvetica,8'
set output "memory.pdf"
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
unset output
