# SPDX-License-Identifier: Apache-2.0
"""Certificates of every kind, and the TLSA records that go with them.

Keys are ECDSA P-256: made in a moment, and what the destinations of a test
present differs in names, dates and chain, not in strength.
"""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificate:
    """What a host's certificate shall be like.

    `issuer` names an authority of the lab (made on first use), None makes it
    self-signed. `names` are the DNS-IDs; None stands for the host's own name.
    `starts` and `ends` are days from now. `sends` is what the server presents
    beyond the leaf: any of "issuer" and "root". `second` is the kind of a
    second key, whose certificate is the same otherwise.
    """

    issuer: str | None = None
    names: tuple[str, ...] | None = None
    common_name: str | None = None
    starts: float = -1
    ends: float = 30
    sends: tuple[str, ...] = ("issuer", "root")
    key: str = "ecdsa"
    second: str | None = None


def _new_key(kind: str = "ecdsa"):
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _builder(subject: str, issuer: x509.Name, key, starts: float, ends: float):
    now = datetime.utcnow()
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=starts))
        .not_valid_after(now + timedelta(days=ends))
    )


@dataclass
class Authority:
    """A root and the intermediate certificate that issues for it."""

    name: str
    root_key: object = field(default_factory=_new_key)
    issuer_key: object = field(default_factory=_new_key)

    def __post_init__(self) -> None:
        root_name = _name(f"{self.name} root")
        self.root = self._make(f"{self.name} root", root_name, self.root_key)
        self.issuer = self._make(f"{self.name} issuer", root_name, self.issuer_key)

    def _make(self, subject: str, issuer: x509.Name, key) -> x509.Certificate:
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = _builder(subject, issuer, key, -30, 365)
        builder = builder.add_extension(constraint, critical=True)
        builder = builder.add_extension(identifier, critical=False)
        return builder.sign(self.root_key, hashes.SHA256())


def _encode(certificate: x509.Certificate, selector: int) -> bytes:
    if selector == 0:
        return certificate.public_bytes(serialization.Encoding.DER)
    return certificate.public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo,
    )


def _digest(data: bytes, matching: int) -> bytes:
    if matching == 1:
        return hashlib.sha256(data).digest()
    if matching == 2:
        return hashlib.sha512(data).digest()
    return data


@dataclass
class Identity:
    """A certificate that was made: its files, and TLSA data for it."""

    leaf: x509.Certificate
    authority: Authority | None
    chain_file: Path
    key_file: Path
    second: "Identity | None" = None

    def _signers(self) -> dict[str, x509.Certificate]:
        if self.authority is None:
            return {"leaf": self.leaf, "root": self.leaf, "issuer": self.leaf}
        return {
            "leaf": self.leaf,
            "root": self.authority.root,
            "issuer": self.authority.issuer,
        }

    def tlsa(self, wanted: str) -> str:
        """A TLSA record from a few words.

        "3 1 1" is the record that matches; "2 1 1 issuer" one for that
        certificate (default: the root for usages 0 and 2, else the leaf);
        "3 1 1 second" one for the certificate with the second key;
        "3 1 1 wrong" one for another key; "3 1 1 =00ff" has that data.
        """
        usage, selector, matching, *which = wanted.split()
        start = f"{usage} {selector} {matching} "
        word = which[0] if which else ("root" if usage in "02" else "leaf")
        if word.startswith("="):
            return start + word[1:]
        if word == "second":
            source = _encode(self.second.leaf, int(selector))
        elif word == "wrong":
            source = b"a key that nobody has"
        else:
            source = _encode(self._signers()[word], int(selector))
        return start + _digest(source, int(matching)).hex()


class Workshop:
    """Makes certificates into files of one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._authorities: dict[str, Authority] = {}
        directory.mkdir(parents=True, exist_ok=True)

    def authority(self, name: str) -> Authority:
        if name not in self._authorities:
            self._authorities[name] = Authority(name)
        return self._authorities[name]

    def authority_file(self, name: str) -> Path:
        """The root of an authority as a PEM file, to be trusted by someone."""
        file = self._directory / f"authority-{name}.pem"
        root = self.authority(name).root
        file.write_bytes(root.public_bytes(serialization.Encoding.PEM))
        return file

    def make(self, host: str, wanted: Certificate) -> Identity:
        identity = self._make(host, wanted)
        if wanted.second:
            also = replace(wanted, key=wanted.second, second=None)
            identity.second = self._make(host, also)
        return identity

    def _make(self, host: str, wanted: Certificate) -> Identity:
        authority = self.authority(wanted.issuer) if wanted.issuer else None
        key = _new_key(wanted.key)
        leaf = self._leaf(host, wanted, key, authority)
        chain = [leaf]
        if authority is not None:
            chain += [authority.issuer] if "issuer" in wanted.sends else []
            chain += [authority.root] if "root" in wanted.sends else []
        return self._write(host, key, chain, authority)

    def _leaf(self, host, wanted, key, authority) -> x509.Certificate:
        subject = wanted.common_name or host
        issuer = authority.issuer.subject if authority else _name(subject)
        builder = _builder(subject, issuer, key, wanted.starts, wanted.ends)
        names = (host,) if wanted.names is None else wanted.names
        if names:
            identifiers = [x509.DNSName(name) for name in names]
            alternative = x509.SubjectAlternativeName(identifiers)
            builder = builder.add_extension(alternative, critical=False)
        signer = authority.issuer_key if authority else key
        return builder.sign(signer, hashes.SHA256())

    def _write(self, host, key, chain, authority) -> Identity:
        # a host may be given several certificates, one after another
        number = len(list(self._directory.glob(f"{host}.*.key")))
        chain_file = self._directory / f"{host}.{number}.pem"
        key_file = self._directory / f"{host}.{number}.key"
        pem = [c.public_bytes(serialization.Encoding.PEM) for c in chain]
        chain_file.write_bytes(b"".join(pem))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return Identity(chain[0], authority, chain_file, key_file)
