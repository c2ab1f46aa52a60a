# Completion of sluice for bash (with bash-completion): commands, options, files, and what the running daemon has.

# route | pool | variant ROUTE | endpoint POOL: names from the daemon that the line means; none when it does not answer.
_sluice_names() {
    local i daemon=()
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
        --admin | --token-file | --ca | --certificate) daemon+=("${words[i]}=${words[i + 1]}") ;;
        --admin=* | --token-file=* | --ca=* | --certificate=*) daemon+=("${words[i]}") ;;
        esac
    done
    timeout 1 "${words[0]}" status --json "${daemon[@]}" 2>/dev/null </dev/null | tr '{' '\n' |
        awk -F '"' -v kind="$1" -v of="${2-}" '
            /^"name":"[^"]*","salt":/ { route = $4; if (kind == "route") print route }
            /^"name":"[^"]*","version":/ { if (kind == "variant" && route == of) print $4 }
            /^"name":"[^"]*","balance":/ { pool = $4; if (kind == "pool") print pool }
            /^"url":"[^"]*","state":/ { if (kind == "endpoint" && pool == of) print $4 }'
}

_sluice_options() {
    local client="--json --admin --token-file --ca --certificate"
    case $1 in
    run) echo "--config --check" ;;
    demo) echo "--port --admin-port --bind --duration --rate --users --fail --step --once --plain" ;;
    simulate) echo "--port --bind --name --model --latency --jitter --token-delay --tokens --error-rate --log" ;;
    status) echo "$client --once --fleet" ;;
    assign) echo "$client --config" ;;
    reference) echo "--json-schema --man" ;;
    version) echo "--json" ;;
    help) echo "--man" ;;
    '') echo "--version" ;;
    watch) echo "$client --exit-status" ;;
    promote) echo "$client --full --reason" ;;
    pause | resume | rollback | retry) echo "$client --reason" ;;
    explain) echo "$client --last" ;;
    plan) echo "$client --rps" ;;
    weight | drain | undrain | reload | report) echo "$client" ;;
    esac
}

# Sets `command` and `plain`, the words behind it that are no options, up to the cursor.
_sluice_split() {
    local i
    command='' plain=()
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
        --config | -c | --admin | --token-file | --ca | --certificate | --reason | --last | --rps) ((i++)) ;;
        -*) ;;
        *) if [[ $command ]]; then plain+=("${words[i]}"); else command=${words[i]}; fi ;;
        esac
    done
}

_sluice() {
    local cur prev words cword command plain
    local commands="run check demo simulate status assign weight drain undrain reload reference version watch promote pause"
    commands+=" resume rollback retry explain report plan"
    _init_completion -n := || return
    _sluice_split
    case $prev in
    --config | -c | --token-file | --ca | --certificate | --log)
        _filedir
        return
        ;;
    --fail)
        COMPREPLY=($(compgen -W "errors latency cost quality" -- "$cur"))
        [[ ${COMPREPLY[*]} ]] && return
        ;;
    --admin | --reason | --last | --rps | --port | --admin-port | --bind | --duration | --rate | --users | --step | \
        --name | --model | --latency | --jitter | --token-delay | --tokens | --error-rate) return ;;
    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$(_sluice_options "$command") --help" -- "$cur"))
        return
    fi
    case $command:${#plain[@]} in
    :*) COMPREPLY=($(compgen -W "$commands help" -- "$cur")) ;;
    help:0) COMPREPLY=($(compgen -W "$commands" -- "$cur")) ;;
    check:0) _filedir ;;
    status:0 | assign:0 | weight:0 | watch:0 | promote:0 | pause:0 | resume:0 | rollback:0 | retry:0 | explain:0 | \
        report:0 | plan:0) COMPREPLY=($(compgen -W "$(_sluice_names route)" -- "$cur")) ;;
    weight:*)
        COMPREPLY=($(compgen -S = -W "$(_sluice_names variant "${plain[0]}")" -- "$cur"))
        compopt -o nospace
        ;;
    drain:0 | undrain:0) COMPREPLY=($(compgen -W "$(_sluice_names pool)" -- "$cur")) ;;
    drain:1 | undrain:1)
        COMPREPLY=($(compgen -W "$(_sluice_names endpoint "${plain[0]}")" -- "$cur"))
        __ltrim_colon_completions "$cur"
        ;;
    esac
} && complete -F _sluice sluice
