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
