from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkedit_sdk.emotion import EMOTIONS, Emotion, EmotionCurve, Intensity, check_detail, check_mouth_weight
from talkedit_sdk.errors import OptionError

SHARES = st.dictionaries(st.sampled_from(EMOTIONS), st.floats(0, 1e6), min_size=1).filter(lambda d: sum(d.values()) > 0)
CURVES = st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1.5)), min_size=1, max_size=8).map(
    lambda points: sorted(points, key=lambda point: point[0])
)
BAD_NUMBERS = st.one_of(st.just(math.nan), st.floats(max_value=0, exclude_max=True), st.just(math.inf))


def share(emotion, name):
    return emotion.shares[EMOTIONS.index(name)]


@pytest.mark.parametrize("name", EMOTIONS)
def test_a_name_is_all_of_that_emotion(name):
    emotion = Emotion.parse(name)
    assert emotion.label == name
    assert share(emotion, name) == 1
    assert sum(emotion.shares) == 1
    assert Emotion.parse(emotion) is emotion


@pytest.mark.parametrize(
    ("synonym", "name"),
    [("joy", "happy"), ("SMILE", "happy"), (" calm ", "neutral"), ("Anger", "angry"), ("afraid", "fearful"),
     ("astonished", "surprised"), ("disgust", "disgusted"), ("scorn", "contempt"), ("sorrow", "sad")],
)  # fmt: skip
def test_synonyms(synonym, name):
    assert Emotion.parse(synonym) == Emotion.parse(name)


@given(SHARES)
def test_mixtures_are_scaled_to_one(shares):
    emotion = Emotion.parse(shares)
    assert sum(emotion.shares) == pytest.approx(1)
    total = sum(shares.values())
    for name, value in shares.items():
        assert share(emotion, name) == pytest.approx(value / total, abs=1e-9)


@given(SHARES)
def test_text_and_mapping_say_the_same(shares):
    text = ", ".join(f"{name}:{value!r}" for name, value in shares.items())
    assert Emotion.parse(text) == Emotion.parse(shares)


def test_synonyms_in_a_mixture_add_up():
    emotion = Emotion.parse({"joy": 1, "happy": 1, "sad": 2})
    assert emotion == Emotion.parse("happy:0.5,sad:0.5") == Emotion.parse("happy,joy,sad:2")
    assert emotion.label == "happy 50 % + sad 50 %"


def test_numpy_numbers_are_numbers():
    assert Emotion.parse({"happy": np.float32(2), "sad": np.int64(2)}).label == "happy 50 % + sad 50 %"
    assert Intensity.parse(np.float32(0.5)) == Intensity.parse(0.5)
    assert check_mouth_weight(np.float32(0.5)) == 0.5


@given(st.sampled_from(EMOTIONS), st.one_of(BAD_NUMBERS, st.sampled_from([10**400, "1", "much", None, [1]])))
def test_senseless_shares_are_refused(name, value):
    with pytest.raises(OptionError, match=name):
        Emotion.parse({"surprised": 1, name: value})


@pytest.mark.parametrize("mixture", [{}, {"happy": 0}, {"happy": 0.0, "sad": 0}, "happy:0"])
def test_empty_mixtures_are_refused(mixture):
    with pytest.raises(OptionError, match="empty"):
        Emotion.parse(mixture)


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("hapy", "happy"),
        ("suprised", "surprised"),
        ("feerful", "fearful"),
        ("disgussed", "disgusted"),
        ("angy", "angry"),
    ],
)
def test_the_nearest_name_is_suggested(wrong, nearest):
    with pytest.raises(OptionError, match=f"'{wrong}'.*'{nearest}'"):
        Emotion.parse(wrong)


@pytest.mark.parametrize("unknown", ["xyzzy", "", "happy,,sad", "happy:0.5,", {3: 1.0}])
def test_unknown_names_list_the_choices(unknown):
    with pytest.raises(OptionError, match=", ".join(EMOTIONS)):
        Emotion.parse(unknown)


@pytest.mark.parametrize("wrong", ["happy:much", "happy:0.5:0.5", "happy:nan", "happy:-1", "happy:inf"])
def test_text_with_senseless_shares_is_refused(wrong):
    with pytest.raises(OptionError, match="happy"):
        Emotion.parse(wrong)


@pytest.mark.parametrize("wrong", [None, 3, ["happy"], True])
def test_other_types_are_no_emotions(wrong):
    with pytest.raises(OptionError, match="such as 'happy'"):
        Emotion.parse(wrong)


@given(st.floats(0, 1.5), st.lists(st.floats(0, 1e6), min_size=1, max_size=5))
def test_a_number_holds_at_all_times(value, times):
    intensity = Intensity.parse(value)
    np.testing.assert_allclose(intensity.at(np.array(times)), value, rtol=1e-6)
    assert intensity.at(np.array(times)).dtype == np.float32
    assert intensity.zero == (value == 0)


@given(CURVES, st.lists(st.floats(-10, 2e4), min_size=1, max_size=20))
def test_curves_stay_between_their_points(points, times):
    values = Intensity.parse(points).at(np.array(times))
    levels = [value for _, value in points]
    assert np.isfinite(values).all()
    assert values.min() >= min(levels) - 1e-5
    assert values.max() <= max(levels) + 1e-5


