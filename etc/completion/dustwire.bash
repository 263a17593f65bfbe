# bash completion for dustwire: commands and options from its help; transfers, hosts and settings from
# the daemon, if it answers within 1 s; files for send.

# Prints column $1 of the table of command $2..., through the socket or URL of this command line.
_dustwire_column()
{
    local column=$1
    shift
    "${asked[@]}" --timeout 1 "$@" 2>/dev/null |
        awk -v column="$column" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) at = i; next } at { print $at }'
}

# Bash breaks words at colons, which contacts contain: match the whole typed word, and strip from each
# candidate what precedes the last colon typed.
_dustwire_hosts()
{
    local typed=$word line=${COMP_LINE:0:${COMP_POINT:-0}} host done=
    if [[ $COMP_WORDBREAKS == *:* && -n $line ]]; then
        typed=${line##*[[:space:]]}
        done=${typed%"${typed##*:}"}
    fi
    while read -r host; do
        [[ $host == "$typed"* ]] && COMPREPLY+=("${host#"$done"}")
    done < <(_dustwire_column HOST sessions | sort -u)
}

_dustwire()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= i=1
    local commands options listed= asked=("${COMP_WORDS[0]}")

    COMPREPLY=()
    if [[ $before == --socket || $before == --token-file ]]; then
        compopt -o filenames
        COMPREPLY=($(compgen -f -- "$word"))
        return
    fi
    if [[ $before == --on ]]; then
        options=$("${COMP_WORDS[0]}" help events 2>/dev/null | sed -n '/^ *--on /,/^ *--exec /p' | grep -oE '[a-z-]+[,;]|failed$' | tr -d ',;')
        [[ $word == *,* ]] && listed=${word%,*},
        COMPREPLY=($(compgen -P "$listed" -W "$options" -- "${word##*,}"))
        return
    fi
    while ((i < COMP_CWORD)); do
        case ${COMP_WORDS[i]} in
        --socket | --token-file) asked+=("${COMP_WORDS[i]}" "${COMP_WORDS[i+1]}"); ((i++)) ;;
        --url) # http : //HOST : PORT, where bash breaks at colons
            listed=
            while ((++i < COMP_CWORD)); do
                listed+=${COMP_WORDS[i]}
                [[ ${COMP_WORDS[i+1]} == :* || ${COMP_WORDS[i]} == *: ]] || break
            done
            asked+=(--url "$listed")
            listed=
            ;;
        --timeout) ((i++)) ;;
        -*) ;;
        *) command=${COMP_WORDS[i]}; break ;;
        esac
        ((i++))
    done
    if [[ $before == --exec ]]; then
        COMPREPLY=($(compgen -c -- "$word"))
        return
    fi
    case $before in
    --since) COMPREPLY=($(compgen -W '15m 1h 1d 7d' -- "$word")); return ;;
    --url | --timeout | --count | --after | --jobs | --idurl | --description) return ;;
    esac
    if [[ $word == -* ]]; then
        if [[ -n $command ]]; then
            options=$("${COMP_WORDS[0]}" help "$command" 2>/dev/null | grep -oE '^ +(-[a-z], )?--[a-z-]+' | grep -oE -e '--[a-z-]+')
        fi
        COMPREPLY=($(compgen -W "$options --socket --url --token-file --json --timeout --help $([[ -z $command ]] && echo --version)" -- "$word"))
        return
    fi
    commands=$("${COMP_WORDS[0]}" help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
    case $command in
    '' | help) COMPREPLY=($(compgen -W "$commands" -- "$word")) ;;
    send)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ((i + 1 < COMP_CWORD)) && _dustwire_hosts
        ;;
    connect | disconnect | keep-alive) _dustwire_hosts ;;
    cancel) COMPREPLY=($(compgen -W "$(_dustwire_column TRANSFER streams)" -- "$word")) ;;
    get | set | unset)
        if ((i + 1 == COMP_CWORD)); then
            options=$(_dustwire_column NAME get)
            COMPREPLY=($(compgen -W "${options:-enabled receiving-enabled sending-enabled priority tcp-port}" -- "$word"))
        elif [[ $command == set && $before == *enabled ]]; then
            COMPREPLY=($(compgen -W 'true false' -- "$word"))
        fi
        ;;
    automata) COMPREPLY=($(compgen -W 'tcp_connection network_transport network_connector' -- "$word")) ;;
    esac
}
complete -F _dustwire dustwire
