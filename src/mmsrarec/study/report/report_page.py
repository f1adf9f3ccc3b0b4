"""report.html: the figures of a run and some of its users on one page that needs nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmsrarec.study.report.environment import Section, page
from mmsrarec.study.report.labels import OURS
from mmsrarec.study.report.sections.diagnostics_section import diagnostics_sections
from mmsrarec.study.report.sections.method_section import (
    leak_worth_section,
    leaks_section,
    method_section,
    summaries_link_section,
)
from mmsrarec.study.report.sections.metrics_section import metrics_section
from mmsrarec.study.report.sections.reference_section import reference_section, sweeps_section
from mmsrarec.study.report.sections.regressions_section import regressions_section, users_section
from mmsrarec.study.report.sections.seeds_section import seeds_section
from mmsrarec.study.report.sections.significance_section import significance_section
from mmsrarec.study.report.user_examples import UserCard


def figures(report: Mapping[str, Any], users: Sequence[UserCard] = (), lost: Sequence[UserCard] = ()) -> list[Section]:
    """The sections of the report.

    Args:
        report: What report.json holds.
        users: Its "users", with pictures.
        lost: Its "lost_users", with pictures.
    """
    tables = dict.fromkeys((row["protocol"], row["split"]) for row in report["rows"])
    sections = [
        *(metrics_section(report, *table) for table in tables),
        sweeps_section(report),
        seeds_section(report),
        reference_section(report),
        significance_section(report),
        *diagnostics_sections(report),
        regressions_section(report, lost),
        users_section(users),
        summaries_link_section(report),
        leak_worth_section(report),
        leaks_section(report),
        method_section(report),
    ]
    return [section for section in sections if section]


def render(report: Mapping[str, Any], users: Sequence[UserCard], lost: Sequence[UserCard] = ()) -> str:
    """Write report.html.

    Args:
        report: What report.json holds.
        users: Its "users", with pictures.
        lost: Its "lost_users", with pictures.
    """
    models = (
        "MMSRARec and by the models it has" if any(row["model"] == OURS for row in report["rows"]) else "the models"
    )
    intro = f"How well the next item is found, by {models} to beat."
    return page("Report", f"MMSRARec on {report['data']}", intro, figures(report, users, lost), sorts=True)
