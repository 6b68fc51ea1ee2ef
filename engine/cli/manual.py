"""What the help pages say beyond usage and options: details, examples, exit codes, related commands.

Read only by `help.py`, so that no command pays for it. A command without an entry has the page that its declaration
gives.
"""

from __future__ import annotations

RUN_CODES = (
    ("N", "the exit code of the container's program"),
    ("125", "the engine refused or failed; the message says why"),
    ("126", "the program is there but cannot be executed"),
    ("127", "the program was not found in the image"),
    ("128+N", "a signal ended the program (137: SIGKILL, 143: SIGTERM)"),
)
EXEC_CODES = (("1", "the container does not run, or was not found"), *RUN_CODES)

# command -> details; paragraphs are wrapped, lines that begin with two spaces are kept
DETAILS: dict[str, str] = {
    "attach": """Shows what the container's first process writes, and types into it. A terminal shows its last screen
first. Leave with ctrl-P ctrl-Q (--detach-keys): the container runs on. Without a terminal, signals go to the
process.""",
    "check": """Tries what containers need on this machine: namespaces, cgroups, overlay, nftables, seccomp. One line
each, with the package or setting that mends it.""",
    "commit": """The image has the container's files as they are now, without what is mounted in it; --change sets what
it starts with. The container is paused meanwhile.""",
    "container prune": "Containers that run, are paused or are about to be restarted stay.",
    "create": """Takes the flags of run and stops short of the start. Prints the new container's id.""",
    "diff": """A: added, C: changed, D: deleted, since the container was made. What lies in volumes is not its own.""",
    "export": """The container's root file system, without what is mounted in it. pydock import makes an image
of it.""",
    "events": """Tells what happens to containers, images, networks and volumes, as it happens; with --since from the
past on. On a terminal the lines are short; piped or with --format they are docker's.""",
    "exec": """Runs beside the container's own program, with its namespaces, limits and user. Signals that this program
gets (ctrl-C) are passed on, so that nothing is left behind in the container.""",
    "history": """Shows the steps that made the image, newest first.""",
    "images": """One row a tag. An argument shows only that repository or tag; it may have * and ?.""",
    "info": """Counts and properties of the engine and its machine.""",
    "inspect": """Looks for a container first, then for an image, a network and a volume. --format takes a field of
the JSON by its path ({{.State.Pid}}) and the functions of docker's templates: json, join, lower, upper, title, split,
println, range, if, with, index, len, eq, and, or, printf.""",
    "kill": """Sends SIGKILL, or another signal, to the container's first process.""",
    "logs": """Both streams come out where they went in: standard output and standard error. Binary output is not
changed.""",
    "network create": """Containers of one network reach each other by name; other networks are out of reach. What is
left out (subnet, gateway) is chosen.""",
    "network connect": """Works while the container runs.""",
    "network disconnect": """Works while the container runs.""",
    "pause": """Freezes all processes of the container; memory stays, no CPU is used.""",
    "ps": """Columns that a narrow terminal has no room for are shortened or left out; --no-trunc, --format and pipes
get everything.""",
    "port": """Shows where each published port of the container is to be found on this machine.""",
    "pull": """Layers that are here already are not fetched again; a pull that was cut off goes on where it ended.
Credentials are those of docker login.""",
    "push": """Layers that the registry has already are not sent again. The account is that of pydock login.""",
    "rename": """Works while the container runs.""",
    "restart": """Stops the container as stop does, and starts it again; what it wrote stays.""",
    "rm": """A container that runs is removed only with --force. Named volumes always stay.""",
    "rmi": """Takes the name away; the image itself goes with its last name, unless a container is made of it.""",
    "save": """One archive that docker, podman and skopeo read: an OCI layout and docker's own form in one.""",
    "serve": """Lets docker's own client, docker-py, compose and everything else that speaks the Docker Engine API drive
this engine. It may be stopped and started at any time; containers do not notice.

Whoever may use the socket is as good as root on this machine.""",
    "start": """Runs the container's program again with what it was created with. With -a its output is shown, with -i
input goes in.""",
    "stats": """Each container's figures are taken once a second by its own small process, so this command measures
nothing by itself and answers at once.""",
    "stop": """Sends the container's stop signal (SIGTERM), and SIGKILL if it has not ended after --timeout seconds
(10).""",
    "system df": """ACTIVE counts what containers use; RECLAIMABLE is what pydock system prune -a could free.""",
    "tag": """Gives an image one more name, such as that of a registry to push it to.""",
    "top": """Process ids are the host's. Options after the name are those of ps.""",
    "update": """Limits apply at once to a running container, and to every later start.""",
    "version": """Client and server are one program here, unless --host names another engine.""",
    "volume create": """Volumes outlive the containers that use them. Without a name it gets a random one.""",
    "volume prune": """Only volumes that nobody gave a name, unless --all is given. Volumes that a container mounts,
running or not, stay.""",
    "wait": """Waits until each has stopped, and prints their exit codes in this order.""",
}

