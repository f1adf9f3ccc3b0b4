"""The multimodal language model: one class for any image-text-to-text model, by name, folder, or "embedded".

A picture is a few visual tokens in the place of as many words. In ranking they have the positions that the model's own
way gives to a picture of that grid, and look at one another where it lets them (`positions`). Stage 1, whose trainers
know token ids only, reads them in text order, in tuning as in summarizing. What Qwen3-VL adds to its first layers
(deepstack) is not added; SmolVLM, Gemma 3 and InternVL3 see the whole picture once, without its tiles; and no model's
marks stand around the picture (<|vision_start|>, <global-img>). A model of texts alone will do: it sees no pictures.

Shapes: b prompts, t tokens, n pictures, v visual tokens a picture, d hidden size.
"""

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import DynamicCache

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.dtype import pick_dtype
from mmsrarec.models.backbone.embedded import embedded_folder
from mmsrarec.models.backbone.loading import config_hash, load_parts
from mmsrarec.models.backbone.settings import LayerSelection, ModelSettings
from mmsrarec.models.backbone.vision_layout import vision_layout_of
from mmsrarec.models.packing import attention
from mmsrarec.models.packing.attention import BranchLayout, Layout
from mmsrarec.models.packing.shared_prefix import packable, prefix_hidden
from mmsrarec.models.packing.token_index import TokenIndex, only_at

# stands for the user's words while the chat template is split; no tokenizer merges it with its neighbours
SENTINEL = "\x00"
TILINGS = ("do_image_splitting", "crop_to_patches", "do_pan_and_scan")
"""Switches of picture processors that show a picture in several tiles."""


