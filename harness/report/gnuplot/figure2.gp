array label[n_series]
do for [i = 1:n_series] { label[i] = show(word(series, i)) }
set xlabel "extra load / bytes of the kernel's inputs"
set ylabel "latency / latency without load"
set xrange [0:2]
set yrange [0.9:*<4]
set rmargin 8
set label 1 "+20 %" at graph 1.01, first 1.2 left tc rgb "#888888" font ",9"
set label 2 "+30 %" at graph 1.01, first 1.3 left tc rgb "#888888" font ",9" offset 0,0.4
set key inside top left vertical Left reverse
plot for [i = 1:n_series] data using (strcol(2) eq label[i] ? $3 : NaN):4:5:6 every ::1 \
         with yerrorbars lc rgb color[i] pt 0 notitle, \
     for [i = 1:n_series] data using (strcol(2) eq label[i] ? $3 : NaN):4 every ::1 \
         with linespoints lc rgb color[i] lw 1.5 pt 7 ps 0.5 title label[i], \
     1.2 with lines dt 2 lc rgb "#888888" notitle, 1.3 with lines dt 3 lc rgb "#888888" notitle
