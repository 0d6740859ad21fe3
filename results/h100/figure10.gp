# Figure 10: devices: run `gnuplot figure10.gp` in this folder; restyle at will, the data is figure10.csv.
data = "figure10.csv"
n_panels = 2
array panels[2] = ['latency: preload / streaming', 'average memory: preload / streaming']
n_series = 1
array series[1] = ['NVIDIA H100 80GB HBM3']
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
set xtics ()
set xtics add ('GPTN-S f32' 1)
set xtics add ('ResNet f32' 2)
set xtics add ('SD-UNet f16' 3)
set xtics add ('ViT f16' 4)
set xtics add ('ViT f32' 5)
set terminal svg noenhanced name 'figure10' size 528,832 dynamic font 'Helvetica,15' linewidth 1.4 background rgb 'white'
set output "figure10.svg"
set ylabel "preload / streaming" offset 0.5,0
set key above left vertical maxcols 1 width 0 height 0 samplen 1
set yrange [0:*]
set ytics autofreq
set lmargin 8
set rmargin 9
apart(i) = 0.2 * (i - (n_series + 1) / 2.0)
stats data using 3 every ::1 name "place" nooutput
set xrange [0.4:place_max + 0.6]
set xtics rotate by (place_max > 8 ? -60 : -28) left scale 0 offset -0.6,0.2 # many names would lie on each other
set multiplot layout n_panels, 1
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    if (p > 1) { unset key }
    plot for [i = 1:n_series] keyentry with points lc rgb colour(i) pt mark(i) ps 0.6 title series[i], \
         1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] data using (in_panel(i) ? $3 + apart(i) : NaN):5:6:7 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (in_panel(i) ? $3 + apart(i) : NaN):5 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.6 notitle
}
unset multiplot
set key
unset output
set terminal pngcairo noenhanced size 1056,1664 font 'Helvetica,26' linewidth 2.5 pointscale 2.5
set output "figure10.png"
set ylabel "preload / streaming" offset 0.5,0
set key above left vertical maxcols 1 width 0 height 0 samplen 1
set yrange [0:*]
set ytics autofreq
set lmargin 8
set rmargin 9
apart(i) = 0.2 * (i - (n_series + 1) / 2.0)
stats data using 3 every ::1 name "place" nooutput
set xrange [0.4:place_max + 0.6]
set xtics rotate by (place_max > 8 ? -60 : -28) left scale 0 offset -0.6,0.2 # many names would lie on each other
set multiplot layout n_panels, 1
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    if (p > 1) { unset key }
    plot for [i = 1:n_series] keyentry with points lc rgb colour(i) pt mark(i) ps 0.6 title series[i], \
         1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] data using (in_panel(i) ? $3 + apart(i) : NaN):5:6:7 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (in_panel(i) ? $3 + apart(i) : NaN):5 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.6 notitle
}
unset multiplot
set key
unset output
set terminal pdfcairo noenhanced size 3.3in,5.20in font 'Helvetica,8'
set output "figure10.pdf"
set ylabel "preload / streaming" offset 0.5,0
set key above left vertical maxcols 1 width 0 height 0 samplen 1
set yrange [0:*]
set ytics autofreq
set lmargin 8
set rmargin 9
apart(i) = 0.2 * (i - (n_series + 1) / 2.0)
stats data using 3 every ::1 name "place" nooutput
set xrange [0.4:place_max + 0.6]
set xtics rotate by (place_max > 8 ? -60 : -28) left scale 0 offset -0.6,0.2 # many names would lie on each other
set multiplot layout n_panels, 1
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.8
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    if (p > 1) { unset key }
    plot for [i = 1:n_series] keyentry with points lc rgb colour(i) pt mark(i) ps 0.6 title series[i], \
         1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         for [i = 1:n_series] data using (in_panel(i) ? $3 + apart(i) : NaN):5:6:7 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (in_panel(i) ? $3 + apart(i) : NaN):5 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.6 notitle
}
unset multiplot
set key
unset output
