# Figure 2: latency against extra load: run `gnuplot figure2.gp` in this folder; restyle at will, the data is figure2.csv.
data = "figure2.csv"
n_panels = 0
n_series = 5
array series[5] = ['Attention batch=16 m=512 n=512 k=64', 'ElementWise rows=2048 cols=2048', 'LayerNorm rows=4096 cols=1024', 'MatMul m=1024 n=1024 k=1024', 'SoftMax rows=4096 cols=1024']
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
set terminal svg noenhanced name 'figure2' size 528,480 dynamic font 'Helvetica,15' linewidth 1.4 background rgb 'white'
set output "figure2.svg"
set xlabel "extra load / bytes of the kernel's inputs"
set ylabel "latency / latency without load" offset 1.2,1.5
set yrange [*:*]  # stats would leave out what is outside
stats data using ($3 <= 2 ? $4 : NaN) every ::1 name "y" nooutput
set xrange [-0.05:2.1]
# Above `cut` the axis is compressed: +300 % is there, and the curves can still be told apart.
low = 0.9
cut = (y_max > 1.4 ? y_max : 1.4) + 0.08
narrow = cut < 3 ? 0.14 * (cut - low) / (4 - cut) : 1
set nonlinear y via (y < cut ? y : cut + (y - cut) * narrow) \
                inverse (y < cut ? y : cut + (y - cut) / narrow)
set yrange [low:4 + 0.05 * (cut - low) / narrow]
set xtics 0.5
step = cut < 1.7 ? 0.1 : cut < 3 ? 0.2 : 0.5
set ytics 1,step,cut - step / 2
set ytics add ("4" 4)
set rmargin 7
set arrow 1 from graph 0, first cut to graph 1, first cut nohead dt 4 lc rgb "#bbbbbb" lw 0.8
set label 1 "+20 %" at graph 1.01, first 1.2 left offset 0,-0.25 tc rgb "#555555"
set label 2 "+30 %" at graph 1.01, first 1.3 left offset 0,0.25 tc rgb "#555555"
set label 3 "+300 %" at graph 1.01, first 4 left tc rgb "#555555"
of(i) = strcol(2) eq series[i]
apart(i) = 0.012 * (i - (n_series + 1) / 2.0)  # so that bars at one ratio stand side by side
plot 1.2 with lines dt 2 lc rgb "#888888" notitle, 1.3 with lines dt 3 lc rgb "#888888" notitle, \
     4.0 with lines dt 5 lc rgb "#888888" notitle, \
     for [i = 1:n_series] data using (of(i) && $3 > 0 ? $3 + apart(i) : NaN):4:5:6 every ::1 \
         with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
     for [i = 1:n_series] data using (of(i) ? $3 + ($3 > 0 ? apart(i) : 0) : NaN):4 every ::1 \
         with linespoints lc rgb colour(i) lw 1.5 pt mark(i) ps 0.6 title series[i]
unset nonlinear y
unset arrow 1
unset label
set ytics autofreq
unset output
set terminal pngcairo noenhanced size 1056,960 font 'Helvetica,26' linewidth 2.5 pointscale 2.5
set output "figure2.png"
set xlabel "extra load / bytes of the kernel's inputs"
set ylabel "latency / latency without load" offset 1.2,1.5
set yrange [*:*]  # stats would leave out what is outside
stats data using ($3 <= 2 ? $4 : NaN) every ::1 name "y" nooutput
set xrange [-0.05:2.1]
# Above `cut` the axis is compressed: +300 % is there, and the curves can still be told apart.
low = 0.9
cut = (y_max > 1.4 ? y_max : 1.4) + 0.08
narrow = cut < 3 ? 0.14 * (cut - low) / (4 - cut) : 1
set nonlinear y via (y < cut ? y : cut + (y - cut) * narrow) \
                inverse (y < cut ? y : cut + (y - cut) / narrow)
