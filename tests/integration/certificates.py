"""Certificates for a stack whose broker and clients speak TLS."""

from __future__ import annotations

import pathlib

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key


def tls(folder: pathlib.Path) -> dict[str, str]:
    """The settings of a stack that speaks TLS, with an authority and a certificate of its own in `folder`."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    ours = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # the form that Java reads
    (folder / "certificate.pem").write_bytes(ours + b"".join(c.bytes() for c in certificate.cert_chain_pems))
    authority.cert_pem.write_to_path(folder / "authority.pem")
    return {
        "RIVERHOUSE_KAFKA__CA_FILE": str(folder / "authority.pem"),
        "RIVERHOUSE_KAFKA__CERTIFICATE_FILE": str(folder / "certificate.pem"),
    }
