# Figure 4: predicted against measured latency: run `gnuplot figure4.gp` in this folder; restyle at will, the data is figure4.csv.
data = "figure4.csv"
n_panels = 0
n_series = 3
array series[3] = ['elemental', 'hierarchical', 'reusable']
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
set terminal svg noenhanced name 'figure4' size 528,608 dynamic font 'Helvetica,15' linewidth 1.4 background rgb 'white'
set output "figure4.svg"
set xlabel "measured latency, ms"
set ylabel "predicted latency, ms" offset 0,0
stats data using 3:4 every ::1 name "p" nooutput
low = (p_min_x < p_min_y ? p_min_x : p_min_y) / 1.5
high = (p_max_x > p_max_y ? p_max_x : p_max_y) * 1.5
set logscale xy
set xrange [low:high]
set yrange [low:high]
set format "%g"
set samples 50
set size ratio 1
set key maxcols 2 maxrows 3 width 1
plot "+" using 1:(0.9 * $1):(1.1 * $1) with filledcurves fc rgb "#dddddd" title "within ±10 %", \
     x with lines lc rgb "#444444" lw 0.8 title "equal", \
     for [i = 1:n_series] data using (strcol(2) eq series[i] ? $3 : NaN):4 every ::1 \
         with points lc rgb colour(i) pt mark(i) ps 0.5 title series[i]
unset output
set terminal pngcairo noenhanced size 1056,1216 font 'Helvetica,26' linewidth 2.5 pointscale 2.5
set output "figure4.png"
set xlabel "measured latency, ms"
set ylabel "predicted latency, ms" offset 0,0
stats data using 3:4 every ::1 name "p" nooutput
low = (p_min_x < p_min_y ? p_min_x : p_min_y) / 1.5
high = (p_max_x > p_max_y ? p_max_x : p_max_y) * 1.5
set logscale xy
set xrange [low:high]
set yrange [low:high]
set format "%g"
set samples 50
set size ratio 1
set key maxcols 2 maxrows 3 width 1
plot "+" using 1:(0.9 * $1):(1.1 * $1) with filledcurves fc rgb "#dddddd" title "within ±10 %", \
     x with lines lc rgb "#444444" lw 0.8 title "equal", \
     for [i = 1:n_series] data using (strcol(2) eq series[i] ? $3 : NaN):4 every ::1 \
         with points lc rgb colour(i) pt mark(i) ps 0.5 title series[i]
unset output
set terminal pdfcairo noenhanced size 3.3in,3.80in font 'Helvetica,8'
set output "figure4.pdf"
set xlabel "measured latency, ms"
set ylabel "predicted latency, ms" offset 0,0
stats data using 3:4 every ::1 name "p" nooutput
low = (p_min_x < p_min_y ? p_min_x : p_min_y) / 1.5
high = (p_max_x > p_max_y ? p_max_x : p_max_y) * 1.5
set logscale xy
set xrange [low:high]
set yrange [low:high]
set format "%g"
set samples 50
set size ratio 1
set key maxcols 2 maxrows 3 width 1
plot "+" using 1:(0.9 * $1):(1.1 * $1) with filledcurves fc rgb "#dddddd" title "within ±10 %", \
     x with lines lc rgb "#444444" lw 0.8 title "equal", \
     for [i = 1:n_series] data using (strcol(2) eq series[i] ? $3 : NaN):4 every ::1 \
         with points lc rgb colour(i) pt mark(i) ps 0.5 title series[i]
unset output
