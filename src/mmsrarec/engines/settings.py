"""Settings of engines: who answers, and how fast they are asked. None changes a result. The module needs no torch."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

EngineName = Literal["local", "openai", "ray"]


class EngineSettings(BaseModel):
    """Who runs the language model of stage 1, and where: no part of any key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: EngineName = Field(
        default="local",
        description='who answers the questions of stage 1: "local", this process; "openai", a server with the API of '
        'OpenAI, which is asked for summarize.model; "ray", workers of Ray that each load the model of this process',
    )
    engine_url: str | None = Field(
        default=None,
        description='address of the server, such as "http://localhost:8000/v1"; a key is read from the environment '
        "variable MMSRAREC_ENGINE_KEY and from nowhere else",
    )
    engine_model: str | None = Field(
        default=None, description="name by which the server knows summarize.model; not set: the same name"
    )
    engine_workers: int = Field(
        default=2, ge=1, le=1024, description="workers of Ray, each of which loads the model on a processor of its own"
    )
    engine_requests: int = Field(default=8, ge=1, le=512, description="requests under way at once, at most")
    engine_rate: float | None = Field(
        default=None, gt=0, description="requests a minute, at most; not set: as fast as answers come"
    )
    engine_seconds: float = Field(
        default=120.0, gt=0, le=3600, description="seconds that one attempt at a request may take"
    )
    engine_attempts: int = Field(
        default=8, ge=1, le=100, description="attempts at a request; pauses between them double, from half a second"
    )