@given(CURVES)
def test_curves_pass_through_their_points_and_are_constant_outside(points):
    intensity = Intensity.parse(points)
    last_at = dict(points)  # of several points at one time the last counts
    times = np.array(sorted(last_at))
    np.testing.assert_allclose(intensity.at(times), [last_at[time] for time in times], atol=1e-6)
    assert intensity.at(np.array([points[0][0] - 1]))[0] == pytest.approx(points[0][1], abs=1e-6)
    assert intensity.at(np.array([points[-1][0] + 1]))[0] == pytest.approx(points[-1][1], abs=1e-6)


def test_straight_between_points():
    ramp = Intensity.parse([(1, 0), (3, 1), (4, 0.5)])
    np.testing.assert_allclose(ramp.at(np.array([0, 1, 1.5, 2, 3, 3.5, 9])), [0, 0, 0.25, 0.5, 1, 0.75, 0.5])


@pytest.mark.parametrize("moment", [0.0, 0.04, 3.0, 86400.0])
def test_two_points_at_one_time_are_a_step(moment):
    step = Intensity.parse([(moment, 0), (moment, 1)])
    np.testing.assert_allclose(step.at(np.array([moment - 1e-3, moment, moment + 1e-3])), [0, 1, 1])
    window = Intensity.parse([(0, 0), (3, 0), (3, 1), (6, 1), (6, 0)])
    np.testing.assert_allclose(window.at(np.array([0, 2.999, 3, 5.999, 6, 7])), [0, 0, 1, 1, 0, 0])


def test_zero_only_if_nothing_is_ever_asked_for():
    assert Intensity.parse([(0, 0), (5, 0)]).zero
    assert not Intensity.parse([(0, 0), (5, 0.1)]).zero
    curve = Intensity.parse(1)
    assert Intensity.parse(curve) is curve


@pytest.mark.parametrize(
    "wrong",
    [-0.1, 1.51, math.nan, math.inf, 10**400, [(0, 2)], [(math.nan, 1)], [(math.inf, 1)], [(0, math.nan)],
     [(2, 1), (1, 1)], [], [(0, 10**400)], [1, 2], [(1, 2, 3)], "strong", None, {"a": 1}, object()],
)  # fmt: skip
def test_senseless_intensities_are_refused(wrong):
    with pytest.raises(OptionError):
        Intensity.parse(wrong)


@given(st.floats(0, 1))
def test_mouth_weights(weight):
    assert check_mouth_weight(weight) == check_detail(weight) == weight


@pytest.mark.parametrize("wrong", [-0.01, 1.01, math.nan, math.inf, None, "0.5", [0.5]])
def test_senseless_mouth_weights_are_refused(wrong):
    with pytest.raises(OptionError, match="mouth_weight"):
        check_mouth_weight(wrong)
    with pytest.raises(OptionError, match="detail"):
        check_detail(wrong)


def test_emotions_over_time_blend_from_one_to_the_next():
    curve = EmotionCurve.parse([(1, "sad"), (3, "joy"), (3, {"happy": 1, "angry": 1})])
    shown = curve.at(np.array([0.0, 1.0, 2.0, 2.999999, 3.0, 9.0]))
    assert shown.dtype == np.float32
    np.testing.assert_allclose(shown.sum(1), 1, atol=1e-6)
    sad, happy, angry = (shown[:, EMOTIONS.index(name)] for name in ("sad", "happy", "angry"))
    np.testing.assert_allclose(sad, [1, 1, 0.5, 0, 0, 0], atol=1e-5)
    np.testing.assert_allclose(happy, [0, 0, 0.5, 1, 0.5, 0.5], atol=1e-5)
    np.testing.assert_allclose(angry, [0, 0, 0, 0, 0.5, 0.5], atol=1e-5)
    assert curve.label == "sad, then happy, then happy 50 % + angry 50 %"


@pytest.mark.parametrize("emotion", ["joy", {"happy": 2}, Emotion.parse("happy"), [(5, "happy")]])
def test_one_emotion_is_the_same_all_the_time(emotion):
    curve = EmotionCurve.parse(emotion)
    assert EmotionCurve.parse(curve) is curve
    assert curve.label == "happy"
    assert (curve.at(np.array([-1.0, 0.0, 99.0])) == np.eye(8, dtype=np.float32)[EMOTIONS.index("happy")]).all()


@pytest.mark.parametrize(
    ("emotion", "message"),
    [
        ([], "empty"),
        ([(0,)], "list of"),
        (["sad", "happy"], "list of"),
        ([("x", "sad")], "list of"),
        ([(float("nan"), "sad")], "not finite"),
        ([(2, "sad"), (1, "happy")], "backwards"),
        ([(0, "hapy")], "did you mean 'happy'"),
        (7, "An emotion is"),
        (None, "An emotion is"),
    ],
)
def test_emotions_over_time_that_make_no_sense(emotion, message):
    with pytest.raises(OptionError, match=message):
        EmotionCurve.parse(emotion)
