from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import talkedit_sdk
from talkedit_sdk import errors

ROOT = Path(__file__).parents[1]
PUBLIC = {
    "EMOTIONS", "Cancelled", "Clip", "Curves", "EditReport", "EditResult", "Editor", "Emotion", "EyeControl", "Face",
    "InputError", "InputNotFoundError", "Intensity", "NoFaceError", "OptionError", "OutputError", "Progress", "Signer",
    "Stretch", "TalkEditError", "UnreadableInputError", "WeightsError",
}  # fmt: skip


def test_all_is_sorted_and_complete():
    assert talkedit_sdk.__all__ == sorted(PUBLIC, key=lambda name: (not name.isupper(), name))
    assert dir(talkedit_sdk) == sorted(PUBLIC)


def test_type_checkers_see_what_is_loaded_lazily():
    tree = ast.parse(Path(talkedit_sdk.__file__).read_text(encoding="utf-8"))
    (guarded,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in guarded.body if isinstance(node, ast.ImportFrom)]
    homes = {alias.name: node.module for node in imports for alias in node.names}
    assert set(homes) == PUBLIC
    for name, home in homes.items():
        assert getattr(talkedit_sdk, name) is getattr(sys.modules[home], name)


def test_everything_public_is_documented():
    for name in PUBLIC - {"EMOTIONS"}:
        thing = getattr(talkedit_sdk, name)
        assert inspect.getdoc(thing), name
        members = inspect.getmembers(thing, lambda m: inspect.isfunction(m) or isinstance(m, property))
        own = [(n, m) for n, m in members if not n.startswith("_") and n in vars(thing)]
        assert all(inspect.getdoc(member) for _, member in own), name


def test_all_errors_are_public_and_have_one_root():
    found = {n for n, e in vars(errors).items() if inspect.isclass(e) and e.__module__ == errors.__name__}
    assert found <= PUBLIC
    assert all(issubclass(getattr(talkedit_sdk, name), talkedit_sdk.TalkEditError) for name in found)


def test_other_names_do_not_exist():
    with pytest.raises(AttributeError, match="no attribute 'Edytor'"):
        _ = talkedit_sdk.Edytor


@pytest.mark.parametrize(
    "statement", ["import talkedit_sdk", "from talkedit_sdk import Emotion, Intensity, TalkEditError, EMOTIONS"]
)
def test_importing_loads_nothing_heavy(statement):
    program = f"import sys; {statement}; print(*{{'torch', 'cv2', 'mediapipe', 'numba', 'av'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    assert done.stderr == ""


def test_the_spaces_folder_never_becomes_a_package():
    """It would shadow the package `spaces` that an app on Hugging Face needs."""
    assert not (ROOT / "spaces" / "__init__.py").exists()
