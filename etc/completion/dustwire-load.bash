# bash completion for dustwire-load: cases and options from its help; file names for path options.
_dustwire_load()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} help

    case $before in
    --socket | --inbox | --json)
        compopt -o filenames
        COMPREPLY=($(compgen -f -- "$word"))
        return
        ;;
    esac
    help=$("${COMP_WORDS[0]}" --help 2>/dev/null)
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$(grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+' <<<"$help" | grep -oE -e '--[a-z-]+')" -- "$word"))
    elif ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W "$(sed -n '/^Cases:/,/^$/s/^  \([a-z]*\) .*/\1/p' <<<"$help")" -- "$word"))
    fi
}
complete -F _dustwire_load dustwire-load
