"""Brain of an agent in org_chart.yaml: the embedded brain, or chat models in order of preference.

Types and their validation only; `agents.brain` calls the models.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from guardia.i18n import t

_COLD_FACTOR = 4
TriageField = Literal["kind", "category", "priority", "action_type", "institution", "command"]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelChoice(_Entry):
    """One chat model on one server."""

    provider: Literal["openai", "anthropic", "google"] = "openai"
    """`openai`: any server that speaks that protocol, e.g. vLLM."""
    base_url: str | None = None
    """E.g. `http://vllm:8000/v1`."""
    model: str = Field(min_length=1, max_length=200)
    timeout: float = Field(default=30.0, gt=0, le=600)
    """Seconds for this model, including a second attempt."""
    cold_timeout: float | None = Field(default=None, gt=0, le=600)
    """Seconds for the first call of a process, when the server may still have to load the model;
    unset: four times `timeout`."""
    max_tokens: int = Field(default=1_500, ge=64, le=32_000)
    """Most tokens of an answer."""
    window: int | None = Field(default=None, ge=1_024, le=10_000_000)
    """Tokens of prompt and answer together; unset: as the server says (vLLM does)."""
    credential: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    """Name of the API key in the credential store; unset: `GUARDIA_MODEL_KEY`."""

    @property
    def cold_seconds(self) -> float:
        """Seconds for a call before the model has answered once."""
        return self.cold_timeout or _COLD_FACTOR * self.timeout

    @model_validator(mode="after")
    def _reachable(self) -> ModelChoice:
        if self.provider == "openai" and not self.base_url:
            raise ValueError(t("org.chart.incomplete_model", model=self.model))
        if self.provider != "openai" and self.credential is None:
            # GUARDIA_MODEL_KEY is for the installation's own model servers only.
            raise ValueError(t("org.chart.no_credential", model=self.model))
        return self


class BrainChoice(_Entry):
    """The embedded brain, or chat models in order of preference with the embedded one last.

    One model may be given inline (`base_url`, `model`, `timeout`, `cold_timeout`), several as
    `models`.
    """

    kind: Literal["embedded", "chat"] = "embedded"
    base_url: str | None = None
    model: str | None = None
    timeout: float = Field(default=30.0, gt=0, le=600)
    cold_timeout: float | None = Field(default=None, gt=0, le=600)
    models: tuple[ModelChoice, ...] = Field(default=(), max_length=8)
    decides: tuple[TriageField, ...] = (
        "kind",
        "category",
        "priority",
        "action_type",
        "institution",
        "command",
    )
    """What a model may fill where the rules are unsure: fields of a request's triage, and the
    reading of a command; empty: nothing, it is asked and its differences are shown only (shadow
    mode)."""
    limit: float = Field(default=120.0, gt=0, le=600)
    """Seconds for all models of one decision together; then the embedded brain decide."""

    @model_validator(mode="after")
    def _complete(self) -> BrainChoice:
        inline = bool(self.base_url and self.model)
        if self.kind == "chat" and not (inline or self.models):
            raise ValueError(t("org.chart.chat"))
        if self.models and (self.base_url or self.model):
            raise ValueError(t("org.chart.both_models"))
        return self

    @property
    def models_in_order(self) -> tuple[ModelChoice, ...]:
        """The models to call, in order; empty for the embedded brain."""
        if self.kind == "embedded":
            return ()
        if self.models:
            return self.models
        return (
            ModelChoice(
                base_url=self.base_url,
                model=self.model or "",
                timeout=self.timeout,
                cold_timeout=self.cold_timeout,
            ),
        )
