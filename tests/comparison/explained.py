"""The differences that are meant, and why."""

from __future__ import annotations

import re

ANY = ".*"
NEWER = "the words of Docker 27, whose API pydock speaks; 20.10 wrote them otherwise"
NAMED = "a container is called as the person called it; docker writes its id"
CAUSE = "the cause without the words of runc before it"
LATER = "gone from the API since 20.10"
STORAGE = "another storage driver, in another place"
POOLS = "other default address pools"

#: (case, command line, difference, reason): the first whose three patterns fit counts.
REASONS: tuple[tuple[str, str, str, str], ...] = (
    ("run", r"no-such-program|/etc$", r"^err: ", CAUSE),
    ("run", r"--dns ", r"^out: same lines", "the same lines of resolv.conf in another order"),
    (
        "run",
        r"/proc/self/mounts",
        r"only pydock: (/proc/interrupts|/sys/)",
        "more of the host is masked, as by Docker 27; the unified tree of a hybrid host is shown too",
    ),
    ("run", r"kept", r'Conflict. The container name "/kept"', "the other container's short id"),
    (ANY, r"inspect", r"^\.(Driver|GraphDriver)\b", STORAGE),
    (ANY, r"inspect", r"^\.HostConfig\.CgroupnsMode: private for host", "a cgroup namespace on cgroup v1 too"),
    (ANY, r"inspect", r"^\.(HostConfig\.KernelMemory|Container:|ContainerConfig|VirtualSize)", LATER),
    (ANY, r"inspect", r"^\.HostConfig\.MaskedPaths", "more of the host is masked, as by Docker 27"),
    (ANY, r"inspect", r"^\.HostConfig\.Runtime", "the runtime's own name; `runc` is understood too"),
    (ANY, r"inspect", r"^\.Config\.StopSignal: SIGTERM for absent", "said also when it is the default"),
    (ANY, r"inspect", r"^\.LogPath", "the log has another name"),
    (ANY, r"inspect", r"^\.(HostnamePath|HostsPath|ResolvConfPath)", "these files are there before the first start"),
    (ANY, r"inspect", r"IPPrefixLen", POOLS),
    (ANY, r"inspect", r"SandboxKey", "the network namespace is where the kernel has it"),
    ("images", r"image inspect", r"^\.DockerVersion", "no Docker made it"),
    ("images", r"image inspect", r"^\.Size", "the sizes of the files; docker counts an overlay's blocks"),
    ("images", r"image inspect", r"^\.(Container\b|ContainerConfig)", LATER),
    (ANY, r"nonsense", r"^err: .*[Ii]nvalid filter", NEWER),
    ("volumes", r"nonsense", r"^err: .*(invalid mode|invalid volume specification)", "the whole of what is wrong"),
    ("volumes", r"volume rm one", r"^err: .*volume is in use", NAMED),
    ("lifecycle", r"exec web no-such-program", r"^(exit code: 127 for 126|out: only docker|err: only)", NEWER),
    (
        "lifecycle",
        r"pause|exec (web|front)|top front",
        r"^err: .*[Cc]ontainer \S+ is (already paused|not paused|paused|not running)",
        NAMED,
    ),
    ("lifecycle", r"kill", r"^err: .*([Cc]annot kill container|[Ii]nvalid signal)", NEWER),
    ("lifecycle", r"rm web", r"^err: .*(cannot remove container|You cannot remove a running container)", NEWER),
    ("lifecycle", r"rename front !", r"^err: .*Invalid container name", "the cause without the words before it"),
    (ANY, r"inspect", r"^err: .*[Nn]o such image", NEWER),
    (
        "attach",
        r"attach cat",
        r"^out: only pydock: got word",
        "all of the output comes; dockerd ends the answer with the client's input",
    ),
    ("images", r"load -i \{dir\}/file", r"^err: ", "the cause in words"),
    ("images", r"save absent", r"^err: ", NEWER),
    ("images", r"push .*absent", r"^(out: only docker: The push refers|err: )", NEWER),
    ("images", r"pull \{registry\}/box:1", r"only pydock: .*Already exists", "every layer is named"),
    ("images", r"absent", r"^err: .*manifest unknown", "the registry's words once"),
    (
        "images",
        r"build",
        r"^(exit code: 1 for 0|out: only docker|err: only pydock: .*not implemented)",
        "not built yet",
    ),
    ("networks", r"network inspect", r"^\.EnableIPv4", "a field of newer clients"),
    ("networks", r"network inspect", r"^\.Options.*bridge\.name", "the bridge that was made is named"),
    ("networks", r"--ip ", r"^err: ", "any address of the network may be asked for, this one is none of it"),
    ("networks", r"network disconnect", r"^err: .*is not connected to", NAMED),
    ("networks", r"network rm plain", r"^err: .*has active endpoints", "the containers that are on it are named"),
    ("networks", r"overlapping", r"^err: .*[Pp]ool overlaps with other one on this address space", NEWER),
    ("networks", r"-d nonsense", r"^err: .*(plugin not found|plugin \"nonsense\" not found)", NEWER),
    ("networks", r"--subnet nonsense", r"^err: .*nonsense", "the cause in words"),
    ("events", r"type=image", r"image untag", "the name that was taken off; docker writes the image's id"),
    (
        "events",
        r"-f nonsense=1",
        r"^(exit code: 1 for 0|out: only docker|err: only pydock: .*invalid filter 'nonsense')",
        NEWER,
    ),
    ("system", r"search", r"^err: ", "searching is not built; dockerd asks Docker Hub, which is out of reach in tests"),
)


def explain(case: str, line: str, difference: str) -> str:
    """The reason for a difference; "" when there is none."""
    for case_pattern, line_pattern, pattern, reason in REASONS:
        if (
            re.fullmatch(case_pattern, case)
            and re.search(line_pattern, line)
            and re.search(pattern, difference, re.DOTALL)
        ):
            return reason
    return ""
