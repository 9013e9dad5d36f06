"""`seedance quote`: what a video would take."""

from __future__ import annotations

from seedance.cli import options as opt
from seedance.cli.money import aligned, price_in_words
from seedance.cli.output import Json, session
from seedance.errors import listed
from seedance.money import QuoteCost
from seedance.objects import Quote


def quote(
    prompt: opt.Prompt = None,
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
    final_of: opt.FinalOf = None,
    as_json: Json = False,
) -> None:
    """Show what a video would cost, without making it. Local files are uploaded for the check."""
    opt.check_prompt(prompt, final_of)
    request = opt.video_options(
        images=image, first_frame=first_frame, last_frame=last_frame, references=reference, metadata=None,
        model=model, duration=duration, resolution=resolution, ratio=ratio, seed=seed, generate_audio=audio,
        camera_fixed=camera_fixed, watermark=watermark, draft=draft, draft_id=final_of,
    )  # fmt: skip
    with session(as_json) as (client, out):
        answer = client.videos.quote(prompt, **request)
        if as_json:
            out.json(answer.raw)
            return
        for name, value in facts(answer):
            out.fact(name, value)


def facts(quote: Quote) -> list[tuple[str, str]]:
    length = f"{quote.seconds} s" if quote.seconds else None
    shape = ", ".join(part for part in (quote.size, length, quote.resolution, quote.ratio, quote.mode) if part)
    found = [("model", quote.model), ("video", shape)]
    if quote.tokens and quote.tokens.expected is not None:
        most = f" (at most {quote.tokens.most:,})" if quote.tokens.most is not None else ""
        found.append(("tokens", f"{quote.tokens.expected:,}{most}"))
    if quote.cost:
        found += priced(quote.cost)
    elif quote.livemode is False:
        found.append(("cost", "free with a test key; there is no price for a live key"))
    found += [("warning", one.message) for one in quote.warnings]
    found += [(name, listed(value)) for name, value in quote.extra.items() if value is not None]
    return [(name, value) for name, value in found if value]


def priced(cost: QuoteCost) -> list[tuple[str, str]]:
    expected, held, most = aligned([cost.expected, cost.hold, cost.most])
    price = price_in_words(cost.price_per_million_tokens, cost.currency, cost.price_version)
    if cost.free:
        would = f"; a live key would pay {expected.strip()} {cost.currency}" if cost.expected is not None else ""
        return [("cost", f"free with a test key{would}"), ("price", price)]
    return [
        ("expected", f"{expected} {cost.currency}"),
        ("held", f"{held} {cost.currency}  until it is finished; what is not charged is released"),
        ("most", f"{most} {cost.currency}"),
        ("price", price),
    ]
