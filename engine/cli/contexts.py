"""`pydock context …`: name other engines, choose one, look at what is known."""

from __future__ import annotations

import json
import os
import sys

from ..errors import Conflict, EngineError, InvalidRequest
from . import context_store
from .border import refusal
from .context_store import DEFAULT, EngineContext
from .errors import UsageError
from .listing import print_rows
from .options import Command, flag, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed

COLUMNS = (
    ("NAME", "Name"),
    ("DESCRIPTION", "Description"),
    ("ENDPOINT", "DockerEndpoint"),
    ("SOURCE", "Source"),
    ("ERROR", "Error"),
)
HEADINGS = {**{field: title for title, field in COLUMNS}, "Current": "CURRENT"}
HERE = "this machine"
_IMPORT_LIMIT = 10 << 20


def current_name(context: Context) -> tuple[str, str]:
    """The context in use, and what decides it beside `context use`; "" when nothing does."""
    asked = context.asked
    if asked and asked.context:
        return asked.context, "--context"
    for name in ("PYDOCK_HOST", "DOCKER_HOST"):
        if (asked and asked.host) or os.environ.get(name):
            return "", "--host" if asked and asked.host else name
        if name == "PYDOCK_HOST" and os.environ.get("PYDOCK_CONTEXT"):
            return os.environ["PYDOCK_CONTEXT"], "PYDOCK_CONTEXT"
    return context_store.current(), ""


def _list(context: Context, options: Parsed) -> int:
    name, decider = current_name(context)
    rows: list[dict[str, object]] = []
    for known in context_store.every():
        marked = known.name == name
        rows.append(
            {
                "Name": known.name + (" *" if marked and not options.text("format") else ""),
                "Current": marked,
                "Description": known.description,
                "DockerEndpoint": known.host or HERE,
                "Source": known.source,
                "Error": "",
            }
        )
    if options.flag("quiet"):
        rows = [{**row, "Name": str(row["Name"]).removesuffix(" *")} for row in rows]
    print_rows(
        rows,
        COLUMNS[:-1],
        HEADINGS,
        format=options.text("format"),
        quiet="Name" if options.flag("quiet") else "",
        drop=("SOURCE", "DESCRIPTION"),
    )
    if decider and not options.flag("quiet") and not options.text("format"):
        sys.stderr.write(f"The engine is chosen by {decider}, which outranks the context in use.\n")
    return 0


def _show(context: Context, options: Parsed) -> int:
    name, _decider = current_name(context)
    print(name or DEFAULT)
    return 0


def _create(context: Context, options: Parsed) -> int:
    name = options.arguments[0]
    _check_name(name)
    if any(known.name == name and known.source == "pydock" for known in context_store.every()):
        raise Conflict(f'context "{name}" already exists', hint=f"pydock context rm {name}, or pydock context update.")
    source = context_store.find(options.text("from")) if options.text("from") else EngineContext(name=name)
    context_store.save(_changed(source.replace(name=name, source="pydock"), options))
    print(name)
    sys.stderr.write(f'Successfully created context "{name}"\n')
    return 0


def _update(context: Context, options: Parsed) -> int:
    known = _ours(options.arguments[0])
    context_store.save(_changed(known, options))
    print(known.name)
    sys.stderr.write(f'Successfully updated context "{known.name}"\n')
    return 0


def _use(context: Context, options: Parsed) -> int:
    known = context_store.find(options.arguments[0])
    context_store.use(known.name)
    print(known.name)
    _name, decider = current_name(context)
    if decider:
        sys.stderr.write(f"Warning: {decider} outranks the context in use; unset it to use {known.name!r}.\n")
    else:
        sys.stderr.write(f'Current context is now "{known.name}"\n')
    return 0


def _remove(context: Context, options: Parsed) -> int:
    failed = False
    for name in options.arguments:
        try:
            known = _ours(name)
            if known.name == context_store.current() and not options.flag("force"):
                raise Conflict(f'context "{name}" is in use', hint="Use another one first, or remove it with --force.")
            context_store.remove(name)
            print(name, flush=True)
        except EngineError as error:
            failed = True
            sys.stderr.write(refusal(error) + "\n")
    return 1 if failed else 0


