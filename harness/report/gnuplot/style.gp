# Prepended to every figure after the generated lines that set data, name, panels and series.
set datafile separator comma
set datafile missing NaN
set encoding utf8
set key outside top center horizontal samplen 2
set grid back lc rgb "#dddddd" lw 0.5
set border 3 lw 1 lc rgb "#444444"
set tics nomirror out
array color[7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]
n_panels = words(panels)
n_series = words(series)
# Names travel with '~' for blanks, because gnuplot's lists are separated by blanks.
show(s) = system("printf %s '" . s . "' | tr '~' ' '")
