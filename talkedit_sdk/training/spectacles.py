"""Glasses that nobody wears, painted onto views of bare faces: examples in which every rim is known to the pixel."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.texture.glasses import HEIGHT, SCALE, WIDTH

Random: TypeAlias = np.random.Generator
Picture: TypeAlias = NDArray[np.float32]
Points: TypeAlias = NDArray[np.float64]

_FINE: Final = 4  # glasses are drawn so many times larger
_METALS: Final = ((200, 200, 205), (190, 160, 100), (120, 120, 125), (225, 220, 210), (150, 110, 90))
_RIMLESS, _HALF_RIMMED = 0.15, 0.20  # shares
_SIZE: Final = (WIDTH, HEIGHT)


def paint(view: NDArray[np.uint8], eyes: NDArray[np.float32], random: Random) -> tuple[NDArray[np.uint8], Picture]:
    """Puts made-up glasses on a face.

    Args:
        view: (64, 128, 3).
        eyes: (2, 2) pixels, centres of the eyes in it, from left to right.
        random: where the glasses come from.

    Returns:
        The face with glasses, and (64, 128) in [0, 1], how much of each pixel is rim, bridge or temple.
    """
    tilt = cv2.getRotationMatrix2D((WIDTH / 2, float(eyes[:, 1].mean())), random.normal(0, 2.0), 1.0)
    lenses = _lenses(eyes, random)
    thin = random.random() < 0.5
    width = SCALE * (random.uniform(0.010, 0.025) if thin else random.uniform(0.025, 0.07))
    rim = _drawn(_frame(lenses, width, random), tilt)
    picture = view.astype(np.float32)
    glass = np.maximum(*(_filled(lens, tilt) for lens in lenses))[..., None]
    if random.random() < 0.35:
        tint = np.asarray(random.uniform(0, 110, 3), np.float32)
        picture += random.uniform(0.1, 0.85) * glass * (tint - picture)
    if random.random() < 0.3:
        glare = _clouds(random, random.uniform(2, 6))
        picture += 0.7 * np.clip(glare - 1.2, 0, 1) * glass * (255 - picture)
    shade = cv2.GaussianBlur(np.roll(rim, int(random.integers(1, 5)), 0), (0, 0), 1.2)[..., None]
    picture *= 1 - random.uniform(0, 0.4) * shade
    colour = _colour(thin, random) + (25 if thin else 6) * _clouds(random, 3.0)
    picture += random.uniform(0.55, 1.0) * rim[..., None] * (colour - picture)
    return np.clip(picture, 0, 255).astype(np.uint8), rim


def vary(view: NDArray[np.uint8], rim: Picture, random: Random) -> tuple[NDArray[np.uint8], Picture]:
    """Mirrored, moved, sheared, recoloured, blurred and compressed, the rim along with the view."""
    if random.random() < 0.5:
        view, rim = view[:, ::-1], rim[:, ::-1]
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), random.normal(0, 4), random.uniform(0.85, 1.15))
    matrix[0, 1] = matrix[0, 1] + random.normal(0, 0.15)
    matrix[:, 2] = matrix[:, 2] + random.normal(0, 2, 2)
    view = np.asarray(cv2.warpAffine(view.copy(), matrix, _SIZE, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    rim = np.asarray(cv2.warpAffine(rim.copy(), matrix, _SIZE, borderMode=cv2.BORDER_REPLICATE), np.float32)
    if random.random() < 0.5:
        shrink = random.uniform(0.35, 1.0)
        small = cv2.resize(view, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        view = np.asarray(cv2.resize(small, _SIZE, interpolation=cv2.INTER_LINEAR), np.uint8)
    if random.random() < 0.5:
        _, code = cv2.imencode(".jpg", view, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 95))])
        view = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    light = 255 * (view.astype(np.float32) / 255) ** random.uniform(0.6, 1.7)
    if random.random() < 0.1:
        light = light.mean(-1, keepdims=True).repeat(3, -1)
    light = light * random.uniform(0.7, 1.2, 3) + random.normal(0, random.uniform(0, 8), view.shape)
    return np.clip(light, 0, 255).astype(np.uint8), rim


def _lenses(eyes: NDArray[np.float32], random: Random) -> tuple[Points, Points]:
    """Outlines (64, 2) of both lenses, pixels: between round and rectangular, wider above or below."""
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    power = 2 / random.uniform(2.0, 5.0)
    x, y = (np.sign(wave) * np.abs(wave) ** power for wave in (np.cos(angle), np.sin(angle)))
    wide = random.uniform(0.20, 0.33)
    high = random.uniform(max(0.45 * wide, 0.11), min(1.1 * wide, 0.34))
    across = wide * x * (1 + random.uniform(-0.2, 0.2) * y) + 0.03 * random.normal() * y
    lens = np.stack([across, high * y * (1 + random.uniform(-0.15, 0.15) * x)], 1)
    place = np.array([random.uniform(-0.03, 0.06), random.uniform(-0.03, 0.12)])
    left, right = (eye + SCALE * (lens + place) * (side, 1) for eye, side in zip(eyes, (-1, 1), strict=True))
    return left, right


def _frame(lenses: tuple[Points, Points], width: float, random: Random) -> list[tuple[Points, float, bool]]:
    """Lines of glasses: points, width in pixels, and whether they are closed."""
    middle = WIDTH / 2
    inner, outer = ([lens[pick(np.abs(lens[:, 0] - middle))] for lens in lenses] for pick in (np.argmin, np.argmax))
    height, arch = SCALE * random.uniform(-0.12, 0.02), SCALE * random.uniform(0.0, 0.06)
    bridge = np.array([inner[0] + (0, height), (middle, inner[0][1] + height - arch), inner[1] + (0, height)])
    lines = [(bridge, width * random.uniform(0.7, 1.3), False)]
    style = random.random()
    if style > _RIMLESS + _HALF_RIMMED:
        lines += [(lens, width, True) for lens in lenses]
    elif style > _RIMLESS:
        lines += [(lens[lens[:, 1] < lens[:, 1].mean()], width, False) for lens in lenses]
    if random.random() < 0.8:
        slope, broad = SCALE * random.uniform(-0.08, 0.08), width * random.uniform(0.8, 1.5)
        lines += [
            (np.array([end, (edge, end[1] + slope)]), broad, False)
            for end, edge in zip(outer, (-4, WIDTH + 4), strict=True)
        ]
    return lines


def _colour(thin: bool, random: Random) -> NDArray[Any]:
    if random.random() < 0.15:
        return random.uniform(20, 230, 3)
    return (
        np.array(_METALS[random.integers(len(_METALS))]) if thin else random.uniform(0, 70, 3) + random.uniform(0, 30)
    )


def _clouds(random: Random, size: float) -> Picture:
    """(64, 128, 1) smooth noise of deviation 1."""
    noise = cv2.GaussianBlur(random.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), size)
    return np.asarray(noise / noise.std(), np.float32)[..., None]


def _drawn(lines: list[tuple[Points, float, bool]], tilt: NDArray[Any]) -> Picture:
    mask = np.zeros((HEIGHT * _FINE, WIDTH * _FINE), np.uint8)
    for points, width, closed in lines:
        placed = ((points @ tilt[:, :2].T + tilt[:, 2] + 0.5) * _FINE).round().astype(np.int32)
        cv2.polylines(mask, [placed], closed, (255,), max(1, round(width * _FINE)), cv2.LINE_AA)
    return np.asarray(cv2.resize(mask, _SIZE, interpolation=cv2.INTER_AREA), np.float32) / 255


def _filled(outline: Points, tilt: NDArray[Any]) -> Picture:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(mask, [(outline @ tilt[:, :2].T + tilt[:, 2]).round().astype(np.int32)], (255,), cv2.LINE_AA)
    return np.asarray(mask, np.float32) / 255
