"""Small inline SVG plots. Their colours come from page.css."""

from mmsrarec.study.report.plots.bars import bar_plot, short_count
from mmsrarec.study.report.plots.curves import Cloud, Line, cloud_plot, line_plot
from mmsrarec.study.report.plots.groups import Group, group_plot
from mmsrarec.study.report.plots.intervals import Dot, dot_plot
from mmsrarec.study.report.plots.scatter import Point, scatter
from mmsrarec.study.report.plots.svg import save_svg

__all__ = [
    "Cloud",
    "Dot",
    "Group",
    "Line",
    "Point",
    "bar_plot",
    "cloud_plot",
    "dot_plot",
    "group_plot",
    "line_plot",
    "save_svg",
    "scatter",
    "short_count",
]
