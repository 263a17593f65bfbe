# bash completion for dustwire: commands and options from its own help, files for send.
_dustwire()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= i=1
    local commands options listed=

    if [[ $before == --socket || $before == --token-file ]]; then
        compopt -o filenames
        COMPREPLY=($(compgen -f -- "$word"))
        return
    fi
    if [[ $before == --on ]]; then
        options=$("${COMP_WORDS[0]}" help events 2>/dev/null | sed -n '/--on/,/--exec/p' | grep -oE '[a-z-]+[,;]|failed$' | tr -d ',;')
        [[ $word == *,* ]] && listed=${word%,*},
        COMPREPLY=($(compgen -P "$listed" -W "$options" -- "${word##*,}"))
        return
    fi
    while ((i < COMP_CWORD)); do
        case ${COMP_WORDS[i]} in
        --socket | --url | --token-file) ((i++)) ;;
        -*) ;;
        *) command=${COMP_WORDS[i]}; break ;;
        esac
        ((i++))
    done
    if [[ $word == -* ]]; then
        if [[ -n $command ]]; then
            options=$("${COMP_WORDS[0]}" help "$command" 2>/dev/null | grep -oE '^ +(-[a-z], )?--[a-z-]+' | grep -oE -e '--[a-z-]+')
        fi
        COMPREPLY=($(compgen -W "$options --socket --url --token-file --json --help $([[ -z $command ]] && echo --version)" -- "$word"))
        return
    fi
    commands=$("${COMP_WORDS[0]}" help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
    case $command in
    '' | help) COMPREPLY=($(compgen -W "$commands" -- "$word")) ;;
    send)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ;;
    get | set | unset)
        options="enabled receiving-enabled sending-enabled priority tcp-port"
        if [[ $before == "$command" ]]; then
            COMPREPLY=($(compgen -W "$options" -- "$word"))
        elif [[ $command == set && $before == *enabled ]]; then
            COMPREPLY=($(compgen -W 'true false' -- "$word"))
        fi
        ;;
    automata) COMPREPLY=($(compgen -W 'tcp_connection network_transport network_connector' -- "$word")) ;;
    esac
}
complete -F _dustwire dustwire
