"""Who gets in where: TLS towards callers, nobody at the admin."""

import http.client
import json
import ssl
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from headgate.adapters.planes.tls import Tls
from headgate.errors import PlaneError, PlaneUnavailable
from tests.integration.envoy_stage import Caller
from tests.integration.proxy_stage import proxy, stage, upstreams

__all__ = ["proxy", "stage", "upstreams"]  # fixtures


@pytest.fixture
def tls(tmp_path):
    files = Tls(tmp_path / "cert.pem", tmp_path / "key.pem")
    issue(files, "first")
    return files


def issue(tls, name):
    """Put a certificate and its key in place; it is its own root."""
    key, today = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(called, called, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    tls.certificate.write_bytes(made.public_bytes(pem))
    tls.key.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def over_tls(plane, tls):
    """A caller who trusts that certificate alone, and who it was shown."""
    context = ssl.create_default_context(cafile=str(tls.certificate))
    context.check_hostname = False
    caller = Caller(plane, over=context)
    answer = caller.ask("N1", "r1")
    shown = dict(pair for (pair,) in caller.socket.getpeercert()["subject"])["commonName"]
    caller.close()
    return answer, shown


def process_of(stage):
    (file,) = (stage.tmp_path / "plane").glob("*.pid")
    return psutil.Process(json.loads(file.read_text())["pid"])


def test_callers_come_over_tls_and_a_renewed_certificate_is_shown_without_a_restart(stage, tls):
    plane = stage.plane(tls=tls)
    plane.apply(stage.route(10_000))
    assert plane.url.startswith("https://")
    answer, shown = over_tls(plane, tls)
    assert (answer.status, answer.who, shown) == (200, "candidate", "first")
    before = process_of(stage)
    issue(tls, "second")
    plane.reconcile(stage.route(10_000))
    assert over_tls(plane, tls)[1] == "second"
    assert process_of(stage) == before
    with pytest.raises((OSError, http.client.HTTPException)):
        stage.caller(plane).ask("N1")  # without TLS
    for file in (stage.tmp_path / "plane").rglob("*"):
        if file.is_file() and b"PRIVATE KEY" in file.read_bytes():
            assert file.stat().st_mode & 0o077 == 0, f"others may read the key in {file}"


def test_a_certificate_that_cannot_be_used_leaves_the_old_one_and_is_told(stage, tls):
    plane = stage.plane(tls=tls)
    plane.apply(stage.route(500))
    trusted = Tls(tls.certificate.with_name("trusted.pem"), tls.key)
    trusted.certificate.write_bytes(tls.certificate.read_bytes())
    tls.certificate.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    with pytest.raises(PlaneError, match="the old one stays"):
        plane.reconcile(stage.route(500))
    assert over_tls(plane, trusted)[1] == "first"
    tls.key.unlink()
    with pytest.raises(PlaneUnavailable, match="HEADGATE_PLANE_KEY"):
        plane.reconcile(stage.route(500))


def test_only_callers_are_listened_to_from_outside(stage):
    plane = stage.plane(host="0.0.0.0")  # noqa: S104 - what an operator may ask for
    plane.apply(stage.route(500))
    port = int(plane.url.rpartition(":")[2])
    listening = {
        (one.laddr.ip, one.laddr.port)
        for one in process_of(stage).net_connections("tcp")
        if one.status == "LISTEN"
    }
    assert {ip for ip, at in listening if at != port} <= {"127.0.0.1"}
    assert ("0.0.0.0", port) in listening  # noqa: S104
    for socket in (stage.tmp_path / "plane").glob("*.sock"):
        assert socket.stat().st_mode & 0o077 == 0


def test_every_worker_serves_the_new_share_once_it_is_confirmed(stage):
    many = {"workers": 4} if plane_name(stage) == "EnvoyPlane" else {"threads": 4}
    plane = stage.plane(**many)
    plane.apply(stage.route(0))
    callers = [stage.caller(plane) for _ in range(24)]
    for generation in range(2, 12):
        plane.apply(stage.route(generation * 100, generation))
        for caller in callers:
            caller.start("N1")
        told = {caller.finish().headers["x-rollout-generation"] for caller in callers}
        assert told == {str(generation)}


def plane_name(stage):
    return stage.make.__name__
