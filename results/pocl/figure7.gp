# Figure 7: what each step gains: run `gnuplot figure7.gp` in this folder; restyle at will, the data is figure7.csv.
data = "figure7.csv"
n_panels = 2
array panels[2] = ['latency: gained by adding it / lost without it', 'average memory: gained / lost without it']
n_series = 5
array series[5] = ['GPTN-1.3B f16', 'GPTN-S', 'ResNet', 'SD-UNet f16', 'ViT']
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
set xtics add ('preload' 2)
set xtics add ('+ plan' 3)
set xtics add ('+ adaptive fusion' 4)
set xtics add ('+ kernel rewriting' 5)
set xtics add ('all but the solver' 6)
set xtics add ('all but fusion' 7)
set xtics add ('all but tuning' 9)
set terminal svg noenhanced name 'figure7' size 528,928 dynamic font 'Helvetica,15' linewidth 1.4 background rgb 'white'
set output "figure7.svg"
set key above left horizontal maxcols 0 maxrows 1 width 0 height 0 samplen 1
set xrange [1.4:9.6]
set xtics rotate by -28 left scale 0 offset -0.8,0.2
set logscale y
set yrange [* < 0.5:*] # what lies lower is shown, too
set ytics autofreq
set format y "%g"
set lmargin 6
set rmargin 9
set multiplot layout n_panels, 1
apart(i) = 0.14 * (i - (n_series + 1) / 2.0)
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.6

    set object 1 rect from 1.4, graph 0 to 5.5, graph 1 fc rgb "#f7f7f7" fs solid noborder behind
    if (p > 1) { unset key }
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    plot 1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         data using (strcol(1) eq panels[p] && strcol(2) eq series[1] && $9 > 0 ? $3 : NaN):8:($3 - 0.42):($3 + 0.42):8:9 every ::1 \
             with boxxyerror fs solid 0.6 noborder lc rgb "#e3d7b0" title (p == 1 ? "stated by the paper" : ""), \
         for [i = 1:n_series] data using (in_panel(i) ? $3 + apart(i) : NaN):5:6:7 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (in_panel(i) ? $3 + apart(i) : NaN):5 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.6 title series[i]
}
unset multiplot
unset object 1
unset logscale y
set key
unset output
set terminal pngcairo noenhanced size 1056,1856 font 'Helvetica,26' linewidth 2.5 pointscale 2.5
set output "figure7.png"
set key above left horizontal maxcols 0 maxrows 1 width 0 height 0 samplen 1
set xrange [1.4:9.6]
set xtics rotate by -28 left scale 0 offset -0.8,0.2
set logscale y
set yrange [* < 0.5:*] # what lies lower is shown, too
set ytics autofreq
set format y "%g"
set lmargin 6
set rmargin 9
set multiplot layout n_panels, 1
apart(i) = 0.14 * (i - (n_series + 1) / 2.0)
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.6

    set object 1 rect from 1.4, graph 0 to 5.5, graph 1 fc rgb "#f7f7f7" fs solid noborder behind
    if (p > 1) { unset key }
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    plot 1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         data using (strcol(1) eq panels[p] && strcol(2) eq series[1] && $9 > 0 ? $3 : NaN):8:($3 - 0.42):($3 + 0.42):8:9 every ::1 \
             with boxxyerror fs solid 0.6 noborder lc rgb "#e3d7b0" title (p == 1 ? "stated by the paper" : ""), \
         for [i = 1:n_series] data using (in_panel(i) ? $3 + apart(i) : NaN):5:6:7 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (in_panel(i) ? $3 + apart(i) : NaN):5 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.6 title series[i]
}
unset multiplot
unset object 1
unset logscale y
set key
unset output
set terminal pdfcairo noenhanced size 3.3in,5.80in font 'Helvetica,8'
set output "figure7.pdf"
set key above left horizontal maxcols 0 maxrows 1 width 0 height 0 samplen 1
set xrange [1.4:9.6]
set xtics rotate by -28 left scale 0 offset -0.8,0.2
set logscale y
set yrange [* < 0.5:*] # what lies lower is shown, too
set ytics autofreq
set format y "%g"
set lmargin 6
set rmargin 9
set multiplot layout n_panels, 1
apart(i) = 0.14 * (i - (n_series + 1) / 2.0)
do for [p = 1:n_panels] {
    set title panels[p] offset 0,-0.6

    set object 1 rect from 1.4, graph 0 to 5.5, graph 1 fc rgb "#f7f7f7" fs solid noborder behind
    if (p > 1) { unset key }
    in_panel(i) = strcol(1) eq panels[p] && strcol(2) eq series[i]
    plot 1.0 with lines lc rgb "#888888" lw 0.8 notitle, \
         data using (strcol(1) eq panels[p] && strcol(2) eq series[1] && $9 > 0 ? $3 : NaN):8:($3 - 0.42):($3 + 0.42):8:9 every ::1 \
             with boxxyerror fs solid 0.6 noborder lc rgb "#e3d7b0" title (p == 1 ? "stated by the paper" : ""), \
         for [i = 1:n_series] data using (in_panel(i) ? $3 + apart(i) : NaN):5:6:7 every ::1 \
             with yerrorbars lc rgb colour(i) lw 0.8 pt 0 notitle, \
         for [i = 1:n_series] data using (in_panel(i) ? $3 + apart(i) : NaN):5 every ::1 \
             with points lc rgb colour(i) pt mark(i) ps 0.6 title series[i]
}
unset multiplot
unset object 1
unset logscale y
set key
unset output
