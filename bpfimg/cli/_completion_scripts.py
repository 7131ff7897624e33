"""What a shell is told so that it asks `bpfimg complete`: as little as possible, all else is decided there.

They run `bpfimg` as PATH has it, whatever was typed: TAB behind `./bpfimg` in somebody's folder runs nothing of theirs.
"""

from __future__ import annotations

__all__ = ["SCRIPTS"]

_BASH = r"""# bash completion for bpfimg, made by `bpfimg completion bash`
_bpfimg()
{
    # what is final ends with a blank of its own
    mapfile -t COMPREPLY < <(
        command bpfimg complete bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" </dev/null 2>/dev/null
    )
}
complete -o nospace -F _bpfimg bpfimg
"""

_ZSH = r"""#compdef bpfimg
# zsh completion for bpfimg, made by `bpfimg completion zsh`
_bpfimg() {
    local line value
    local -a final final_shown more more_shown
    local -a typed=( "${(@)words[2,CURRENT-1]}" )
    (( CURRENT > 2 )) || typed=()
    while IFS= read -r line; do
        value=${line%%$'\t'*}
        line=${line/$'\t'/  -- }
        case $value in
            *[/=:,]) more+=("$value") more_shown+=("$line") ;;
            *) final+=("$value") final_shown+=("$line") ;;
        esac
    done < <(command bpfimg complete zsh "${(@Q)typed}" "${(Q)PREFIX}" </dev/null 2>/dev/null)
    local -i known=1
    (( $#final )) && compadd -l -d final_shown -a final && known=0
    (( $#more )) && compadd -S '' -l -d more_shown -a more && known=0
    return known
}
if [[ $funcstack[1] == _bpfimg ]]; then
    _bpfimg "$@"
else
    compdef _bpfimg bpfimg
fi
"""

_FISH = r"""# fish completion for bpfimg, made by `bpfimg completion fish`
function __bpfimg_complete
    set -l typed (commandline -opc)
    set -l last (commandline -ct)
    command bpfimg complete fish $typed[2..-1] "$last" </dev/null 2>/dev/null
end
complete -c bpfimg -f -a '(__bpfimg_complete)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