def _inspect(context: Context, options: Parsed) -> int:
    names = options.arguments or [current_name(context)[0] or DEFAULT]
    documents = [_document(context_store.find(name)) for name in names]
    format = options.text("format")
    if format and format != "json":
        from .template import Template

        template = Template(format)
        print("\n".join(template.render(document) for document in documents))
    else:
        print(json.dumps(documents, indent=None if format else 4))
    return 0


def _export(context: Context, options: Parsed) -> int:
    """A tar of meta.json and the certificates, as docker's client writes and reads it."""
    import tarfile
    from io import BytesIO

    known = context_store.find(options.arguments[0])
    place = options.arguments[1] if len(options.arguments) > 1 else f"{known.name}.dockercontext"
    meta = {
        "Name": known.name,
        "Metadata": {"Description": known.description} if known.description else {},
        "Endpoints": {"docker": {"Host": known.host, "SkipTLSVerify": not known.verify}},
    }
    files = {"meta.json": json.dumps(meta).encode()}
    for name, path in (("ca", known.ca), ("cert", known.certificate), ("key", known.key)):
        if path:
            with open(path, "rb") as file:
                files[f"tls/docker/{name}.pem"] = file.read()
    archive = BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            tar.addfile(entry, BytesIO(content))
    if place == "-":
        sys.stdout.buffer.write(archive.getvalue())
        return 0
    with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(archive.getvalue())
    sys.stderr.write(f'Written file "{place}"\n')
    return 0


def _import(context: Context, options: Parsed) -> int:
    """What `context export` wrote, docker's or ours; its certificates are kept beside our list of contexts."""
    import tarfile
    from io import BytesIO

    name, place = options.arguments
    _check_name(name)
    if any(known.name == name and known.source == "pydock" for known in context_store.every()):
        raise Conflict(f'context "{name}" already exists', hint=f"pydock context rm {name} first.")
    if place == "-":
        data = sys.stdin.buffer.read(_IMPORT_LIMIT + 1)
    else:
        with open(place, "rb") as file:
            data = file.read(_IMPORT_LIMIT + 1)
    wanted = ("meta.json", "tls/docker/ca.pem", "tls/docker/cert.pem", "tls/docker/key.pem")
    try:
        with tarfile.open(fileobj=BytesIO(data[:_IMPORT_LIMIT])) as tar:
            found = {entry.name: tar.extractfile(entry) for entry in tar if entry.isfile() and entry.name in wanted}
            contents = {path: file.read() for path, file in found.items() if file is not None}
        meta = json.loads(contents["meta.json"])
        endpoint = meta["Endpoints"]["docker"]
        host, skip = str(endpoint["Host"]), bool(endpoint.get("SkipTLSVerify"))
    except (tarfile.TarError, KeyError, ValueError, TypeError) as error:
        raise InvalidRequest(f"{place} is no exported context: {error}") from None
    files = context_store.keep_files(
        name, {path.rpartition("/")[2]: content for path, content in contents.items() if path != "meta.json"}
    )
    context_store.save(
        EngineContext(
            name=name,
            host=host,
            description=str((meta.get("Metadata") or {}).get("Description") or ""),
            ca=files.get("ca.pem", ""),
            certificate=files.get("cert.pem", ""),
            key=files.get("key.pem", ""),
            tls=bool(files),
            verify=not skip,
        )
    )
    print(name)
    sys.stderr.write(f'Successfully imported context "{name}"\n')
    return 0


def _document(known: EngineContext) -> dict[str, object]:
    """docker's shape."""
    return {
        "Name": known.name,
        "Metadata": {"Description": known.description} if known.description else {},
        "Endpoints": {"docker": {"Host": known.host, "SkipTLSVerify": not known.verify}},
        "TLSMaterial": {"docker": [name for name in (known.ca, known.certificate, known.key) if name]},
        "Storage": {"MetadataPath": context_store.path(), "Source": known.source},
    }


def _ours(name: str) -> EngineContext:
    known = context_store.find(name)
    if known.name == DEFAULT:
        raise Conflict('context "default" is always there: it is the engine of this machine')
    if known.source != "pydock":
        raise Conflict(
            f'context "{name}" is docker\'s', hint=f"Change it with docker context: docker context rm {name}"
        )
    return known


