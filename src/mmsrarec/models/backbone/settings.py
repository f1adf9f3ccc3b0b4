"""The settings of the multimodal language model. The module needs no torch, so that recipes can be read without it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

Quantization = Literal["torchao-int8", "bitsandbytes-8bit", "bitsandbytes-4bit"]
"""Ways to keep the weights of the language model in few bits."""
LayerSelection = Literal["lowest", "even"]
"""Which layers a shortened model keeps."""

EMBEDDED_NAMES = ("embedded", "embedded-small")
"""Names of the models that come as packages."""


class ModelSettings(BaseModel):
    """The settings of the model that reads pictures and texts; they are part of every key of a run.

    Attributes:
        name: "embedded", "embedded-small", or the name or folder of a model.
        dtype: The number format of the weights.
        quantization: In how few bits the weights of the language model's layers are kept; None keeps them whole.
        warm_up_steps: Training steps of the projector before everything else.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        default="embedded",
        description='"embedded", "embedded-small" (ranks with fewer layers), or a name or folder of any '
        "image-text-to-text model; a language model without eyes works by texts alone",
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="auto: bfloat16 where a short measurement finds it clearly faster, float32 elsewhere",
    )
    quantization: Quantization | None = Field(
        default=None,
        description="keep the weights of the language model's layers in few bits, by the package that is named; "
        "not set: in dtype",
    )
    warm_up_steps: int = Field(
        default=0, ge=0, description="steps in which the projector learns the catalogue's pictures by their categories"
    )

    @model_serializer(mode="wrap")
    def _without_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a quantisation that is not set, so that keys of runs are those of before there was one."""
        values: dict[str, Any] = dump(self)
        if self.quantization is None:
            values.pop("quantization", None)
        return values

    @property
    def whole(self) -> "ModelSettings":
        """The settings of the model with all layers: only the ranker of "embedded-small" has fewer."""
        return self.model_copy(update={"name": "embedded"}) if self.name == "embedded-small" else self
