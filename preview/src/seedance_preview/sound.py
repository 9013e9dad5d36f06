"""Sound: a slow chord with a few bells, and the reference audio before it."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from seedance_preview.footage import RATE

Samples = npt.NDArray[np.float32]
_TAU = 2 * np.pi
_CHORDS = ((0, 7, 12, 16, 19, 23), (0, 7, 12, 15, 19, 22), (0, 7, 14, 16, 21, 24), (0, 5, 12, 17, 21, 26))


class Pad:
    """A chord that breathes. A pure function of the sample number."""

    def __init__(self, draw: np.random.Generator, seconds: float) -> None:
        self.seconds = seconds
        root = 98.0 * 2 ** (float(draw.integers(8)) / 12)
        chord = _CHORDS[int(draw.integers(len(_CHORDS)))]
        self.voices = [
            (root * 2 ** (step / 12), 0.9 / (1 + 0.35 * i), *draw.uniform(0, 1, 3)) for i, step in enumerate(chord)
        ]
        times = np.arange(0.35, max(seconds - 0.8, 0.4), 0.75)
        steps = draw.choice(np.array(chord[2:]), len(times))
        self.bells = [
            (float(at), root * 2 ** (2 + float(step) / 12), 0.4 + 0.6 * float(loud))
            for at, step, loud in zip(times, steps, draw.uniform(0, 1, len(times)), strict=True)
        ]

    def samples(self, start: int, count: int) -> Samples:
        """`count` samples from `start`, about −0.3…0.3."""
        t = np.arange(start, start + count) / RATE
        total = np.zeros(count)
        for frequency, loud, detune, pace, phase in self.voices:
            breath = 0.65 + 0.35 * np.sin(_TAU * (0.08 + 0.12 * pace) * t + _TAU * phase)
            pair = np.sin(_TAU * frequency * t) + np.sin(_TAU * frequency * (1.001 + 0.002 * detune) * t + phase)
            total += loud * breath * pair
        total *= 0.03
        for at, frequency, loud in self.bells:
            if at < t[-1] and t[0] < at + 3.0:
                since = np.maximum(t - at, 0)
                strike = np.minimum(since * 60, 1) * np.exp(-2.6 * since)
                tone = np.sin(_TAU * frequency * since) + 0.3 * np.sin(_TAU * 2.01 * frequency * since)
                total += 0.055 * loud * strike * tone
        return (total * _envelope(t, self.seconds, min(0.9, self.seconds / 4))).astype(np.float32)


class Tape:
    """Reference sounds, one after the other, handed out by the sample."""

    def __init__(self, pieces: Iterable[Samples]) -> None:
        self._pieces: Iterator[Samples] = iter(pieces)
        self._rest: Samples = np.empty(0, np.float32)

    def read(self, count: int) -> Samples:
        """The next samples; silence after the end."""
        out = np.zeros(count, np.float32)
        done = 0
        while done < count:
            if self._rest.size == 0:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._rest = piece
            part = self._rest[: count - done]
            out[done : done + part.size] = part
            self._rest = self._rest[part.size :]
            done += part.size
        return out


class Track:
    """The sound of the video: the tape with the pad under it, or the pad alone."""

    def __init__(self, pad: Pad, tape: Tape | None) -> None:
        self.pad, self.tape = pad, tape

    def read(self, start: int, count: int) -> Samples:
        """The samples from `start`; must be read in order."""
        pad = self.pad.samples(start, count)
        if self.tape is None:
            return pad
        t = np.arange(start, start + count) / RATE
        tape = self.tape.read(count) * _envelope(t, self.pad.seconds, 0.15).astype(np.float32)
        return np.clip(tape * 0.85 + pad * 0.35, -0.98, 0.98).astype(np.float32)


def _envelope(t: npt.NDArray[np.float64], seconds: float, ramp: float) -> npt.NDArray[np.float64]:
    return np.clip(np.minimum(t, seconds - t) / ramp, 0, 1) ** 1.5
