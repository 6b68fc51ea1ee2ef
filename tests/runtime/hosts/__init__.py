"""podman, dockerd and containerd with `pydock-runc` as their runtime."""
