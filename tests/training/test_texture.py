from __future__ import annotations

import json
from dataclasses import replace

import cv2
import pytest
import torch

from talkedit_sdk.errors import OptionError
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX, MIRRORED
from talkedit_sdk.texture.learned import LearnedTexture, load_network
from talkedit_sdk.texture.skin import SkinMap
from talkedit_sdk.texture.wrinkles import WrinkleRenderer
from talkedit_sdk.training.motion import held_out
from talkedit_sdk.training.skins import Skins
from talkedit_sdk.training.texture import measure, train_texture
from talkedit_sdk.training.texture_pairs import TexturePairs
from talkedit_sdk.training.texture_score import believed, mean_change, region_errors, score
from talkedit_sdk.training.texture_trainer import TextureSchedule, TextureTrainer, pyramid_error

SIDE = 64
LIGHT = torch.tensor([0.1, -0.3, -0.5])
SCHEDULE = TextureSchedule(steps=5, resolution=SIDE, batch=2)


@pytest.fixture(scope="module")
def texels(model):
    return SkinMap(model, SIDE)


@pytest.fixture(scope="module")
def people(model, texels):
    """Four people who frown, and one seen once."""
    folds = WrinkleRenderer(model, texels)

    def person(seed, count):
        random = torch.Generator().manual_seed(seed)
        plain = torch.nn.functional.interpolate(0.2 * torch.randn(1, 3, 12, 12, generator=random), size=(SIDE, SIDE))
        beta = 0.3 * torch.rand(count, 52, generator=random)
        beta[:, [INDEX["browDownLeft"], INDEX["browDownRight"]]] = torch.linspace(0, 1, count)[:, None]
        light = LIGHT.repeat(count, 1)
        inside = torch.from_numpy(texels.inside).float()
        skin = plain * inside + folds.change(torch.zeros(count, 52), beta, light)
        visible = inside.expand(count, -1, -1)
        return Skins(f"P{seed}", "train", skin.half(), visible.half(), beta, light, ("",) * count)

    return [person(1, 4), person(2, 3), person(3, 5), person(4, 2), person(5, 1)]


@pytest.fixture(scope="module")
def pairs(model, people):
    return TexturePairs(model, people, torch.Generator().manual_seed(0))


def test_lessons_are_what_they_claim_to_be(model, people, pairs):
    lesson = pairs.lesson(64)
    assert lesson.skin.shape == lesson.change.shape == lesson.view.shape == (64, 3, SIDE, SIDE)
    for value in (lesson.own, lesson.goal, lesson.view_own):
        assert value.shape == (64, len(BLENDSHAPES))
        assert value.min() >= 0
        assert value.max() <= 1
    assert ((lesson.trust >= 0) & (lesson.trust <= 1.5)).all()
    assert not lesson.change[lesson.own.eq(lesson.goal).all(1)].any()
    brow = INDEX["browDownLeft"]
    growing, shrinking = (sign * (lesson.goal - lesson.own)[:, brow] > 0.3 for sign in (1, -1))
    assert growing.any()
    assert shrinking.any()
    glabella = torch.from_numpy(SkinMap(model, SIDE).regions(model)["glabella"])
    brighter = (lesson.change * glabella).sum((1, 2, 3))
    assert brighter[shrinking].mean() > 0  # a renderer for anybody leaves much of the folds
    assert brighter[growing].mean().abs() < 0.5 * brighter[shrinking].mean()  # and knows those that come


def test_mirrored_lessons(pairs):
    lesson = pairs.lesson(4)
    flipped = lesson.mirrored(torch.tensor([True, False, True, False]))
    assert torch.equal(flipped.own[0], lesson.own[0, list(MIRRORED)])
    assert torch.equal(flipped.light[0], lesson.light[0] * torch.tensor([-1.0, 1.0, 1.0]))
    assert torch.equal(flipped.skin[1], lesson.skin[1])
    again = flipped.mirrored(torch.tensor([True, False, True, False]))
    assert torch.equal(again.skin, lesson.skin)


def test_the_same_seed_gives_the_same_lessons(model, people):
    one, other = (TexturePairs(model, people, torch.Generator().manual_seed(3)).lesson(3) for _ in range(2))
    assert torch.equal(one.skin, other.skin)
    assert torch.equal(one.change, other.change)


