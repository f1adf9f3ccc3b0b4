"""The multimodal language model: one class for any image-text-to-text model, by name, folder, or "embedded".

A picture is a few visual tokens in the place of as many words: the grid of the vision encoder, seen whole and once, and
averaged. In ranking they have the positions that the model gives to a picture of that grid, and attend to one another
where the model lets them (`vision_layout`). In tuning stage 1 they stand in text order, because its trainers know only
token ids. Features that a model adds after its first layers go along (`deepstack`). Tiles, and the marks around a
picture or at the end of its rows, are left out; `native_pictures` asks with all of them. A model of texts alone works
too and sees no pictures.

Shapes: b prompts, t tokens, n pictures, v visual tokens a picture, d hidden size.
"""

import copy
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from PIL.Image import Image
from torch import Tensor, nn

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.decoding import generate_ids
from mmsrarec.models.backbone.dtype import pick_dtype
from mmsrarec.models.backbone.embedded import embedded_folder
from mmsrarec.models.backbone.layers import freeze, renumber, selected_layers
from mmsrarec.models.backbone.loading import config_hash, load_parts
from mmsrarec.models.backbone.model_types import ImageProcessor, Tokenizer
from mmsrarec.models.backbone.settings import LayerSelection, ModelSettings
from mmsrarec.models.packing import attention
from mmsrarec.models.packing.attention import BranchLayout, Layout
from mmsrarec.models.packing.shared_prefix import packable, prefix_hidden
from mmsrarec.models.packing.token_index import TokenIndex, only_at
from mmsrarec.models.quantization import is_quantized
from mmsrarec.models.untyped import to_list
from mmsrarec.models.vision.deepstack import place_features, take_apart, with_deepstack
from mmsrarec.models.vision.native_processor import LONGEST_SIDE
from mmsrarec.models.vision.pooling import pool_grid
from mmsrarec.models.vision.vision_layout import vision_layout_of

if TYPE_CHECKING:
    from mmsrarec.models.backbone.model_types import Decoder, TransformersModel

# stands for the user's words while the chat template is split; no tokenizer merges it with its neighbours
SENTINEL = "\x00"
TURN_START = "<|im_start|>user"
TILING_SWITCHES = ("do_image_splitting", "crop_to_patches", "do_pan_and_scan")
"""Switches of image processors that show a picture in several tiles."""


def user_turn(tokenizer: Tokenizer, content: object, template: str | None = None) -> str:
    """Render the user's words in a chat template, up to the start of the answer.

    Args:
        tokenizer: The tokenizer.
        content: The words, or a list of parts; SENTINEL stands for the words.
        template: The template; None takes the tokenizer's own.
    """
    chat = [{"role": "user", "content": content}]
    text = tokenizer.apply_chat_template(chat, chat_template=template, tokenize=False, add_generation_prompt=True)
    # a system message of the template would cost tokens in every prompt and say nothing about the task
    start = text.partition(SENTINEL)[0].rfind(TURN_START)
    return text[max(start, 0) :]


def words_turn(tokenizer: Tokenizer) -> tuple[str, str]:
    """The chat template before the user's words, and after them up to the start of the answer."""
    text = f"{SENTINEL}\nAnswer:"  # for a model without a chat template
    if tokenizer.chat_template is not None:
        text = user_turn(tokenizer, SENTINEL)
        if SENTINEL not in text:  # SmolVLM's template, for example, reads only messages in parts
            text = user_turn(tokenizer, [{"type": "text", "text": SENTINEL}])
    before, after = text.split(SENTINEL)
    return before, after


