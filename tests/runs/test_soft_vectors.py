"""Training reads sequence models that never saw its users, turned to those that answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from rounds import same

from mmsrarec.recommend.soft.cross_fitting import held_out_users
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.runs.soft_vectors import held_out_part, soft_sources, training_sources, unused_users

SPLIT = "leave-one-out"
HELD_OUT, WHOLE = f"sequence/{SPLIT}/sasrec-held-out", f"recommend/{SPLIT}/whole"


def test_who_trains_the_language_model_is_seen_by_no_sequence_model_that_it_reads(soft_run: Path) -> None:
    run_folder = RunFolder.open(soft_run / "run")
    train, unused = run_folder.split(SPLIT).train, unused_users(run_folder, SPLIT, "whole")
    assert unused is not None
    np.testing.assert_array_equal(unused, ~held_out_users(train.n_users, 4, run_folder.recipe.seed))
    assert unused_users(run_folder, SPLIT, "without soft tokens") is None
    sources = training_sources(run_folder, SPLIT, "whole")
    assert sources is not None
    held_out = Encoder.load(soft_run / "run" / held_out_part(SPLIT, "sasrec"))
    assert same(sources.sources[0].encoder, held_out)
    assert not same(held_out, run_folder.encoder(SPLIT, "sasrec"))
    known = np.isin(np.arange(train.n_items), train.item[unused[train.user]])
    np.testing.assert_array_equal(held_out.known, known)
    answering = soft_sources(run_folder, SPLIT, "whole")
    assert answering is not None
    before = np.square(replace(sources.sources[0], rotation=np.eye(16, dtype=np.float32)).vectors - answering.vectors)
    assert np.square(sources.vectors - answering.vectors).sum() < before.sum()  # aligned to whoever answers
