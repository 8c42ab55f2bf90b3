from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from talkedit_sdk.errors import InputNotFoundError, OptionError, OutputError, UnreadableInputError
from talkedit_sdk.provenance import DIGITAL_SOURCE_TYPE
from talkedit_sdk.video.photo import probe_photo, read_photo, write_photo

NOTICE = {"description": "Face edited by AI <talkedit>", "talkedit:emotion": "happy"}


@pytest.fixture
def photo(tmp_path, ramp):
    """Saves a picture and returns its path and content."""

    def save(name="in.png", mode="RGB", **options):
        image = Image.fromarray(ramp(41, 61)).convert(mode)
        image.save(tmp_path / name, **options)
        return tmp_path / name, ramp(41, 61)

    return save


@pytest.mark.parametrize(
    ("name", "exact"), [("out.png", True), ("out.webp", True), ("out.tiff", True), ("out.jpg", False)]
)
def test_round_trip(tmp_path, photo, name, exact):
    path, rgb = photo()
    assert np.array_equal(read_photo(path), rgb)
    assert write_photo(tmp_path / name, rgb, probe_photo(path), NOTICE) == (tmp_path / name).resolve()
    again = read_photo(tmp_path / name)
    assert np.array_equal(again, rgb) if exact else np.abs(again.astype(int) - rgb).mean() < 1.5
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["in.png", name])


def test_jpeg_is_not_subsampled(tmp_path, photo):
    path, rgb = photo()
    write_photo(tmp_path / "out.jpg", rgb, probe_photo(path))
    with Image.open(tmp_path / "out.jpg") as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


@pytest.mark.parametrize("name", ["out.jpg", "out.png", "out.webp", "out.tiff"])
def test_says_that_it_was_edited(tmp_path, photo, name):
    path, rgb = photo()
    write_photo(tmp_path / name, rgb, probe_photo(path), NOTICE)
    data = (tmp_path / name).read_bytes()
    assert DIGITAL_SOURCE_TYPE.encode() in data
    assert b"Face edited by AI &lt;talkedit&gt;" in data
    with Image.open(tmp_path / name) as image:
        assert image.getexif()[ExifTags.Base.ImageDescription] == NOTICE["description"]
        if name == "out.png":
            assert image.text["talkedit:emotion"] == "happy"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, ramp, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(ramp(41, 61)).save(tmp_path / "in.png", exif=exif)
    rgb = ramp(41, 61)
    upright = {
        1: rgb,
        2: rgb[:, ::-1],
        3: rgb[::-1, ::-1],
        4: rgb[::-1],
        5: rgb.transpose(1, 0, 2),
        6: np.rot90(rgb, -1),
        7: rgb[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(rgb),
    }[orientation]
    info = probe_photo(tmp_path / "in.png")
    assert (info.height, info.width) == upright.shape[:2]
    if orientation in (1, 3, 6, 8):
        assert info.rotation == {1: 0, 3: 180, 6: 90, 8: 270}[orientation]
    assert np.array_equal(read_photo(tmp_path / "in.png"), upright)
    write_photo(tmp_path / "out.png", upright, info)
    assert np.array_equal(read_photo(tmp_path / "out.png"), upright)


@pytest.mark.parametrize("name", ["out.png", "out.webp", "out.tiff"])
def test_transparency_is_kept(tmp_path, ramp, name):
    alpha = (np.arange(41 * 61).reshape(41, 61) % 256).astype(np.uint8)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(np.dstack([ramp(41, 61), alpha])).save(tmp_path / "in.png", exif=exif)
    edited = 255 - read_photo(tmp_path / "in.png")
    write_photo(tmp_path / name, edited, probe_photo(tmp_path / "in.png"))
    with Image.open(tmp_path / name) as image:
        assert image.mode == "RGBA"
        assert np.array_equal(np.asarray(image.getchannel("A")), np.rot90(alpha, -1))
        visible = np.rot90(alpha, -1) > 0
        assert np.array_equal(np.asarray(image.convert("RGB"))[visible], edited[visible])


@pytest.mark.parametrize("name", ["out.jpg", "out.png", "out.webp", "out.tiff"])
def test_colour_profile_is_kept(tmp_path, photo, name):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path, rgb = photo("in.png", icc_profile=profile)
    write_photo(tmp_path / name, rgb, probe_photo(path))
    with Image.open(tmp_path / name) as image:
        assert image.info["icc_profile"] == profile


def test_date_and_copyright_are_kept(tmp_path, ramp):
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = "2024:05:06 07:08:09"
    exif[ExifTags.Base.Copyright] = "Someone"
    Image.fromarray(ramp(41, 61)).save(tmp_path / "in.jpg", exif=exif)
    write_photo(tmp_path / "out.jpg", ramp(41, 61), probe_photo(tmp_path / "in.jpg"))
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.getexif()[ExifTags.Base.DateTime] == "2024:05:06 07:08:09"
        assert image.getexif()[ExifTags.Base.Copyright] == "Someone"


@pytest.mark.parametrize(
    ("mode", "name"), [("L", "in.png"), ("P", "in.png"), ("LA", "in.png"), ("CMYK", "in.jpg"), ("1", "in.tiff")]
)
def test_other_colour_models(tmp_path, photo, mode, name):
    path, rgb = photo(name, mode)
    read = read_photo(path)
    assert read.shape == rgb.shape
    assert np.array_equal(read, np.asarray(Image.open(path).convert("RGB")))


def test_sixteen_bit_grey(tmp_path):
    values = np.linspace(0, 65535, 50 * 40).reshape(40, 50).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "in.png")
    assert np.abs(read_photo(tmp_path / "in.png")[..., 0].astype(float) - values / 257).max() <= 0.51


def test_errors(tmp_path, photo):
    path, rgb = photo()
    info = probe_photo(path)
    with pytest.raises(InputNotFoundError):
        read_photo(tmp_path / "none.jpg")
    with pytest.raises(OutputError, match=r"\.jpg, \.jpeg, \.png"):
        write_photo(tmp_path / "out.mp4", rgb, info)
    with pytest.raises(OutputError, match="input itself"):
        write_photo(path, rgb, info)
    with pytest.raises(OptionError, match="41x61x3"):
        write_photo(tmp_path / "out.png", rgb[:-1], info)
    (tmp_path / "text.png").write_text("not a photo")
    with pytest.raises(UnreadableInputError, match="no photo"):
        read_photo(tmp_path / "text.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.png", "text.png"]


def test_failing_write_leaves_nothing(tmp_path, photo, monkeypatch):
    path, rgb = photo()
    (tmp_path / "out.png").write_bytes(b"precious")

    def interrupt(*_):
        assert len(list(tmp_path.iterdir())) == 3
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_photo(tmp_path / "out.png", rgb, probe_photo(path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.png", "out.png"]
    assert (tmp_path / "out.png").read_bytes() == b"precious"


def test_odd_metadata_does_not_warn(tmp_path, photo):
    path, rgb = photo("in.jpg")
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1\x00\x14Exif\0\0II*\0\xff\xff\0\0\1\2\3\4" + data[2:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_photo(path).shape == rgb.shape
        assert probe_photo(path).width == 61
