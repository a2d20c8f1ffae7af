# Draws bench.svg from bench.dat: CPU time of one poll, the floor's being 1.
set terminal svg size 800,440 font "sans-serif,13" background rgb "white"
set output folder . "/bench.svg"
set datafile missing "NaN"
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.85 noborder
set boxwidth 0.9
set logscale y
set yrange [0.5:*]
set ytics nomirror
set xtics nomirror rotate by -30
set grid ytics lc rgb "#dddddd"
set border 3
set key top left
set title "CPU time of one poll, as a multiple of a bare libcurl program's"
file = folder . "/bench.dat"
plot file using 2:xtic(1) title "HTTP/1.1" lc rgb "#4477aa", \
     "" using 3 title "TLS, HTTP/1.1" lc rgb "#ccbb44", \
     "" using 4 title "TLS, HTTP/2" lc rgb "#aa3377", \
     1 title "" lc rgb "black" dashtype 2
