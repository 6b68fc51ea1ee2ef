"""Which module has which command. Strings only: the module of a command is imported when it is called."""

from __future__ import annotations

# name -> (module, summary); the sections and their order are those of `pydock help`
SECTIONS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "Common commands",
        (
            ("run", "run", "Create and run a new container from an image"),
            ("exec", "exec", "Execute a command in a running container"),
            ("ps", "ps", "List containers"),
            ("pull", "pull", "Download an image from a registry"),
            ("images", "images", "List images"),
            ("logs", "logs", "Fetch the logs of a container"),
            ("check", "check", "Say whether this machine can run containers, and what to do if not"),
        ),
    ),
    (
        "Containers",
        (
            ("attach", "attach", "Attach local standard input, output, and error streams to a running container"),
            ("commit", "changes", "Create a new image from a container's changes"),
            ("cp", "cp", "Copy files/folders between a container and the local filesystem"),
            ("create", "create", "Create a new container"),
            ("diff", "changes", "Inspect changes to files or directories on a container's filesystem"),
            ("explain", "explain", "Say in words why a container stopped, or how it is doing"),
            ("export", "changes", "Export a container's filesystem as a tar archive"),
            ("inspect", "inspect", "Return low-level information on objects"),
            ("kill", "lifecycle", "Kill one or more running containers"),
            ("pause", "lifecycle", "Pause all processes within one or more containers"),
            ("port", "port", "List port mappings or a specific mapping for the container"),
            ("rename", "lifecycle", "Rename a container"),
            ("restart", "lifecycle", "Restart one or more containers"),
            ("rm", "lifecycle", "Remove one or more containers"),
            ("start", "start", "Start one or more stopped containers"),
            ("stats", "stats", "Display a live stream of container(s) resource usage statistics"),
            ("stop", "lifecycle", "Stop one or more running containers"),
            ("top", "top", "Display the running processes of a container"),
            ("unpause", "lifecycle", "Unpause all processes within one or more containers"),
            ("update", "update", "Update configuration of one or more containers"),
            ("wait", "lifecycle", "Block until one or more containers stop, then print their exit codes"),
        ),
    ),
    (
        "Images",
        (
            ("history", "image", "Show the history of an image"),
            ("import", "image_files", "Import the contents from a tarball to create a filesystem image"),
            ("load", "image_files", "Load an image from a tar archive or STDIN"),
            ("login", "login", "Authenticate to a registry"),
            ("logout", "login", "Log out from a registry"),
            ("push", "push", "Upload an image to a registry"),
            ("rmi", "image", "Remove one or more images"),
            ("save", "image_files", "Save one or more images to a tar archive"),
            ("tag", "image", "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE"),
        ),
    ),
    (
        "System",
        (
            ("completion", "completion", "Print the completion script for bash, zsh or fish"),
            ("events", "events", "Get real time events from the engine"),
            ("info", "info", "Display system-wide information"),
            ("serve", "serve", "Serve the Docker Engine API on a unix socket"),
            ("version", "version", "Show the version information"),
        ),
    ),
    (
        "Groups",
        (
            ("container", "", "Manage containers"),
            ("context", "", "Name other engines and choose one"),
            ("image", "", "Manage images"),
            ("network", "", "Manage networks"),
            ("system", "", "Manage pydock"),
            ("volume", "", "Manage volumes"),
        ),
    ),
)

# group -> word -> (module, name of the command in its module)
GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "container": {
        "ls": ("ps", "ps"),
        "list": ("ps", "ps"),
        "ps": ("ps", "ps"),
        "inspect": ("inspect", "container inspect"),
        **{
            name: (module, name)
            for _, rows in SECTIONS
            for name, module, _ in rows
            if name
            in [
                "attach",
                "commit",
                "cp",
                "create",
                "diff",
                "exec",
                "explain",
                "export",
                "kill",
                "logs",
                "pause",
                "port",
                "rename",
                "restart",
                "rm",
                "run",
                "start",
                "stats",
                "stop",
                "top",
                "unpause",
                "update",
                "wait",
            ]
        },
        "prune": ("prune", "container prune"),
    },
    "image": {
        "ls": ("images", "images"),
        "list": ("images", "images"),
        "pull": ("pull", "pull"),
        "rm": ("image", "rmi"),
        "remove": ("image", "rmi"),
        "tag": ("image", "tag"),
        "history": ("image", "history"),
        "import": ("image_files", "import"),
        "inspect": ("inspect", "image inspect"),
        "load": ("image_files", "load"),
        "push": ("push", "push"),
        "save": ("image_files", "save"),
        "prune": ("prune", "image prune"),
        "toolbox": ("pull", "image toolbox"),
    },
    "context": {
        "create": ("contexts", "context create"),
        "export": ("contexts", "context export"),
        "import": ("contexts", "context import"),
        "inspect": ("contexts", "context inspect"),
        "list": ("contexts", "context ls"),
        "ls": ("contexts", "context ls"),
        "remove": ("contexts", "context rm"),
        "rm": ("contexts", "context rm"),
        "show": ("contexts", "context show"),
        "update": ("contexts", "context update"),
        "use": ("contexts", "context use"),
    },
    "network": {
        "ls": ("network", "network ls"),
        "list": ("network", "network ls"),
        "inspect": ("inspect", "network inspect"),
        "create": ("network", "network create"),
        "connect": ("network_connect", "network connect"),
        "disconnect": ("network_connect", "network disconnect"),
        "rm": ("network_remove", "network rm"),
        "remove": ("network_remove", "network rm"),
        "prune": ("network_remove", "network prune"),
        "reload": ("network", "network reload"),
    },
    "volume": {
        "create": ("volume", "volume create"),
        "ls": ("volume", "volume ls"),
        "list": ("volume", "volume ls"),
        "inspect": ("inspect", "volume inspect"),
        "prune": ("volume_data", "volume prune"),
        "export": ("volume_data", "volume export"),
        "import": ("volume_data", "volume import"),
        "rm": ("volume", "volume rm"),
        "remove": ("volume", "volume rm"),
    },
    "system": {
        "info": ("info", "info"),
        "df": ("disk", "system df"),
        "prune": ("prune", "system prune"),
        "events": ("events", "events"),
        "check": ("check", "check"),
        "boot": ("boot", "system boot"),
        "halt": ("boot", "system halt"),
        "install-unit": ("boot", "system install-unit"),
    },
}

_SWARM = "It runs containers on one machine; there is no swarm."
_BUILD = "Build the image elsewhere and bring it here: pydock pull from a registry, or pydock load from a file."
# docker's commands that are missing here, and what to do instead
ABSENT = {
    **dict.fromkeys(("config", "node", "secret", "service", "stack", "swarm"), _SWARM),
    **dict.fromkeys(("build", "builder", "buildx"), _BUILD),
    "checkpoint": "Containers are not frozen to disk; pydock pause holds them in memory.",
    "compose": "docker compose itself works with this engine: pydock serve, and DOCKER_HOST at its socket.",
    "manifest": "skopeo inspect --raw docker://IMAGE shows what a registry has.",
    "plugin": "There are no plugins.",
    "search": "Search at the registry's web site.",
    "trust": "Signatures are not checked; pull by digest (NAME@sha256:…) to be sure of the content.",
}

PLAIN: dict[str, str] = {name: module for _, rows in SECTIONS for name, module, _ in rows if module}
