"""How clients reach Kafka: its addresses, and TLS where the settings name a certificate authority. One function for each kind of client."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from riverhouse import addresses
from riverhouse.settings import load


def librdkafka(more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What confluent-kafka's clients are made with, and `more`."""
    conf, known = load().kafka, {"bootstrap.servers": addresses.bootstrap()}
    if conf.ca_file:
        known |= {"security.protocol": "ssl", "ssl.ca.location": conf.ca_file}
    if conf.certificate_file:
        known |= {"ssl.certificate.location": conf.certificate_file, "ssl.key.location": conf.certificate_file}
    return {**known, **(more or {})}


def java(prefix: str = "") -> dict[str, str]:
    """The security settings of Java's clients, each with `prefix` before its name: none without TLS."""
    conf, known = load().kafka, dict[str, str]()
    if conf.ca_file:
        known |= {"security.protocol": "SSL", "ssl.truststore.type": "PEM", "ssl.truststore.location": conf.ca_file}
    if conf.certificate_file:
        known |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": conf.certificate_file}
    return {prefix + name: value for name, value in known.items()}


def tls() -> ssl.SSLContext | None:
    """What aiokafka's clients check the brokers with; None without TLS."""
    conf = load().kafka
    if not conf.ca_file:
        return None
    context = ssl.create_default_context(cafile=conf.ca_file)
    if conf.certificate_file:
        context.load_cert_chain(conf.certificate_file)
    return context
