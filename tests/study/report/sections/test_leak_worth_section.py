"""The picture of a leak: the leaky row beside the clean one, and the best of no table."""

from pathlib import Path

from report_inputs import row, written

from mmsrarec.study.report.regressions import competitors
from mmsrarec.study.report.report import text_table
from mmsrarec.study.report.sections.leak_worth_section import leak_worth_section
from mmsrarec.study.report.sections.metrics_section import MetricsTable

CLEAN, LEAKY = row("mllmrec-style", shift=-0.1), row("mllmrec-leaky", shift=0.4)


def test_the_leak_stands_beside_the_clean_row_and_says_what_it_is_worth(tmp_path: Path) -> None:
    report, page = written(tmp_path, [CLEAN, LEAKY])
    section = leak_worth_section(report)
    assert section is not None
    lines = {line["metric"]: line for line in section.data["lines"]}
    clean, leaky = (float(one.metrics["HR@5"].mean()) for one in (CLEAN, LEAKY))
    assert (lines["HR@5"]["clean"], lines["HR@5"]["leaky"]) == (clean, leaky)
    assert "What a leak is worth" in page
    assert f"{leaky - clean:+.4f}" in page
    assert page.count("mllmrec-leaky") > 3


def test_without_both_editions_there_is_no_picture(tmp_path: Path) -> None:
    for rows in ([CLEAN], [LEAKY], [row("als"), row("ease")]):
        report, page = written(tmp_path, rows)
        assert leak_worth_section(report) is None
        assert "What a leak is worth" not in page


def test_what_leaks_is_the_best_of_no_table_and_nobodys_competitor() -> None:
    ours = row("mmsrarec", shift=-0.2)
    assert [other.model for other in competitors([ours, CLEAN, LEAKY], ours)] == ["mllmrec-style"]
    lines = text_table([CLEAN, LEAKY], "published", "user-8-1-1", resamples=100).splitlines()
    assert "*" in next(line for line in lines if line.startswith("mllmrec-style"))
    assert "*" not in next(line for line in lines if line.startswith("mllmrec-leaky"))
    rows = [
        (name, {"model": name, "metrics": {"HR@5": {"value": value}}})
        for name, value in (("als", 0.5), ("mllmrec-leaky", 0.9))
    ]
    assert MetricsTable(rows).best == {"HR@5": 0.5}
