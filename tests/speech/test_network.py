from __future__ import annotations

import pytest
import torch

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.speech.network import AHEAD, BACK, EYES, PHONES, SpeechNetwork, running_mean

FEATURES = 20


@pytest.fixture(scope="module")
def network():
    """Random to the last layer, so that everything moves."""
    torch.manual_seed(0)
    network = SpeechNetwork(FEATURES)
    for parameter in network.leave.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return network.eval()


@pytest.fixture(scope="module")
def look(network):
    @torch.no_grad()
    def look(features, emotion=None, strength=1.0, initial=None, eyes=None):
        count = features.shape[1]
        content = network.content(features)
        logits, heard = network.emotion(features)
        shares = logits.softmax(-1)
        if emotion:
            shares = torch.zeros(1, count, 8)
            shares[..., EMOTIONS.index(emotion)] = 1
            heard = torch.full((1, count), strength)
        initial = torch.full((1, 52), 0.1) if initial is None else initial
        eyes = torch.zeros(1, count, len(EYES)) if eyes is None else eyes
        return network.decode(content.memory, network.code(shares, heard), initial, eyes)

    return look


def talk(count=400, seed=0):
    return torch.randn(1, count, FEATURES, generator=torch.Generator().manual_seed(seed))


def test_what_comes_out(network):
    content = network.content(talk(30))
    assert content.memory.shape[:2] == content.closure.shape == content.speaking.shape == (1, 30)
    assert content.phones.shape == (1, 30, PHONES)
    logits, strength = network.emotion(talk(30))
    assert logits.shape == (1, 30, 8)
    assert 0 < strength.min() <= strength.max() < 1


def test_nothing_is_seen_beyond_the_lookahead(look):
    speech = talk()
    whole, changed = look(speech), speech.clone()
    changed[:, 250:] += 3
    early = look(changed)
    torch.testing.assert_close(early[:, : 250 - AHEAD], whole[:, : 250 - AHEAD], rtol=0, atol=1e-5)
    assert (early[:, 250] - whole[:, 250]).abs().max() > 1e-3
    changed = speech.clone()
    changed[:, :100] += 3
    late = look(changed)
    torch.testing.assert_close(late[:, 100 + BACK :], whole[:, 100 + BACK :], rtol=0, atol=1e-5)
    assert (late[:, 101 + BACK // 2] - whole[:, 101 + BACK // 2]).abs().max() > 1e-5


def test_a_piece_with_its_surroundings_is_the_whole(look):
    speech = talk()
    piece = look(speech[:, 40 : 300 + AHEAD])
    torch.testing.assert_close(piece[:, BACK:260], look(speech)[:, 40 + BACK : 300], rtol=0, atol=1e-5)


def test_at_strength_zero_no_emotion_shows(look):
    plain = look(talk(60), "happy", 0.0)
    assert torch.equal(plain, look(talk(60), "neutral", 0.0))
    assert (look(talk(60), "happy", 1.0) - plain).abs().max() > 1e-2
    assert (look(talk(60), "happy", 1.0) - look(talk(60), "sad", 1.0)).abs().max() > 1e-2


def test_eyes_do_what_they_are_told(look):
    eyes = torch.rand(1, 60, len(EYES), generator=torch.Generator().manual_seed(1))
    told = look(talk(60), "sad", eyes=eyes)
    assert torch.equal(told[..., EYES], eyes)
    assert (told - look(talk(60), "sad")).abs().max() > 1e-3


def test_the_person_shows():
    network = SpeechNetwork(FEATURES).eval()
    initial = torch.rand(1, 52, generator=torch.Generator().manual_seed(2))
    still = network.decode(
        network.content(talk(5)).memory, torch.zeros(1, 5, 32), initial, initial[:, None, EYES].expand(1, 5, -1)
    )
    torch.testing.assert_close(still, initial[:, None].expand(1, 5, -1))


def test_a_running_mean_is_one():
    values = torch.arange(6.0)[None, :, None]
    assert running_mean(values, 2, 1)[0, :, 0].tolist() == [0.5, 1.0, 1.5, 2.5, 3.5, 4.0]
