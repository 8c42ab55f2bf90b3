from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import talkedit_sdk
from talkedit_sdk.errors import OptionError
from talkedit_sdk.render.raster_numba import NumbaRasterizer

RASTERIZER = NumbaRasterizer()


def grid_mesh(side, cells, seed, snap):
    """A jittered triangulation of the square from 0 to side - 1, some of its vertices exactly on pixel centres."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: cells + 1, : cells + 1] * ((side - 1) / cells)
    inner = np.zeros_like(x, bool)
    inner[1:-1, 1:-1] = True
    x, y = (np.where(inner, value + rng.normal(0, side / cells / 8, value.shape), value) for value in (x, y))
    if snap:
        x, y = np.round(x), np.round(y)
    z = rng.normal(0, 0.1, x.shape)
    corner = np.arange((cells + 1) ** 2).reshape(cells + 1, -1)
    a, b, c, d = (part.ravel() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]))
    triangles = np.concatenate((np.stack((a, b, c), 1), np.stack((b, c, d), 1)))  # one winding each
    return np.stack((x, y, z), -1).reshape(1, -1, 3).astype(np.float32), triangles.astype(np.int32)


def brute_force(vertices, triangles, size):
    """In float64: weights (F, H, W, 3), depth (F, H, W) inf outside, and the distance of each point from any edge."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
    weights, depth, margin = [], [], np.full(size, np.inf)
    for triangle in triangles:
        p = vertices[triangle].astype(np.float64)
        area = np.cross(p[1, :2] - p[0, :2], p[2, :2] - p[0, :2])
        w = []
        for start, end in ((1, 2), (2, 0), (0, 1)):
            along = p[end, :2] - p[start, :2]
            cross = along[0] * (y - p[start, 1]) - along[1] * (x - p[start, 0])
            margin = np.minimum(margin, np.abs(cross) / np.hypot(*along))
            w.append(cross / area)
        weights.append(np.stack(w, -1))
        depth.append(np.where(np.min(w, 0) >= 0, np.stack(w, -1) @ p[:, 2], np.inf))
    return np.array(weights), np.array(depth), margin


