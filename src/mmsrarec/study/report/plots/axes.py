"""Two axes with their grid and ticks, on which curves and dots are drawn."""

from collections.abc import Callable, Sequence

from markupsafe import Markup

from mmsrarec.study.report.plots.svg import drawing, element, group

Points = Sequence[tuple[float, float]]


class Axes:
    """Linear axes from the first to the last tick.

    Args:
        width: In SVG units, as `height` is.
        height: With the names of the axes.
        x_ticks: At least two values, ascending; `y_ticks` likewise.
        x_name: Stands below.
        y_name: Stands above the right end; nothing where it is empty.
        legend: Whether room is left above for a legend and the name of y.
        x_text: How a tick of x is written; `y_text` likewise.
        right: Room for names behind the right end.
    """

    def __init__(
        self,
        width: int,
        height: int,
        x_ticks: Sequence[float],
        y_ticks: Sequence[float],
        x_name: str,
        y_name: str = "",
        legend: bool = False,
        x_text: Callable[[float], str] = "{:g}".format,
        y_text: Callable[[float], str] = "{:g}".format,
        right: int = 8,
    ):
        self.width, self.height, self.x_ticks, self.y_ticks = width, height, x_ticks, y_ticks
        self.left, self.right, self.top, self.bottom = 44, width - right, 30 if legend else 10, height - 36
        self.shapes: list[Markup] = []
        for tick in y_ticks:
            at = self.y(tick)
            self.shapes.append(element("line", class_="grid", x1=self.left, x2=self.right, y1=at, y2=at))
            self._text(self.left - 6, at + 4, y_text(tick), "end")
        for tick in x_ticks:
            at = self.x(tick)
            self.shapes.append(element("line", class_="grid", x1=at, x2=at, y1=self.top, y2=self.bottom))
            self._text(at, self.bottom + 15, x_text(tick), "middle")
        self._text((self.left + self.right) / 2, height - 5, x_name, "middle")
        if y_name:
            self._text(self.right, self.top - 14, f"↑ {y_name}", "end")

    def x(self, value: float) -> float:
        """The horizontal position of a value in pixels."""
        first, last = self.x_ticks[0], self.x_ticks[-1]
        return self.left + (self.right - self.left) * (value - first) / (last - first)

    def y(self, value: float) -> float:
        """The vertical position of a value in pixels."""
        first, last = self.y_ticks[0], self.y_ticks[-1]
        return self.bottom - (self.bottom - self.top) * (value - first) / (last - first)

    def path(self, points: Points) -> str:
        """The positions of points as SVG writes them."""
        return " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)

    def dots(self, points: Points, radius: int, **attributes: str) -> list[Markup]:
        """A circle for each point."""
        return [element("circle", **attributes, cx=self.x(x), cy=self.y(y), r=radius) for x, y in points]

    def curve(self, points: Points) -> list[Markup]:
        """A line through the points, or a dot where there is only one."""
        if len(points) == 1:
            return self.dots(points, 3)
        return [element("polyline", class_="curve", points=self.path(points))] if points else []

    def draw(self, strong: bool, shapes: Sequence[Markup]) -> None:
        """Add shapes as one group, highlighted where `strong`."""
        if shapes:
            self.shapes.append(group(strong, shapes))

    def legend(self, names: Sequence[tuple[str, bool]], dots: bool) -> None:
        """Name what is drawn above the axes: (name, strong), each behind a dot or a short line."""
        at = self.left
        for name, strong in names:
            mark = element("circle", cx=at + 5, cy=12, r=4)
            if not dots:
                mark = element("line", class_="curve", x1=at, x2=at + 10, y1=12, y2=12)
            self.draw(strong, [mark, element("text", name, class_="name", x=at + 15, y=16)])
            at += 31 + 7 * len(name)

    def svg(self, title: str) -> Markup:
        """The whole plot."""
        return drawing(self.width, self.height, title, self.shapes)

    def _text(self, x: float, y: float, text: str, anchor: str) -> None:
        self.shapes.append(element("text", text, class_="tick", x=x, y=y, text_anchor=anchor))
