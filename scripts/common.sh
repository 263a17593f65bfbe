# shellcheck shell=bash
# For the other scripts to read, from the root of the tree: `. scripts/common.sh`.

# Programs of the administrator, which a person's PATH on Debian does not have.
PATH=$PATH:/usr/sbin:/sbin

# as_root COMMAND...: by sudo for everybody else.
as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "${0##*/}: this needs root: run it as root, or install sudo and let $(id -un) use it" >&2
        return 1
    fi
}
