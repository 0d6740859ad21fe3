# Predicted against measured: run `gnuplot predictions.gp` in this folder; restyle at will, the data is predictions.csv.
data = "predictions.csv"
n_panels = 2
array panels[2] = ['integrated latency', 'peak memory']
n_series = 3
array series[3] = ['pthread-skylake-avx512-AMD EPYC', 'pthread-skylake-avx512-AMD EPYC: emulated disk', 'pthread-skylake-avx512-AMD EPYC: in place']
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
set xtics ()
set xtics add ('ResNet' 2)
set xtics add ('ViT' 3)
set xtics add ('GPTN-S' 4)
set xtics add ('SD-UNet' 9)
set xtics add ('GPTN-1.3B' 10)
set xtics add ('DepA-S' 1)
set xtics add ('DeepViT' 5)
set xtics add ('SAM-2' 6)
set xtics add ('DepA-L' 7)
set xtics add ('Whisp-M' 8)
set xtics add ('GPTN-2.7B' 11)
set terminal svg noenhanced name 'predictions' size 528,960 dynamic font 'Helvetica,15' linewidth 1.4 background rgb 'white'
set output "predictions.svg"
set ylabel "predicted / measured" offset 1,0
set key above left vertical maxcols 1 width 0 height 0 samplen 1
set xtics rotate by -28 left scale 0 offset -0.6,0.2
set lmargin 9
set rmargin 6
set xrange [*:*] # stats would leave out what is outside
set yrange [*:*]
unset logscale y
stats data using 3 every ::1 name "place" nooutput
set xrange [0.4:place_max + 0.6]
set logscale y
set ytics (0.25, 0.5, 0.7, 0.85, 1, 1.15, 1.4, 2, 4)
set object 1 rect from graph 0, first 0.85 to graph 1, first 1.15 fc rgb "#eeeeee" fs solid noborder behind
set object 2 rect from graph 0, first 0.9 to graph 1, first 1.1 fc rgb "#dddddd" fs solid noborder behind
set multiplot layout n_panels, 1
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    set xrange [*:*]
    set yrange [*:*]
    stats data using (strcol(1) eq panels[p] ? $5 : NaN) every ::1 name "value" nooutput
    set xrange [0.4:place_max + 0.6]
    set yrange [(value_min < 0.75 ? 0.9 * value_min : 0.7):(value_max > 1.3 ? 1.1 * value_max : 1.4)]
    if (p > 1) { unset key }
    of(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    plot for [i = 1:n_series] keyentry with points lc rgb colour(i) pt mark(i) ps 0.6 title series[i], \
         1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] data using (of(i) ? $3 + 0.8 * $8 : NaN):5:6:7 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.6 pt 0 notitle, \
         for [i = 1:n_series] data using (of(i) ? $3 + 0.8 * $8 : NaN):5 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.5 notitle
}
unset multiplot
unset object 1
unset object 2
unset logscale y
set key
unset output
set terminal pngcairo noenhanced size 1056,1920 font 'Helvetica,26' linewidth 2.5 pointscale 2.5
set output "predictions.png"
set ylabel "predicted / measured" offset 1,0
set key above left vertical maxcols 1 width 0 height 0 samplen 1
set xtics rotate by -28 left scale 0 offset -0.6,0.2
set lmargin 9
set rmargin 6
set xrange [*:*] # stats would leave out what is outside
set yrange [*:*]
unset logscale y
stats data using 3 every ::1 name "place" nooutput
set xrange [0.4:place_max + 0.6]
set logscale y
set ytics (0.25, 0.5, 0.7, 0.85, 1, 1.15, 1.4, 2, 4)
set object 1 rect from graph 0, first 0.85 to graph 1, first 1.15 fc rgb "#eeeeee" fs solid noborder behind
set object 2 rect from graph 0, first 0.9 to graph 1, first 1.1 fc rgb "#dddddd" fs solid noborder behind
set multiplot layout n_panels, 1
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    set xrange [*:*]
    set yrange [*:*]
    stats data using (strcol(1) eq panels[p] ? $5 : NaN) every ::1 name "value" nooutput
    set xrange [0.4:place_max + 0.6]
    set yrange [(value_min < 0.75 ? 0.9 * value_min : 0.7):(value_max > 1.3 ? 1.1 * value_max : 1.4)]
    if (p > 1) { unset key }
    of(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    plot for [i = 1:n_series] keyentry with points lc rgb colour(i) pt mark(i) ps 0.6 title series[i], \
         1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] data using (of(i) ? $3 + 0.8 * $8 : NaN):5:6:7 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.6 pt 0 notitle, \
         for [i = 1:n_series] data using (of(i) ? $3 + 0.8 * $8 : NaN):5 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.5 notitle
}
unset multiplot
unset object 1
unset object 2
unset logscale y
set key
unset output
set terminal pdfcairo noenhanced size 3.3in,6.00in font 'Helvetica,8'
set output "predictions.pdf"
set ylabel "predicted / measured" offset 1,0
set key above left vertical maxcols 1 width 0 height 0 samplen 1
set xtics rotate by -28 left scale 0 offset -0.6,0.2
set lmargin 9
set rmargin 6
set xrange [*:*] # stats would leave out what is outside
set yrange [*:*]
unset logscale y
stats data using 3 every ::1 name "place" nooutput
set xrange [0.4:place_max + 0.6]
set logscale y
set ytics (0.25, 0.5, 0.7, 0.85, 1, 1.15, 1.4, 2, 4)
set object 1 rect from graph 0, first 0.85 to graph 1, first 1.15 fc rgb "#eeeeee" fs solid noborder behind
set object 2 rect from graph 0, first 0.9 to graph 1, first 1.1 fc rgb "#dddddd" fs solid noborder behind
set multiplot layout n_panels, 1
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    set xrange [*:*]
    set yrange [*:*]
    stats data using (strcol(1) eq panels[p] ? $5 : NaN) every ::1 name "value" nooutput
    set xrange [0.4:place_max + 0.6]
    set yrange [(value_min < 0.75 ? 0.9 * value_min : 0.7):(value_max > 1.3 ? 1.1 * value_max : 1.4)]
    if (p > 1) { unset key }
    of(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    plot for [i = 1:n_series] keyentry with points lc rgb colour(i) pt mark(i) ps 0.6 title series[i], \
         1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] data using (of(i) ? $3 + 0.8 * $8 : NaN):5:6:7 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.6 pt 0 notitle, \
         for [i = 1:n_series] data using (of(i) ? $3 + 0.8 * $8 : NaN):5 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.5 notitle
}
unset multiplot
unset object 1
unset object 2
unset logscale y
set key
unset output
