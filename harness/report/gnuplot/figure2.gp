set xlabel "extra load / bytes of the kernel's inputs"
set ylabel "latency / latency without load"
stats data using ($3 <= 2 ? $4 : NaN) every ::1 name "y" nooutput
set xrange [-0.05:2.1]
set yrange [0.9:(y_max > 1.4 ? y_max : 1.4) + 0.08]
set xtics 0.5
set rmargin 7
set label 1 "+20 %" at graph 1.01, first 1.2 left offset 0,-0.25 tc rgb "#555555"
set label 2 "+30 %" at graph 1.01, first 1.3 left offset 0,0.25 tc rgb "#555555"
of(i) = strcol(2) eq series[i]
apart(i) = 0.012 * (i - (n_series + 1) / 2.0)  # so that bars at one ratio stand side by side
plot 1.2 with lines dt 2 lc rgb "#888888" notitle, 1.3 with lines dt 3 lc rgb "#888888" notitle, \
     for [i = 1:n_series] data using (of(i) && $3 > 0 ? $3 + apart(i) : NaN):4:5:6 every ::1 \
         with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
     for [i = 1:n_series] data using (of(i) ? $3 + ($3 > 0 ? apart(i) : 0) : NaN):4 every ::1 \
         with linespoints lc rgb colour(i) lw 1.5 pt mark(i) ps 0.6 title series[i]