class Mllm:
    """A model, its tokenizer and its picture processor. The vision tower is held in eval mode for good."""

    def __init__(self, model: nn.Module, tokenizer, image_processor, fingerprint: str):
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.splits = hasattr(image_processor, "do_image_splitting")
        for tiling in TILINGS:
            if hasattr(image_processor, tiling):
                setattr(image_processor, tiling, False)
        self.fingerprint = fingerprint
        self.vision_layout = vision_layout_of(model)
        self.packs = packable(self.decoder)
        freeze(model)
        if self.packs:
            self.decoder.config._attn_implementation = attention.NAME  # pyright: ignore

    @classmethod
    def load(cls, settings: ModelSettings, device: str = "cpu") -> "Mllm":
        """Raises MmsrarecError where the model cannot be had. device: a torch device that is there."""
        settings = settings.whole
        folder = str(embedded_folder()) if settings.name == "embedded" else settings.name
        dtype = pick_dtype(settings, device)
        try:
            model, tokenizer, image_processor = load_parts(folder, dtype)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise MmsrarecError(
                f'cannot load the model "{settings.name}": {reason}; name a folder or "embedded"'
            ) from None
        name = Path(folder).name if settings.name == "embedded" else settings.name
        fingerprint = f"{name}@{config_hash(model)}-{str(dtype).removeprefix('torch.')}"
        model.to(device=device)  # pyright: ignore
        return cls(model, tokenizer, image_processor, fingerprint)

    def shorten(self, layers: int | None, keep: LayerSelection = "lowest") -> "Mllm":
        """Keep `layers` of the language model's layers only (None: all); whoever ranks with it tunes the rest."""
        stack, config = self.decoder.layers, self.decoder.config  # pyright: ignore
        if layers is not None and layers < len(stack):  # pyright: ignore
            kept = kept_layers(len(stack), layers, keep)  # pyright: ignore
            self.decoder.layers = nn.ModuleList(stack[layer] for layer in kept)  # pyright: ignore
            for number, layer in enumerate(self.decoder.layers):
                renumber(layer, number)
            if getattr(config, "layer_types", None):  # how each layer attends, where they differ
                config.layer_types = [config.layer_types[layer] for layer in kept]  # pyright: ignore
            config.num_hidden_layers = layers  # pyright: ignore
        return self

    @property
    def decoder(self) -> nn.Module:
        """The language model without its head."""
        return self.model.get_decoder()  # pyright: ignore

    @property
    def device(self) -> torch.device:
        return self.model.get_input_embeddings().weight.device  # pyright: ignore

    @property
    def dtype(self) -> torch.dtype:
        return self.model.get_input_embeddings().weight.dtype  # pyright: ignore

    @property
    def hidden_size(self) -> int:
        return self.model.get_input_embeddings().weight.shape[1]  # pyright: ignore

    @property
    def sees(self) -> bool:
        """Whether the model reads pictures at all."""
        return self.vision_layout.image_token is not None

    @property
    def image_token(self) -> int:
        """The id that holds a picture's place in a prompt."""
        if self.vision_layout.image_token is None:
            raise MmsrarecError(f"the model {self.fingerprint} reads no pictures: name an image-text-to-text model")
        return self.vision_layout.image_token

    def encode(self, text: str) -> list[int]:
        """Token ids of untrusted text. Never a special token: "<|im_end|>" in a title is only letters."""
        return self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)

    @cached_property
    def frame(self) -> tuple[list[int], list[int]]:
        """Token ids of the chat template before and after the user's words, up to where the answer starts."""
        text = f"{SENTINEL}\nAnswer:"  # of a model that never learned to chat
        if self.tokenizer.chat_template is not None:
            chat: list[dict] = [{"role": "user", "content": SENTINEL}]
            text = self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
            if SENTINEL not in text:  # a template that knows messages in parts only, as SmolVLM's
                chat = [{"role": "user", "content": [{"type": "text", "text": SENTINEL}]}]
                text = self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        before, after = text.split(SENTINEL)
        # a template's own system message would cost tokens in every prompt and tell the model nothing
        before = before[before.rfind("<|im_start|>user") :] if "<|im_start|>user" in before else before
        ids, rest = (self.tokenizer.encode(part, add_special_tokens=False) for part in (before, after))
        first = self.tokenizer.encode("")[:1]  # what every text of a Llama starts with, which templates may leave out
        if first == [self.tokenizer.bos_token_id] != ids[:1]:
            ids = [*first, *ids]
        return ids, rest

    def word(self, text: str) -> int:
        """The one token that an answer `text` starts with, after what is only a blank (of SentencePiece)."""
        ids = self.encode(text)
        return next((token for token in ids if self.tokenizer.decode([token]).strip()), ids[0])

    @torch.inference_mode()
    def see(self, pictures: Sequence[Image], visual_tokens: int) -> Tensor:
        """What the language model gets for pictures: (n, visual_tokens, d), the tower's grid averaged down.

        On the CPU, wherever the model computes: a catalogue's features are too many for a device, and kept ones come
        from a file. Who reads them moves what is needed.
        A tower of one size gives no more tokens than it has; one whose grid follows the picture gives a small picture's
        tokens several times.
        """
        _ = self.image_token  # a model of texts alone says so
        shown = [[picture] for picture in pictures] if self.splits else list(pictures)
        inputs = self.image_processor(shown, return_tensors="pt").to(self.device)
        grids: list[tuple[int, int] | None] = [None] * len(pictures)
        if "image_grid_thw" in inputs:  # in patches, of which the tower merges squares
            merged = self.model.config.vision_config.spatial_merge_size  # pyright: ignore
            grids = [(height // merged, width // merged) for _, height, width in inputs["image_grid_thw"].tolist()]
        pixels = inputs.pop("pixel_values").to(self.dtype)
        seen = self.model.get_image_features(pixel_values=pixels, return_dict=True, **inputs).pooler_output  # pyright: ignore
        return torch.stack([pool_grid(p, visual_tokens, grid) for p, grid in zip(seen, grids, strict=True)]).cpu()

    def embed(self, ids: Tensor, features: Tensor | None) -> Tensor:
        """(b, t) token ids, and (n, v, d) features of their pictures in reading order, to (b, t, d)."""
        embeddings = self.model.get_input_embeddings()(ids)  # pyright: ignore
        if features is None or not len(features):
            return embeddings
        place = (ids == self.image_token).unsqueeze(-1)
        return embeddings.masked_scatter(place, features.to(embeddings.dtype))

    def hidden(
        self,
        embeddings: Tensor,
        positions: Tensor,
        mask: Tensor,
        layout: Layout | BranchLayout,
        places: TokenIndex | None = None,
    ) -> Tensor:
        """Last hidden states of packs, or of what joins a tree: (b, t, d), or (n, d) at n `places`, rows and columns.

        `Batch` and `TreeLayout` describe the other arguments, `reading` gives them.
        """
        if isinstance(layout, Layout) and not self.packs:
            found = prefix_hidden(self.decoder, embeddings, positions, mask, layout)
        else:
            with only_at(self.decoder, places, embeddings.shape):
                found = self.decoder(
                    inputs_embeds=embeddings,
                    position_ids=positions,
                    attention_mask=mask,
                    use_cache=False,
                    layout=layout,
                ).last_hidden_state
        return found if places is None else found[places]

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        features: Sequence[Tensor | None],
        max_new_tokens: int,
        stop: Callable[[str], bool] = lambda text: False,
    ) -> list[str]:
        """Greedy answers to a batch of prompts. features: (v, d) for a prompt with a picture, else None."""
        answers = self.generate_ids(prompts, features, max_new_tokens, stop)
        return self.tokenizer.batch_decode(answers, skip_special_tokens=True)

    @torch.inference_mode()
    def generate_ids(
        self,
        prompts: Sequence[Sequence[int]],
        features: Sequence[Tensor | None],
        max_new_tokens: int,
        stop: Callable[[str], bool] = lambda text: False,
        samples: int = 1,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> list[list[int]]:
        """Token ids of `samples` answers to each prompt, those of one prompt side by side, the end token included.

        temperature: 0 takes the likeliest token, else tokens are drawn, by `generator` or torch's global state.
        What all prompts start with, up to the first picture, is computed once, and each prompt once for all its
        samples. A row leaves the batch when it ends, or as soon as `stop` holds for its text so far.
        """
        cache, head = DynamicCache(), self.model.get_output_embeddings()  # pyright: ignore
        columns = enumerate(zip(*prompts, strict=False))
        parting = (at for at, column in columns if len(set(column)) > 1 or column[0] == self.vision_layout.image_token)
        last = min(map(len, prompts)) - 1  # each prompt keeps a token of its own, to ask for what follows it
        shared = min(next(parting, last), last) if len(prompts) > 1 else 0
        if shared:
            prefix = self.embed(torch.tensor([prompts[0][:shared]], device=self.device), None)
            self.decoder(inputs_embeds=prefix, past_key_values=cache, use_cache=True)
            cache.batch_repeat_interleave(len(prompts))
        ids, mask = pad_left([prompt[shared:] for prompt in prompts], self.tokenizer.pad_token_id or 0)
        ids, mask = ids.to(self.device), F.pad(mask, (shared, 0), value=1).to(self.device)
        pictures = [f for f in features if f is not None]
        step = self.embed(ids, torch.cat(pictures).to(self.device) if pictures else None)
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, shared:]
        answers: list[list[int]] = [[] for _ in range(samples * len(prompts))]
        alive = list(range(len(answers)))
        for number in range(max_new_tokens):
            out = self.decoder(
                inputs_embeds=step, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
            ).last_hidden_state[:, -1]
            if number == 0 and samples > 1:
                cache.batch_repeat_interleave(samples)
                out, mask, positions = (part.repeat_interleave(samples, 0) for part in (out, mask, positions))
            tokens = draw(head(out), temperature, generator)
            for row, token in zip(alive, tokens.tolist(), strict=True):
                answers[row].append(token)
            going = [
                place
                for place, row in enumerate(alive)
                if answers[row][-1] not in self.end_tokens and not stop(self.tokenizer.decode(answers[row]))
            ]
            if not going:
                break
            if len(going) < len(alive):
                keep = torch.tensor(going, device=self.device)
                cache.batch_select_indices(keep)
                tokens, mask, positions = tokens[keep], mask[keep], positions[keep]
                alive = [alive[place] for place in going]
            step = self.embed(tokens[:, None], None)
            mask = F.pad(mask, (0, 1), value=1)
            positions = positions[:, -1:] + 1
        return answers

    @property
    def turn_end(self) -> int:
        """The token that ends an answer of the model's own."""
        return self.tokenizer.eos_token_id

    @cached_property
    def end_tokens(self) -> set[int]:
        """Tokens that end an answer."""
        ends = self.model.generation_config.eos_token_id  # pyright: ignore
        ends = ends if isinstance(ends, list) else [ends]
        return {int(token) for token in (*ends, self.turn_end) if token is not None}  # pyright: ignore


def kept_layers(count: int, layers: int, keep: LayerSelection) -> list[int]:
    """Which `layers` of `count` layers stay: the lowest, or as many from the first to the last, evenly spaced."""
    if keep == "lowest" or layers == 1:
        return list(range(layers))
    return [round(place * (count - 1) / (layers - 1)) for place in range(layers)]


def renumber(layer: nn.Module, number: int) -> None:
    """A layer and its parts look for their keys and values in a cache, which has as many places as there are layers."""
    for part in layer.modules():
        if hasattr(part, "layer_idx"):
            part.layer_idx = number  # pyright: ignore


def freeze(model: nn.Module) -> None:
    """No weight trains unless an adapter is added, and the vision tower's batch statistics never move.

    A frozen BatchNorm in train mode still drifts, so towers that have one ignore `.train()`.
    """
    model.requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train = lambda mode=True, module=module: module  # type: ignore[method-assign]


def draw(logits: Tensor, temperature: float, generator: torch.Generator | None = None) -> Tensor:
    """(b,) next tokens out of (b, vocabulary) logits: the likeliest at temperature 0, else drawn."""
    if temperature <= 0:
        return logits.argmax(-1)
    return torch.multinomial((logits.float() / temperature).softmax(-1), 1, generator=generator)[:, 0]


def pad_left(prompts: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Prompts of different length as one (b, t) tensor, and the (b, t) mask of real tokens."""
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), pad)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids, mask


def pool_grid(features: Tensor, tokens: int, grid: tuple[int, int] | None = None) -> Tensor:
    """Average (v, d) visual tokens to (tokens, d): over the grid where `tokens` is a square, else in order.

    grid: rows and columns, where they follow the picture; then there are `tokens` for any v, for pictures of all sizes
    go together. Otherwise the grid is a square if v is one, and fewer tokens than asked for stay as they are.
    """
    count, dim = features.shape
    if grid is None:
        if tokens >= count:
            return features
        side = math.isqrt(count)
        grid = (side, side) if side * side == count else None
    new_side = math.isqrt(tokens)
    if grid is not None and new_side * new_side == tokens:
        pooled = F.adaptive_avg_pool2d(features.T.reshape(1, dim, *grid).float(), new_side).reshape(dim, tokens).T
    else:
        pooled = F.adaptive_avg_pool1d(features.T.float()[None], tokens)[0].T
    return pooled.to(features.dtype)
