"""Users of the report: the parts of them where our row falls behind, and single users whole."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmsrarec.study.report.environment import Section
from mmsrarec.study.report.labels import table_label
from mmsrarec.study.report.sections.significance_section import difference
from mmsrarec.study.report.user_examples import UserCard

SIGNIFICANT_P = 0.05


def regressions_section(report: Mapping[str, Any], lost: Sequence[UserCard]) -> Section | None:
    """What report.json calls "worse", with the users who lost most; None without any."""
    tables = [_table(regressions) for regressions in report.get("worse", ())]
    return Section("report/regressions", {"tables": tables, "lost_users": lost}) if tables else None


def _table(regressions: Mapping[str, Any]) -> dict[str, Any]:
    behind = [part for part in regressions["parts"] if part["difference"] < 0]
    return {
        **regressions,
        "label": table_label(regressions["protocol"], regressions["split"]),
        "behind": len(behind),
        "beyond_luck": sum(part.get("p_holm", part["p"]) <= SIGNIFICANT_P for part in behind),
        "parts": [{**part, "difference": difference(part)} for part in regressions["parts"]],
    }


def users_section(users: Sequence[UserCard]) -> Section | None:
    """Users whole: what they had, what is recommended and why; None without any."""
    return Section("report/users", {"users": users}) if users else None
