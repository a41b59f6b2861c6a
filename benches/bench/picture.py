"""Pictures, as SVG that is readable in the light and in the dark. No library: rectangles, lines and words."""

import math
from xml.sax.saxutils import escape

WIDTH = 760
STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #333 }
.title { font-weight: 600; font-size: 15px }
.small { font-size: 12px; fill: #666 }
.grid { stroke: #9995; stroke-width: 1 }
.spread { stroke: #333; stroke-width: 1.5 }
.ours { fill: #2f7d5b } .base { fill: #5b7fb5 } .others { fill: #b3b3b3 }
.line0 { stroke: #2f7d5b } .line1 { stroke: #c2731d } .line2 { stroke: #5b7fb5 }
.dot0 { fill: #2f7d5b } .dot1 { fill: #c2731d } .dot2 { fill: #5b7fb5 }
polyline { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd } .small { fill: #aaa } .spread { stroke: #ddd } .others { fill: #777 }
}
</style>"""


def document(height, title, parts):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title, {chr(34): "&quot;"})}">',
        STYLE,
        words(12, 24, title, kind="title"),
        *parts,
        "</svg>\n",
    ])


def words(x, y, text, anchor="start", kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(str(text))}</text>'


def kind_of(name):
    return "ours" if "passgate" in name else "base" if name == "nginx" else "others"


def bars(title, under, values):
    """A bar for each (name, middle, low, high). What is far longer than the others is cut, and says so."""
    left, right, top, row = 150, 110, 58, 26
    middles = sorted(middle for _, middle, _, _ in values)
    # A few that cost a multiple must not press the others flat.
    most = min(middles[-1], 2.5 * middles[len(middles) * 3 // 4]) if middles else 1
    scale = (WIDTH - left - right) / most
    parts = [words(12, 44, under, kind="small")]
    for index, (name, middle, low, high) in enumerate(values):
        y, is_cut = top + index * row, middle > most
        length = min(middle, most) * scale
        parts.append(words(left - 8, y + 14, name, "end"))
        parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="18" class="{kind_of(name)}"/>')
        if not is_cut and high > low:
            parts.append(f'<line x1="{left + low * scale:.1f}" x2="{left + min(high, most) * scale:.1f}" y1="{y + 9}" y2="{y + 9}" class="spread"/>')
        end = max(length, min(high, most) * scale)
        parts.append(words(left + end + 6, y + 14, f"{middle:.1f}" + (" (cut)" if is_cut else "")))
    return document(top + len(values) * row + 12, title, parts)


def lines(title, series):
    """A line for each name: points of a size, drawn by its power of ten, and a value."""
    left, right, top, height = 60, 110, 48, 260
    sizes = sorted({size for points in series.values() for size, _ in points})
    span = math.log10(sizes[-1]) - math.log10(sizes[0]) or 1
    most = max(1.1, *(value for points in series.values() for _, value in points))
    across = lambda size: left + (math.log10(size) - math.log10(sizes[0])) / span * (WIDTH - left - right)
    up = lambda value: top + height - value / most * height
    parts = []
    for tenth in range(0, int(most * 10) + 1, 2):
        y = up(tenth / 10)
        parts.append(f'<line x1="{left}" x2="{WIDTH - right}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(words(left - 8, y + 4, f"{tenth / 10:.1f}", "end", "small"))
    for size in sizes:
        parts.append(words(across(size), top + height + 20, f"{size:,}", "middle", "small"))
    ends = []
    for index, (name, points) in enumerate(series.items()):
        drawn = " ".join(f"{across(size):.1f},{up(value):.1f}" for size, value in points)
        parts.append(f'<polyline points="{drawn}" class="line{index % 3}"/>')
        parts += [f'<circle cx="{across(size):.1f}" cy="{up(value):.1f}" r="3.5" class="dot{index % 3}"/>' for size, value in points]
        ends.append((up(points[-1][1]), across(points[-1][0]), name))
    # Names stand at the ends of their lines, and not upon each other.
    previous = -math.inf
    for y, x, name in sorted(ends):
        previous = max(y + 4, previous + 16)
        parts.append(words(x + 10, previous, name))
    return document(top + height + 36, title, parts)