set yrange [low:4 + 0.05 * (cut - low) / narrow]
set xtics 0.5
step = cut < 1.7 ? 0.1 : cut < 3 ? 0.2 : 0.5
set ytics 1,step,cut - step / 2
set ytics add ("4" 4)
set rmargin 7
set arrow 1 from graph 0, first cut to graph 1, first cut nohead dt 4 lc rgb "#bbbbbb" lw 0.8
set label 1 "+20 %" at graph 1.01, first 1.2 left offset 0,-0.25 tc rgb "#555555"
set label 2 "+30 %" at graph 1.01, first 1.3 left offset 0,0.25 tc rgb "#555555"
set label 3 "+300 %" at graph 1.01, first 4 left tc rgb "#555555"
of(i) = strcol(2) eq series[i]
apart(i) = 0.012 * (i - (n_series + 1) / 2.0)  # so that bars at one ratio stand side by side
plot 1.2 with lines dt 2 lc rgb "#888888" notitle, 1.3 with lines dt 3 lc rgb "#888888" notitle, \
     4.0 with lines dt 5 lc rgb "#888888" notitle, \
     for [i = 1:n_series] data using (of(i) && $3 > 0 ? $3 + apart(i) : NaN):4:5:6 every ::1 \
         with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
     for [i = 1:n_series] data using (of(i) ? $3 + ($3 > 0 ? apart(i) : 0) : NaN):4 every ::1 \
         with linespoints lc rgb colour(i) lw 1.5 pt mark(i) ps 0.6 title series[i]
unset nonlinear y
unset arrow 1
unset label
set ytics autofreq
unset output
set terminal pdfcairo noenhanced size 3.3in,3.00in font 'Helvetica,8'
set output "figure2.pdf"
set xlabel "extra load / bytes of the kernel's inputs"
set ylabel "latency / latency without load" offset 1.2,1.5
set yrange [*:*]  # stats would leave out what is outside
stats data using ($3 <= 2 ? $4 : NaN) every ::1 name "y" nooutput
set xrange [-0.05:2.1]
# Above `cut` the axis is compressed: +300 % is there, and the curves can still be told apart.
low = 0.9
cut = (y_max > 1.4 ? y_max : 1.4) + 0.08
narrow = cut < 3 ? 0.14 * (cut - low) / (4 - cut) : 1
set nonlinear y via (y < cut ? y : cut + (y - cut) * narrow) \
                inverse (y < cut ? y : cut + (y - cut) / narrow)
set yrange [low:4 + 0.05 * (cut - low) / narrow]
set xtics 0.5
step = cut < 1.7 ? 0.1 : cut < 3 ? 0.2 : 0.5
set ytics 1,step,cut - step / 2
set ytics add ("4" 4)
set rmargin 7
set arrow 1 from graph 0, first cut to graph 1, first cut nohead dt 4 lc rgb "#bbbbbb" lw 0.8
set label 1 "+20 %" at graph 1.01, first 1.2 left offset 0,-0.25 tc rgb "#555555"
set label 2 "+30 %" at graph 1.01, first 1.3 left offset 0,0.25 tc rgb "#555555"
set label 3 "+300 %" at graph 1.01, first 4 left tc rgb "#555555"
of(i) = strcol(2) eq series[i]
apart(i) = 0.012 * (i - (n_series + 1) / 2.0)  # so that bars at one ratio stand side by side
plot 1.2 with lines dt 2 lc rgb "#888888" notitle, 1.3 with lines dt 3 lc rgb "#888888" notitle, \
     4.0 with lines dt 5 lc rgb "#888888" notitle, \
     for [i = 1:n_series] data using (of(i) && $3 > 0 ? $3 + apart(i) : NaN):4:5:6 every ::1 \
         with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
     for [i = 1:n_series] data using (of(i) ? $3 + ($3 > 0 ? apart(i) : 0) : NaN):4 every ::1 \
         with linespoints lc rgb colour(i) lw 1.5 pt mark(i) ps 0.6 title series[i]
unset nonlinear y
unset arrow 1
unset label
set ytics autofreq
unset output
