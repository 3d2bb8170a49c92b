"""Where the marks of a chart stand: bars and a line over time, bars side by side. The page draws them as SVG.

Lengths are units of the picture's own 720 by 240, which is scaled to the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 8, 12, 28
_LABELS = 8
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Bar:
    """A bar; `kind` names its class in the stylesheet."""

    x: float
    y: float
    width: float
    height: float
    kind: str


@dataclass(frozen=True)
class Label:
    """A word at a place."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Chart:
    """What is to be drawn. `zero` is the height of the line of nothing; `line` the points of a polyline."""

    bars: Sequence[Bar]
    ticks: Sequence[Label]
    names: Sequence[Label]
    zero: float
    line: Sequence[tuple[float, float]] = ()

    @property
    def points(self) -> str:
        """The line as SVG writes it."""
        return " ".join(f"{x:g},{y:g}" for x, y in self.line)


def _nice(largest: float) -> float:
    """Return a round step that leads from 0 to `largest` in at most four."""
    scale = 1.0
    while scale * 10 < largest / 4:
        scale *= 10
    return next(step * scale for step in _STEPS if step * scale * 4 >= largest)


def over_time(
    names: Sequence[str], up: Sequence[int], down: Sequence[int], line: Sequence[int], unit: int = 1
) -> Chart:
    """Draw bars upwards (`sold`) and downwards (`refunded`) and a line, a place for each name.

    Args:
        names: what stands below the places; of many only some are written.
        up, down, line: the values, all not negative but the line's.
        unit: how much of the values is 1 on the axis: 100 for fen on an axis of yuan.
    """
    highest, lowest = max([*up, *line, unit]), max([*down, *(-value for value in line), 0])
    step = max(_nice((highest + lowest) / unit), 1) * unit
    top, below = -(-highest // step) * step, -(-lowest // step) * step
    room, place = HEIGHT - _TOP - _BOTTOM, (WIDTH - _LEFT - _RIGHT) / max(len(names), 1)
    scale = room / (top + below)
    zero = _TOP + top * scale
    bars, points = [], []
    for number, (sold, refunded, net) in enumerate(zip(up, down, line, strict=True)):
        x, width = round(_LEFT + place * (number + 0.15), 1), round(place * 0.7, 1)
        bars += _bar(x, width, round(zero - sold * scale, 1), round(sold * scale, 1), "sold")
        bars += _bar(x, width, round(zero, 1), round(refunded * scale, 1), "refunded")
        points.append((round(x + width / 2, 1), round(zero - net * scale, 1)))
    count = round((top + below) / step)
    ticks = [
        Label(_LEFT - 8, round(zero - (step * n - below) * scale, 1), _short((step * n - below) / unit))
        for n in range(count + 1)
    ]
    return Chart(bars, ticks, _spread(names, place), round(zero, 1), points)


def side_by_side(names: Sequence[str], values: Sequence[int], kinds: Sequence[str]) -> Chart:
    """Draw a bar for each value, each of its own kind."""
    step = max(_nice(max([*values, 1])), 1)
    top = -(-max([*values, 1]) // step) * step
    place = (WIDTH - _LEFT - _RIGHT) / max(len(names), 1)
    scale, zero = (HEIGHT - _TOP - _BOTTOM) / top, HEIGHT - _BOTTOM
    bars = []
    for number, (value, kind) in enumerate(zip(values, kinds, strict=True)):
        x, width = round(_LEFT + place * (number + 0.15), 1), round(place * 0.7, 1)
        bars += _bar(x, width, round(zero - value * scale, 1), round(value * scale, 1), kind)
    ticks = [
        Label(_LEFT - 8, round(zero - step * n * scale, 1), _short(step * n))
        for n in range(round(top / step) + 1)
    ]
    return Chart(bars, ticks, _spread(names, place), zero)


def _bar(x: float, width: float, y: float, height: float, kind: str) -> list[Bar]:
    return [Bar(x, y, width, height, kind)] if height > 0 else []


def _spread(names: Sequence[str], place: float) -> list[Label]:
    every = -(-len(names) // _LABELS) or 1
    return [
        Label(round(_LEFT + place * (number + 0.5), 1), HEIGHT - 10, name)
        for number, name in enumerate(names)
        if number % every == 0
    ]


def _short(value: float) -> str:
    return f"{value:,.10g}"
