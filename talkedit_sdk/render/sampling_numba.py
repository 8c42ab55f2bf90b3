"""Resampling on the CPU, in compiled loops on one core."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from talkedit_sdk.errors import OptionError
from talkedit_sdk.render.jit import compiled
from talkedit_sdk.render.sampling import KERNEL, PHASES, TAPS

MARGIN = TAPS // 2 - 1
CHANNELS = 3


def sample_array(image: NDArray[np.uint8], coordinates: NDArray[np.float32]) -> NDArray[np.uint8]:
    """See `sampling.sample`. Raises OptionError where the shapes are others."""
    if image.ndim != 3 or image.shape[2] != CHANNELS or 0 in image.shape or coordinates.shape[2:] != (2,):
        raise OptionError(f"Give (H, W, 3) and (h, w, 2) to sample, not {image.shape} and {coordinates.shape}.")
    image = np.require(image, np.uint8, ["C", "W"])
    coordinates = np.require(coordinates, np.float32, ["C", "W"])
    result = np.empty((*coordinates.shape[:2], CHANNELS), np.uint8)
    _sample(image, coordinates, KERNEL, result)
    return result


def _weighted_sum(
    context: Any, pixels: Any, corner: Any, pitch: Any, kernel: Any, phase_x: Any, phase_y: Any, result: Any, place: Any
) -> tuple[Any, Any]:
    """Writes the colour under the kernel to `result[place:place + 3]`.

    Arrays are flat; `corner` is the offset of the first byte under the kernel, `pitch` the bytes from row to row. Each
    pixel is read as four bytes, its channels and one beyond that is dropped, so that one vector instruction serves all
    channels. Left to itself numba takes them one by one, 1.6 times as long.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, corner, pitch, _, phase_x, phase_y, _, place = arguments
        pixels, kernel, result = (
            context.make_array(signature.args[index])(context, builder, arguments[index]).data for index in (0, 3, 6)
        )
        floats, bytes_, lanes = (
            ir.VectorType(element, 4) for element in (ir.FloatType(), ir.IntType(8), ir.IntType(32))
        )

        def weight(phase: Any, tap: int) -> Any:
            index = builder.add(builder.mul(phase, phase.type(TAPS)), phase.type(tap))
            value = builder.load(builder.gep(kernel, [index]))
            lane = builder.insert_element(floats(ir.Undefined), value, lanes.element(0))
            return builder.shuffle_vector(lane, floats(ir.Undefined), lanes([0] * 4))

        def add_product(total: Any, left: Any, right: Any) -> Any:
            return builder.fadd(total, builder.fmul(left, right, flags=("contract",)), flags=("contract",))

        across = [weight(phase_x, tap) for tap in range(TAPS)]
        total = floats([0.5] * 4)  # so that cutting off rounds
        for row in range(TAPS):
            line = floats([0.0] * 4)
            for column in range(TAPS):
                source = builder.gep(pixels, [builder.add(corner, corner.type(column * CHANNELS))])
                pixel = builder.load(builder.bitcast(source, bytes_.as_pointer()), align=1)
                line = add_product(line, builder.uitofp(pixel, floats), across[column])
            total = add_product(total, line, weight(phase_y, row))
            corner = builder.add(corner, pitch)
        for sign, limit in ((">", floats([0.0] * 4)), ("<", floats([255.0] * 4))):
            total = builder.select(builder.fcmp_ordered(sign, total, limit), total, limit)
        levels = builder.fptoui(total, bytes_)
        for k in range(CHANNELS):
            target = builder.gep(result, [builder.add(place, place.type(k))])
            builder.store(builder.extract_element(levels, lanes.element(k)), target)
        return context.get_dummy_value()

    return types.void(pixels, corner, pitch, kernel, phase_x, phase_y, result, place), generate


_write_weighted_sum: Any = intrinsic(_weighted_sum)


@compiled
def _split(position: np.float32, length: int) -> tuple[int, int]:
    """First of the pixels that make up a position on an axis, and the row of the kernel with their weights."""
    lowest, highest = np.float32(-TAPS), np.float32(length + TAPS)
    if not position > lowest:  # not a number included
        position = lowest
    if position > highest:
        position = highest
    whole = np.floor(position)
    phase = (position - whole) * np.float32(PHASES) + np.float32(0.5)
    return int(whole) - MARGIN, int(phase)


@compiled
def _sample(
    image: NDArray[np.uint8],
    coordinates: NDArray[np.float32],
    kernel: NDArray[np.float32],
    result: NDArray[np.uint8],
) -> None:
    height, width, _ = image.shape
    pixels, levels, weights = image.reshape(-1), result.reshape(-1), kernel.reshape(-1)
    pitch = width * CHANNELS
    patch = np.zeros(TAPS * TAPS * CHANNELS + 1, np.uint8)
    place = 0
    for row in range(result.shape[0]):
        for column in range(result.shape[1]):
            left, phase_x = _split(coordinates[row, column, 0], width)
            top, phase_y = _split(coordinates[row, column, 1], height)
            # One pixel is left free on the right for the byte that is read beyond the last one.
            if 0 <= left < width - TAPS and 0 <= top <= height - TAPS:
                corner = top * pitch + left * CHANNELS
                if phase_x == 0 and phase_y == 0:
                    centre = corner + MARGIN * (pitch + CHANNELS)
                    for k in range(CHANNELS):
                        levels[place + k] = pixels[centre + k]
                else:
                    _write_weighted_sum(pixels, corner, pitch, weights, phase_x, phase_y, levels, place)
            else:
                for j in range(TAPS):
                    for i in range(TAPS):
                        for k in range(CHANNELS):
                            y = min(max(top + j, 0), height - 1)
                            x = min(max(left + i, 0), width - 1)
                            patch[(j * TAPS + i) * CHANNELS + k] = image[y, x, k]
                _write_weighted_sum(patch, 0, TAPS * CHANNELS, weights, phase_x, phase_y, levels, place)
            place += CHANNELS