# command -> lines, each a command line and what it does
EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "attach": (("pydock attach web", "watch; ctrl-P ctrl-Q leaves"),),
    "check": (("pydock check --json", "for scripts"),),
    "commit": (("pydock commit -c 'CMD [\"server\"]' -m 'with settings' web shop:2", ""),),
    "cp": (
        ("pydock cp web:/etc/nginx.conf .", "out"),
        ("pydock cp site/. web:/srv/www", "in: what is in the folder"),
        ("pydock cp web:/var/log - | tar t", "as an archive"),
    ),
    "container prune": (("pydock container prune --filter until=24h", "those made more than a day ago"),),
    "create": (("pydock create --name job toolbox make", "pydock start -a job runs it later"),),
    "events": (
        ("pydock events --filter container=web", "of one container"),
        ("pydock events --since 1h --until 0s", "of the last hour, and no more"),
        ("pydock events --filter event=die --json", "ends only, as JSON lines"),
    ),
    "diff": (("pydock diff web", ""),),
    "export": (("pydock export web | tar t", ""),),
    "exec": (
        ("pydock exec -it web sh", "a shell in a running container"),
        ("pydock exec -u postgres db psql -c 'select 1'", "as another user"),
        ("tar c . | pydock exec -i web tar x -C /srv", "with input from a pipe"),
    ),
    "history": (("pydock history --no-trunc toolbox", "with whole commands"),),
    "image prune": (("pydock image prune -a --filter until=240h", "unused ones older than ten days"),),
    "images": (
        ("pydock images 'alpine*'", "by name"),
        ("pydock images -q --filter dangling=true", "ids of images without a name"),
        ("pydock images --format '{{.Repository}}:{{.Tag}} {{.Size}}'", "lines of one's own"),
    ),
    "import": (
        ("pydock import -c 'CMD [\"sh\"]' root.tar.gz base:1", "from the archive of a root file system"),
        ("pydock export old | pydock import - flat", "an image of one layer"),
    ),
    "info": (("pydock info -f '{{.ServerVersion}}'", "one fact"),),
    "inspect": (
        ("pydock inspect web", "everything, as JSON"),
        ("pydock inspect -f '{{.State.Pid}}' web", "one fact"),
        ("pydock inspect -f '{{json .NetworkSettings.Networks}}' web", "a part, as JSON"),
    ),
    "kill": (("pydock kill -s HUP web", "have it read its configuration again"),),
    "load": (("pydock load -i images.tar", ""), ("pydock save app | ssh lab pydock load", "from machine to machine")),
    "login": (("pass show registry | pydock login -u me --password-stdin registry.lab:5000", ""),),
    "logs": (
        ("pydock logs -f --tail 20 web", "the last lines, and on"),
        ("pydock logs --since 10m -t web", "of the last ten minutes, with times"),
    ),
    "network connect": (("pydock network connect --alias db back postgres", ""),),
    "network create": (
        ("pydock network create back", "everything chosen"),
        ("pydock network create --internal --subnet 10.77.0.0/24 back", "no way out"),
    ),
    "network ls": (("pydock network ls --filter driver=bridge -q", ""),),
    "pause": (("pydock pause web && pydock unpause web", ""),),
    "port": (("pydock port web 80", "0.0.0.0:8080"),),
    "ps": (
        ("pydock ps -a --filter status=exited", "those that have ended"),
        ("pydock ps -a --filter label=role=db --format '{{.Names}}'", "names by label"),
        ("pydock ps --json", "a JSON object a line"),
        ("pydock rm $(pydock ps -aq --filter status=exited)", "clear up"),
    ),
    "pull": (
        ("pydock pull alpine:3.20", ""),
        ("pydock pull --platform linux/arm64 alpine", "for another processor"),
        ("pydock pull registry.lab:5000/team/app@sha256:…", "exactly that content"),
    ),
    "push": (
        (
            "pydock tag app registry.lab:5000/team/app && pydock push registry.lab:5000/team/app",
            "to a registry of one's own",
        ),
    ),
    "restart": (("pydock restart -t 30 db", "with half a minute to end in"),),
    "rm": (
        ("pydock rm -f web", "also when it runs"),
        ("pydock rm -v job", "with its anonymous volumes"),
    ),
    "rmi": (("pydock rmi alpine:3.19 alpine:3.18", ""),),
    "run": (
        ("pydock run --rm -it toolbox sh", "a shell in a new container that is gone afterwards"),
        ("pydock run -d --name web -p 8080:80 nginx", "a server in the background, its port 80 as 8080 here"),
        ("pydock run --rm -m 64m -v .:/src -w /src toolbox make", "a build in this folder, with a limit"),
        ("pydock run --rm --network none -i toolbox sort < names", "a filter in a container of its own"),
        (
            "pydock run -d --restart unless-stopped --name db -v data:/var/lib/db db",
            "a service with its data in a volume",
        ),
        ("pydock run --rm --timing toolbox true", "where the time of a start goes"),
    ),
    "save": (("pydock save -o images.tar app:1 app:2", "several in one file"),),
    "serve": (
        ("pydock serve --group pydock", "for the members of a group"),
        ("DOCKER_HOST=unix:///run/pydock/pydock.sock docker ps", "docker's client on it"),
    ),
    "start": (("pydock start -ai job", "with its terminal"),),
    "stats": (
        ("pydock stats web db", "live"),
        ("pydock stats --no-stream --json", "once, for scripts"),
    ),
    "stop": (("pydock stop $(pydock ps -q)", "all that run"),),
    "system df": (("pydock system df -v", "each image, container and volume"),),
    "system prune": (("pydock system prune -af --volumes", "all that is not in use, without asking"),),
    "tag": (("pydock tag app registry.lab:5000/team/app:1.2", ""),),
    "top": (("pydock top web -o pid,ppid,rss,args", "columns of one's own"),),
    "update": (("pydock update -m 512m --cpus 1.5 web", ""),),
    "version": (("pydock version -f '{{.Server.Version}}'", ""),),
    "volume create": (("pydock volume create --label app=shop data", ""),),
    "volume ls": (("pydock volume ls -q --filter dangling=true", "those that no container mounts"),),
    "volume rm": (("pydock volume rm data", ""),),
    "wait": (("pydock wait job && echo done", ""),),
}

