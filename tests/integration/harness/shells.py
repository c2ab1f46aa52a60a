"""What bash, zsh and fish offer at the ends of lines, by their own completion: a set of words for each."""
import os
import subprocess

from .scale import BINARY, patience

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
SCRIPTS = os.path.join(ROOT, "config", "completions")

# The command's function is looked up and called as readline does it; what it leaves is what readline would show.
BASH = """
. /usr/share/bash-completion/bash_completion
. "$1/sluice.bash"
COMP_LINE=$2 COMP_POINT=${#2} COMP_TYPE=9 COMP_KEY=9
read -ra COMP_WORDS <<<"$(sed 's/\\([=:]\\)/ \\1 /g' <<<"$2")"
[[ $2 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { :; }
entry=$(complete -p sluice)
function=${entry#*-F } function=${function%% *}
"$function" sluice "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>&1
printf '%s\\n' "${COMPREPLY[@]}"
"""
# In a terminal of zsh's own: what the completion system is given by compadd is written down.
ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -C -d ${(q)HOME}/.zcompdump; cd ${(q)PWD}; PATH=${(q)PATH}"
zpty -w shell 'compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
    local -a hits
    builtin compadd -A hits "$@"
    print -rl -- $hits >>$OFFERED
    builtin compadd "$@"
}'
zpty -w shell "OFFERED=${(q)2}"
zpty -w shell "bindkey '^I' complete-word; ready() { print -n >\$OFFERED.done }; zle -N ready; bindkey '^O' ready; print -n >\$OFFERED.on"
while [[ ! -e $2.on ]]; do sleep 0.02; done
for line in "${(@)argv[3,-1]}"; do
    : >$2
    zpty -w -n shell "$line"$'\t'$'\x0f'
    while [[ ! -e $2.done ]]; do zpty -r -t shell >/dev/null; sleep 0.02; done
    rm $2.done
    cat $2
    print -- "-- $line"
    zpty -w -n shell $'\x15'
done
zpty -d shell
"""


def _run(argv, cwd, env):
    folder = os.path.dirname(os.path.abspath(BINARY))
    environment = dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}", TERM="dumb", HOME=str(cwd), LC_ALL="C.UTF-8", **(env or {}))
    done = subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, timeout=patience(30), check=False,
                          stdin=subprocess.DEVNULL)
    return done.stdout, done.stderr


def bash(lines, cwd, env=None):
    offered = []
    for line in lines:
        out, errors = _run(["bash", "--norc", "-c", BASH, "bash", SCRIPTS, line], cwd, env)
        assert not errors, errors
        offered.append({word.strip() for word in out.split("\n") if word})
    return offered


def zsh(lines, cwd, env=None):
    path = os.path.join(cwd, "offered")
    if os.path.exists(path + ".on"):
        os.remove(path + ".on")
    out, errors = _run(["zsh", "-f", "-c", ZSH, "zsh", SCRIPTS, path, *lines], cwd, env)
    assert not errors, errors
    offered = [set()]
    for word in out.split("\n"):
        if len(offered) <= len(lines) and word == f"-- {lines[len(offered) - 1]}":
            offered.append(set())
        elif word.strip():
            offered[-1].add(word.strip())
    assert len(offered) == len(lines) + 1 and not offered[-1], out
    return offered[:-1]


def fish(lines, cwd, env=None):
    offered = []
    for line in lines:
        out, errors = _run(["fish", "--no-config", "-c", f"source {SCRIPTS}/sluice.fish; complete -C $argv[1]", line], cwd, env)
        assert not errors, errors
        offered.append({word.split("\t")[0] for word in out.split("\n") if word})
    return offered


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}
