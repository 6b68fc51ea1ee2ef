"""A certificate authority of its own for a test, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Authority:
    """`ca.pem` in `folder`, and whom it signs: `folder/NAME/{ca,cert,key}.pem`, as DOCKER_CERT_PATH wants it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.ca = folder / "ca.pem"
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
            *("-subj", "/CN=test authority", "-keyout", folder / "ca-key.pem", "-out", self.ca),
        )

    def sign(self, name: str, usage: str) -> Path:
        """`usage`: serverAuth or clientAuth."""
        folder = self.folder / name
        folder.mkdir()
        extensions = folder / "extensions"
        extensions.write_text(f"extendedKeyUsage={usage}\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n")
        _openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", folder / "key.pem", "-out", folder / "request.pem"),
        )
        _openssl(
            *("x509", "-req", "-days", "2", "-in", folder / "request.pem", "-CA", self.ca, "-CAkey"),
            *(self.folder / "ca-key.pem", "-CAcreateserial", "-extfile", extensions, "-out", folder / "cert.pem"),
        )
        (folder / "ca.pem").write_bytes(self.ca.read_bytes())
        return folder


def _openssl(*words: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
