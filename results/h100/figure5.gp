# Figure 5 measured: four ways to carry load: run `gnuplot figure5.gp` in this folder; restyle at will, the data is figure5.csv.
data = "figure5.csv"
n_panels = 5
array panels[5] = ['Attention batch=16 m=512 n=512 k=64', 'ElementWise rows=2048 cols=2048', 'LayerNorm rows=4096 cols=1024', 'MatMul m=1024 n=1024 k=1024', 'SoftMax rows=4096 cols=1024']
n_series = 4
array series[4] = ['naive', 'branching', 'pipelined', 'copy']
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
set terminal svg noenhanced name 'figure5' size 528,1360 dynamic font 'Helvetica,15' linewidth 1.4 background rgb 'white'
set output "figure5.svg"
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
unset output
set terminal pngcairo noenhanced size 1056,2720 font 'Helvetica,26' linewidth 2.5 pointscale 2.5
set output "figure5.png"
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
unset output
set terminal pdfcairo noenhanced size 3.3in,8.50in font 'Helvetica,8'
set output "figure5.pdf"
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
unset output
