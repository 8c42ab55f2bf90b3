from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="session")
def metrics() -> ModuleType:
    return load("metrics")


@pytest.fixture(scope="session")
def tables() -> ModuleType:
    return load("tables")


def load(name: str) -> ModuleType:
    """A module of `benchmarks/`, which is a folder of scripts and no package."""
    spec = importlib.util.spec_from_file_location(f"talkedit_benchmarks_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
