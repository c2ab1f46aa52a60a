"""Certificates for tests, made by openssl: authorities, leaves, revocation answers. Files of a directory that the test owns.

    ca = make_ca(tmp_path)
    server = make_certificate(tmp_path, ca, names=["a.example", "127.0.0.1"])
    server.certificate, server.key        # paths, PEM
"""
import collections
import ipaddress
import os
import subprocess

Pair = collections.namedtuple("Pair", "certificate key")  # paths of PEM files

KEYS = {
    "ec": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "ed25519": ["-algorithm", "ED25519"],
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "rsa1024": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
}


def openssl(*arguments, stdin=None):
    """The command's standard output; its complaint is the failure's text."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr.decode()}"
    return done.stdout


def alternative_name(name):
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


def _write(directory, stem, extension, text):
    path = os.path.join(str(directory), f"{stem}.{extension}")
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


def _unused(directory, stem):
    """`stem`, or with a number behind it when the directory has a certificate of that name."""
    names = (stem if number == 0 else f"{stem}-{number}" for number in range(1000))
    return next(name for name in names if not os.path.exists(os.path.join(str(directory), name + ".pem")))


def make_key(directory, stem, kind="ec"):
    path = os.path.join(str(directory), stem + ".key")
    openssl("genpkey", *KEYS[kind], "-out", path)
    return path


def _sign(directory, stem, subject, key, extensions, days, ca):
    """A certificate over `key`: signed by `ca`, or by itself. `days` may be negative: it has run out then."""
    request = os.path.join(str(directory), stem + ".csr")
    certificate = os.path.join(str(directory), stem + ".pem")
    settings = _write(directory, stem, "ext", "\n".join(extensions) + "\n")
    openssl("req", "-new", "-key", key, "-subj", subject, "-out", request)
    signer = ["-CA", ca.certificate, "-CAkey", ca.key] if ca else ["-signkey", key]
    openssl("x509", "-req", "-in", request, *signer, "-set_serial", f"0x{os.urandom(8).hex()}", "-days", days,
            "-extfile", settings, "-out", certificate)
    return Pair(certificate, key)


def make_ca(directory, name="ca", parent=None, days=30, key="ec"):
    """An authority: self-signed, or an intermediate one of `parent`."""
    stem = _unused(directory, name)
    extensions = ["basicConstraints = critical, CA:TRUE", "keyUsage = critical, keyCertSign, cRLSign, digitalSignature",
                  "subjectKeyIdentifier = hash"]
    return _sign(directory, stem, f"/O=Test/CN={name}", make_key(directory, stem, key), extensions, days, parent)


def make_certificate(directory, ca, names=("localhost",), client=False, days=30, key="ec", subject=None, stem=None,
                     chain=()):
    """A leaf for those names or addresses (the first is its CN unless `subject` says otherwise), self-signed when `ca` is
    None; for clients with `client`. The certificates of `chain` stand behind it in its file."""
    stem = _unused(directory, stem or (names[0].replace("*", "any").replace(":", "_") if names else "leaf"))
    extensions = ["basicConstraints = critical, CA:FALSE", "keyUsage = critical, digitalSignature",
                  f"extendedKeyUsage = {'clientAuth' if client else 'serverAuth'}"]
    if names:
        extensions.append("subjectAltName = " + ", ".join(alternative_name(name) for name in names))
    pair = _sign(directory, stem, subject or f"/CN={names[0]}", make_key(directory, stem, key), extensions, days, ca)
    with open(pair.certificate, "a", encoding="ascii") as file:
        for issuer in chain:
            with open(issuer.certificate, encoding="ascii") as other:
                file.write(other.read())
    return pair


def make_ocsp_response(directory, ca, pair, status="good", minutes=60):
    """Path of a DER file: what the authority's responder says of that certificate. `minutes` may be negative."""
    serial = openssl("x509", "-in", pair.certificate, "-noout", "-serial").decode().strip().split("=")[1]
    state = {"good": "V", "revoked": "R"}[status]
    revoked = "231201000000Z" if status == "revoked" else ""
    subject = openssl("x509", "-in", pair.certificate, "-noout", "-subject", "-nameopt", "compat").decode()
    stem = os.path.splitext(os.path.basename(pair.certificate))[0]
    index = _write(directory, stem, "index",
                   f"{state}\t491231235959Z\t{revoked}\t{serial}\tunknown\t{subject.strip().split('=', 1)[1]}\n")
    request = os.path.join(str(directory), stem + ".ocsp-request")
    response = os.path.join(str(directory), stem + ".ocsp")
    openssl("ocsp", "-issuer", ca.certificate, "-cert", pair.certificate, "-no_nonce", "-reqout", request)
    openssl("ocsp", "-index", index, "-CA", ca.certificate, "-rsigner", ca.certificate, "-rkey", ca.key, "-reqin", request,
            "-nmin", minutes, "-respout", response)
    return response
