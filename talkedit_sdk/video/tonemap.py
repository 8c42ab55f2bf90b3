"""From high dynamic range (PQ, HLG; BT.2100) to BT.709.

Light up to about 90 nits keeps its brightness; above, BT.2390's curve rolls off so that 1000 nits become white.
Reference white is 203 nits (BT.2408). The curve works on the largest component, so hues do not turn; colours outside
BT.709 are clipped.
"""

from __future__ import annotations

from functools import cache

import numba
import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.video.colour import Colour

_PEAK = 1000.0
"""Nits: what phones and HLG's reference display master for."""
_WHITE = 203.0

_BT2020_TO_BT709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]], np.float32
)
_BT2020_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)
_LEVELS = 4096


def tone_map(rgb: NDArray[np.uint16], colour: Colour) -> NDArray[np.uint8]:
    """rgb: (H, W, 3) uint16, PQ or HLG coded, BT.2020 primaries -> (H, W, 3) uint8 BT.709."""
    linear, gain, display = _tables(colour.hlg)
    out = np.empty(rgb.shape, np.uint8)
    _map(rgb.reshape(-1, 3), linear, gain, display, colour.hlg, out.reshape(-1, 3))
    return out


@cache
def _tables(hlg: bool) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
    """Per 16-bit code: light (1 is `_PEAK`); per largest component: the curve's gain; per root of SDR light: level."""
    code = np.linspace(0, 1, 65536)
    linear = _hlg_light(code) if hlg else np.minimum(pq_light(code) / _PEAK, 1.0)
    light = np.linspace(0, 1, _LEVELS) ** 2  # square spacing: fine steps in the shadows
    gain = _rolled_off(light * _PEAK) / np.maximum(light * _WHITE, 1e-9)
    gain[0] = gain[1]
    display = np.round(255 * np.linspace(0, 1, _LEVELS) ** (2 / 2.4)).astype(np.uint8)  # index is the root of light
    return linear.astype(np.float32), gain.astype(np.float32), display


def pq_light(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """SMPTE ST 2084: code in [0, 1] -> nits."""
    power = code ** (1 / 78.84375)
    light: NDArray[np.float64] = 10000.0 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (
        1 / 0.1593017578125
    )
    return light


def pq_code(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    """SMPTE ST 2084: nits -> code in [0, 1]."""
    power = (nits / 10000.0) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def _hlg_light(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """ARIB STD-B67: code in [0, 1] -> scene light in [0, 1]. The display's gamma follows in `_map`."""
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12)


def _rolled_off(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    """BT.2390-10 section 5.4.1 from `_PEAK` to `_WHITE` nits: a Hermite spline in PQ above a knee."""
    peak, white = pq_code(np.array([_PEAK, _WHITE]))
    code, top = pq_code(nits) / peak, white / peak
    knee = 1.5 * top - 0.5
    t = np.clip((code - knee) / (1 - knee), 0, 1)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * top
    return pq_light(np.where(code < knee, code, spline) * peak)


@numba.njit(nogil=True, cache=True)
def _map(
    codes: NDArray[np.uint16],
    linear: NDArray[np.float32],
    gain: NDArray[np.float32],
    display: NDArray[np.uint8],
    hlg: bool,
    out: NDArray[np.uint8],
) -> None:
    last = np.float32(_LEVELS - 1)
    for i in range(codes.shape[0]):
        r, g, b = linear[codes[i, 0]], linear[codes[i, 1]], linear[codes[i, 2]]
        if hlg:  # BT.2100 system gamma of a 1000 nit display
            luma = _BT2020_LUMA[0] * r + _BT2020_LUMA[1] * g + _BT2020_LUMA[2] * b
            gamma = max(luma, np.float32(1e-6)) ** np.float32(0.2)
            r, g, b = r * gamma, g * gamma, b * gamma
        factor = gain[int(np.sqrt(min(max(r, g, b), np.float32(1))) * last)]
        for channel in range(3):
            light = factor * (
                _BT2020_TO_BT709[channel, 0] * r + _BT2020_TO_BT709[channel, 1] * g + _BT2020_TO_BT709[channel, 2] * b
            )
            out[i, channel] = display[
                int(np.sqrt(min(max(light, np.float32(0)), np.float32(1))) * last + np.float32(0.5))
            ]