def test_stages_grow():
    schedule = TextureSchedule(steps=700, resolution=128)
    assert schedule.stages == ((32, 0), (64, 100), (128, 300))
    assert [schedule.side(step) for step in (0, 99, 100, 299, 300, 699)] == [32, 32, 64, 64, 128, 128]


def test_small_errors_count_as_well_as_large_ones():
    spot, slope = torch.zeros(2, 1, 3, 32, 32)
    spot[..., 16, 16] = 1
    slope[...] = torch.linspace(-1, 1, 32) * spot.abs().mean() / torch.linspace(-1, 1, 32).abs().mean()
    assert pyramid_error(spot, torch.ones(1, 1, 32, 32)) > 2 * pyramid_error(slope, torch.ones(1, 1, 32, 32))
    assert pyramid_error(spot, torch.zeros(1, 1, 32, 32)) == 0


def test_it_learns_skin_and_how_it_changes(model, people):
    """A few dozen steps, and textures come nearer to what they were made of, and changes to what is wanted."""
    trainer = TextureTrainer(model, people, TextureSchedule(steps=40, resolution=32, batch=4, rate=1e-2))
    terms = [trainer.advance() for _ in range(40)]
    assert all(value == value for each in terms for value in each.values())
    assert "pairs" not in terms[0]

    def mean(name, rows):
        values = [each[name] for each in rows if name in each]
        return sum(values) / len(values)

    assert mean("pixels", terms[-5:]) < 0.9 * mean("pixels", terms[:3])
    assert mean("pairs", terms[-5:]) > 0


@pytest.mark.parametrize("side", [256, 512])
def test_larger_textures_for_a_few_steps(model, people, side):
    trainer = TextureTrainer(model, people, TextureSchedule(steps=9, resolution=side, batch=2))
    trainer.step = 8
    assert all(value == value for value in trainer.advance().values())


def test_half_precision(model, people):
    trainer = TextureTrainer(model, people, replace(SCHEDULE, half=True))
    for _ in range(3):
        trainer.advance()
    assert all(bool(torch.isfinite(value).all()) for value in trainer.average.state_dict().values())


