# Figure 8: latency against memory: run `gnuplot figure8.gp` in this folder; restyle at will, the data is figure8.csv.
data = "figure8.csv"
n_panels = 2
array panels[2] = ['GPTN-S f32 image: integrated', 'GPTN-S f32 image: execution alone']
n_series = 6
array series[6] = ['planned', 'proven bound', 'latency', 'lc-opg split', 'lc-opg', 'preload']
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
set terminal svg noenhanced name 'figure8' size 528,736 dynamic font 'Helvetica,15' linewidth 1.4 background rgb 'white'
set output "figure8.svg"
set ylabel "ms"
set xlabel "memory, MB (planned: the limit; measured: the peak held)"
set yrange [*:*]
set xrange [0:*]
set ytics autofreq
set lmargin 8
set key above left horizontal maxcols 3 width 0 height 0 samplen 1.5
set multiplot layout n_panels, 1
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    line(i) = series[i] eq 'planned' || series[i] eq 'proven bound'
    dash(i) = series[i] eq 'planned' ? 1 : 2
    if (p > 1) { unset key }
    plot for [i = 1:n_series] keyentry with lines lc rgb colour(i) lw 1.5 dt dash(i) title (line(i) ? series[i] : ''), \
         for [i = 1:n_series] keyentry with points lc rgb colour(i) pt mark(i) ps 0.6 \
             title (line(i) ? '' : series[i]), \
         for [i = 1:n_series] data using (in_panel(i) && line(i) ? $3 : NaN):4 every ::1 \
             with lines lc rgb colour(i) lw 1.5 dt dash(i) notitle, \
         for [i = 1:n_series] data using (in_panel(i) ? $3 : NaN):4:5:6 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && !line(i) ? $3 : NaN):4 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.6 notitle
}
unset multiplot
set key
unset output
set terminal pngcairo noenhanced size 1056,1472 font 'Helvetica,26' linewidth 2.5 pointscale 2.5
set output "figure8.png"
set ylabel "ms"
set xlabel "memory, MB (planned: the limit; measured: the peak held)"
set yrange [*:*]
set xrange [0:*]
set ytics autofreq
set lmargin 8
set key above left horizontal maxcols 3 width 0 height 0 samplen 1.5
set multiplot layout n_panels, 1
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    line(i) = series[i] eq 'planned' || series[i] eq 'proven bound'
    dash(i) = series[i] eq 'planned' ? 1 : 2
    if (p > 1) { unset key }
    plot for [i = 1:n_series] keyentry with lines lc rgb colour(i) lw 1.5 dt dash(i) title (line(i) ? series[i] : ''), \
         for [i = 1:n_series] keyentry with points lc rgb colour(i) pt mark(i) ps 0.6 \
             title (line(i) ? '' : series[i]), \
         for [i = 1:n_series] data using (in_panel(i) && line(i) ? $3 : NaN):4 every ::1 \
             with lines lc rgb colour(i) lw 1.5 dt dash(i) notitle, \
         for [i = 1:n_series] data using (in_panel(i) ? $3 : NaN):4:5:6 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && !line(i) ? $3 : NaN):4 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.6 notitle
}
unset multiplot
set key
unset output
set terminal pdfcairo noenhanced size 3.3in,4.60in font 'Helvetica,8'
set output "figure8.pdf"
set ylabel "ms"
set xlabel "memory, MB (planned: the limit; measured: the peak held)"
set yrange [*:*]
set xrange [0:*]
set ytics autofreq
set lmargin 8
set key above left horizontal maxcols 3 width 0 height 0 samplen 1.5
set multiplot layout n_panels, 1
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    line(i) = series[i] eq 'planned' || series[i] eq 'proven bound'
    dash(i) = series[i] eq 'planned' ? 1 : 2
    if (p > 1) { unset key }
    plot for [i = 1:n_series] keyentry with lines lc rgb colour(i) lw 1.5 dt dash(i) title (line(i) ? series[i] : ''), \
         for [i = 1:n_series] keyentry with points lc rgb colour(i) pt mark(i) ps 0.6 \
             title (line(i) ? '' : series[i]), \
         for [i = 1:n_series] data using (in_panel(i) && line(i) ? $3 : NaN):4 every ::1 \
             with lines lc rgb colour(i) lw 1.5 dt dash(i) notitle, \
         for [i = 1:n_series] data using (in_panel(i) ? $3 : NaN):4:5:6 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (in_panel(i) && !line(i) ? $3 : NaN):4 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.6 notitle
}
unset multiplot
set key
unset output
