array label[n_series]
do for [i = 1:n_series] { label[i] = show(word(series, i)) }
set xlabel "measured latency, µs"
set ylabel "predicted latency, µs (out of fold)"
set logscale xy
set size ratio 1
set key outside right top vertical maxcols 1
plot for [i = 1:n_series] data using (strcol(2) eq label[i] ? $3 : NaN):4 every ::1 \
         with points lc rgb color[i] pt 7 ps 0.5 title label[i], \
     x with lines lc rgb "#444444" title "equal", \
     1.1 * x with lines dt 2 lc rgb "#888888" title "±10 %", 0.9 * x with lines dt 2 lc rgb "#888888" notitle
