# When does streaming pay?: run `gnuplot regime.gp` in this folder; restyle at will, the data is regime.csv.
data = "regime.csv"
n_panels = 3
array panels[3] = ['speed-up over preload', 'average memory: preload / streaming', 'where they lie; colour: speed-up']
n_series = 5
array series[5] = ['ceiling of overlap', 'simulated', 'emulated disk: NVIDIA H100 80GB HBM3', 'measured: NVIDIA H100 80GB HBM3', 'paper''s phone (over SmartMem)']
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
set terminal svg noenhanced name 'regime' size 528,1248 dynamic font 'Helvetica,15' linewidth 1.4 background rgb 'white'
set output "regime.svg"
set logscale xy
set format xy "%g"
set xrange [0.03:200]
set xlabel "disk alone / kernels alone"
set key at screen 0.13, screen 0.997 left top Left reverse vertical maxcols 1 width 0 height 0 samplen 1
# The map's points say by colour what they gain; their shapes are those of the panels above.
# Grey is no gain, blue a loss: at 1 and at 0.7 of a logarithmic bar.
set palette defined (0 "#2166ac", 0.114 "#bbbbbb", 0.243 "#e69f00", 0.335 "#d55e00", 0.557 "#a50026", 1 "#2d004b")
set logscale cb
set cbrange [0.7:16]
set cbtics (0.7, 1, 1.4, 2, 4, 8, 16) offset -0.6,0 scale 0.5
set format cb "%g"
set cblabel "speed-up" offset -1,0
set multiplot layout n_panels, 1 margins char 9, char 10, char 4, char 10 spacing 0, char 6
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    back(i) = series[i] eq 'ceiling of overlap' || series[i] eq 'simulated'
    map = panels[p][1:5] eq 'where'
    set yrange [0.5:*]
    unset colorbox
    if (map) { set colorbox }
    if (map) {
        unset logscale xy
        set xrange [*:*] # stats would leave out what is outside
        set yrange [*:*]
        stats data using (strcol(1) eq panels[p] ? $4 : NaN) every ::1 name "map" nooutput
        set logscale xy
        set xrange [0.03:200]
        set yrange [map_min / 2:map_max * 2]
        set ylabel "transfer alone / kernels alone" offset 0.8,0
    }
    set ytics autofreq
    if (p > 1) { unset key }
    plot 1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] keyentry with points lc rgb (back(i) ? "#888888" : colour(i)) \
             pt (series[i] eq 'ceiling of overlap' ? 0 : back(i) ? 7 : mark(i)) ps (back(i) ? 0.3 : 0.6) \
             title series[i].(series[i] eq 'ceiling of overlap' ? ' (broken line)' : ''), \
         for [i = 1:n_series] data using (in_panel(i) && series[i] eq 'ceiling of overlap' ? $3 : NaN):4 every ::1 \
             with lines dt 2 lc rgb "#666666" lw 1 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && series[i] eq 'simulated' ? $3 : NaN):4 every ::1 \
             with points lc rgb "#bbbbbb" pt 7 ps 0.3 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && !back(i) && !map ? $3 : NaN):4:5:6 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && !back(i) && !map ? $3 : NaN):4 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.6 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && map ? $3 : NaN):4:8 every ::1 \
             with points lc palette pt mark(i) ps 0.8 notitle
}
unset multiplot
unset ylabel
unset logscale xy
unset logscale cb
set format xy
set key
unset output
set terminal pngcairo noenhanced size 1056,2496 font 'Helvetica,26' linewidth 2.5 pointscale 2.5
set output "regime.png"
set logscale xy
set format xy "%g"
set xrange [0.03:200]
set xlabel "disk alone / kernels alone"
set key at screen 0.13, screen 0.997 left top Left reverse vertical maxcols 1 width 0 height 0 samplen 1
# The map's points say by colour what they gain; their shapes are those of the panels above.
# Grey is no gain, blue a loss: at 1 and at 0.7 of a logarithmic bar.
set palette defined (0 "#2166ac", 0.114 "#bbbbbb", 0.243 "#e69f00", 0.335 "#d55e00", 0.557 "#a50026", 1 "#2d004b")
set logscale cb
set cbrange [0.7:16]
set cbtics (0.7, 1, 1.4, 2, 4, 8, 16) offset -0.6,0 scale 0.5
set format cb "%g"
set cblabel "speed-up" offset -1,0
set multiplot layout n_panels, 1 margins char 9, char 10, char 4, char 10 spacing 0, char 6
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    back(i) = series[i] eq 'ceiling of overlap' || series[i] eq 'simulated'
    map = panels[p][1:5] eq 'where'
    set yrange [0.5:*]
    unset colorbox
    if (map) { set colorbox }
    if (map) {
        unset logscale xy
        set xrange [*:*] # stats would leave out what is outside
        set yrange [*:*]
        stats data using (strcol(1) eq panels[p] ? $4 : NaN) every ::1 name "map" nooutput
        set logscale xy
        set xrange [0.03:200]
        set yrange [map_min / 2:map_max * 2]
        set ylabel "transfer alone / kernels alone" offset 0.8,0
    }
    set ytics autofreq
    if (p > 1) { unset key }
    plot 1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] keyentry with points lc rgb (back(i) ? "#888888" : colour(i)) \
             pt (series[i] eq 'ceiling of overlap' ? 0 : back(i) ? 7 : mark(i)) ps (back(i) ? 0.3 : 0.6) \
             title series[i].(series[i] eq 'ceiling of overlap' ? ' (broken line)' : ''), \
         for [i = 1:n_series] data using (in_panel(i) && series[i] eq 'ceiling of overlap' ? $3 : NaN):4 every ::1 \
             with lines dt 2 lc rgb "#666666" lw 1 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && series[i] eq 'simulated' ? $3 : NaN):4 every ::1 \
             with points lc rgb "#bbbbbb" pt 7 ps 0.3 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && !back(i) && !map ? $3 : NaN):4:5:6 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && !back(i) && !map ? $3 : NaN):4 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.6 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && map ? $3 : NaN):4:8 every ::1 \
             with points lc palette pt mark(i) ps 0.8 notitle
}
unset multiplot
unset ylabel
unset logscale xy
unset logscale cb
set format xy
set key
unset output
set terminal pdfcairo noenhanced size 3.3in,7.80in font 'Helvetica,8'
set output "regime.pdf"
set logscale xy
set format xy "%g"
set xrange [0.03:200]
set xlabel "disk alone / kernels alone"
set key at screen 0.13, screen 0.997 left top Left reverse vertical maxcols 1 width 0 height 0 samplen 1
# The map's points say by colour what they gain; their shapes are those of the panels above.
# Grey is no gain, blue a loss: at 1 and at 0.7 of a logarithmic bar.
set palette defined (0 "#2166ac", 0.114 "#bbbbbb", 0.243 "#e69f00", 0.335 "#d55e00", 0.557 "#a50026", 1 "#2d004b")
set logscale cb
set cbrange [0.7:16]
set cbtics (0.7, 1, 1.4, 2, 4, 8, 16) offset -0.6,0 scale 0.5
set format cb "%g"
set cblabel "speed-up" offset -1,0
set multiplot layout n_panels, 1 margins char 9, char 10, char 4, char 10 spacing 0, char 6
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    back(i) = series[i] eq 'ceiling of overlap' || series[i] eq 'simulated'
    map = panels[p][1:5] eq 'where'
    set yrange [0.5:*]
    unset colorbox
    if (map) { set colorbox }
    if (map) {
        unset logscale xy
        set xrange [*:*] # stats would leave out what is outside
        set yrange [*:*]
        stats data using (strcol(1) eq panels[p] ? $4 : NaN) every ::1 name "map" nooutput
        set logscale xy
        set xrange [0.03:200]
        set yrange [map_min / 2:map_max * 2]
        set ylabel "transfer alone / kernels alone" offset 0.8,0
    }
    set ytics autofreq
    if (p > 1) { unset key }
    plot 1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] keyentry with points lc rgb (back(i) ? "#888888" : colour(i)) \
             pt (series[i] eq 'ceiling of overlap' ? 0 : back(i) ? 7 : mark(i)) ps (back(i) ? 0.3 : 0.6) \
             title series[i].(series[i] eq 'ceiling of overlap' ? ' (broken line)' : ''), \
         for [i = 1:n_series] data using (in_panel(i) && series[i] eq 'ceiling of overlap' ? $3 : NaN):4 every ::1 \
             with lines dt 2 lc rgb "#666666" lw 1 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && series[i] eq 'simulated' ? $3 : NaN):4 every ::1 \
             with points lc rgb "#bbbbbb" pt 7 ps 0.3 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && !back(i) && !map ? $3 : NaN):4:5:6 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && !back(i) && !map ? $3 : NaN):4 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.6 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && map ? $3 : NaN):4:8 every ::1 \
             with points lc palette pt mark(i) ps 0.8 notitle
}
unset multiplot
unset ylabel
unset logscale xy
unset logscale cb
set format xy
set key
unset output
