"""A good and a bad request for every endpoint, and the shape of the good answer.

{live}, {idle}: containers, one of which runs; {exec}: an exec instance of it that has not been started; {network},
{volume}: nobody uses them; {now}: a Unix time. A good request with a status of 501 or 503 is an honest refusal.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import quote

BAD_FILTERS = f"filters={quote(json.dumps({'nonsense': ['1']}))}"
STREAMS = "stream=1&stdin=1&stdout=1&stderr=1"


class Good(NamedTuple):
    request: str
    status: int = 200
    shape: Any = None
    body: Any = None
    lines: bool = False
    """The answer is a stream of JSON, one object a line."""


class Bad(NamedTuple):
    request: str
    status: int
    words: str = ""
    body: Any = None


GOOD: tuple[Good, ...] = (
    Good("GET /_ping"),
    Good("HEAD /_ping"),
    Good("GET /version", shape="Version"),
    Good("GET /info", shape="Info"),
    Good("GET /events?since=1&until={now}", shape="Event", lines=True),
    Good("GET /system/df", shape="DiskUsage"),
    Good("GET /containers/json?all=1&size=1", shape=["ContainerSummary"]),
    Good("POST /containers/create", 201, "Created", {"Image": "toolbox", "Cmd": ["true"]}),
    Good("GET /containers/{live}/json?size=1", shape="Container"),
    Good("GET /containers/{idle}/json", shape="Container"),
    Good("POST /containers/{idle}/rename?name=other", 204),
    Good("POST /containers/{idle}/update", 200, "Update", {"Memory": 64 << 20, "MemorySwap": 128 << 20}),
    Good("POST /containers/{live}/pause", 204),
    Good("POST /containers/{live}/unpause", 204),
    Good("POST /containers/{live}/resize?h=24&w=80"),
    Good("GET /containers/{live}/top", shape="Top"),
    Good("GET /containers/{live}/top?ps_args=aux", shape="Top"),
    Good("GET /containers/{live}/logs?stdout=1"),
    Good("GET /containers/{live}/stats?stream=0", shape="Stats"),
    Good("GET /containers/{live}/stats?stream=0&one-shot=1", shape="Stats"),
    Good("GET /containers/{idle}/stats?stream=0", shape="Stats"),
    Good("GET /containers/{idle}/changes", shape="Changes"),
    Good("GET /containers/{idle}/export"),
    Good("HEAD /containers/{idle}/archive?path=/etc"),
    Good("GET /containers/{idle}/archive?path=/etc/passwd"),
    Good("PUT /containers/{idle}/archive?path=/root", body=bytes(1024)),
    Good("POST /containers/{live}/attach?logs=1&stdout=1"),
    Good("GET /containers/{live}/attach/ws?logs=1&stdout=1", 101),
    Good("POST /containers/{live}/exec", 201, "Id", {"Cmd": ["true"], "AttachStdout": True}),
    Good("GET /exec/{exec}/json", shape="Exec"),
    Good("POST /exec/{exec}/start", body={"Detach": True}),
    Good("POST /exec/{shell}/resize?h=24&w=80"),
    Good("POST /containers/{live}/restart?t=0", 204),
    Good("POST /containers/{live}/kill?signal=CONT", 204),
    Good("POST /containers/{live}/stop?t=0", 204),
    Good("POST /containers/{live}/wait", shape="Wait"),
    Good("POST /containers/{live}/start", 204),
    Good("DELETE /containers/{idle}?v=1", 204),
    Good("POST /containers/prune", shape="PrunedContainers"),
    Good("GET /images/json?all=1&shared-size=1", shape=["ImageSummary"]),
    Good("GET /images/toolbox/json", shape="Image"),
    Good("GET /images/toolbox:latest/history", shape="History"),
    Good("POST /images/toolbox/tag?repo=tagged&tag=1", 201),
    Good("GET /images/tagged:1/get"),
    Good("GET /images/get?names=tagged:1"),
    Good("POST /images/create?fromSrc=-&repo=tagged&tag=2", shape="Progress", body=bytes(1024), lines=True),
    Good("POST /commit?container={live}&repo=tagged&tag=3", 201, "Id"),
    Good("DELETE /images/tagged:1", shape="Removed"),
    Good("POST /images/prune", shape="PrunedImages"),
    Good("POST /build/prune", shape="PrunedBuild"),
    Good("GET /networks", shape=["Network"]),
    Good("POST /networks/create", 201, "NetworkCreated", {"Name": "made"}),
    Good("GET /networks/{network}", shape="Network"),
    Good("POST /networks/{network}/connect", body={"Container": "{live}"}),
    Good("POST /networks/{network}/disconnect", body={"Container": "{live}"}),
    Good("DELETE /networks/made", 204),
    Good("POST /networks/prune", shape="PrunedNetworks"),
    Good("GET /volumes", shape="Volumes"),
    Good("POST /volumes/create", 201, "Volume", {"Name": "made"}),
    Good("GET /volumes/{volume}", shape="Volume"),
    Good("DELETE /volumes/made", 204),
    Good("POST /volumes/prune", shape="PrunedVolumes"),
    Good("GET /plugins", shape=[{}]),
    # what is not here says so
    Good("POST /build", 501, "Error"),
    Good("POST /build/cancel", 501, "Error"),
    Good("GET /images/search?term=x", 501, "Error"),
    Good("GET /containers/{live}/checkpoints", 501, "Error"),
    Good("POST /plugins/x/enable", 501, "Error"),
    Good("PUT /volumes/{volume}", 503, "Error"),
    Good("POST /swarm/leave", 503, "Error"),
    *(Good(f"GET /{kind}", 503, "Error") for kind in ("swarm", "services", "tasks", "nodes", "secrets", "configs")),
    *(Good(f"POST /{kind}/x", 503, "Error") for kind in ("swarm", "services", "tasks", "nodes", "secrets", "configs")),
)

BAD: tuple[Bad, ...] = (
    Bad("DELETE /_ping", 405),
    Bad("GET /v1.99/version", 400, "too new"),
    Bad("GET /v1.1/info", 400, "too old"),
    Bad("GET /events?since=never", 400),
    Bad(f"GET /events?{BAD_FILTERS}", 400, "invalid filter 'nonsense'"),
    Bad("GET /system/df?type=nonsense", 400),
    Bad("POST /auth", 400, body={}),
    Bad("POST /auth", 500, body={"username": "x", "password": "y", "serveraddress": "127.0.0.1:9"}),
    Bad(f"GET /containers/json?{BAD_FILTERS}", 400, "invalid filter 'nonsense'"),
    Bad("GET /containers/json?limit=x", 400),
    Bad("POST /containers/create", 404, "No such image: absent", {"Image": "absent"}),
    Bad(f"POST /containers/prune?{BAD_FILTERS}", 400),
    Bad("POST /containers/{live}/rename?name=", 400, "empty"),
    Bad("POST /containers/{live}/rename?name=idle", 409, "already in use"),
    Bad("POST /containers/{live}/update", 400, body={"Memory": 5}),
    Bad("POST /containers/{idle}/pause", 409, "is not running"),
    Bad("POST /containers/{live}/unpause", 409, "is not paused"),
    Bad("POST /containers/{live}/resize?h=x&w=80", 400),
    Bad("POST /containers/{idle}/resize?h=1&w=1", 409, "is not running"),
    Bad("GET /containers/{idle}/top", 409, "is not running"),
    Bad("GET /containers/{live}/logs", 400, "you must choose at least one stream"),
    Bad("GET /containers/{idle}/archive", 400),
    Bad("HEAD /containers/{idle}/archive?path=/absent", 404),
    Bad("GET /containers/{idle}/archive?path=/absent", 404, "ould not find the file /absent"),
    Bad("PUT /containers/{idle}/archive?path=/absent", 404, body=bytes(1024)),
    Bad("GET /containers/{live}/attach/ws", 400),
    Bad("POST /containers/{live}/attach?detachKeys=nonsense", 400),
    Bad("POST /containers/{live}/exec", 400, "No exec command specified", {"Cmd": []}),
    Bad("POST /containers/{idle}/exec", 409, "is not running", {"Cmd": ["true"]}),
    Bad("GET /exec/absent/json", 404, "No such exec instance"),
    Bad("POST /exec/absent/start", 404, "No such exec instance", {}),
    Bad("POST /exec/absent/resize?h=1&w=1", 404, "No such exec instance"),
    Bad("POST /exec/{exec}/resize?h=1&w=1", 409),
    Bad("POST /containers/{live}/kill?signal=NONSENSE", 400, "nvalid signal"),
    Bad("POST /containers/{idle}/kill", 409, "is not running"),
    Bad("POST /containers/{live}/stop?t=x", 400),
    Bad("POST /containers/{live}/restart?t=x", 400),
    Bad("POST /containers/{live}/wait?condition=nonsense", 400),
    Bad("DELETE /containers/{live}", 409),
    *(
        Bad(f"{method} /containers/absent{rest}", 404, "No such container: absent")
        for method, rest in (
            *(("GET", "/json"), ("DELETE", ""), ("POST", "/start"), ("POST", "/stop"), ("POST", "/restart")),
            *(("POST", "/kill"), ("POST", "/pause"), ("POST", "/unpause"), ("POST", "/wait"), ("GET", "/top")),
            *(("POST", "/resize?h=1&w=1"), ("GET", "/logs?stdout=1"), ("GET", "/stats"), ("GET", "/changes")),
            *(("GET", "/export"), ("POST", "/attach"), ("POST", "/rename?name=xx"), ("POST", "/update")),
        )
    ),
    Bad(f"GET /images/json?{BAD_FILTERS}", 400),
    Bad("POST /images/create", 400),
    Bad(f"POST /images/prune?{BAD_FILTERS}", 400),
    Bad("GET /images/get", 400),
    Bad("POST /images/load", 400, body=b"no archive" * 500),
    Bad("GET /images/absent/json", 404, "No such image: absent"),
    Bad("GET /images/absent/history", 404, "No such image: absent"),
    Bad("GET /images/absent/get", 404),
    Bad("POST /images/absent/tag?repo=x", 404, "No such image: absent"),
    Bad("POST /images/toolbox/tag", 400),
    Bad("POST /images/absent/push?tag=1", 404),
    Bad("DELETE /images/absent", 404, "No such image: absent"),
    Bad("DELETE /images/toolbox", 409),
    Bad("GET /distribution/127.0.0.1:9/x/json", 500),
    Bad("GET /distribution/UPPER/json", 400),
    Bad("POST /commit?container=absent", 404, "No such container: absent"),
    Bad("POST /session", 404),
    Bad("POST /grpc", 404),
    Bad(f"GET /networks?{BAD_FILTERS}", 400),
    Bad("POST /networks/create", 400, body={}),
    Bad("POST /networks/create", 409, "already exists", {"Name": "net"}),
    Bad(f"POST /networks/prune?{BAD_FILTERS}", 400),
    Bad("GET /networks/absent", 404, "etwork absent not found"),
    Bad("DELETE /networks/absent", 404, "etwork absent not found"),
    Bad("DELETE /networks/bridge", 403, "pre-defined network"),
    Bad("POST /networks/absent/connect", 404, "etwork absent not found", {"Container": "live"}),
    Bad("POST /networks/{network}/connect", 404, "No such container: absent", {"Container": "absent"}),
    Bad("POST /networks/{network}/disconnect", 404, body={"Container": "absent"}),
    Bad(f"GET /volumes?{BAD_FILTERS}", 400),
    Bad("POST /volumes/create", 400, body={"Name": "no/name"}),
    Bad(f"POST /volumes/prune?{BAD_FILTERS}", 400),
    Bad("GET /volumes/absent", 404, "no such volume"),
    Bad("DELETE /volumes/absent", 404, "no such volume"),
    Bad("GET /plugins/x/json", 404, 'plugin "x" not found'),
)
