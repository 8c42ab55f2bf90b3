"""Content Credentials (C2PA): a signed manifest in the file that says what was done to it. Needs the extra `c2pa`.

Everything is local: nothing is fetched, and no time stamp is asked for.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from talkedit_sdk.errors import OptionError, OutputError
from talkedit_sdk.provenance import DIGITAL_SOURCE_TYPE, RECORD
from talkedit_sdk.version import installed
from talkedit_sdk.video.output import replacing

if TYPE_CHECKING:
    from c2pa import Builder

_FORMATS: Final = {
    ".mp4": "video/mp4", ".mov": "video/quicktime", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png",
    ".webp": "image/webp", ".tif": "image/tiff", ".tiff": "image/tiff",
}  # fmt: skip
_MAX_PEM_BYTES: Final = 2**20
_SETTINGS: Final = {
    "version": 1,
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"verify_trust": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
}
_EDITED: Final = "c2pa.edited"


class Signer:
    """Signs results with a certificate and key of yours: `EditResult.save(path, signer=Signer.load(chain, key))`."""

    def __init__(self, algorithm: str, chain: bytes, key: bytes) -> None:
        self._algorithm, self._chain, self._key = algorithm, chain, key

    @classmethod
    def load(cls, certificate: str | os.PathLike[str], key: str | os.PathLike[str]) -> Signer:
        """Reads and tries a certificate.

        Args:
            certificate: PEM file with the chain, the signer's own certificate first. As C2PA demands, it is issued for
                signing documents or e-mail. Who reads the file trusts it if they know its issuer.
            key: PEM file with its private key, not encrypted: EC (P-256, P-384, P-521), RSA of 2048 bits or more,
                or Ed25519.

        Raises:
            OptionError: the extra is missing, a file cannot be read, or they do not serve to sign with.
        """
        if find_spec("c2pa") is None:
            raise OptionError('Signing needs the extra c2pa: install it with pip install "talkedit[c2pa]".')
        signer = cls(*_checked(Path(certificate), Path(key)))
        signer._try(Path(certificate))
        return signer

    def check(self, path: Path) -> None:
        """Whether a file of this name can be signed.

        Raises:
            OutputError: its format has no place for a manifest.
        """
        if path.suffix.lower() not in _FORMATS:
            raise OutputError(f"{path} cannot be signed: end its name in {', '.join(_FORMATS)}.")

    def sign(self, path: Path, suffix: str, tags: Mapping[str, str], source: Path | None) -> None:
        """Signs a finished file in place.

        suffix: of the name it will have. tags: from `disclosure`. source: the file it was made from, which the manifest
        names as its parent, with the credentials it has.

        Raises:
            OutputError: it cannot be written, or the certificate has expired since it was loaded.
        """
        from c2pa import C2paError

        try:
            with replacing(path) as signed, path.open("rb") as unsigned, signed.open("w+b") as output:
                self._sign(_builder(tags, source), _FORMATS[suffix.lower()], unsigned, output)
        except C2paError as error:
            raise OutputError(f"The result could not be signed ({error}); free space, or look at your key.") from None

    def _sign(self, builder: Builder, form: str, unsigned: BinaryIO, output: BinaryIO) -> None:
        import c2pa

        info = c2pa.C2paSignerInfo(self._algorithm, self._chain, self._key, None)
        with builder, c2pa.Signer.from_info(info) as signer:
            builder.sign(signer, form, unsigned, output)

    def _try(self, certificate: Path) -> None:
        """Signs a picture of one pixel, so that a certificate that will not do is told before the work begins."""
        from c2pa import C2paError
        from PIL import Image

        picture = io.BytesIO()
        Image.new("RGB", (1, 1)).save(picture, "PNG")
        picture.seek(0)
        try:
            self._sign(_builder({}, None), "image/png", picture, io.BytesIO())
        except C2paError as error:
            raise OptionError(
                f"The certificate {certificate} does not serve for Content Credentials ({error}): it must be valid "
                "today, issued for signing documents or e-mail, and come with the chain of its issuers."
            ) from None


def _builder(tags: Mapping[str, str], source: Path | None) -> Builder:
    """A manifest: the source was opened and edited. Where c2pa does not know the source's format, it was made."""
    from c2pa import Builder, C2paBuilderIntent, C2paError, Context

    agent = {"name": "talkedit", "version": installed()}
    action: dict[str, Any] = {"action": _EDITED, "digitalSourceType": DIGITAL_SOURCE_TYPE, "softwareAgent": agent}
    if tags:
        # As text: c2pa does not give numbers with a fraction back.
        action["parameters"] = {"description": tags.get("description", ""), "org.talkedit.record": tags.get(RECORD, "")}
    if source is not None:
        builder = Builder(_manifest(agent, [action]), Context.from_dict(_SETTINGS))
        try:
            builder.set_intent(C2paBuilderIntent.EDIT)
            with source.open("rb") as file:
                parent = {"title": "source", "relationship": "parentOf"}
                suffix = source.suffix.lower()
                builder.add_ingredient(parent, _FORMATS.get(suffix, suffix.lstrip(".")), file)
            return builder
        except (C2paError, OSError):
            builder.close()
    made = {"action": "c2pa.created", "digitalSourceType": DIGITAL_SOURCE_TYPE, "softwareAgent": agent}
    return Builder(_manifest(agent, [made, action]), Context.from_dict(_SETTINGS))


def _manifest(agent: dict[str, str], actions: list[dict[str, Any]]) -> dict[str, Any]:
    assertions = [{"label": "c2pa.actions.v2", "data": {"actions": actions}}]
    return {"claim_generator_info": [agent], "title": "Edited with talkedit", "assertions": assertions}


def _checked(certificate: Path, key: Path) -> tuple[str, bytes, bytes]:
    """Algorithm, chain and PKCS #8 key.

    Raises:
        OptionError: see `Signer.load`.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )
    from cryptography.x509 import load_pem_x509_certificates

    chain, secret = _pem(certificate, "certificate"), _pem(key, "key")
    try:
        own = load_pem_x509_certificates(chain)[0]
    except ValueError:
        raise OptionError(f"{certificate} holds no certificate: give the chain as PEM, your own one first.") from None
    try:
        private = load_pem_private_key(secret, None)
    except TypeError:
        plain = f"openssl pkey -in {key} -out plain.pem"
        raise OptionError(f"The key {key} is encrypted: decrypt it for signing, as with `{plain}`.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise OptionError(f"{key} holds no private key that can be read: give it as PEM.") from None
    spki = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(*spki) != own.public_key().public_bytes(*spki):
        raise OptionError(f"The key {key} does not belong to the first certificate in {certificate}: exchange one.")
    return _algorithm(private, key), chain, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _algorithm(private: object, path: Path) -> str:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    curves = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
    if isinstance(private, EllipticCurvePrivateKey) and private.curve.name in curves:
        return curves[private.curve.name]
    if isinstance(private, RSAPrivateKey) and private.key_size >= 2048:
        return "ps256"
    if isinstance(private, Ed25519PrivateKey):
        return "ed25519"
    raise OptionError(f"C2PA has no use for a key such as {path}: give EC P-256, RSA of 2048 bits or more, or Ed25519.")


def _pem(path: Path, kind: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_PEM_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OptionError(f"The {kind} {path} cannot be read ({reason}): name a PEM file.") from None
