"""On an accelerator, for which a device stands in: nothing meets what lies on the CPU, and all comes out as there."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from bodies import tiny_body
from standin import REAL, Transfers, standin
from tiny import tiny_mllm
from torch import Tensor, nn
from world import make_dataset, make_evidence, make_log, make_prompts

from mmsrarec.data.dataset import Dataset
from mmsrarec.models.backbone.adapter import Trainer, add_adapter, merge_adapter
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.answer_likelihood import token_log_probs
from mmsrarec.models.packing.pack_table import PackTable
from mmsrarec.models.vision import image_features
from mmsrarec.recommend.explain import explain_all
from mmsrarec.recommend.ranking.item_states import mean_states
from mmsrarec.recommend.ranking.scorer import score_packs
from mmsrarec.recommend.training.ranking_objective import RankingObjective
from mmsrarec.recommend.training.training_plan import CHOOSE, TrainingPlan
from mmsrarec.retrieve.encoder import Encoder, new_model
from mmsrarec.retrieve.search.nearest_search import NumpySearch, TorchSearch
from mmsrarec.retrieve.settings import CONTENT_ENCODERS, ENCODERS, EncoderName, RetrieveSettings

DATASET = make_dataset(make_log(np.random.default_rng(0)))
HISTORIES = [np.array([1, 2, 3]), np.array([4]), np.array([], dtype=np.int64)]


@pytest.fixture
def device() -> Iterator[str]:
    with standin() as name:
        yield name


def there(mllm: Mllm, device: str) -> Mllm:
    mllm.model.to(device)
    assert is_on(mllm.model.get_input_embeddings().weight, device)
    return mllm


def is_on(tensor: Tensor, device: str) -> bool:
    return tensor.device.type == torch.device(device).type


def assert_same(one: Tensor, other: Tensor) -> None:
    """Equal to the last bit; on a real device, which sums in another order, nearly so."""
    tolerance = 1e-5 if REAL else 0.0
    torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)


@pytest.mark.skipif(REAL is not None, reason="a real device is tested")
def test_the_standin_refuses_what_accelerators_refuse(device: str) -> None:
    far, near = torch.ones(3).to(device), torch.ones(3)
    assert (far + 1).cpu().tolist() == [2, 2, 2]
    with pytest.raises(RuntimeError, match="same device"):
        far + near
    with pytest.raises(RuntimeError, match="same device"):
        torch.stack([far, near])
    with pytest.raises(TypeError, match="float64"):
        far.double()
    with pytest.raises(RuntimeError):
        far.numpy()


def test_a_stopped_training_goes_on_there(tmp_path: Path, device: str) -> None:
    def start(where: str) -> tuple[nn.Module, Trainer]:
        torch.manual_seed(0)
        model = nn.Linear(3, 2).to(where)
        return model, Trainer(model, 1e-2, 10)

    def steps(model: nn.Module, trainer: Trainer, count: int, where: str) -> None:
        for _ in range(count):
            trainer.step(model(torch.arange(3.0)[None].to(where)).square().sum())

    here, whole = start("cpu")
    steps(here, whole, 6, "cpu")
    first, half = start(device)
    steps(first, half, 4, device)
    half.save(tmp_path / "state")
    second, rest = start(device)
    rest.resume(tmp_path / "state")
    steps(second, rest, 2, device)
    for name, weight in rest.weights.items():
        assert_same(weight.detach().cpu(), whole.weights[name].detach())
    assert all(is_on(state["exp_avg"], device) for state in rest.optimizer.state.values())


def test_pictures_that_are_known_and_new_ones_go_together(drawn: Dataset, tmp_path: Path, device: str) -> None:
    expected = image_features.encode_catalogue_images(tiny_mllm(), drawn, 4).features
    mllm = there(tiny_mllm(), device)
    image_features.save(dict(list(expected.items())[:5]), tmp_path / image_features.FEATURES, drawn)
    image_features.save_words({}, tmp_path / image_features.WORDS, drawn)
    known = image_features.load_known(tmp_path)
    assert len(known) == 5
    features = image_features.encode_catalogue_images(mllm, drawn, 4, known=known).features
    image_features.save(features, tmp_path / "all", drawn)
    assert features.keys() == expected.keys()
    for code, seen in expected.items():
        torch.testing.assert_close(features[code], seen)
    assert is_on(image_features.blank(mllm, 4), "cpu")


def test_ranking_and_its_reasons_are_those_of_a_cpu(device: str) -> None:
    context = make_evidence(np.random.default_rng(1), 30, 4)
    found = []
    for mllm in (tiny_mllm(), there(tiny_mllm(), device)):
        prompts = make_prompts(mllm, DATASET, visual_tokens=2)
        scores = score_packs(prompts, [prompts.render(context)] * 2)
        ((_, reasons), *_) = explain_all(prompts, context)
        states = mean_states(prompts, [prompts.item(code) for code in (1, 2)], 512)
        found.append((np.array(scores), [one.text for one in reasons], states))
    np.testing.assert_allclose(found[1][0], found[0][0], atol=1e-4 if REAL else 1e-6)
    assert found[1][0].dtype == np.float64
    assert found[1][1] == found[0][1]
    torch.testing.assert_close(found[1][2], found[0][2])


def test_a_step_of_training_is_that_of_a_cpu(device: str) -> None:
    context = [make_evidence(np.random.default_rng(seed), 30, 4) for seed in (1, 2)]
    found = []
    for mllm in (tiny_mllm(), there(tiny_mllm(), device)):
        prompts = make_prompts(mllm, DATASET, visual_tokens=2)
        trainer = Trainer(add_adapter(mllm, 2, 0, seed=0), 1e-2, 3)
        packs = [prompts.render(one) for one in context]
        training_plan = TrainingPlan({CHOOSE: PackTable.of(packs)}, np.array([0, 2]), [])
        teacher_logits = torch.zeros(2, 4)
        objective = RankingObjective(prompts, prompts.settings, training_plan, teacher_logits)
        told = objective.add_gradients(objective.microbatches(CHOOSE, np.array([0, 1])))
        trainer.step(None)
        found.append((told["loss"], {name: w.detach().cpu() for name, w in trainer.weights.items()}))
    assert found[1][0] == pytest.approx(found[0][0], abs=1e-4 if REAL else 1e-6)
    for name, weight in found[0][1].items():
        torch.testing.assert_close(found[1][1][name], weight, atol=1e-4, rtol=1e-4)


def test_answers_are_as_likely_as_on_a_cpu(device: str) -> None:
    def likely(mllm: Mllm) -> list[Tensor]:
        return token_log_probs(mllm, [[5, 6, 7], [8, 9]], [[10, 11], [12]])

    for one, other in zip(likely(tiny_mllm()), likely(there(tiny_mllm(), device)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ENCODERS)
def test_a_sequence_model_is_loaded_onto_the_device_that_is_asked_for(
    name: EncoderName, tmp_path: Path, device: str
) -> None:
    settings = RetrieveSettings(encoder=name, embedding_size=8, n_layers=1, content_size=4)
    torch.manual_seed(0)
    made = Encoder(new_model(20, settings, tiny_body()), settings, ((1.0, 0.5),), np.arange(20) % 3 > 0)
    made.save(tmp_path)
    here, far = Encoder.load(tmp_path), Encoder.load(tmp_path, device)
    assert all(is_on(weight, device) for weight in far.model.parameters())
    np.testing.assert_array_equal(far.known, made.known)
    np.testing.assert_allclose(far.encode(HISTORIES), here.encode(HISTORIES), atol=1e-5)
    np.testing.assert_allclose(far.scores(HISTORIES), here.scores(HISTORIES), atol=1e-5)
    hidden = np.arange(20) < 4
    np.testing.assert_allclose(
        far.without_ids(hidden).scores(HISTORIES), here.without_ids(hidden).scores(HISTORIES), atol=1e-5
    )
    assert (far.without_ids(hidden).known is far.known) or name not in CONTENT_ENCODERS


def test_neighbours_are_found_there(device: str) -> None:
    rng = np.random.default_rng(0)
    vectors, queries = (rng.normal(size=(n, 8)).astype(np.float32) for n in (50, 3))
    until, width = np.array([50, 20, 0]), np.array([4, 4, 4])
    far = TorchSearch(vectors, device).propose(queries, until, width)
    near = NumpySearch(vectors).propose(queries, until, width)
    assert all(set(one.numbers) <= set(other.numbers) for one, other in zip(far, near, strict=True))
    assert [len(one.numbers) for one in far] == [4, 4, 0]


def test_an_adapter_is_put_in_place_there(tmp_path: Path, device: str) -> None:
    mllm = tiny_mllm()
    peft = add_adapter(mllm, 2, 0, seed=0)
    for name, weight in peft.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(weight, std=0.1)
    peft.save_pretrained(str(tmp_path))
    ids, found = torch.tensor([[0, 40, 50, 60]]), []
    for where in ("cpu", device):
        plain = tiny_mllm()
        plain.model.to(device=where, dtype=torch.bfloat16)
        placed = merge_adapter(plain, tmp_path)
        with torch.no_grad():
            embedded = placed.embed(ids.to(where), None)
            found.append(placed.decoder(inputs_embeds=embedded, use_cache=False).last_hidden_state.float().cpu())
    torch.testing.assert_close(found[1], found[0], atol=0.05, rtol=0.05)


def test_a_batch_is_sent_in_one_transfer(device: str) -> None:
    context = [make_evidence(np.random.default_rng(seed), 30, 4) for seed in (1, 2)]
    mllm = there(tiny_mllm(), device)
    prompts = make_prompts(mllm, DATASET, visual_tokens=2)
    packs = [prompts.render(one) for one in context]
    score_packs(prompts, packs)
    with Transfers() as transfers:
        score_packs(prompts, packs)
    assert len(transfers.sent) == (not is_on(torch.ones(1), device)) + sent_besides(transfers)
    tasks = {CHOOSE: PackTable.of(packs), "foresee": PackTable.of([pack.unpacked()[0] for pack in packs])}
    plan = TrainingPlan(tasks, np.array([0, 2]), [])
    objective = RankingObjective(prompts, prompts.settings, plan, torch.zeros(2, 4))
    for task in tasks:
        (batch,) = objective.microbatches(task, np.array([0, 1]))
        with Transfers() as transfers:
            objective.loss(batch)
        assert len(transfers.sent) == (not is_on(torch.ones(1), device)) + sent_besides(transfers), task


def sent_besides(transfers: Transfers) -> int:
    """The two tokens of yes and no, which a scorer names."""
    return sum(shape == (2,) for shape in transfers.sent)
