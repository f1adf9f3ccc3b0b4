"""A catalogue in five languages from the tables to an answer, with a model that knows none of them."""

import json
from pathlib import Path

import pytest
from finished import go
from importing import import_tables
from paths import CASES

from mmsrarec.recommend.prompt.preferences import PREFERENCE_LOG_ODDS, UserPreferences, without_effect
from mmsrarec.runs.recommender import Recommender

CASE = CASES / "languages-fallback"


def test_what_is_asked_for_in_chinese_is_recommended(finished: Path, tmp_path: Path) -> None:
    import_tables(CASE, tmp_path / "data")
    (tmp_path / "tiny.toml").write_bytes((finished / "tiny.toml").read_bytes())
    few = (
        "evaluate.negatives=2",
        "evaluate.n_candidates=3",
        "recommend.negatives=2",
        "recommend.item_keywords=6",
        "recommend.preference_rate=0",
        'evaluate.rows=["popularity", "mmsrarec"]',
    )
    go(tmp_path, f'data="{tmp_path / "data"}"', *few, stages=("pictures", "summarize", "retrieve", "recommend"))
    facts = json.loads((tmp_path / "run" / "summarize" / "statistics.json").read_text())
    assert (facts["items in ko"], facts["items in zh"], facts["items in fr"]) == (3, 3, 1)
    assert facts["without_keywords"] == 0
    recommender = Recommender.load(tmp_path / "run")
    keywords = recommender.run_folder.keywords
    assert set(keywords.lexicon.languages) == {"ko", "zh", "ja", "de", "fr"}
    plain, asked = (
        recommender.score(["c1", "c2", "d1"], history=["k1"], more=more, less=less)
        for more, less in (((), ()), (("围巾",), ("Schals",)))
    )
    gain = {item: asked[item] - plain[item] for item in asked}
    # the rule alone, for the model has learned no preferences; a blanket of the same wool is no scarf
    assert gain == pytest.approx({"c1": PREFERENCE_LOG_ODDS, "c2": 0, "d1": -PREFERENCE_LOG_ODDS}, abs=1e-4)
    (first, *_) = recommender.recommend(history=["k1"], k=1, more=["围巾"])
    assert first.item_id == "c1"
    assert first.because[0] == "더 보고 싶다고 하신 것: 围巾"  # said in the language of most items
    shown = [recommender.prompts.shown_keywords(code) for code in range(len(keywords))]
    assert without_effect(UserPreferences.of(["围巾", "einhorn"], lexicon=keywords.lexicon), shown) == ("einhorn",)
