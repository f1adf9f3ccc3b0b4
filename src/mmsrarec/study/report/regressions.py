"""What got worse: where our row falls behind the strongest of the others, by part of the users and user by user."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from typing import Any

import numpy as np

from mmsrarec.data.dataset import IntArray
from mmsrarec.evaluate.significance import RESAMPLES, holm, paired
from mmsrarec.study.report.markup import section, sortable
from mmsrarec.study.report.metrics_section import HEADLINE, OURS, PROTOCOLS
from mmsrarec.study.report.significance_section import difference_cell
from mmsrarec.study.report.user_examples import UserCard, user_card
from mmsrarec.study.results import ModelResult

FOUND = {"published": "HR@5", "full": "HR@10"}
"""By which a user's next item was found or missed."""
SURE = 0.05
NOTE = (
    "Our row against the strongest single one of the others, in every part of the users, the worst first. Gained are "
    "users whose next item ours found and the other missed; lost, the other way round. p is corrected for all parts of "
    "the table (Holm)."
)


def regressions(
    ours: ModelResult, competitor: ModelResult, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """An entry of report.json's "worse": for all users and each slice of them a paired test of the headline, and how
    many users were gained and lost; the worst first."""
    metric, found = HEADLINE[ours.protocol], FOUND[ours.protocol]
    parts = []
    for name, mask in {"all users": np.ones(len(ours.user), dtype=bool), **ours.slices}.items():
        if mask.any():
            change = (ours.metrics[found] - competitor.metrics[found])[mask]
            parts.append(
                {
                    "part": name,
                    "users": int(mask.sum()),
                    **asdict(paired(ours.metrics[metric][mask], competitor.metrics[metric][mask], seed, resamples)),
                    "gained": int((change > 0).sum()),
                    "lost": int((change < 0).sum()),
                }
            )
    for part, p in zip(parts, holm([part["p"] for part in parts]), strict=True):
        part["p_holm"] = p
    parts.sort(key=lambda part: part["difference"])
    labels = {"a": ours.label, "b": competitor.label, "metric": metric, "found": found}
    return {"protocol": ours.protocol, "split": ours.split, **labels, "parts": parts}


def competitors(rows: Sequence[ModelResult], ours: ModelResult) -> list[ModelResult]:
    """The rows of the same table that are not ours, but for several fused."""
    table = [row for row in rows if (row.protocol, row.split) == (ours.protocol, ours.split)]
    return [row for row in table if row.model != OURS and "+" not in row.model]


def strongest(rows: Sequence[ModelResult]) -> ModelResult:
    """By the headline of their protocol."""
    return max(rows, key=lambda row: float(row.metrics[HEADLINE[row.protocol]].mean()))


def largest_losses(ours: ModelResult, competitor: ModelResult, most: int) -> dict[int, str]:
    """Codes of the users who lose most by the headline, and in words what they lose; `most` at most.

    Of full ranking, where MRR tells the place of the next item; nobody of others.
    """
    if ours.protocol != "full":
        return {}
    metric = HEADLINE[ours.protocol]
    loss = competitor.metrics[metric] - ours.metrics[metric]
    places: IntArray = np.argsort(-loss, kind="stable")[:most]
    return {int(ours.user[place]): _places(ours, competitor, int(place)) for place in places if loss[place] > 0}


def _places(ours: ModelResult, competitor: ModelResult, user: int) -> str:
    here, there = (round(1 / float(row.metrics["MRR"][user])) for row in (ours, competitor))
    return f"{competitor.label} had it at place {there:,}, {ours.label} at place {here:,}."


def regressions_section(tables: Sequence[Mapping[str, Any]], lost: Sequence[UserCard]) -> str:
    """HTML of report.json's "worse", with the users who lost most; empty without any."""
    body = "".join(map(_table, tables))
    if lost:
        body += f"<h3>Who lost most</h3>{''.join(map(user_card, lost))}"
    return section("What got worse", NOTE, body) if tables else ""


def _table(regressions: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(part["part"])}</th><td>{part["users"]:,}</td>{difference_cell(part)}'
        f"<td>{part['gained']:,}</td><td>{part['lost']:,}</td></tr>"
        for part in regressions["parts"]
    )
    found = regressions["found"]
    heads = ("part of the users", "users", regressions["metric"], f"gained, {found}", f"lost, {found}")
    behind = [part for part in regressions["parts"] if part["difference"] < 0]
    sure = sum(part.get("p_holm", part["p"]) <= SURE for part in behind)
    said = (
        f"Behind in {len(behind)} of {len(regressions['parts'])} parts, in {sure} by more than luck." if behind else ""
    )
    return (
        f"<h3>{escape(PROTOCOLS[regressions['protocol']])}, {escape(regressions['split'])}: {escape(regressions['a'])} "
        f'<span class="against">against</span> {escape(regressions["b"])}</h3><p>{said or "Behind in no part."}</p>'
        f"{sortable(heads, rows)}"
    )
