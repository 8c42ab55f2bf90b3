from __future__ import annotations

import datetime
import json
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from talkedit_sdk import signing
from talkedit_sdk.errors import OptionError, OutputError
from talkedit_sdk.provenance import DIGITAL_SOURCE_TYPE
from talkedit_sdk.signing import Signer

c2pa = pytest.importorskip("c2pa")
x509 = pytest.importorskip("cryptography.x509")

from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: E402
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: E402

TODAY = datetime.datetime.now(datetime.timezone.utc)
PEM = serialization.Encoding.PEM
OFFLINE = {"version": 1, "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}


def issue(name, key, issuer, issuer_key, ca=False, days=30):
    """A certificate of `name`; self-signed where `issuer` is `name`."""
    subject, by = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test")])
        for n in (name, issuer)
    )
    public, above = key.public_key(), issuer_key.public_key()
    builder = x509.CertificateBuilder(by, subject, public, x509.random_serial_number())
    builder = builder.not_valid_before(TODAY - datetime.timedelta(days=60))
    builder = builder.not_valid_after(TODAY + datetime.timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(ca, None), True)
    usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
    builder = builder.add_extension(usage, True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above), False)
    if not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
    digest = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(issuer_key, digest)


def private_pem(key, password=None, form=serialization.PrivateFormat.PKCS8):
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(PEM, form, how)


