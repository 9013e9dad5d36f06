"""What is billed."""


def billed(width: int, height: int, *, seconds: int, input_seconds: int, extends: bool = False) -> int:
    """One frame more than the seconds have (not for what extends a video), and a floor when a video comes in."""
    frames = 24 * (seconds + input_seconds) + (0 if extends else 1)
    formula = width * height * frames // 1024
    if not input_seconds:
        return formula
    least = -(-seconds * 5 // 3) * width * height * 24 // 1024
    return max(formula, least)


def billed_by_frames(width: int, height: int, frames: int) -> int:
    """For the models that take a number of frames."""
    return width * height * frames // 1024
