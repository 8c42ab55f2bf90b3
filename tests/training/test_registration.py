from __future__ import annotations

import pytest
import torch

from talkedit_sdk.texture.skin import gaussian_blur, mouth_patch
from talkedit_sdk.training.registration import fill, flow_to, mirrored, register, warp, weighted_mean

SIDE = 128
INNER = slice(24, -24)


def noise(count, sigma, seed=0):
    """(count, SIDE, SIDE) of deviation 1, smooth over `sigma` texels."""
    generator = torch.Generator().manual_seed(seed)
    maps = gaussian_blur(torch.randn(count, 1, SIDE, SIDE, generator=generator), sigma)[:, 0]
    return maps / maps.std()


@pytest.fixture(scope="module")
def face():
    """(3, N, N) skin with marks and features of several sizes."""
    return (0.15 * noise(1, 1.5) + 0.25 * noise(1, 4.0, 1)).expand(3, -1, -1)


@pytest.fixture(scope="module")
def trembling():
    """(6, 2, N, N) smooth flow of about a texel, none in the mean and in the mouth."""
    flow = noise(12, 16.0, 2).view(6, 2, SIDE, SIDE)
    flow = flow - flow.mean(0)
    flow[..., mouth_patch(SIDE)[0], mouth_patch(SIDE)[1]] = 0
    return flow


def seen(count):
    return torch.ones(count, SIDE, SIDE)


def test_no_flow_changes_nothing(face):
    torch.testing.assert_close(warp(face[None], torch.zeros(1, 2, SIDE, SIDE))[0], face, atol=1e-5, rtol=0)


def test_flow_tells_where_skin_has_gone(face, trembling):
    views = warp(face.expand(6, -1, -1, -1), trembling)
    found = flow_to(views, seen(6), face, seen(1)[0], 5.0)
    back = warp(views, found)
    before, after = ((each - face)[..., INNER, INNER].square().mean() for each in (views, back))
    assert after < 0.15 * before
    assert found.norm(dim=1).max() < 2.0 + 1e-3


def test_a_person_s_mean_becomes_sharper(face, trembling):
    views = warp(face.expand(6, -1, -1, -1), trembling)
    moved, visible = register(views, seen(6), torch.zeros(3, SIDE, SIDE))
    assert visible.shape == (6, SIDE, SIDE)
    variances = [each[..., INNER, INNER].var(0).mean() for each in (views, moved)]
    assert variances[1] < 0.3 * variances[0]
    errors = [(weighted_mean(each, seen(6))[0] - face)[..., INNER, INNER].square().mean() for each in (views, moved)]
    assert errors[1] < 0.6 * errors[0]


def test_folds_are_not_explained_by_moving_skin(face):
    """A dark line that comes and goes stays as deep as it is."""
    views = face.repeat(6, 1, 1, 1)
    line = torch.exp(-0.5 * ((torch.arange(SIDE) - 60.0) / 1.5) ** 2) * 0.5
    views[::2, :, 40:80] -= line
    moved, _ = register(views, seen(6), torch.zeros(3, SIDE, SIDE))
    depth = (moved[1::2].mean(0) - moved[::2].mean(0))[:, 44:76, 60].mean()
    assert depth > 0.41, "of 0.5"
    assert (moved - views)[1::2, ..., INNER, INNER].abs().mean() < 0.02


def test_what_is_hidden_does_not_pull(face, trembling):
    views = warp(face.expand(6, -1, -1, -1), trembling)
    visible = seen(6)
    visible[:, 64:] = 0
    hidden = views.clone()
    hidden[:, :, 64:] = noise(6, 3.0, 5)[:, None, 64:]
    upper = flow_to(views, visible, face, seen(1)[0], 5.0)[..., :40, :]
    assert torch.allclose(upper, flow_to(hidden, visible, face, seen(1)[0], 5.0)[..., :40, :], atol=0.05)


def test_mouths_stay_where_they_are(face, trembling):
    views = warp(face.expand(6, -1, -1, -1), trembling)
    rows, columns = mouth_patch(SIDE)
    moved, _ = register(views, seen(6), torch.zeros(3, SIDE, SIDE))
    torch.testing.assert_close(moved[..., rows, columns], views[..., rows, columns], atol=1e-5, rtol=0)


def test_a_single_view_comes_nearer_to_people(face, trembling):
    view = warp(face[None], trembling[:1])
    moved, _ = register(view, seen(1), face)
    before, after = ((each[0] - face)[..., INNER, INNER].square().mean() for each in (view, moved))
    assert after < 0.6 * before


def test_any_side(face, trembling):
    for scale in (0.5, 2.0):
        views = torch.nn.functional.interpolate(
            warp(face.expand(6, -1, -1, -1), trembling), scale_factor=scale, mode="bicubic"
        )
        side = views.shape[-1]
        moved, _ = register(views, torch.ones(6, side, side), torch.zeros(3, side, side))
        inner = slice(side // 5, -side // 5)
        assert moved[..., inner, inner].var(0).mean() < 0.5 * views[..., inner, inner].var(0).mean()


def test_mirrors_twice_is_the_same(face):
    clean = face.clone()
    rows, columns = mouth_patch(SIDE)
    clean[:, rows, SIDE - columns.stop : SIDE - columns.start] = 0
    assert torch.equal(mirrored(mirrored(clean)), clean)
    assert torch.equal(mirrored(clean)[:, rows, columns], clean[:, rows, columns].flip(-1))


def test_hidden_skin_comes_from_the_other_side_then_from_other_views_then_from_people(face):
    views, visible, usual = face.repeat(2, 1, 1, 1), seen(2), torch.full((3, SIDE, SIDE), 7.0)
    views[1] += 1
    visible[0, 20:30, 20:30] = 0  # mirrored
    visible[0, 40:50] = 0  # the other view
    visible[:, 60:70] = 0  # people
    rows, columns = mouth_patch(SIDE)
    visible[0, rows, columns] = 0  # a mouth is no mirror of itself
    views[visible[:, None].expand_as(views) == 0] = 99.0
    full = fill(views, visible, usual)
    assert torch.allclose(full[0, :, 20:30, 20:30], face.flip(-1)[:, 20:30, 20:30])
    assert torch.allclose(full[0, :, 40:50], face[:, 40:50] + 1)
    assert torch.allclose(full[:, :, 60:70], usual[:, 60:70])
    assert torch.allclose(full[0, :, rows, columns], face[:, rows, columns] + 1)
    whole = visible[:, None].expand_as(views) == 1
    assert torch.equal(full[whole], views[whole])
