# Predicted against measured, layer by layer: run `gnuplot layers.gp` in this folder; restyle at will, the data is layers.csv.
data = "layers.csv"
n_panels = 1
array panels[1] = ['pthread-skylake-avx512-AMD EPYC: ResNet f32']
n_series = 5
array series[5] = ['conv2d', 'matmul', 'pool2d', 'reduce', 'slice']
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
set terminal svg noenhanced name 'layers' size 528,368 dynamic font 'Helvetica,15' linewidth 1.4 background rgb 'white'
set output "layers.svg"
set ylabel "predicted / measured" offset 1,0
set key at screen 0.13, screen 0.995 left top Left reverse horizontal maxcols 4 maxrows 0 width -1 height 0 samplen 1
set logscale y
set ytics (0.25, 0.5, 0.7, 1, 1.4, 2, 4)
set xlabel "layer"
set multiplot layout n_panels, 1 margins char 9, char 2, char 4, char 6 spacing 0, char 6
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    set xrange [*:*]
    set yrange [*:*]
    stats data using (strcol(1) eq panels[p] ? $4 : NaN) every ::1 name "ratio" nooutput
    set yrange [(ratio_min < 0.7 ? 0.8 * ratio_min : 0.6):(ratio_max > 1.4 ? 1.2 * ratio_max : 1.6)]
    set object 1 rect from graph 0, first 0.85 to graph 1, first 1.15 fc rgb "#eeeeee" fs solid noborder behind
    set object 2 rect from graph 0, first 0.9 to graph 1, first 1.1 fc rgb "#dddddd" fs solid noborder behind
    if (p > 1) { unset key }
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    plot 1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] keyentry with points lc rgb colour(i) pt mark(i) ps 0.6 title series[i], \
         for [i = 1:n_series] data using (in_panel(i) ? $3 : NaN):4:(0.25 + 2.5 * $7) every ::1 \
             with points lc rgb colour(i) pt mark(i) ps variable notitle
}
unset multiplot
unset object 1
unset object 2
unset logscale y
set key
unset output
set terminal pngcairo noenhanced size 1056,736 font 'Helvetica,26' linewidth 2.5 pointscale 2.5
set output "layers.png"
set ylabel "predicted / measured" offset 1,0
set key at screen 0.13, screen 0.995 left top Left reverse horizontal maxcols 4 maxrows 0 width -1 height 0 samplen 1
set logscale y
set ytics (0.25, 0.5, 0.7, 1, 1.4, 2, 4)
set xlabel "layer"
set multiplot layout n_panels, 1 margins char 9, char 2, char 4, char 6 spacing 0, char 6
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    set xrange [*:*]
    set yrange [*:*]
    stats data using (strcol(1) eq panels[p] ? $4 : NaN) every ::1 name "ratio" nooutput
    set yrange [(ratio_min < 0.7 ? 0.8 * ratio_min : 0.6):(ratio_max > 1.4 ? 1.2 * ratio_max : 1.6)]
    set object 1 rect from graph 0, first 0.85 to graph 1, first 1.15 fc rgb "#eeeeee" fs solid noborder behind
    set object 2 rect from graph 0, first 0.9 to graph 1, first 1.1 fc rgb "#dddddd" fs solid noborder behind
    if (p > 1) { unset key }
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    plot 1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] keyentry with points lc rgb colour(i) pt mark(i) ps 0.6 title series[i], \
         for [i = 1:n_series] data using (in_panel(i) ? $3 : NaN):4:(0.25 + 2.5 * $7) every ::1 \
             with points lc rgb colour(i) pt mark(i) ps variable notitle
}
unset multiplot
unset object 1
unset object 2
unset logscale y
set key
unset output
set terminal pdfcairo noenhanced size 3.3in,2.30in font 'Helvetica,8'
set output "layers.pdf"
set ylabel "predicted / measured" offset 1,0
set key at screen 0.13, screen 0.995 left top Left reverse horizontal maxcols 4 maxrows 0 width -1 height 0 samplen 1
set logscale y
set ytics (0.25, 0.5, 0.7, 1, 1.4, 2, 4)
set xlabel "layer"
set multiplot layout n_panels, 1 margins char 9, char 2, char 4, char 6 spacing 0, char 6
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    set xrange [*:*]
    set yrange [*:*]
    stats data using (strcol(1) eq panels[p] ? $4 : NaN) every ::1 name "ratio" nooutput
    set yrange [(ratio_min < 0.7 ? 0.8 * ratio_min : 0.6):(ratio_max > 1.4 ? 1.2 * ratio_max : 1.6)]
    set object 1 rect from graph 0, first 0.85 to graph 1, first 1.15 fc rgb "#eeeeee" fs solid noborder behind
    set object 2 rect from graph 0, first 0.9 to graph 1, first 1.1 fc rgb "#dddddd" fs solid noborder behind
    if (p > 1) { unset key }
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    plot 1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] keyentry with points lc rgb colour(i) pt mark(i) ps 0.6 title series[i], \
         for [i = 1:n_series] data using (in_panel(i) ? $3 : NaN):4:(0.25 + 2.5 * $7) every ::1 \
             with points lc rgb colour(i) pt mark(i) ps variable notitle
}
unset multiplot
unset object 1
unset object 2
unset logscale y
set key
unset output
