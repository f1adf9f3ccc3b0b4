"""report.html: the figures and ten users on one page that needs nothing else. All text from data is escaped."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from mmsrarec.study.report.curves import Line, line_plot
from mmsrarec.study.report.markup import figure, row_label, section, shell, sortable, table
from mmsrarec.study.report.metrics_section import HEADLINE, OURS, measured_section
from mmsrarec.study.report.regressions import regressions_section
from mmsrarec.study.report.seeds import spread_section
from mmsrarec.study.report.significance_section import pairs_section
from mmsrarec.study.report.user_examples import UserCard, users_section

FACTS = {
    "candidates": "ranked items",
    "users": "test users asked",
    "test_users": "test users of the split",
    "sealed_users": "sealed until the table is final",
    "left_out": "left out",
    "left_out_reason": "left out, because",
    "items": "items in the catalogue",
    "seed": "seed",
    "candidate_hash": "candidates, sha256",
    "tied_share": "last items that share their second with another",
    "cold_share": "targets unseen in training",
    "repeat_share": "targets that the user had before",
    "repeat_consumption": "repeat consumption",
    "context_share_training": "training targets in their collaborative context",
    "context_share_test": "test targets in theirs",
    "history": "history",
    "ties": "ties",
}


def render(report: Mapping[str, Any], users: Sequence[UserCard], lost: Sequence[UserCard] = ()) -> str:
    """The page for what report.json holds; `users` and `lost` are its "users" and "lost_users", with pictures."""
    asked = dict.fromkeys((row["protocol"], row["split"]) for row in report["rows"])
    sections = [measured_section(report, *where) for where in asked]
    sections += [
        _sweeps(report),
        spread_section(report.get("spread", ()), report.get("spread_pairs", ())),
        _published(report),
        pairs_section(report),
        regressions_section(report.get("worse", ()), lost),
        users_section(users),
    ]
    sections += [_attributes(report), _leaks(report), _method(report)]
    ours = "MMSRARec and by the models it has" if any(row["model"] == OURS for row in report["rows"]) else "the models"
    intro = f"How well the next item is found, by {ours} to beat."
    title = f"MMSRARec on {report['data']}"
    return shell(title, "Report", title, intro, "".join(sections), sorts=True)


def _sweeps(report: Mapping[str, Any]) -> str:
    """How the headline of the published protocol moves with what was swept; nothing where nothing was."""
    metric = HEADLINE["published"]
    figures = [
        figure(
            line_plot([_curve(metric, points)], what, what),
            f"{metric} by {what}, each point trained for itself; the band holds 95 % intervals over users.",
        )
        for what, points in report.get("sweeps", {}).items()
    ]
    return section("How much is enough?", "", f'<div class="figures">{"".join(figures)}</div>') if figures else ""


def _curve(metric: str, points: Sequence[Mapping[str, Any]]) -> Line:
    found = [(point["count"], point["metrics"][metric]) for point in points]
    spread = [(one["high"] - one["low"]) / 2 for _, one in found]
    return Line(metric, [(count, one["value"]) for count, one in found], spread, strong=True)


def _published(report: Mapping[str, Any]) -> str:
    """Figures of papers beside our own of the same protocol; nothing where none are known."""
    theirs = [(row["model"], row["source"], row["metrics"]) for row in report.get("published", ())]
    if not theirs:
        return ""
    ours = [
        (
            row_label(row),
            f"this run, {row['split']}",
            {name: metric["value"] for name, metric in row["metrics"].items()},
        )
        for row in report["rows"]
        if row["protocol"] == "published" and row["model"] == OURS
    ]
    names = list(dict.fromkeys(name for _, _, metrics in theirs for name in metrics))
    body = "".join(
        f'<tr{" class=ours" if source.startswith("this run") else ""}><th scope="row">{escape(model)}</th>'
        + "".join(f"<td>{metrics[name]:.4f}</td>" if name in metrics else "<td>–</td>" for name in names)
        + f"<td>{escape(source)}</td></tr>"
        for model, source, metrics in (*ours, *theirs)
    )
    note = (
        "Figures that papers print for this data and protocol. Their candidates and users were drawn anew and their "
        "models are larger, so a small difference means nothing."
    )
    return section("What others have published", note, sortable(("model", *names, "from"), body))


def _attributes(report: Mapping[str, Any]) -> str:
    parts = [_list(report["attributes"])] if report["attributes"] else []
    if report.get("summaries"):
        parts.append('<p><a href="summaries.html">The summaries, looked at</a></p>')
    return f"<section><h2>The item summaries</h2>{''.join(parts)}</section>" if parts else ""


def _leaks(report: Mapping[str, Any]) -> str:
    """What `mmsrarec check --leaks` found; nothing where it was not asked."""
    verdicts = {True: "green", False: "<strong>failed</strong>", None: "reported only"}
    rows = [
        (
            ", ".join(filter(None, (leak["check"], leak["split"]))),
            (
                verdicts[leak["passed"]],
                escape(_measured_words(leak["measured"])),
                escape(leak["advice"] or leak["means"]),
            ),
        )
        for leak in report.get("leaks", ())
    ]
    failed = sum(leak["passed"] is False for leak in report.get("leaks", ()))
    note = f"{failed} of {len(rows)} checks failed." if failed else "No check failed."
    return section("Leak checks", note, table("check", ("result", "measured", "what it means"), rows)) if rows else ""


def _measured_words(measured: Mapping[str, Any]) -> str:
    parts = (f"{k} {', '.join(map(_plain, v)) if isinstance(v, list) else _plain(v)}" for k, v in measured.items())
    return "; ".join(parts)


def _list(pairs: Mapping[str, Any]) -> str:
    entries = (f"<dt>{escape(key)}</dt><dd>{escape(_plain(value))}</dd>" for key, value in pairs.items())
    return f"<dl>{''.join(entries)}</dl>"


def _plain(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "–" if value is None else ("yes" if value else "no")
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _method(report: Mapping[str, Any]) -> str:
    tables = []
    for fact in report["facts"]:
        shown = {label: fact[key] for key, label in FACTS.items() if fact.get(key) is not None}
        for key in (key for key in FACTS if key.endswith("_share") or key.startswith("context_share")):
            if fact.get(key) is not None:
                shown[FACTS[key]] = f"{fact[key]:.1%}"
        tables.append(f"<h3>{escape(fact['protocol'])}, {escape(fact['split'])}</h3>{_list(shown)}")
    notes = "".join(f"<p>{escape(note)}</p>" for note in report["notes"])
    return (
        "<section><h2>How this was measured</h2>"
        "<p>HR@k is the share of users whose next item stands among the first k. NDCG@k and MRR also reward a higher "
        "place. AUC is the chance that the next item stands above an item drawn at random from the others.</p>"
        "<p>“user-8-1-1” trains on eight users in ten and tests on one in ten, new to the model. “leave-one-out” "
        "keeps every user’s last item for the test and the one before it for choices made on the way. “time-cut” "
        "trains on the first eight tenths of the log in time, and asks each user for the first item behind that, for "
        "choices, and for the first one in the last tenth, for the test.</p>"
        f"<p>Intervals hold 95 % of {report['resamples']:,} resamplings of the test users. p comes from flipping "
        "the sign of each user’s difference at random, and is corrected for all comparisons of a table by Holm’s rule. "
        "Both speak of these trained models asked about other users: how far another training moves a figure is the "
        "spread over seeds, which stands beside where several were run (evaluate.n_seeds). Items of equal score share "
        "the mean of all their orders.</p>"
        f"{_peak(report)}{notes}{''.join(tables)}"
        f'<p class="quiet">Run manifest, sha256: <code>{escape(str(report["manifest"]))}</code>'
        "</p></section>"
    )


def _peak(report: Mapping[str, Any]) -> str:
    """What peak MB is; nothing where no row has it."""
    if not any("peak_mb" in row["cost"] for row in report["rows"]):
        return ""
    return (
        "<p>Peak MB is what a row itself takes: the language model’s weights, and how far ranking raised the memory of "
        "the process (on a GPU, of the allocator) above where it stood when the row began.</p>"
    )
