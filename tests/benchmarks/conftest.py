from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import EYE_LEFT, EYE_RIGHT, IRIS_LEFT, IRIS_RIGHT, VERTICES
from talkedit_sdk.face.track import LANDMARKS
from talkedit_sdk.hub import EMBEDDED

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="session")
def metrics() -> ModuleType:
    return load("metrics")


@pytest.fixture(scope="session")
def baseline() -> ModuleType:
    return load("baseline")


@pytest.fixture(scope="session")
def prototypes() -> ModuleType:
    return load("prototypes")


@pytest.fixture(scope="session")
def tables() -> ModuleType:
    return load("tables")


@pytest.fixture(scope="session")
def pixels() -> ModuleType:
    return load("pixels")


@pytest.fixture(scope="session")
def flow() -> ModuleType:
    return load("flow")


@pytest.fixture(scope="session")
def stretch() -> ModuleType:
    return load("stretch")


@pytest.fixture(scope="session")
def comparison() -> ModuleType:
    return load("comparison")


@pytest.fixture(scope="session")
def quality() -> ModuleType:
    return load("quality")


@pytest.fixture(scope="session")
def lips() -> ModuleType:
    return load("lips")


@pytest.fixture(scope="session")
def people() -> ModuleType:
    return load("people")


@pytest.fixture(scope="session")
def speech_baselines() -> ModuleType:
    return load("speech_baselines")


@pytest.fixture(scope="session")
def texture() -> ModuleType:
    return load("texture")


@pytest.fixture(scope="session")
def texture_clips() -> ModuleType:
    return load("texture_clips")


@pytest.fixture(scope="session")
def face() -> NDArray[Any]:
    """(478, 3) a still face, 200 pixels high, in the middle of a picture of 400."""
    points = np.zeros((LANDMARKS, 3))
    points[:VERTICES] = FaceModel.load(EMBEDDED).mean.numpy()
    points -= points.mean(0)
    points *= 200 / np.ptp(points[:, 1])
    points[:, :2] += 200
    for eye, iris in ((EYE_RIGHT, IRIS_RIGHT), (EYE_LEFT, IRIS_LEFT)):
        corners = points[[eye[0], eye[8]]]
        radius = 0.2 * np.linalg.norm(corners[1] - corners[0])
        ring = np.array([[0, 0, 0], [1, 0, 0], [0, -1, 0], [-1, 0, 0], [0, 1, 0]])
        points[list(iris)] = corners.mean(0) + radius * ring
    return points


def load(name: str) -> ModuleType:
    """A module of `benchmarks/`, which is a folder of scripts that import each other, and no package."""
    if str(BENCHMARKS) not in sys.path:
        sys.path.insert(0, str(BENCHMARKS))
    return importlib.import_module(name)
