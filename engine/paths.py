"""Where everything lies on disk; the only module that spells a file name under the two roots.

The data root survives a reboot, the run root does not. Both can be moved (`--root`, `PYDOCK_ROOT`;
`--run-root`, `PYDOCK_RUN_ROOT`), which is how tests get an engine of their own.
"""

from __future__ import annotations

import os

DEFAULT_ROOT = "/var/lib/pydock"
DEFAULT_RUN_ROOT = "/run/pydock"


class Paths:
    """All locations of one engine."""

    def __init__(self, root: str | None = None, run_root: str | None = None) -> None:
        self.root = os.path.abspath(root or os.environ.get("PYDOCK_ROOT") or DEFAULT_ROOT)
        self.run_root = os.path.abspath(run_root or os.environ.get("PYDOCK_RUN_ROOT") or DEFAULT_RUN_ROOT)
        self.database = f"{self.root}/pydock.db"
        self.oci = f"{self.root}/oci"
        self.layers = f"{self.root}/layers"
        self.containers = f"{self.root}/containers"
        self.volumes = f"{self.root}/volumes"
        self.tmp = f"{self.root}/tmp"
        self.ingest = f"{self.tmp}/ingest"
        self.doorbells = f"{self.run_root}/doorbells"
        self.runtime = f"{self.run_root}/runtime"
        self.mounted_volumes = f"{self.run_root}/volumes"

    def create(self) -> None:
        """Make the folders; data of containers is for root alone."""
        for path in (self.root, self.run_root):
            os.makedirs(path, mode=0o711, exist_ok=True)
        for path in (self.oci, self.layers, self.containers, self.volumes, self.tmp):
            os.makedirs(path, mode=0o700, exist_ok=True)
        for path in (self.doorbells, self.runtime, f"{self.run_root}/containers"):
            os.makedirs(path, mode=0o700, exist_ok=True)

    def container(self, container_id: str) -> str:
        """The bundle: config.json, rootfs/, upper/, work/, logs, hosts, hostname, resolv.conf, stats ring."""
        return f"{self.containers}/{container_id}"

    def mount_source(self, container_id: str, index: int) -> str:
        """Where the source of the container's mount of this number is made, if it has to be."""
        return f"{self.container(container_id)}/sources/{index}"

    def container_run(self, container_id: str) -> str:
        """Sockets and locks of one container, gone after a reboot."""
        return f"{self.run_root}/containers/{container_id}"

    def shim_socket(self, container_id: str) -> str:
        return f"{self.container_run(container_id)}/shim.sock"

    def shim_lock(self, container_id: str) -> str:
        """Held by the shim for as long as it lives."""
        return f"{self.container_run(container_id)}/shim.lock"

    def lifecycle_lock(self, container_id: str) -> str:
        """Held by whoever changes the container's life-cycle state."""
        return f"{self.container_run(container_id)}/lock"

    def log(self, container_id: str) -> str:
        return f"{self.container(container_id)}/log.json"

    def ring(self, container_id: str) -> str:
        return f"{self.container(container_id)}/stats.ring"

    def exit_record(self, container_id: str) -> str:
        return f"{self.container(container_id)}/exit.json"

    def health(self, container_id: str) -> str:
        """The last results of its health check."""
        return f"{self.container(container_id)}/health.json"

    def kept_row(self, container_id: str) -> str:
        """A copy of its row, for a database that is lost."""
        return f"{self.container(container_id)}/container.json"

    def exit_record_aside(self, container_id: str) -> str:
        """Where the exit record goes when the data root's disk is full."""
        return f"{self.container_run(container_id)}/exit.json"

    def blob(self, digest: str) -> str:
        """A complete blob of the OCI layout; `digest` is `sha256:<hex>`."""
        return f"{self.oci}/blobs/{digest.replace(':', '/', 1)}"

    def layer(self, chain_id: str) -> str:
        """An unpacked layer: `diff/` and `size`. Takes a chain-id with or without its `sha256:`."""
        return f"{self.layers}/{chain_id.removeprefix('sha256:')}"

    def volume(self, name: str) -> str:
        return f"{self.volumes}/{name}/_data"

    def kept_volume(self, name: str) -> str:
        """The copy of a volume's row, where there is more to tell than its name."""
        return f"{self.volumes}/{name}/volume.json"
