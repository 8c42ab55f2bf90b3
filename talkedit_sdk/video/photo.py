"""Photos: read upright, written with the source's transparency and colour profile, and marked as edited by AI."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin, TiffImagePlugin

from talkedit_sdk.errors import OptionError, UnreadableInputError
from talkedit_sdk.provenance import xmp, xmp_segment
from talkedit_sdk.signing import Signer
from talkedit_sdk.video.container import DEFAULT_FPS, check_input, check_size
from talkedit_sdk.video.output import PHOTO_FORMATS, check_output, explaining, replacing
from talkedit_sdk.video.types import Frame, VideoInfo

logging.getLogger("PIL").addHandler(logging.NullHandler())  # what is wrong with a photo is said by our errors

_READABLE = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
_ROTATIONS = {3: 180, 4: 180, 5: 270, 6: 90, 7: 90, 8: 270}
_KEPT_TAGS = (ExifTags.Base.DateTime, ExifTags.Base.Artist, ExifTags.Base.Copyright)


class PhotoSource:
    """A photo as a video of one frame."""

    def __init__(self, path: Path) -> None:
        self._info = probe_photo(path)

    @property
    def info(self) -> VideoInfo:
        return self._info

    def frames(self) -> Iterator[Frame]:
        assert self._info.path is not None
        yield Frame(0, 0.0, read_photo(self._info.path))

    def close(self) -> None:
        """Nothing is held open between readings."""


def is_photo(path: Path) -> bool:
    """Whether the file's first bytes are those of a photo that can be read, whatever its name."""
    with path.open("rb") as file:
        head = file.read(12)
    return head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n", b"BM", b"II*\0", b"MM\0*")) or (
        head[:4] == b"RIFF" and head[8:] == b"WEBP"
    )


def probe_photo(path: str | os.PathLike[str]) -> VideoInfo:
    """What is known of a photo; it is decoded once to see that it is whole.

    Raises:
        InputNotFoundError, UnreadableInputError: there is none, or it is damaged or too large.
    """
    path = check_input(path)
    with _opened(path) as image:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        size = image.size if orientation < 5 else image.size[::-1]
        return VideoInfo(
            path=path,
            kind="photo",
            width=size[0],
            height=size[1],
            fps=DEFAULT_FPS,
            frame_count=1,
            rotation=_ROTATIONS.get(orientation, 0),
            codec=(image.format or "").lower(),
            pixel_format=image.mode,
        )


def read_photo(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, upright, transparency left out. RGB values are those of the photo's own colour profile;
    other colour models are converted to sRGB.

    Raises:
        InputNotFoundError, UnreadableInputError: as `probe_photo`.
    """
    with _opened(check_input(path)) as image:
        return np.array(_to_rgb(ImageOps.exif_transpose(image)))


def write_photo(
    path: str | os.PathLike[str],
    rgb: NDArray[np.uint8],
    source: VideoInfo,
    metadata: Mapping[str, str] | None = None,
    signer: Signer | None = None,
) -> Path:
    """Writes an edited photo: jpg (quality 95, 4:4:4), png, webp (lossless) or tiff.

    rgb: (H, W, 3) uint8. source: the photo it was made from, whose transparency, profile, date, artist and copyright
    are kept. metadata: "description" (or else "comment") goes into the picture's description; png keeps all as text.
    signer: signs the file when it is finished.

    Raises:
        OutputError: see `check_output`.
        OptionError: `rgb` is no picture of the source's size.
    """
    if rgb.dtype != np.uint8 or rgb.shape != (source.height, source.width, 3):
        raise OptionError(f"The picture must be {source.height}x{source.width}x3 uint8, not {rgb.shape} {rgb.dtype}.")
    target = check_output(path, source)
    kind = PHOTO_FORMATS[target.suffix.lower()]
    image = Image.fromarray(rgb)
    kept: dict[int, str] = {}
    options: dict[str, Any] = {}
    if source.path is not None:
        with _opened(source.path) as original:
            alpha = _alpha(ImageOps.exif_transpose(original))
            if alpha is not None and kind != "JPEG":
                image.putalpha(alpha)
            if original.mode in ("RGB", "RGBA") and original.info.get("icc_profile"):
                options["icc_profile"] = original.info["icc_profile"]
            exif = original.getexif()
            kept = {tag: exif[tag] for tag in _KEPT_TAGS if isinstance(exif.get(tag), str)}
    metadata = metadata or {}
    description = metadata.get("description") or metadata.get("comment") or ""
    options |= _encoder_options(kind, description, metadata, kept)
    encoded = io.BytesIO()  # codecs report a full disk in their own words, or on the terminal
    image.save(encoded, format=kind, **options)
    with replacing(target) as temporary, explaining(target):
        temporary.write_bytes(encoded.getvalue())
        if signer is not None:
            signer.sign(temporary, target.suffix, metadata, source.path)
    return target


def _encoder_options(
    kind: str, description: str, metadata: Mapping[str, str], kept: Mapping[int, str]
) -> dict[str, Any]:
    exif = Image.Exif()
    exif.update({**kept, ExifTags.Base.ImageDescription: description})
    if kind == "JPEG":
        return {"quality": 95, "subsampling": 0, "optimize": True, "exif": exif, "extra": xmp_segment(metadata)}
    if kind == "WEBP":
        return {"lossless": True, "exif": exif, "xmp": xmp(metadata).encode()}
    if kind == "TIFF":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        for tag, value in exif.items():
            tags[tag] = value
        tags[700] = xmp(metadata).encode()
        return {"compression": "tiff_lzw", "tiffinfo": tags}
    text = PngImagePlugin.PngInfo()
    for key, value in {"Description": description, **metadata}.items():
        text.add_itxt(key[:79], value)
    text.add_itxt("XML:com.adobe.xmp", xmp(metadata))
    return {"pnginfo": text, "exif": exif}


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The decoded photo. Pillow's own limits and warnings are replaced by this package's limits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=_READABLE) as image:
                check_size(path, *image.size)
                image.load()
                yield image
        except (UnreadableInputError, OptionError):
            raise
        except Image.DecompressionBombError as error:
            raise UnreadableInputError(
                f"{path} claims a picture too large to be edited: scale it down first."
            ) from error
        except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
            raise UnreadableInputError(
                f"{path} is no photo that can be read, or it is damaged: save it again as jpg or png."
            ) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # 16 or 32 bit grey
        values = np.asarray(image, np.float64)
        values = values / 257 if image.mode.startswith("I") else values * 255
        image = Image.fromarray(np.clip(np.round(values), 0, 255).astype(np.uint8))
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("CMYK", "LAB"):
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
            return converted or image.convert("RGB")
        except ImageCms.PyCMSError:
            pass  # a damaged profile: the plain conversion below is what every viewer shows
    if image.mode in ("P", "PA", "LA", "La", "RGBa"):
        image = image.convert("RGBA")
    return image.convert("RGB")


def _alpha(image: Image.Image) -> Image.Image | None:
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return image.convert("RGBA").getchannel("A")
    return None
