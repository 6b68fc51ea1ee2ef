"""Every path of the API and its handler, in the order of Docker's reference."""

from __future__ import annotations

from .handlers import (
    absent,
    archive,
    attach,
    containers,
    events,
    exec,
    images,
    lifecycle,
    logs,
    networks,
    pull,
    stats,
    system,
    transport,
)
from .handlers import volumes as volume_handlers
from .router import Route

ROUTES = [
    Route("GET HEAD", "/_ping", system.ping),
    Route("GET", "/version", system.version),
    Route("GET", "/info", system.info),
    Route("GET", "/events", events.events),
    Route("GET", "/system/df", system.disk_usage),
    Route("POST", "/auth", transport.auth),
    # containers
    Route("GET", "/containers/json", containers.list_all),
    Route("POST", "/containers/create", containers.create),
    Route("POST", "/containers/prune", containers.prune),
    Route("GET", "/containers/{id}/json", containers.inspect),
    Route("DELETE", "/containers/{id}", containers.remove),
    Route("POST", "/containers/{id}/rename", containers.rename),
    Route("POST", "/containers/{id}/start", lifecycle.start),
    Route("POST", "/containers/{id}/stop", lifecycle.stop),
    Route("POST", "/containers/{id}/restart", lifecycle.restart),
    Route("POST", "/containers/{id}/kill", lifecycle.kill),
    Route("POST", "/containers/{id}/pause", lifecycle.pause),
    Route("POST", "/containers/{id}/unpause", lifecycle.unpause),
    Route("POST", "/containers/{id}/wait", lifecycle.wait),
    Route("POST", "/containers/{id}/resize", lifecycle.resize),
    Route("POST", "/containers/{id}/attach", attach.attach),
    Route("GET", "/containers/{id}/top", lifecycle.top),
    Route("GET", "/containers/{id}/logs", logs.logs),
    Route("GET", "/containers/{id}/stats", stats.stats),
    Route("GET", "/containers/{id}/attach/ws", attach.attach_by_websocket),
    Route("POST", "/containers/{id}/update", containers.update),
    Route("GET", "/containers/{id}/changes", archive.changes),
    Route("GET", "/containers/{id}/export", archive.export),
    Route("HEAD", "/containers/{id}/archive", archive.stat),
    Route("GET", "/containers/{id}/archive", archive.read),
    Route("PUT", "/containers/{id}/archive", archive.write, streams_body=True),
    Route("*", "/containers/{id}/checkpoints", absent.not_implemented("a checkpoint")),
    # exec
    Route("POST", "/containers/{id}/exec", exec.create),
    Route("POST", "/exec/{id}/start", exec.start),
    Route("POST", "/exec/{id}/resize", exec.resize),
    Route("GET", "/exec/{id}/json", exec.inspect),
    # images
    Route("GET", "/images/json", images.list_all),
    Route("POST", "/images/create", pull.create, streams_body=True),
    Route("POST", "/images/prune", images.prune),
    Route("GET", "/images/search", absent.not_implemented("searching for images")),
    Route("GET", "/images/get", transport.save),
    Route("POST", "/images/load", transport.load, streams_body=True),
    Route("GET", "/images/{name:path}/json", images.inspect),
    Route("GET", "/images/{name:path}/history", images.history),
    Route("GET", "/images/{name:path}/get", transport.save),
    Route("POST", "/images/{name:path}/tag", images.tag),
    Route("POST", "/images/{name:path}/push", transport.push),
    Route("DELETE", "/images/{name:path}", images.remove),
    Route("GET", "/distribution/{name:path}/json", transport.distribution),
    Route("POST", "/commit", transport.commit),
    Route("POST", "/build", absent.not_implemented("building images")),
    Route("POST", "/build/prune", absent.empty({"CachesDeleted": None, "SpaceReclaimed": 0})),
    Route("POST", "/build/cancel", absent.not_implemented("building images")),
    Route("POST", "/session", absent.session),
    Route("POST", "/grpc", absent.session),
    # networks
    Route("GET", "/networks", networks.list_all),
    Route("POST", "/networks/create", networks.create),
    Route("POST", "/networks/prune", networks.prune),
    Route("GET", "/networks/{id}", networks.inspect),
    Route("DELETE", "/networks/{id}", networks.remove),
    Route("POST", "/networks/{id}/connect", networks.connect),
    Route("POST", "/networks/{id}/disconnect", networks.disconnect),
    # volumes
    Route("GET", "/volumes", volume_handlers.list_all),
    Route("POST", "/volumes/create", volume_handlers.create),
    Route("POST", "/volumes/prune", volume_handlers.prune),
    Route("GET", "/volumes/{name}", volume_handlers.inspect),
    Route("DELETE", "/volumes/{name}", volume_handlers.remove),
    Route("PUT", "/volumes/{name}", absent.swarm),
    # of a swarm, and of plugins, there are none
    Route("GET", "/plugins", absent.empty([])),
    Route("GET", "/plugins/{name:path}/json", absent.plugin),
    Route("*", "/plugins/{name:path}", absent.not_implemented("a plugin")),
    Route("POST", "/swarm/leave", absent.leave_swarm),
    *(
        Route("*", path, absent.swarm)
        for kind in ("swarm", "services", "tasks", "nodes", "secrets", "configs")
        for path in (f"/{kind}", f"/{kind}/{{rest:path}}")
    ),
]
