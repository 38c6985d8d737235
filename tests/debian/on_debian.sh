#!/usr/bin/env bash
# The two commands of the README on a fresh Debian of another release:  ./run on_debian 13
#
#     on_debian.sh 12|13|testing [COMMAND...]     COMMAND is one of ./run's; without one: demo, then test
#
# debootstrap makes the system, in build/debian/RELEASE, from the mirror and with the settings that apt uses here. What
# the commands install and build there stays, so the second time is quick; ./run clean makes an end of it. The system
# is entered in namespaces of its own (unshare(1)): nothing stays mounted, and nobody is left running.
# Exit code 77: this machine does not allow it, in one line that says why.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."

release=$1
commands=("${@:2}")
case $release in
12) suite=bookworm ;;
13) suite=trixie ;;
testing) suite=testing ;;
esac
system=$PWD/build/debian/$release
log=$PWD/build/debian/$release.log
home=/root # 0700, as on any Debian
# Some do call a folder so. (With a ' it would do, too, and Ninja would build everything anew each time: see ./run.)
folder="the reader 子进程"

skip() {
    printf 'skipped: %s\n' "$1"
    exit 77
}

# ---------------------------------------------------------------- is it allowed?

if ((EUID)); then skip "making a Debian $release needs root: sudo ./run on_debian $*"; fi
mkdir -p build/debian
probe=$(mktemp -d build/debian/probe.XXXXXX)
trap 'rm -rf "$probe"' EXIT
if ! unshare --mount --pid --fork --kill-child mount -t tmpfs none "$probe" 2>/dev/null; then
    skip "this machine does not allow namespaces and mounts of one's own (unshare --mount --pid)"
fi
if ! { mknod "$probe/null" c 1 3 && : <"$probe/null"; } 2>/dev/null; then
    skip "device files cannot be made and used here, in build/ (mknod, nodev)"
fi

# ---------------------------------------------------------------- the system

# Where this machine's own apt gets Debian from; nothing where it is no Debian, and debootstrap then knows one itself.
mirror() {
    # shellcheck disable=SC2016 # expanded by apt-get
    apt-get indextargets --format '$(ORIGIN) $(LABEL) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk '$1 == "Debian" && $2 == "Debian" && $3 == "main" && !found { print $4; found = 1 }'
}

bootstrap() {
    local from address
    from=$(mirror)
    eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
    export http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}"
    rm -rf "$system.new"
    mkdir "$system.new"
    printf 'Making a Debian %s (%s) ...' "$release" "$suite"
    # With git, as whoever has cloned has it. In /mnt of its own namespace: debootstrap does not know folders with a space in their name.
    # shellcheck disable=SC2016 # expanded there
    if ! unshare --mount sh -c 'mount --bind "$1" /mnt && shift && exec "$@"' - "$system.new" \
        debootstrap --variant=minbase --include=git "$suite" /mnt ${from:+"$from"} >"$log" 2>&1; then
        printf ' failed: %s\n  all it said: %s\n' "$(grep '^[EW]: ' "$log" | tail -n 1)" "$log"
        exit 3
    fi
    # What an installer would add: names for the loopback addresses, and how apt reaches its mirror.
    for address in 127.0.0.1 ::1; do printf '%s\tlocalhost\n' "$address"; done >"$system.new/etc/hosts"
    apt-config dump | grep -E '^Acquire::(http|https|Retries|ForceIPv4|Check-Valid-Until)\b' >"$system.new/etc/apt/apt.conf.d/90host" || true
    if [[ -e /etc/ssl/certs/ca-certificates.crt ]]; then
        mkdir -p "$system.new/etc/ssl/certs"
        cp -L /etc/ssl/certs/ca-certificates.crt "$system.new/etc/ssl/certs"
    fi
    echo force-unsafe-io >"$system.new/etc/dpkg/dpkg.cfg.d/90host" # a power cut costs a debootstrap, no data
    mv "$system.new" "$system"
    printf ' %s s\n' "$SECONDS"
}

# This tree as it is now, without what was built here; what was built there stays.
copy_tree() {
    local there=$system$home/$folder
    mkdir -p "$there"
    find "$there" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
    tar -c --exclude=./build --exclude=./.git . | tar -x --no-same-owner -C "$there"
}

# ---------------------------------------------------------------- in it

# A process of its own PID namespace: with its end the kernel ends whatever is left there.
enter() { # COMMAND...
    cp -L /etc/resolv.conf "$system/etc/resolv.conf" 2>/dev/null || true # where there is none, names need none
    # It ends with this script, however that ends, and with it everything in its namespaces.
    # shellcheck disable=SC2016 # expanded there
    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child bash -ec '
        cd "$1"
        mount -t proc proc proc
        mount -t sysfs -o ro sysfs sys
        mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
        mount --bind dev/pts/ptmx dev/ptmx
        mount -t tmpfs tmpfs dev/shm
        chroot . "${@:2}"
        exit' - "$system" \
        /usr/bin/env -i HOME="$home" USER=root TERM="${TERM:-dumb}" CI=true ${CXXFLAGS:+CXXFLAGS="$CXXFLAGS"} \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        /bin/bash -c 'cd ~/"$1" && shift && exec "$@"' - "$folder" "$@"
}

if [[ ! -e $system ]]; then bootstrap; fi
copy_tree
run_there() {
    printf '\nDebian %s # ./run %s\n' "$release" "$*"
    enter ./run "$@" || {
        printf '\nOn Debian %s, ./run %s has ended with exit code %s.\n' "$release" "$*" "$?" >&2
        exit 1
    }
}
if ((${#commands[@]})); then
    run_there "${commands[@]}"
else
    run_there demo
    run_there test
fi
printf '\nAs it should be on Debian %s.\n' "$(cat "$system/etc/debian_version")"
