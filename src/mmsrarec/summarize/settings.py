"""Settings of stage 1; free of torch, so that a recipe can be read without it."""

from pydantic import BaseModel, ConfigDict, Field


class SummarizeSettings(BaseModel):
    """What the model is asked about an item, and how much of its answer is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    texts: bool = Field(default=True, description="ask about title, description and categories; off: an ablation")
    pictures: bool = Field(default=True, description="ask about the picture; off: an ablation")
    visual_tokens: int = Field(
        default=9, ge=1, le=4096, description="tokens a picture is shown as; a square keeps the grid"
    )
    text_budget: int = Field(
        default=160, ge=8, le=8192, description="tokens of an item's text that are read, from its start"
    )
    max_keywords_text: int = Field(default=6, ge=1, le=32, description="keywords kept from the answer about the text")
    max_keywords_image: int = Field(
        default=4, ge=1, le=32, description="keywords kept from the answer about the picture"
    )
    max_new_tokens_text: int = Field(
        default=28, ge=1, le=512, description="tokens of the answer about the text, at most"
    )
    max_new_tokens_image: int = Field(
        default=12, ge=1, le=512, description="tokens of the answer about the picture, at most"
    )
