array label[n_series]
do for [i = 1:n_series] { label[i] = show(word(series, i)) }
set xlabel "time since the first byte was asked for, ms"
set ylabel "live memory, MB"
set yrange [0:*]
set key inside right top vertical
set multiplot layout n_panels, 1
do for [p = 1:n_panels] {
    name_p = show(word(panels, p))
    set title name_p
    plot for [i = 1:n_series] data \
        using (strcol(1) eq name_p && strcol(2) eq label[i] ? $3 : NaN):4 every ::1 \
        with steps lc rgb color[i] lw 1.5 title label[i]
}
unset multiplot