def _check_name(name: str) -> None:
    import re

    if name == DEFAULT:
        raise Conflict('context "default" is always there: it is the engine of this machine')
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]*", name):
        raise InvalidRequest(f'invalid context name "{name}": only [a-zA-Z0-9][a-zA-Z0-9_.+-]* is allowed')


def _changed(known: EngineContext, options: Parsed) -> EngineContext:
    """With what the options say; raises `UsageError` for an address nobody could connect to."""
    from ..remote.target import parse_target

    changes: dict[str, object] = {}
    if options.given("description"):
        changes["description"] = options.text("description")
    if options.given("docker"):
        fields = _pairs(options.text("docker"))
        if "host" in fields:
            changes["host"] = parse_target(fields["host"]).text
        for key, field in (("ca", "ca"), ("cert", "certificate"), ("key", "key")):
            if key in fields:
                changes[field] = os.path.abspath(os.path.expanduser(fields[key]))
                changes["tls"] = True
        if "skip-tls-verify" in fields:
            changes["verify"] = fields["skip-tls-verify"].lower() not in ("true", "1", "t")
            changes["tls"] = True
    known = known.replace(**changes)
    if not known.host:
        raise UsageError(
            "a context needs the address of an engine: --docker host=ADDRESS", options.command.name, exit_code=1
        )
    return known


def _pairs(text: str) -> dict[str, str]:
    known = ("host", "ca", "cert", "key", "skip-tls-verify")
    found = {}
    for pair in text.split(","):
        key, equals, value = pair.partition("=")
        if not equals or key not in known:
            raise UsageError(
                f'invalid argument "{text}" for "--docker" flag: written as KEY=VALUE,… with {", ".join(known)}',
                exit_code=1,
            )
        found[key] = value
    return found


_DESCRIBED = (
    text("--description", "TEXT", "What it is, for people"),
    text("--docker", "KEY=VALUE,…", "The engine: host=ADDRESS[,ca=FILE,cert=FILE,key=FILE][,skip-tls-verify=true]"),
)
_ABOUT = """A context is the address of another engine under a name of its own: pydock, Docker or Podman, reached
through unix:///PATH or tcp://HOST:PORT. "pydock context use NAME" sends all further commands there, --context NAME one.
The contexts of docker's own client are listed too and can be used; docker's choice among them is not followed."""

COMMANDS = {
    "context create": Command(
        "context create",
        "NAME",
        "Create a context: another engine under a name",
        _create,
        (*_DESCRIBED, text("--from", "NAME", "Begin with what this context has")),
        minimum=1,
        maximum=1,
        description=f"""{_ABOUT}

Examples:
  pydock context create lab --docker host=tcp://lab:2376,ca=ca.pem,cert=cert.pem,key=key.pem
  pydock context create docker --docker host=unix:///run/docker.sock
  pydock --context docker ps""",
    ),
    "context update": Command("context update", "NAME", "Change a context", _update, _DESCRIBED, minimum=1, maximum=1),
    "context ls": Command(
        "context ls",
        "",
        "List contexts",
        _list,
        (
            text("--format", "FORMAT", "table, json, 'table TEMPLATE' or a Go template"),
            flag("-q, --quiet", "Only show context names"),
        ),
        maximum=0,
        aliases=("context list",),
        description=_ABOUT,
    ),
    "context show": Command("context show", "", "Print the name of the current context", _show, maximum=0),
    "context use": Command("context use", "CONTEXT", "Set the current context", _use, minimum=1, maximum=1),
    "context rm": Command(
        "context rm",
        "CONTEXT [CONTEXT...]",
        "Remove one or more contexts",
        _remove,
        (flag("-f, --force", "Also remove the one in use"),),
        minimum=1,
        aliases=("context remove",),
    ),
    "context export": Command(
        "context export",
        "CONTEXT [FILE|-]",
        "Export a context to a tar archive FILE or a tar stream on STDOUT",
        _export,
        minimum=1,
        maximum=2,
    ),
    "context import": Command(
        "context import",
        "CONTEXT FILE|-",
        "Import a context from a tar archive, of pydock or docker",
        _import,
        minimum=2,
        maximum=2,
    ),
    "context inspect": Command(
        "context inspect",
        "[CONTEXT...]",
        "Display detailed information on one or more contexts",
        _inspect,
        (text("-f, --format", "FORMAT", "json or a Go template"),),
    ),
}