class Mllm:
    """A model with its tokenizer and its image processor; the vision tower always stays in eval mode.

    Attributes:
        model: The model of transformers.
        tokenizer: Its tokenizer.
        image_processor: Its image processor, which shows a picture whole and once; None for a model of texts alone.
        processor: transformers' processor of words and pictures, with tiles and marks; None where there is none.
        nested_pictures: Whether the image processor takes one list of pictures for each prompt.
        tiles_alone: Whether the image processor cuts the picture of a prompt with one picture into tiles, and those of
            a prompt with several not (LLaVA-OneVision, arXiv 2408.03326, section 3.2).
        grid_follows: Whether the image processor's output grows with the picture, which is shrunk first then.
        fingerprint: A name that stands for the weights and their number format.
        vision_layout: How the model places pictures.
        packs: Whether packed attention computes what the model's own attention computes.
        soft_tokens: Maps the numbers of soft tokens, (m,), and the users' states, (m, k), to (m, d) embeddings; None
            for a model that was not trained with any.
    """

    def __init__(
        self, model: nn.Module, tokenizer: Any, image_processor: Any, fingerprint: str, processor: Any = None
    ) -> None:
        self.model = cast("TransformersModel", model.eval())
        self.tokenizer = cast(Tokenizer, tokenizer)
        self.processor = processor
        if processor is not None:  # whose switches stay as they are
            image_processor = copy.deepcopy(image_processor)
        self.image_processor = cast(ImageProcessor, image_processor)
        self.nested_pictures = hasattr(image_processor, "do_image_splitting")
        self.tiles_alone = "batch_num_images" in getattr(image_processor, "model_input_names", ())
        self.grid_follows = self.tiles_alone or hasattr(image_processor, "merge_size")
        for switch in TILING_SWITCHES:
            if hasattr(image_processor, switch):
                setattr(image_processor, switch, False)
        self.fingerprint = fingerprint
        self.vision_layout = vision_layout_of(model)
        self.packs = packable(self.decoder)
        self.soft_tokens: nn.Module | None = None
        freeze(model)
        take_apart(self.decoder, self.hidden_size)
        if self.packs:
            attention.register()
            self.decoder.config._attn_implementation = attention.NAME

    @classmethod
    def load(cls, settings: ModelSettings, device: str = "cpu") -> "Mllm":
        """Load a model.

        Args:
            settings: The name and the number format of the model.
            device: A torch device of this machine (see `models.devices`).

        Raises:
            MmsrarecError: The model cannot be loaded.
        """
        settings = settings.whole
        folder = str(embedded_folder()) if settings.name == "embedded" else settings.name
        dtype = pick_dtype(settings, device)
        try:
            model, tokenizer, image_processor, processor = load_parts(folder, dtype, settings.quantization, device)
        except (OSError, ValueError, ImportError) as error:
            reason = str(error).splitlines()[0]
            raise MmsrarecError(
                f'cannot load the model "{settings.name}": {reason}; name a folder or "embedded"'
            ) from None
        name = Path(folder).name if settings.name == "embedded" else settings.name
        fingerprint = f"{name}@{config_hash(model)}-{str(dtype).removeprefix('torch.')}"
        if settings.quantization is None:
            model.to(device=device)
        else:  # it was quantised where it is
            fingerprint += f"-{settings.quantization}"
        if settings.name == "embedded":  # it learned pictures from few averaged tokens
            processor = None
        return cls(model, tokenizer, image_processor, fingerprint, processor)

    def shorten(self, layers: int | None, keep: LayerSelection = "lowest") -> "Mllm":
        """Drop layers of the language model, in place; the rest must be tuned before it ranks well.

        Args:
            layers: The number of layers that stay; None keeps all.
            keep: Which layers stay.

        Returns:
            The model itself.
        """
        stack, config = self.decoder.layers, self.decoder.config
        if layers is not None and layers < len(stack):
            selection = selected_layers(len(stack), layers, keep)
            self.decoder.layers = nn.ModuleList(stack[layer] for layer in selection)
            for number, layer in enumerate(self.decoder.layers):
                renumber(layer, number)
            if getattr(config, "layer_types", None):  # how each layer attends, where they differ
                config.layer_types = [config.layer_types[layer] for layer in selection]
            config.num_hidden_layers = layers
        return self

    @property
    def decoder(self) -> "Decoder":
        """The language model without its head."""
        return self.model.get_decoder()

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return self.model.get_input_embeddings().weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the model."""
        return self.model.get_input_embeddings().weight.dtype

    @property
    def is_quantized(self) -> bool:
        """Whether weights of the language model are kept in few bits."""
        return any(is_quantized(weight) for weight in self.decoder.parameters())

    @property
    def hidden_size(self) -> int:
        """d, the size of a hidden state."""
        return self.model.get_input_embeddings().weight.shape[1]

    @property
    def sees(self) -> bool:
        """Whether the model reads pictures."""
        return self.vision_layout.image_token is not None

    @property
    def image_token(self) -> int:
        """The token id of the image placeholders in a prompt.

        Raises:
            MmsrarecError: The model reads no pictures.
        """
        if self.vision_layout.image_token is None:
            raise MmsrarecError(f"the model {self.fingerprint} reads no pictures: name an image-text-to-text model")
        return self.vision_layout.image_token

    def encode(self, text: str) -> list[int]:
        """The token ids of an untrusted text, never a special token: "<|im_end|>" in a title is only letters."""
        return self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)

    @cached_property
    def frame(self) -> tuple[list[int], list[int]]:
        """The token ids of `words_turn`."""
        before, after = words_turn(self.tokenizer)
        ids, rest = (self.tokenizer.encode(part, add_special_tokens=False) for part in (before, after))
        first = self.tokenizer.encode("")[:1]  # the start token of a Llama, which templates may leave out
        if first == [self.tokenizer.bos_token_id] != ids[:1]:
            ids = [*first, *ids]
        return ids, rest

    def first_token(self, text: str) -> int:
        """The first token of an answer `text` that is more than a blank, which SentencePiece puts in front."""
        ids = self.encode(text)
        return next((token for token in ids if self.tokenizer.decode([token]).strip()), ids[0])

    @torch.inference_mode()
    def encode_images(self, pictures: Sequence[Image], visual_tokens: int) -> Tensor:
        """Compute the visual tokens of pictures: the grid of the vision tower, averaged to fewer tokens.

        The result is on the CPU: the features of a catalogue are too large for a device, and saved ones come from a
        file. Callers move what they need.

        Args:
            pictures: n pictures.
            visual_tokens: v, the number of tokens of each picture. A tower with a fixed grid gives no more than it
                has; a tower whose grid depends on the picture repeats the tokens of a small picture.

        Returns:
            (n, v, d) features.

        Raises:
            MmsrarecError: The model reads no pictures.
        """
        return self.encode_images_with_states(pictures, visual_tokens)[0]

    @torch.inference_mode()
    def encode_images_with_states(self, pictures: Sequence[Image], visual_tokens: int) -> tuple[Tensor, Tensor | None]:
        """Compute visual tokens as `encode_images` does, and the mean state of the vision tower of each picture.

        Args:
            pictures: n pictures.
            visual_tokens: v, the number of tokens of each picture.

        Returns:
            (n, v, d) features, and (n, channels) states; None for a tower whose output is no map of channels.

        Raises:
            MmsrarecError: The model reads no pictures.
        """
        _ = self.image_token  # raises the error for a model of texts alone
        if self.grid_follows:  # or else memory would be as large as the pictures
            pictures = [picture.copy() for picture in pictures]
            for picture in pictures:
                picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        images = [[picture] for picture in pictures] if self.nested_pictures else list(pictures)
        if self.tiles_alone:  # one of several pictures is seen whole, so a lone one gets company
            images = [[*pictures, pictures[-1]]]
        inputs = self.image_processor(images, return_tensors="pt").to(self.device)
        grids: list[tuple[int, int] | None] = [None] * len(pictures)
        if "image_grid_thw" in inputs:  # in patches; the tower merges squares of them
            merge_size: int = self.model.config.vision_config.spatial_merge_size
            sizes: list[tuple[int, int, int]] = to_list(inputs["image_grid_thw"])
            grids = [(height // merge_size, width // merge_size) for _, height, width in sizes]
        pixels = inputs.pop("pixel_values").to(self.dtype)
        outputs = self.model.get_image_features(pixel_values=pixels, return_dict=True, **cast(dict[str, Any], inputs))
        features = with_deepstack(outputs.pooler_output, getattr(outputs, "deepstack_features", None) or ())
        if self.tiles_alone:  # the last token of each marks the end of a row
            features = [tokens[:-1] for tokens in features[: len(pictures)]]
        pooled = [pool_grid(tokens, visual_tokens, grid) for tokens, grid in zip(features, grids, strict=True)]
        states: Tensor | None = getattr(outputs, "last_hidden_state", None)
        is_map = states is not None and states.dim() == 4
        return torch.stack(pooled).cpu(), states.float().mean((2, 3)).cpu() if states is not None and is_map else None

    def embed(
        self, ids: Tensor, features: Tensor | None, states: Tensor | None = None, has_soft_tokens: bool | None = None
    ) -> Tensor:
        """Compute the input embeddings of words, pictures and soft tokens.

        Args:
            ids: (b, t) token ids; a number below zero is a soft token (`packing.soft_ids`).
            features: (n, v, d) features of their pictures, in reading order.
            states: (m, k) the user's state of each soft token, in reading order; None where no token reads one.
            has_soft_tokens: Whether any token is a soft one; None looks, for which the CPU waits for the device.

        Returns:
            (b, t, d) embeddings, with the features in the places of the image placeholders, and the vectors of
            `soft_tokens` in those of the soft tokens.

        Raises:
            MmsrarecError: There are soft tokens, and the model has no map for them.
        """
        embeddings: Tensor = self.model.get_input_embeddings()(ids.clamp(min=0))
        is_soft = ids < 0
        if has_soft_tokens or (has_soft_tokens is None and bool(is_soft.any())):
            if self.soft_tokens is None:
                raise MmsrarecError("the prompts hold soft tokens, and this model was not trained with any")
            vectors: Tensor = self.soft_tokens(ids[is_soft], states)
            embeddings = embeddings.masked_scatter(is_soft.unsqueeze(-1), vectors.to(embeddings.dtype))
        if features is None or not len(features):
            return embeddings
        return place_features(embeddings, ids == self.image_token, features)

    def hidden(
        self,
        embeddings: Tensor,
        positions: Tensor,
        mask: Tensor,
        layout: Layout | BranchLayout,
        places: TokenIndex | None = None,
    ) -> Tensor:
        """Compute the last hidden states of packed prompts, or of the new tokens of a prefix tree.

        Args:
            embeddings: (b, t, d) input embeddings (`embed`).
            positions: (b, t) positions, or (3, b, t) for a model with three axes.
            mask: (b, 1, 1, s), 0 on shared tokens and very negative on their padding.
            layout: The layout of a `Batch` or of a `TreeLayout`.
            places: Rows and columns of the n tokens whose states are needed; None is all.

        Returns:
            (b, t, d) states, or (n, d) at the places.
        """
        if isinstance(layout, Layout) and not self.packs:
            states = prefix_hidden(self.decoder, embeddings, positions, mask, layout)
        else:
            with only_at(self.decoder, places, torch.Size((*embeddings.shape[:2], self.hidden_size))):
                states = self.decoder(
                    inputs_embeds=embeddings,
                    position_ids=positions,
                    attention_mask=mask,
                    use_cache=False,
                    layout=layout,
                ).last_hidden_state
        return states if places is None else states[places]

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        features: Sequence[Tensor | None],
        max_new_tokens: int,
        stop: Callable[[str], bool] = lambda text: False,
    ) -> list[str]:
        """Generate an answer to each prompt, with the likeliest token at each step.

        Args:
            prompts: b prompts as token ids.
            features: For each prompt the (v, d) features of its picture, or None.
            max_new_tokens: The largest length of an answer, in tokens.
            stop: Whether an answer with this text is complete.

        Returns:
            b texts, without special tokens.
        """
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
        draws: Tensor | None = None,
    ) -> list[list[int]]:
        """Generate answers as token ids; `decoding.generate_ids` describes the arguments and the result."""
        return generate_ids(self, prompts, features, max_new_tokens, stop, samples, temperature, draws)

    @property
    def turn_end(self) -> int:
        """The token with which the model ends an answer."""
        return self.tokenizer.eos_token_id

    @cached_property
    def end_tokens(self) -> set[int]:
        """All tokens that end an answer."""
        configured: int | list[int] | None = self.model.generation_config.eos_token_id
        ends = configured if isinstance(configured, list) else [configured]
        return {int(token) for token in (*ends, self.turn_end) if token is not None}