EXIT_CODES: dict[str, tuple[tuple[str, str], ...]] = {
    "attach": RUN_CODES[:1],
    "check": (("0", "containers can run"), ("1", "something is missing that nothing works without")),
    "exec": EXEC_CODES,
    "inspect": (("1", "something was not found; the others are shown"),),
    "run": RUN_CODES,
    "start": (("0", "all were started"), ("1", "some were not"), ("N", "with -a: the exit code of its program")),
}

SEE_ALSO: dict[str, tuple[str, ...]] = {
    "attach": ("exec", "logs"),
    "commit": ("diff", "export", "images"),
    "cp": ("diff", "export"),
    "create": ("run", "start"),
    "diff": ("commit", "cp"),
    "export": ("import", "cp", "save"),
    "import": ("export", "load"),
    "load": ("save", "import"),
    "login": ("logout", "push", "pull"),
    "logout": ("login",),
    "push": ("login", "tag"),
    "save": ("load", "export"),
    "volume prune": ("system df", "volume rm"),
    "exec": ("attach", "run"),
    "explain": ("logs", "inspect", "events"),
    "inspect": ("explain", "ps"),
    "logs": ("attach", "explain", "events"),
    "network create": ("network connect", "run"),
    "ps": ("inspect", "stats", "explain"),
    "pull": ("images", "run"),
    "rm": ("container prune", "stop"),
    "rmi": ("image prune", "images"),
    "run": ("create", "exec", "explain", "logs"),
    "start": ("stop", "attach"),
    "stats": ("top", "update"),
    "stop": ("kill", "start", "explain"),
    "system df": ("system prune",),
    "system prune": ("system df", "container prune", "image prune"),
}
