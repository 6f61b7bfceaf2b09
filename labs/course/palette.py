"""Colours, and how far apart readers see them: with the common forms of colour blindness, and on grey paper.

Okabe and Ito's palette (Color Universal Design, 2008). Colours that share a panel also differ in line style or
hatch, so no meaning hangs on colour alone; the distances are for reading at a glance.
"""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb

from labs.course.observe import LEAVING, NOT_READY, READY, STARTING

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
NAVY, PLUM, GREY, DARK = "#00477A", "#7A1F5C", "#767676", "#3A3A3A"
"""Darker companions: thin lines need 3:1 against white, and pairs need to differ in lightness."""

FAULT, FAULT_TEXT = GREY, DARK
PODS, NODES = NAVY, VERMILION
BEFORE, AFTER = VERMILION, NAVY
MEDIAN, TAIL = NAVY, VERMILION
LINE_PAIRS = ((PODS, NODES), (BEFORE, AFTER), (MEDIAN, TAIL))
STACK = (BLUE, ORANGE, DARK, SKY, PLUM, YELLOW)
STATE_COLOURS = {READY: BLUE, STARTING: YELLOW, NOT_READY: ORANGE, LEAVING: DARK}

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
VISIONS = {
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
_TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
_WHITE = (0.95047, 1.0, 1.08883)


def distance(one: str, other: str, vision: str = "") -> float:
    """CIE76 difference of two colours as somebody with ``vision`` sees them; 2.3 is just noticeable, 100 is a lot."""
    return float(np.linalg.norm(_lab(one, vision) - _lab(other, vision)))


def grey_distance(one: str, other: str) -> float:
    """Difference in lightness (CIE L*, 0 to 100): what is left of two colours on grey paper."""
    return abs(lightness(one) - lightness(other))


def lightness(colour: str) -> float:
    """CIE L*: 0 is black, 100 is white."""
    return float(_lab(colour)[0])


def _lab(colour: str, vision: str = "") -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """CIE L*a*b* (D65) of a colour."""
    encoded = np.asarray(to_rgb(colour), dtype=np.float64)
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    if vision:
        linear = np.clip(np.asarray(VISIONS[vision]) @ linear, 0.0, 1.0)
    scaled = np.asarray(_TO_XYZ) @ linear / np.asarray(_WHITE)
    f = np.where(scaled > 216 / 24389, np.cbrt(scaled), (24389 / 27 * scaled + 16) / 116)
    return np.asarray((116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])), dtype=np.float64)
