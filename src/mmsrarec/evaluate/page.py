"""report.html: the figures and ten users on one page that needs nothing else. All text from data is escaped."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from mmsrarec.evaluate.markup import row_label, section, sortable, table
from mmsrarec.evaluate.metrics import measure
from mmsrarec.evaluate.people import ShownUser, users_section
from mmsrarec.evaluate.plots import Dot, Point, dot_plot, scatter
from mmsrarec.evaluate.repeats import spread_section

OURS = "mmsrarec"
HEADLINE = {"published": "HR@5", "full": "NDCG@10"}
PROTOCOLS = {
    "published": "One among twenty-one",
    "full": "The whole catalogue",
}
EXPLAINED = {
    "published": "Each test user's next item is put among items the user never touched, and the model ranks this short "
    "list. The figures compare with published tables; the task is easy, and popular items win it too cheaply.",
    "full": "Each test user's next item is looked for among all items the user has not had. This is what a real "
    "recommender faces, so the figures are small and honest.",
}
FACTS = {
    "candidates": "ranked items",
    "users": "test users",
    "items": "items in the catalogue",
    "seed": "seed",
    "candidate_hash": "candidates, sha256",
    "tied_share": "last items that share their second with another",
    "cold_share": "targets unseen in training",
    "context_share_training": "training targets in their collaborative context",
    "context_share_test": "test targets in theirs",
    "history": "history",
    "ties": "ties",
}
COST = {"tokens_per_user": "tokens", "calls_per_user": "calls", "ms_per_user": "ms", "peak_mb": "peak MB"}


def render(report: Mapping[str, Any], users: Sequence[ShownUser]) -> str:
    """The page for what report.json holds; `users` are the same as its "users", with their pictures."""
    asked = dict.fromkeys((row["protocol"], row["split"]) for row in report["rows"])
    sections = [_measured(report, *where) for where in asked]
    sections += [
        _sweeps(report),
        spread_section(report.get("spread", ())),
        _published(report),
        _pairs(report["pairs"]),
        users_section(users),
    ]
    sections += [_attributes(report), _leaks(report), _method(report)]
    ours = "MMSRARec and by the models it has" if any(row["model"] == OURS for row in report["rows"]) else "the models"
    intro = f"How well the next item is found, by {ours} to beat."
    title = f"MMSRARec on {report['data']}"
    return shell(title, "Report", title, intro, "".join(sections), sorts=True)


def shell(title: str, over: str, heading: str, intro: str, body: str, sorts: bool = False) -> str:
    """A whole page around `body`, which is HTML; the rest is plain text and is escaped here.

    sorts: tables of the class "sorts" can be sorted, by the only script that such a page lets run.
    """
    script = _part("page.js") if sorts else ""
    allowed = f"; script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" if sorts else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        # nothing is fetched and no other script runs, even if an escape were forgotten
        '<meta http-equiv="Content-Security-Policy" '
        f"content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'{allowed}\">"
        f"<title>{escape(title)}</title><style>{_part('page.css')}</style></head><body><main>"
        f'<header><p class="over">{escape(over)}</p><h1>{escape(heading)}</h1><p>{escape(intro)}</p></header>'
        f"{body}</main>{f'<script>{script}</script>' if sorts else ''}</body></html>\n"
    )


def _part(name: str) -> str:
    return files("mmsrarec.evaluate").joinpath(name).read_text(encoding="utf-8")


def _measured(report: Mapping[str, Any], protocol: str, split: str) -> str:
    rows = [row for row in report["rows"] if (row["protocol"], row["split"]) == (protocol, split)]
    labels = [row_label(row) for row in rows]
    if len(set(labels)) < len(labels):
        labels = [f"{label}, seed {row['seed']}" for label, row in zip(labels, rows, strict=True)]
    metric = HEADLINE.get(protocol, "")
    if metric not in rows[0]["metrics"]:
        metric = next(iter(rows[0]["metrics"]))
    named = [(label, row) for label, row in zip(labels, rows, strict=True) if metric in row["metrics"]]
    chance = _chance(report["facts"], protocol, split, metric)
    dashed = "" if chance is None else " The dashed line is chance."
    dots = [Dot(label, **row["metrics"][metric], strong=row["model"] == OURS) for label, row in named]
    figures = [figure(dot_plot(dots, metric, chance), f"{metric}, with 95 % intervals over users.{dashed}")]
    points = [
        Point(label, row["cost"]["ms_per_user"], row["metrics"][metric]["value"], row["model"] == OURS)
        for label, row in named
        if row["cost"].get("ms_per_user", 0) > 0
    ]
    if points:
        figures.append(figure(scatter(points, f"{metric} against time"), f"{metric} against time."))
    return (
        f'<section><p class="over">{escape(split)} · {rows[0]["users"]:,} users</p>'
        f"<h2>{escape(PROTOCOLS.get(protocol, protocol))}</h2><p>{escape(EXPLAINED.get(protocol, ''))}</p>"
        f"{_table(labels, rows)}"
        f'<div class="figures">{"".join(figures)}</div>{_slices(labels, rows)}</section>'
    )


def _chance(facts: Sequence[Mapping[str, Any]], protocol: str, split: str, metric: str) -> float | None:
    """What a constant scorer reads where the number of negatives is known."""
    for fact in facts:
        if (fact["protocol"], fact["split"]) == (protocol, split) and (n := fact.get("negatives")):
            return float(measure(np.zeros(1, dtype=np.int64), np.array([n]), n, (metric,))[metric][0])
    return None


def _table(labels: Sequence[str], rows: Sequence[Mapping[str, Any]], users: bool = False) -> str:
    """Metrics with intervals, the best in bold, then what the rows cost."""
    names = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
    costs = [key for key in COST if any(key in row.get("cost", {}) for row in rows)]
    best = {n: max(row["metrics"][n]["value"] for row in rows if n in row["metrics"]) for n in names}
    head = ["model", *(["users"] if users else []), *names, *(COST[key] for key in costs)]
    body = []
    for label, row in zip(labels, rows, strict=True):
        cells = [f"<td>{row['users']:,}</td>"] if users else []
        cells += [_cell(row["metrics"].get(name), best[name]) for name in names]
        cells += [f'<td class="cost">{_amount(row["cost"].get(key))}</td>' for key in costs]
        ours = ' class="ours"' if row.get("model") == OURS else ""
        body.append(f'<tr{ours}><th scope="row">{escape(label)}</th>{"".join(cells)}</tr>')
    return sortable(head, "".join(body))


def _cell(metric: Mapping[str, float] | None, best: float) -> str:
    if metric is None:
        return "<td>–</td>"
    value = f"{metric['value']:.4f}"
    strong = f"<strong>{value}</strong>" if metric["value"] == best else value
    return f"<td>{strong}<small>{metric['low']:.3f}–{metric['high']:.3f}</small></td>"


def _amount(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def _slices(labels: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """The same metrics over parts of the users, folded away."""
    parts = []
    for name in dict.fromkeys(name for row in rows for name in row["slices"]):
        kept = [
            (label, {"model": row["model"], **row["slices"][name]})
            for label, row in zip(labels, rows, strict=True)
            if row["slices"].get(name, {}).get("users")
        ]
        if kept:
            parts.append(f"<h3>{escape(name)}</h3>{_table([k for k, _ in kept], [r for _, r in kept], users=True)}")
    return f"<details><summary>Parts of the users</summary>{''.join(parts)}</details>" if parts else ""


def _sweeps(report: Mapping[str, Any]) -> str:
    """How the headline of the published protocol moves with what was swept; nothing where nothing was."""
    metric = HEADLINE["published"]
    figures = [
        figure(
            dot_plot([Dot(str(point["count"]), **point["metrics"][metric], strong=True) for point in points], what),
            f"{metric} by {what}, each trained for itself; 95 % intervals over users.",
        )
        for what, points in report.get("sweeps", {}).items()
    ]
    return section("How much is enough?", "", f'<div class="figures">{"".join(figures)}</div>') if figures else ""


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


def figure(svg: str, caption: str) -> str:
    """A plot with what it shows in words."""
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _pairs(pairs: Sequence[Mapping[str, Any]]) -> str:
    if not pairs:
        return ""
    body = "".join(
        f'<tr><th scope="row">{escape(p["a"])} <span class="against">against</span> {escape(p["b"])}</th>'
        f"<td>{escape(p['protocol'])}, {escape(p.get('split', ''))}</td><td>{escape(p['metric'])}</td>"
        f"<td>{p['difference']:+.4f}<small>{p['low']:+.3f} to {p['high']:+.3f}</small></td><td>{_p(p['p'])}</td></tr>"
        for p in pairs
    )
    return (
        "<section><h2>Is the difference real?</h2><p>Two models answer for the same users. An interval that holds 0, "
        "or a p above .05, means that the difference may be luck.</p>"
        f"{sortable(('pair', 'table', 'metric', 'difference', 'p'), body)}</section>"
    )


def _p(p: float) -> str:
    return "&lt; .001" if p < 0.001 else f"{p:.3f}"


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
        "keeps every user’s last item for the test and the one before it for choices made on the way.</p>"
        f"<p>Intervals hold 95 % of {report['resamples']:,} resamplings of the test users. p comes from flipping "
        "the sign of each user’s difference at random. Items of equal score share the mean of all their orders.</p>"
        f'{notes}{"".join(tables)}<p class="quiet">Run manifest, sha256: <code>{escape(str(report["manifest"]))}</code>'
        "</p></section>"
    )
