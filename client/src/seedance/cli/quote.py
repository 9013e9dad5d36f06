"""`seedance quote`: what a video would take."""

from __future__ import annotations

from seedance.cli import options as opt
from seedance.cli.output import Json, session
from seedance.errors import listed
from seedance.objects import Quote


def quote(
    prompt: opt.Prompt,
    *,
    image: opt.Images = None,
    first_frame: opt.FirstFrame = None,
    last_frame: opt.LastFrame = None,
    reference: opt.References = None,
    model: opt.Model = None,
    duration: opt.Duration = None,
    resolution: opt.Resolution = None,
    ratio: opt.Ratio = None,
    seed: opt.Seed = None,
    audio: opt.Audio = None,
    camera_fixed: opt.CameraFixed = None,
    watermark: opt.Watermark = None,
    draft: opt.Draft = None,
    as_json: Json = False,
) -> None:
    """Show what a video would take, without making it. Local files are uploaded for the check."""
    request = opt.video_options(
        images=image, first_frame=first_frame, last_frame=last_frame, references=reference, metadata=None,
        model=model, duration=duration, resolution=resolution, ratio=ratio, seed=seed, generate_audio=audio,
        camera_fixed=camera_fixed, watermark=watermark, draft=draft,
    )  # fmt: skip
    with session(as_json) as (client, out):
        answer = client.videos.quote(prompt, **request)
        if as_json:
            out.json(answer.raw)
            return
        for line in in_words(answer):
            out.line(line)


def in_words(quote: Quote) -> list[str]:
    lines = [f"{'model':<10} {quote.model}"]
    if quote.tokens and quote.tokens.expected is not None:
        most = f" (at most {quote.tokens.most:,})" if quote.tokens.most is not None else ""
        lines.append(f"{'tokens':<10} {quote.tokens.expected:,}{most}")
    if quote.price is not None:
        lines.append(f"{'price':<10} {listed(quote.price)}")
    lines += [f"{name:<10} {listed(value)}" for name, value in quote.extra.items() if value is not None]
    return lines
