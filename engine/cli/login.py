"""`pydock login` and `logout`: an account at a registry, kept where docker keeps it."""

from __future__ import annotations

import sys

from ..errors import RegistryError, Unauthorized
from .errors import UsageError
from .options import Command, flag, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed


def _login(_context: Context, options: Parsed) -> int:
    from ..images.auth import Credentials, config_path, find_credentials
    from ..images.distribution import check_login
    from ..images.login import keep, server_domain

    server = options.arguments[0] if options.arguments else ""
    domain = server_domain(server)
    user, password = options.text("username"), _given_password(options)
    credentials = Credentials(user, password)
    if not user and not password:
        known = find_credentials(domain)
        if known:
            print("Authenticating with existing credentials...")
            try:
                check_login(domain, known)
            except Unauthorized:
                print("Existing credentials are not taken any more.")
            else:
                print("Login Succeeded")
                return 0
    if not user:
        user = _ask("Username: ")
    if not password:
        password = _ask_secretly("Password: ")
    if not user or not password:
        raise UsageError("username and password must be given", exit_code=1)
    credentials = Credentials(user, password)
    try:
        check_login(domain, credentials)
    except Unauthorized as error:
        raise RegistryError(f"{error.message}", hint="Check user name and password.") from None
    place = keep(server, credentials)
    if place == config_path():
        sys.stderr.write(f"WARNING! Your credentials are stored unencrypted in '{place}'.\n")
    print("Login Succeeded")
    return 0


def _logout(_context: Context, options: Parsed) -> int:
    from ..images.login import forget, server_domain

    server = options.arguments[0] if options.arguments else ""
    domain = server_domain(server)
    shown = "https://index.docker.io/v1/" if domain == "docker.io" else domain
    if not forget(server):
        print(f"Not logged in to {shown}")
        return 0
    print(f"Removing login credentials for {shown}")
    return 0


def _given_password(options: Parsed) -> str:
    if options.flag("password-stdin"):
        if options.text("password"):
            raise UsageError("--password and --password-stdin are mutually exclusive", exit_code=1)
        if not options.text("username"):
            raise UsageError("must provide --username with --password-stdin", exit_code=1)
        return sys.stdin.readline().rstrip("\r\n")
    if options.text("password"):
        sys.stderr.write("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n")
    return options.text("password")


def _ask(prompt: str) -> str:
    if not sys.stdin.isatty():
        raise UsageError("cannot ask for a user name: standard input is no terminal; use --username", exit_code=1)
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _ask_secretly(prompt: str) -> str:
    if not sys.stdin.isatty():
        raise UsageError("cannot ask for a password: standard input is no terminal; use --password-stdin", exit_code=1)
    import getpass

    return getpass.getpass(prompt)


COMMANDS = {
    "login": Command(
        "login",
        "[SERVER]",
        "Authenticate to a registry",
        _login,
        (
            text("-u, --username", "USER", "Username"),
            text("-p, --password", "PASSWORD", "Password or Personal Access Token (PAT)"),
            flag("--password-stdin", "Take the Password or Personal Access Token (PAT) from stdin"),
        ),
        maximum=1,
        description="The account is kept in ~/.docker/config.json (DOCKER_CONFIG), or by the credential helper that it "
        "names; docker and pydock share it.",
    ),
    "logout": Command("logout", "[SERVER]", "Log out from a registry", _logout, maximum=1),
}
