"""The comparison of metrics with another program's, which is stood in for by one that ranks by sorting."""

import sys

import metric_agreement
import pytest

SORTING = """
import json, sys
import numpy as np
scores = np.load(sys.argv[1])["scores"]
rank = 1 + np.argmax(np.argsort(-scores, axis=1) == 0, axis=1)
wrong = float(sys.argv[0].endswith("wrong.py"))
print(json.dumps({"HR@10": float((rank <= 10).mean()) + wrong, "MRR": float((1 / rank).mean())}))
"""


def test_equal_metrics_agree(tmp_path):
    (tmp_path / "right.py").write_text(SORTING)
    found = metric_agreement.agreement(sys.executable, tmp_path / "right.py")
    assert set(found) == {"HR@10", "MRR"}
    for own, other in found.values():
        assert own == pytest.approx(other)
        assert 0.1 < own < 0.9


@pytest.mark.parametrize(("name", "ends"), [("right.py", 0), ("wrong.py", 1)])
def test_a_difference_ends_with_1(tmp_path, monkeypatch, capsys, name, ends):
    (tmp_path / name).write_text(SORTING)
    monkeypatch.setattr(metric_agreement, "python_of", lambda _: tmp_path)
    compare = metric_agreement.agreement
    monkeypatch.setattr(metric_agreement, "agreement", lambda _: compare(sys.executable, tmp_path / name))
    monkeypatch.setattr(sys, "argv", ["metric_agreement.py", "ENVIRONMENTS"])
    assert metric_agreement.main() == ends
    assert "HR@10" in capsys.readouterr().out


def test_a_failure_says_why(tmp_path):
    with pytest.raises(SystemExit, match=r"LensKit failed: .*absent"):
        metric_agreement.agreement(sys.executable, tmp_path / "absent.py")