@pytest.mark.parametrize("seed", range(20))
def test_nearest_triangle_weights_and_depth_are_those_of_a_brute_force_search(seed):
    rng = np.random.default_rng(seed)
    size = (37, 52)
    vertices = rng.uniform((-10, -10, -30), (60, 45, 30), (1, 30, 3)).astype(np.float32)
    triangles = np.array([rng.choice(30, 3, replace=False) for _ in range(25)], np.int32)
    fragments = RASTERIZER.rasterize(vertices, triangles, size)

    weights, depth, margin = brute_force(vertices[0], triangles, size)
    first, second = np.partition(depth, 1, 0)[:2]
    with np.errstate(invalid="ignore"):
        clear = (margin > 1e-3) & ~(second - first < 1e-3)
    face = np.where(np.isinf(first), -1, depth.argmin(0))
    assert clear.mean() > 0.8
    assert (face >= 0).mean() > 0.3
    np.testing.assert_array_equal(fragments.face_index[0][clear], face[clear])
    hit = clear & (face >= 0)
    expected = np.take_along_axis(weights, np.maximum(face, 0)[None, ..., None], 0)[0]
    np.testing.assert_allclose(fragments.depth[0][hit], first[hit], atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(fragments.barycentric[0][hit], expected[hit], atol=1e-4)
    empty = fragments.face_index < 0
    assert np.isinf(fragments.depth[empty]).all()
    assert not fragments.barycentric[empty].any()


@pytest.mark.parametrize("snap", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_no_pixel_falls_between_neighbouring_triangles(seed, snap):
    vertices, triangles = grid_mesh(97, 12, seed, snap)
    assert (RASTERIZER.rasterize(vertices, triangles, (97, 97)).face_index >= 0).all()


def test_a_pixel_on_a_shared_edge_belongs_to_one_side_whatever_the_rounding():
    rng = np.random.default_rng(0)
    count = 2000
    centre = rng.integers(10, 30, (count, 2))
    angle, sides = rng.uniform(0, 2 * np.pi, count), rng.uniform(0.1, 9, (4, count, 1))
    along = np.stack((np.cos(angle), np.sin(angle)), -1)
    across = along[:, ::-1] * (-1, 1)
    corners = (
        centre + along * sides[0],
        centre - along * sides[1],
        centre + across * sides[2],
        centre - across * sides[3],
    )
    vertices = np.zeros((count, 4, 3), np.float32)
    vertices[..., :2] = np.stack(corners, 1)
    triangles = np.array([[0, 1, 2], [1, 0, 3]], np.int32)
    _, covered = RASTERIZER.map(vertices, triangles, vertices, (40, 40))
    assert covered[np.arange(count), centre[:, 1], centre[:, 0]].all()


def test_interpolation_keeps_linear_attributes_and_map_is_the_same_in_one_step():
    vertices, triangles = grid_mesh(64, 9, 0, snap=False)
    attributes = np.concatenate((vertices[..., :2], 2 * vertices[..., :1] - vertices[..., 1:2] + 5), -1)
    fragments = RASTERIZER.rasterize(vertices, triangles, (64, 80))
    values = RASTERIZER.interpolate(fragments, triangles, attributes)
    mapped, covered = RASTERIZER.map(vertices, triangles, attributes, (64, 80))

    y, x = np.mgrid[:64, :80]
    expected = np.where((x < 64)[..., None], np.stack((x, y, 2 * x - y + 5), -1), 0)
    np.testing.assert_allclose(values[0], expected, atol=1e-4)
    np.testing.assert_array_equal(mapped, values)
    np.testing.assert_array_equal(covered[0], x < 64)


def test_equal_vertex_attributes_pass_through_exactly_even_in_slivers():
    """The renderer moves nothing where nothing is to move: an offset of 0 must stay 0."""
    rng = np.random.default_rng(0)
    vertices = rng.uniform(0, 40, (1, 60, 3)).astype(np.float32)
    vertices[..., 1] = vertices[..., 0] + rng.normal(0, 1e-3, (1, 60))
    triangles = rng.integers(0, 60, (400, 3)).astype(np.int32)
    attributes = np.zeros((1, 60, 2), np.float32)
    attributes[..., 1] = rng.uniform(3, 4, (1, 60))
    values, covered = RASTERIZER.map(vertices, triangles, attributes, (40, 40))
    assert covered.any()
    assert not values[..., 0].any()
    assert 3 - 1e-5 < values[covered, 1].min() <= values[covered, 1].max() < 4 + 1e-5


def test_lower_index_wins_ties_and_smaller_depth_wins_otherwise():
    square = [[0, 0, 5], [9, 0, 5], [0, 9, 5], [9, 9, 5]]
    vertices = np.array([square + [[x, y, 4] for x, y, _ in square[:3]]], np.float32)
    face_index = RASTERIZER.rasterize(
        vertices, np.array([[0, 1, 2], [0, 2, 1], [3, 1, 2]], np.int32), (10, 10)
    ).face_index
    y, x = np.mgrid[:10, :10]
    np.testing.assert_array_equal(face_index[0], np.where(x + y <= 9, 0, 2))
    face_index = RASTERIZER.rasterize(vertices, np.array([[0, 1, 2], [4, 5, 6]], np.int32), (10, 10)).face_index
    np.testing.assert_array_equal(face_index[0], np.where(x + y <= 9, 1, -1))


def test_degenerate_distant_and_non_finite_triangles_are_skipped():
    nan, inf = np.nan, np.inf
    vertices = np.array(
        [[[0, 0, 1], [5, 5, 1], [9, 9, 1], [0, 9, nan], [inf, 0, 1], [nan, 3, 1], [1e30, 1e30, 1], [1e30, -1e30, 1]]],
        np.float32,
    )
    triangles = np.array([[0, 1, 2], [1, 1, 2], [0, 2, 3], [0, 2, 4], [0, 2, 5], [0, 6, 7]], np.int32)
    assert (RASTERIZER.rasterize(vertices, triangles, (12, 12)).face_index == -1).all()
    beside = np.array([[[-5, 3, 1], [-1, 3, 1], [-3, 9, 1], [1e9, 3, 1], [2e9, 3, 1], [1e9, 4, 1]]], np.float32)
    triangles = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    assert (RASTERIZER.rasterize(beside, triangles, (12, 12)).face_index == -1).all()


def test_a_batch_is_each_mesh_by_itself_and_no_triangles_cover_nothing():
    meshes = [grid_mesh(30, 5, seed, snap=False) for seed in range(3)]
    triangles = meshes[0][1]
    vertices = np.concatenate([mesh[0] for mesh in meshes])
    together, covered = RASTERIZER.map(vertices, triangles, vertices, (30, 25))
    for alone, (vertices_alone, _) in zip(together, meshes, strict=True):
        np.testing.assert_array_equal(alone, RASTERIZER.map(vertices_alone, triangles, vertices_alone, (30, 25))[0][0])
    assert covered.all()
    values, covered = RASTERIZER.map(vertices, triangles[:0], vertices, (30, 25))
    assert not covered.any()
    assert not values.any()


def test_indices_beyond_the_vertices_are_refused():
    vertices, triangles = grid_mesh(10, 2, 0, snap=False)
    for wrong in (triangles + 9, triangles - 1):
        with pytest.raises(OptionError, match="9 vertices"):
            RASTERIZER.rasterize(vertices, wrong, (10, 10))
    fragments = RASTERIZER.rasterize(vertices, triangles, (10, 10))
    with pytest.raises(OptionError, match="5 vertices"):
        RASTERIZER.interpolate(fragments, triangles, vertices[:, :5])
    with pytest.raises(OptionError, match="of 1 meshes"):
        RASTERIZER.interpolate(fragments, triangles, np.repeat(vertices, 2, 0))
    with pytest.raises(OptionError, match="attributes"):
        RASTERIZER.map(vertices, triangles, vertices[:, :5], (10, 10))


def test_read_only_strided_and_double_arrays_are_taken():
    vertices, triangles = grid_mesh(20, 3, 0, snap=False)
    expected, _ = RASTERIZER.map(vertices, triangles, vertices, (20, 20))
    frozen = np.repeat(vertices.astype(np.float64), 2, 1)[:, ::2]
    frozen.flags.writeable = False
    values, _ = RASTERIZER.map(frozen, triangles.astype(np.int64), frozen, (20, 20))
    np.testing.assert_array_equal(values, expected)


def test_threads_share_one_instance():
    jobs = [grid_mesh(80, 10, seed, snap=False) for seed in range(12)]

    def draw(job):
        return RASTERIZER.map(job[0], job[1], job[0], (80, 80))[0]

    with ThreadPoolExecutor(4) as pool:
        for found, job in zip(pool.map(draw, jobs * 3), jobs * 3, strict=True):
            np.testing.assert_array_equal(found, draw(job))


def test_works_where_no_cache_folder_can_be_written(tmp_path):
    """As root no folder is read-only, so plain files stand where the cache folders would be."""
    package = Path(talkedit_sdk.__file__).parent
    for name in (
        "__init__.py",
        "errors.py",
        "render/__init__.py",
        "render/types.py",
        "render/jit.py",
        "render/raster_numba.py",
    ):
        copy = tmp_path / "talkedit_sdk" / name
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(package / name, copy)
    (tmp_path / "talkedit_sdk" / "__init__.py").write_text("")
    (tmp_path / "talkedit_sdk" / "render" / "__pycache__").touch()
    program = f"""
import numpy as np
from talkedit_sdk.render import raster_numba
assert raster_numba.__file__.startswith({str(tmp_path)!r})
corners = np.array([[[0, 0, 1], [9, 0, 1], [0, 9, 1]]], np.float32)
triangles = np.array([[0, 1, 2]], np.int32)
print(raster_numba.NumbaRasterizer().map(corners, triangles, corners, (10, 10))[1].sum())
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    environment |= {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/cache", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-B", "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (0, "55"), done.stderr