def test_an_interrupted_training_goes_on_where_it_was(model, people, tmp_path):
    whole = train_texture(model, people, [], SCHEDULE, tmp_path / "whole")
    trainer = TextureTrainer(model, people, SCHEDULE)
    for _ in range(3):
        trainer.advance()
    (tmp_path / "parts").mkdir()
    trainer.save(tmp_path / "parts" / "texture.ckpt")
    said = []
    parts = train_texture(model, people, [], SCHEDULE, tmp_path / "parts", said.append)
    assert said[0] == "Going on from step 3."
    for one, other in zip(whole.state_dict().values(), parts.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert cv2.imread(str(tmp_path / "parts" / "texture.png")).shape == (6 * SIDE, 7 * SIDE, 3)


def test_checkpoints_that_do_not_fit(model, people, tmp_path):
    trainer = TextureTrainer(model, people, SCHEDULE)
    checkpoint = tmp_path / "texture.ckpt"
    checkpoint.write_bytes(b"no checkpoint")
    with pytest.raises(OptionError, match="delete it"):
        trainer.resume(checkpoint)
    trainer.save(checkpoint)
    with pytest.raises(OptionError, match="other settings"):
        TextureTrainer(model, people, replace(SCHEDULE, steps=7)).resume(checkpoint)


def test_too_few_people_and_unknown_resolutions(model, people):
    with pytest.raises(OptionError, match="people"):
        TextureTrainer(model, people[:2], SCHEDULE)
    with pytest.raises(OptionError, match="32, 64, 128, 256, 512"):
        TextureTrainer(model, people, replace(SCHEDULE, resolution=100))


def test_errors_by_region():
    source, target = torch.zeros(2, 2, 3, 8, 8)
    target[:, :, :, 4:] = 0.5
    visible = torch.ones(2, 8, 8)
    regions = {"all": torch.ones(8, 8), "left": torch.zeros(8, 8)}
    regions["left"][:, :4] = 1
    none = region_errors(source, source, target, visible, regions)
    assert none["all"] == pytest.approx(0.25)
    assert none["all ratio"] == pytest.approx(1)
    assert none["left"] == 0
    assert region_errors(target + 0.3, source, target, visible, regions)["all ratio"] == pytest.approx(0, abs=1e-5)
    assert region_errors(target / 2, source, target, visible, regions)["all ratio"] == pytest.approx(0.5)
    assert region_errors(source, source, target, 0 * visible, regions) == {}


def test_what_made_the_changes_scores_best(model, people, texels):
    editors = {"renderer": WrinkleRenderer(model, texels), "mean": mean_change(people)}
    regions = {name: torch.as_tensor(mask) for name, mask in texels.regions(model).items()}
    table = score(editors, people, regions)
    assert table["glabella"]["renderer"] < 0.8
    assert table["glabella"]["mean"] < 1


def test_from_videos_to_weights_by_the_command_line(talkedit, talk, model, tmp_path):
    """Five people, one of whom is held out, and one who may not be learned from."""
    data = tmp_path / "data"
    data.mkdir()
    people = sorted((f"P{number}" for number in range(40)), key=lambda name: held_out(name, 8))
    rows = [(name, "train") for name in (*people[:4], people[-1])] + [("P99", "eval")]
    for name, _ in rows:
        (data / f"{name}.mp4").write_bytes(talk.read_bytes() + name.encode())
    index = "".join(f"{name}.mp4,{name},{role}\n" for name, role in rows)
    (data / "index.csv").write_text("file,person,role\n" + index)
    out = tmp_path / "new"
    options = ("--data", data, "--out", out, "--batch", 2, "--steps", 3, "--resolution", 32)
    done = talkedit("train", "texture", *options, "--json")
    assert done.code == 0, done.err
    measured = json.loads(done.out)["measured"]
    assert {"learned", "mean change", "wrinkle renderer"} == set(measured["glabella"])
    assert load_network(out).generator.resolution == 32
    LearnedTexture.load(out, model)
    assert "views of 4 people" in (out / "README.md").read_text()
    again = talkedit("train", "texture", *options)
    assert "Going on from step 3." in again.err
    assert again.out.startswith(f"{out}\n")


def test_nothing_to_train_on(talkedit_at_once, tmp_path):
    assert "no folder" in talkedit_at_once("train", "texture", "--data", tmp_path / "no", "--out", tmp_path).error


def test_measuring(model, people):
    """A network that has learned nothing leaves what the renderer leaves, but for folds that were seen to go."""
    folded = [replace(each, skin=each.skin - each.skin[:1]) for each in people]
    table = measure(model, TextureTrainer(model, people, SCHEDULE).average, folded[:2], folded[2:])
    assert table["glabella"]["learned"] < table["glabella"]["wrinkle renderer"] - 0.05
    assert table["chin"].keys() == {"learned", "mean change", "wrinkle renderer"}


class Told:
    """An editor that knows a share of what really becomes of each person, and in the glabella the opposite."""

    def __init__(self, people, share, glabella):
        self.people, self.share, self.sign = people, share, 1 - 2 * glabella

    def know(self, skin, visible, coefficients):
        def change(before, after, light):
            person = next(p for p in self.people if p.coefficients.eq(after[0]).all(1).any())
            rows = [int(p.nonzero()[0, 0]) for p in (person.coefficients.eq(c[0]).all(1) for c in (before, after))]
            return self.share * self.sign * (person.skin[rows[1]] - person.skin[rows[0]]).float()[None]

        return change


def test_no_more_is_drawn_than_people_believe(people, texels, model):
    regions = {name: torch.as_tensor(mask) for name, mask in texels.regions(model).items()}
    hard = (regions["glabella"] > 0).float()
    nothing = Told(people, 0.0, hard)
    timid, loud = (believed(Told(people, share, hard), nothing, people, regions) for share in (0.5, 2.0))
    for shares in (timid, loud):
        assert shares.shape == (SIDE, SIDE)
        assert shares.min() >= 0
        assert shares.max() <= 1
        assert shares[regions["glabella"] == 1].max() < 0.05  # what is wrong there is not drawn
    forehead = (regions["forehead"] == 1) & (hard == 0)
    assert timid[forehead].min() > 0.95  # no more than there is
    assert 0.45 < loud[forehead].mean() < 0.55
