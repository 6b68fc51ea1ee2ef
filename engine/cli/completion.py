"""`pydock completion SHELL`: the script that makes a shell complete pydock's commands, flags and names.

The scripts know nothing: at each tab they ask `pydock __complete` (`complete.py`), so that they never grow old.
"""

from __future__ import annotations

import sys

from .errors import UsageError
from .options import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed

BASH = r"""# bash completion of pydock; load it with: source <(pydock completion bash)
_pydock() {
    local line first
    local -a lines
    COMPREPLY=()
    mapfile -t lines < <("${COMP_WORDS[0]}" __complete bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
    for line in "${lines[@]}"; do
        case $line in
            :files) compopt -o default; return ;;
            :nospace) compopt -o nospace ;;
            *) first=${line%%$'\t'*}; COMPREPLY+=("$first") ;;
        esac
    done
}
complete -F _pydock pydock
"""

ZSH = r"""#compdef pydock
# zsh completion of pydock; load it with: source <(pydock completion zsh)
# or keep it as _pydock in a folder of $fpath
_pydock() {
    local line name
    local -a lines candidates space
    lines=("${(@f)$("${words[1]}" __complete zsh -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    for line in "${lines[@]}"; do
        case $line in
            '') ;;
            :files) _files; return ;;
            :nospace) space=(-S '') ;;
            *)
                name=${line%%$'\t'*}
                name=${name//:/\\:}
                if [[ $line == *$'\t'* ]]; then
                    candidates+=("$name:${line#*$'\t'}")
                else
                    candidates+=("$name")
                fi
                ;;
        esac
    done
    (( ${#candidates} )) && _describe -V 'pydock' candidates "${space[@]}"
}
if [ "$funcstack[1]" = _pydock ]; then
    _pydock "$@"
else
    (( ${+functions[compdef]} )) || { autoload -Uz compinit && compinit -u }
    compdef _pydock pydock
fi
"""

FISH = r"""# fish completion of pydock; load it with: pydock completion fish | source
# or keep it as ~/.config/fish/completions/pydock.fish
function __pydock_complete
    set -l tokens (commandline -opc)
    set -l typed (commandline -ct)
    set -l program $tokens[1]
    set -e tokens[1]
    set -l lines ($program __complete fish -- $tokens "$typed" 2>/dev/null)
    for line in $lines
        switch $line
            case ':files'
                __fish_complete_path "$typed"
                return
            case ':nospace'
            case '*'
                echo $line
        end
    end
end
complete -c pydock -f -k -a '(__pydock_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def completion(context: Context, options: Parsed) -> int:
    shell = options.arguments[0]
    if shell not in SCRIPTS:
        from .suggest import closest

        raise UsageError(
            f"no completion for {shell!r}: there is one for {', '.join(SCRIPTS)}",
            suggestion=closest(shell, SCRIPTS),
            exit_code=1,
        )
    sys.stdout.write(SCRIPTS[shell])
    return 0


COMMANDS = {
    "completion": Command(
        "completion",
        "SHELL",
        "Print the completion script for bash, zsh or fish",
        completion,
        minimum=1,
        maximum=1,
        description="""Commands, flags, their values, and the names of containers, images, networks and volumes.

For this shell:
  source <(pydock completion bash)
  source <(pydock completion zsh)
  pydock completion fish | source

For all further ones:
  pydock completion bash > /etc/bash_completion.d/pydock
  pydock completion zsh > "${fpath[1]}/_pydock"
  pydock completion fish > ~/.config/fish/completions/pydock.fish""",
    )
}
