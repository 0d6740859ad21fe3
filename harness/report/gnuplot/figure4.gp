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