def chain_for(key, days=30):
    root = ec.generate_private_key(ec.SECP256R1())
    own, above = issue("Signer", key, "Root", root, days=days), issue("Root", root, "Root", root, ca=True)
    return own.public_bytes(PEM) + above.public_bytes(PEM)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Certificate chain and key, as files."""
    folder, key = tmp_path_factory.mktemp("keys"), ec.generate_private_key(ec.SECP256R1())
    (folder / "chain.pem").write_bytes(chain_for(key))
    (folder / "key.pem").write_bytes(private_pem(key))
    return folder / "chain.pem", folder / "key.pem"


def read(path):
    """Validation state and active manifest."""
    with c2pa.Context.from_dict(OFFLINE) as context, c2pa.Reader(str(path), context=context) as reader:
        return reader.get_validation_state(), reader.get_active_manifest()


def actions(manifest):
    found = [a["data"]["actions"] for a in manifest["assertions"] if a["label"].startswith("c2pa.actions")]
    return {action["action"]: action for action in found[0]}


@pytest.mark.parametrize("name", ["out.mp4", "out.mov"])
def test_a_signed_video_tells_its_story_until_it_is_changed(editor, talk, pair, tmp_path, name, decode):
    result = editor.edit(talk, "surprised", 0.75, progress=False)
    target = result.save(tmp_path / name, badge=True, signer=Signer.load(*pair))
    state, manifest = read(target)
    assert state == "Valid"
    assert manifest["signature_info"]["common_name"] == "Signer"
    assert "time" not in manifest["signature_info"], "nobody was asked for a time stamp"
    (parent,) = manifest["ingredients"]
    assert parent["relationship"] == "parentOf"
    assert talk.name not in str(manifest), "the source's name is nobody's business"
    done = actions(manifest)
    assert list(done) == ["c2pa.opened", "c2pa.edited"]
    assert done["c2pa.edited"]["digitalSourceType"] == DIGITAL_SOURCE_TYPE
    assert done["c2pa.edited"]["softwareAgent"]["name"] == "talkedit"
    record = json.loads(done["c2pa.edited"]["parameters"]["org.talkedit.record"])
    assert (record["emotion"], record["intensity"]) == ("surprised", [0.75, 0.75])
    assert len(decode(target)) == 25
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({name, "talk.mp4"})

    data = bytearray(target.read_bytes())
    data[data.index(b"mdat") + len(data) // 2] ^= 1
    (tmp_path / name).write_bytes(data)
    assert read(tmp_path / name)[0] == "Invalid"


@pytest.mark.parametrize("name", ["out.jpg", "out.png", "out.webp", "out.tif"])
def test_signed_photos(editor, portrait_head, pair, tmp_path, name):
    Image.fromarray(portrait_head).save(tmp_path / "in.png")
    editor.edit(tmp_path / "in.png", "happy", progress=False).save(tmp_path / name, signer=Signer.load(*pair))
    state, manifest = read(tmp_path / name)
    assert state == "Valid"
    assert list(actions(manifest)) == ["c2pa.opened", "c2pa.edited"]
    with Image.open(tmp_path / name) as image:
        assert image.size == (360, 360)


def test_credentials_of_the_source_are_kept(editor, talk, pair, tmp_path):
    signer = Signer.load(*pair)
    once = editor.edit(talk, "happy", progress=False).save(tmp_path / "once.mp4", signer=signer)
    twice = editor.edit(once, "sad", progress=False).save(tmp_path / "twice.mp4", signer=signer)
    state, manifest = read(twice)
    assert state == "Valid"
    (parent,) = manifest["ingredients"]
    assert parent["active_manifest"] == read(once)[1]["label"]


def test_sources_that_c2pa_cannot_open(editor, speech, make_video, pair, tmp_path):
    film = make_video(
        tmp_path / "film.mpg", [np.ascontiguousarray(frame[:224, :224]) for frame in speech], "mpeg1video"
    )
    for number, source in enumerate((speech[:2], film)):
        result = editor.edit(source, "happy", progress=False)
        state, manifest = read(result.save(tmp_path / f"{number}.mp4", signer=Signer.load(*pair)))
        assert state == "Valid"
        assert actions(manifest)["c2pa.edited"]["digitalSourceType"] == DIGITAL_SOURCE_TYPE
        assert ("c2pa.opened" in actions(manifest)) == bool(manifest.get("ingredients"))


@pytest.mark.parametrize(
    ("key", "form"),
    [
        (ec.generate_private_key(ec.SECP384R1()), serialization.PrivateFormat.TraditionalOpenSSL),
        (rsa.generate_private_key(65537, 2048), serialization.PrivateFormat.TraditionalOpenSSL),
        (ed25519.Ed25519PrivateKey.generate(), serialization.PrivateFormat.PKCS8),
    ],
    ids=["ES384", "PS256", "Ed25519"],
)
def test_all_kinds_of_keys(key, form, tmp_path):
    (tmp_path / "chain.pem").write_bytes(chain_for(key))
    (tmp_path / "key.pem").write_bytes(private_pem(key, form=form))
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    Signer.load(tmp_path / "chain.pem", tmp_path / "key.pem").sign(tmp_path / "a.png", ".PNG", {}, None)
    assert read(tmp_path / "a.png")[0] == "Valid"


KEY, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
ODD = ec.generate_private_key(ec.SECP256K1())
AUTHORITY = issue("Root", KEY, "Root", KEY, ca=True).public_bytes(PEM)


@pytest.mark.parametrize(
    ("chain", "key", "said"),
    [
        (None, private_pem(KEY), "The certificate .* cannot be read .No such file or directory"),
        (chain_for(KEY), None, "The key .* cannot be read"),
        (b"", private_pem(KEY), "holds no certificate"),
        (b"\xff\0" * 500, private_pem(KEY), "holds no certificate"),
        (chain_for(KEY), b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no private key"),
        (chain_for(KEY), chain_for(KEY), "holds no private key"),
        (chain_for(KEY), private_pem(KEY, b"secret"), "is encrypted: decrypt it"),
        (chain_for(KEY), private_pem(OTHER), "does not belong to the first certificate"),
        (chain_for(ODD), private_pem(ODD), "C2PA has no use for a key"),
        (chain_for(KEY, days=-1), private_pem(KEY), "does not serve for Content Credentials"),
        (AUTHORITY, private_pem(KEY), "does not serve for Content Credentials"),
    ],
    ids=[
        "no-chain",
        "no-key",
        "empty",
        "bytes",
        "broken-key",
        "chain-as-key",
        "encrypted",
        "other-key",
        "curve",
        "expired",
        "authority",
    ],
)
def test_what_cannot_sign_is_told_before_the_work(talkedit_at_once, talk, tmp_path, chain, key, said):
    for name, content in (("chain.pem", chain), ("key.pem", key)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
    flags = ("--sign-cert", tmp_path / "chain.pem", "--sign-key", tmp_path / "key.pem")
    outcome = talkedit_at_once("edit", talk, "-e", "happy", *flags)
    assert outcome.code == 2
    with pytest.raises(OptionError, match=said) as caught:
        Signer.load(tmp_path / "chain.pem", tmp_path / "key.pem")
    assert outcome.error == str(caught.value)


def test_options_that_miss_something(talkedit_at_once, talk, pair, monkeypatch):
    assert "needs both" in talkedit_at_once("edit", talk, "-e", "happy", "--sign-cert", pair[0]).error
    both = ("--sign-cert", pair[0], "--sign-key", pair[1])
    error = talkedit_at_once("edit", talk, "-e", "happy", "-o", talk.with_name("o.mkv"), *both).error
    assert "o.mkv cannot be signed: end its name in .mp4, .mov" in error
    monkeypatch.setattr(signing, "find_spec", lambda name: None if name == "c2pa" else find_spec(name))
    assert 'pip install "talkedit[c2pa]"' in talkedit_at_once("edit", talk, "-e", "happy", *both).error


def test_a_signature_that_fails_leaves_nothing(editor, speech, pair, tmp_path, monkeypatch):
    signer = Signer.load(*pair)

    def fail(*_):
        raise c2pa.C2paError("Io: no space")

    monkeypatch.setattr(Signer, "_sign", fail)
    result = editor.edit(speech[:2], "happy", progress=False)
    with pytest.raises(OutputError, match="could not be signed"):
        result.save(tmp_path / "out.mp4", signer=signer)
    with pytest.raises(OutputError, match="cannot be signed"):
        result.save(tmp_path / "out.mkv", signer=signer)
    assert list(tmp_path.iterdir()) == []
