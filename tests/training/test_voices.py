from __future__ import annotations

import pytest
import torch

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.face.topology import INDEX
from talkedit_sdk.motion.mouth import CLOSED, LipProjection
from talkedit_sdk.speech.features import FEATURES, PITCH, VOICING
from talkedit_sdk.speech.text import available
from talkedit_sdk.training import voices
from talkedit_sdk.training.phones import BILABIALS, CLASSES
from talkedit_sdk.training.voices import speak_utterances

pytestmark = pytest.mark.skipif(not available(), reason="eSpeak NG is not installed")
COUNT = 16


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("spoken")


@pytest.fixture(scope="module")
def said(cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voices, "_SHARD", 4)
        yield list(speak_utterances(COUNT, 3, cache))


def sequence(utterance):
    phones = utterance.phones
    return phones[torch.cat([torch.tensor([True]), phones.diff() != 0])].tolist()


def test_rows_go_together(said):
    assert len(said) == COUNT
    for utterance in said:
        count = len(utterance.phones)
        assert utterance.features.shape == (count, FEATURES)
        assert utterance.coefficients.shape == (count, len(INDEX))
        assert utterance.emotion.shape == (count, len(EMOTIONS))
        assert utterance.strength.shape == (count,)
        assert (utterance.kind, utterance.role) == ("spoken", "train")
        assert bool(utterance.features.isfinite().all())
        assert 0 <= float(utterance.coefficients.min()) <= float(utterance.coefficients.max()) <= 1
        assert 0 <= int(utterance.phones.min()) <= int(utterance.phones.max()) < len(CLASSES)
        assert count > 50


def test_the_same_words_are_said_in_several_moods(said):
    for first in range(0, COUNT, voices._MOODS):
        family = said[first : first + voices._MOODS]
        assert len({tuple(sequence(utterance)) for utterance in family}) == 1
        assert len({utterance.person for utterance in family}) == 1
        assert len({int(utterance.emotion[0].argmax()) for utterance in family}) == voices._MOODS
    assert len({utterance.person for utterance in said}) == COUNT // voices._MOODS


def test_lips_stay_closed_in_every_mood(said, model):
    opening = LipProjection(model).features[2]
    for utterance in said:
        closed = torch.isin(utterance.phones, torch.tensor(BILABIALS))
        inner = closed & closed.roll(1) & closed.roll(-1)
        if bool(inner.any()):
            assert float((utterance.coefficients @ opening)[inner].max()) < CLOSED


def test_moods_show_and_are_heard(said):
    happy, sad = EMOTIONS.index("happy"), EMOTIONS.index("sad")
    smile = {e: [u.coefficients[:, INDEX["mouthSmileLeft"]].mean() for u in said if u.emotion[0, e] == 1] for e in
             (happy, sad)}  # fmt: skip
    assert min(smile[happy]) > max(smile[sad])
    prosody = voices._PROSODY
    low, high = (voices._said("Maybe my mother knows.", _talker(), prosody[name], 1.0, _random()) for name in
                 ("sad", "surprised"))  # fmt: skip
    assert low[0].duration > high[0].duration
    pitches = [voices.features(voice) for voice, _ in (low, high)]
    means = [float(each[each[:, VOICING] > 0.8, PITCH].mean()) for each in pitches]
    assert means[1] > means[0] + 0.15


def _talker():
    return voices._Talker("en", 160, 50, 50, 1.0, voices.Manner(), torch.zeros(1, 8))


def _random():
    return voices.np.random.default_rng(0)


def test_what_was_made_is_kept_and_the_same(said, cache, monkeypatch):
    monkeypatch.setattr(voices, "_SHARD", 4)
    monkeypatch.setattr(voices, "say", lambda *_: pytest.fail("made again"))
    again = list(speak_utterances(6, 3, cache))
    assert len(again) == 6
    for one, other in zip(said, again, strict=False):
        torch.testing.assert_close(one.features, other.features)
        torch.testing.assert_close(one.coefficients, other.coefficients)
