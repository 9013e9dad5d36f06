"""Whose words a client speaks: one that could not read our answer must not buy a video by accident."""

from collections.abc import Mapping

from seedance_api.foundation.errors import AppError

_READABLE = {"Content-Type": "application/problem+json"}
"""OpenRouter's SDKs show the text of an error only if it is not of the type that their own errors have."""


def check_dialect(headers: Mapping[str, str], base: str) -> None:
    """Raises AppError 400 for OpenRouter's clients. They post what a create takes, wait for 202 and OpenRouter's own
    fields, fail at our answer, and post again.

    Its headers beside those of an OpenAI client are no sign: many set them out of habit, and read our answer.
    """
    is_sdk = "openrouter" in headers.get("user-agent", "").lower()
    is_its = any(name.lower().startswith("x-openrouter-") for name in headers)
    speaks_openai = any(name.lower().startswith("x-stainless-") for name in headers)
    if is_sdk or (is_its and not speaks_openai):
        message = (
            f"OpenRouter's client cannot read the answers of {base}/v1, so nothing was made: its base URL would be "
            f"{base}/openrouter/api/v1, which this version does not serve yet. Use OpenAI's client, or the package "
            f"`seedance`, with {base}/v1."
        )
        raise AppError("unsupported_client", message, headers=_READABLE)
