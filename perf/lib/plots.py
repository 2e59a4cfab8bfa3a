# SPDX-License-Identifier: BSD-3-Clause
"""PNG plots of a result with gnuplot, beside its JSON file: Mpps and Gbit/s against size, cycles against SAs, and what a
packet's cycles are made of."""
import shutil
import subprocess

from plan import DIRECTIONS, SIZES, with_packets
from rounds import Task
from systems import Point

HEAD = """\
set terminal pngcairo size 900,560 font "sans,11"
set output "{path}"
set title "{title}"
set key outside right top
set grid
"""
SYSTEMS = ("loop", "sallyport", "secgw")


def median(rows, point, system):
    row = rows.get(Task(point, system))
    return row.median() if row else None


def block(name, lines):
    return f"${name} << END\n" + "".join(line + "\n" for line in lines) + "END\n"


def numbers(values):
    return " ".join("NaN" if v is None else f"{v:.4f}" for v in values)


def rate_plot(rows, hz, path, unit):
    text, curves = HEAD.format(path=path, title=f"{unit} by inner packet size, one core, AES-GCM-128"), []
    for direction in DIRECTIONS:
        for system in SYSTEMS:
            name, lines = f"{direction}_{system}", []
            for size in SIZES:
                cycles = median(rows, Point(direction, size), system)
                factor = 1 if unit == "Mpps" else int(size) * 8 / 1e3
                lines.append(f"{size} {numbers([hz / cycles / 1e6 * factor if cycles else None])}")
            text += block(name, lines)
            dash = "" if direction == "encap" else " dt 2"
            curves.append(f'${name} using 1:2 with linespoints lw 2 lc {SYSTEMS.index(system) + 1}{dash} '
                          f'title "{system} {direction}"')
    return text + f'set xlabel "bytes"\nset ylabel "{unit}"\nset yrange [0:*]\nplot ' + ", ".join(curves) + "\n"


def sas_plot(rows, path):
    text, curves = HEAD.format(path=path, title="cycles a packet by number of SAs, 64 bytes"), []
    for direction in DIRECTIONS:
        for system in ("loop", "sallyport"):
            name, lines = f"{direction}_{system}", []
            for sas in (1, 100, 1000, 10000, 50000):
                point = Point(direction) if sas == 1 else with_packets(direction, sas=sas)
                cycles = median(rows, point, system)
                lines += [f"{sas} {cycles:.1f}"] if cycles else []
            if lines:
                text += block(name, lines)
                curves.append(f'${name} using 1:2 with linespoints lw 2 title "{system} {direction}"')
    return text + 'set logscale x\nset xlabel "SAs"\nset ylabel "TSC cycles"\nset yrange [0:*]\nplot ' + ", ".join(curves) + "\n"


def stages_plot(rows, path):
    """source and sink, crypto, the rest of the bare loop, what the gateway adds"""
    lines = []
    for size in SIZES:
        for direction in DIRECTIONS:
            p = Point(direction, size)
            source, loop, gateway = (median(rows, p, s) for s in ("source", "loop", "sallyport"))
            crypto = median(rows, Point("encap", size), "crypto")
            if None not in (source, loop, gateway, crypto):
                parts = [source, crypto, max(loop - source - crypto, 0), max(gateway - loop, 0)]
                lines.append(f'"{direction} {size}" {numbers(parts)}')
    if not lines:
        return None
    titles = ("source and sink", "crypto", "rest of the bare loop", "added by the gateway")
    return (HEAD.format(path=path, title="what a packet's cycles are made of, AES-GCM-128") + block("stages", lines) +
            "set style data histograms\nset style histogram rowstacked\nset style fill solid 0.8\nset boxwidth 0.7\n"
            'set ylabel "TSC cycles"\nset yrange [0:*]\nplot ' +
            ", ".join(f'$stages using {i + 2}:xtic(1) title "{t}"' for i, t in enumerate(titles)) + "\n")


def draw(rows, hz, base):
    """the paths of what was drawn"""
    if not shutil.which("gnuplot"):
        print("no plots: gnuplot is not installed")
        return []
    scripts = {f"{base}-mpps.png": lambda path: rate_plot(rows, hz, path, "Mpps"),
               f"{base}-gbits.png": lambda path: rate_plot(rows, hz, path, "Gbit/s"),
               f"{base}-sas.png": lambda path: sas_plot(rows, path),
               f"{base}-stages.png": lambda path: stages_plot(rows, path)}
    drawn = []
    for path, make in scripts.items():
        script = make(path)
        if script and subprocess.run(["gnuplot"], input=script, text=True, stderr=subprocess.DEVNULL).returncode == 0:
            drawn.append(path)
    return drawn
