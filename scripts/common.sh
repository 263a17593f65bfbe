# shellcheck shell=bash
# Sourced by the other scripts, from the root of the tree: `. scripts/common.sh`.

# System administration programs are not in the PATH of normal users on Debian.
PATH=$PATH:/usr/sbin:/sbin

# as_root COMMAND...: runs it as root, by sudo if needed.
as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "${0##*/}: root is required: run it as root, or install sudo and permit $(id -un) to use it" >&2
        return 1
    fi
}
