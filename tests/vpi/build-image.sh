#!/usr/bin/env bash
# Builds the virtual Pi's disk into the cache: Debian 12, and this very rackgrid in /opt/rackgrid/venv
# with its units, as systemd/README.md has it.
#
#     build-image.sh           what is older than its sources: some minutes at first, then seconds
#     build-image.sh --check   say what is missing, and exit 1 if something is
#
# Three layers, so that a change of rackgrid costs the last one only: Debian; with rackgrid's
# dependencies; with rackgrid. Needs root, apt's and PyPI's servers, and the kernel.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/rackgrid-vpi
kernel=$cache/kernel
image=$cache/image
tree=$image/tree
python=${PYTHON:-python3}
debian=systemd,systemd-sysv,udev,dbus,kmod,iproute2,procps,python3-venv

say() { echo "build-image: $*" >&2; }

make_base() { # make_base TAR: Debian, small
    mmdebstrap --quiet --variant=minbase --format=tar --include="$debian" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$1"
}

make_runtime() { # make_runtime TAR: and a venv that has all that rackgrid needs, but not rackgrid
    local wheels=$image/wheels platform platforms=()
    for platform in manylinux_2_34 manylinux_2_28 manylinux_2_17 manylinux2014; do
        platforms+=(--platform "${platform}_x86_64")
    done
    rm -rf "$wheels"
    mkdir "$wheels"
    make_wheel "$wheels"
    "$python" -m pip -q download --only-binary :all: --python-version 3.11 "${platforms[@]}" \
        -d "$wheels" "rackgrid[pi] @ file://$(echo "$wheels"/rackgrid-*.whl)"
    unpack base
    cp -r "$wheels" "$tree/wheels"
    chroot "$tree" /bin/sh -e <<'IN'
python3 -m venv /opt/rackgrid/venv
cd /wheels
/opt/rackgrid/venv/bin/pip -q install --no-index --find-links . 'rackgrid[pi]'
/opt/rackgrid/venv/bin/pip -q uninstall -y rackgrid
rm -r /wheels
IN
    tar -C "$tree" --xattrs -cf "$1" .
}

make_image() { # make_image EXT4: and rackgrid, its units, and what makes a virtual Pi of it
    local release
    release=$(cat "$kernel/release")
    unpack runtime
    make_wheel "$tree/wheels"
    install -D -m 644 -t "$tree/usr/lib/modules/$release" "$kernel"/modules.* "$kernel/vpi_board.ko"
    install -t "$tree/usr/local/sbin" "$here"/guest/bin/*
    install -m 644 -t "$tree/etc/systemd/system" "$here"/guest/systemd/*.{service,socket}
    install -D -m 644 -t "$tree/etc/systemd/network" "$here"/guest/systemd/*.link
    chroot "$tree" /bin/sh -e <<IN
/opt/rackgrid/venv/bin/pip -q install --no-index --no-deps /wheels/*.whl
rm -r /wheels
depmod $release
$(install_steps)
systemctl -q enable vpi-board.service vpi-network.service vpi-shell.socket
# Without screen, clock and package manager at work it boots in half the time.
systemctl -q mask getty@tty1.service serial-getty@ttyS0.service console-getty.service \
    getty-static.service systemd-timesyncd.service systemd-logind.service \
    dbus-org.freedesktop.login1.service apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service \
    systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-random-seed.service \
    systemd-pstore.service systemd-binfmt.service modprobe@configfs.service modprobe@drm.service \
    modprobe@efi_pstore.service modprobe@fuse.service dev-hugepages.mount
systemctl -q set-default multi-user.target
echo '/dev/ubda / ext4 defaults,noatime 0 1' >/etc/fstab
echo pi >/etc/hostname
echo '127.0.0.1 localhost' >/etc/hosts
: >/etc/machine-id
IN
    mke2fs -q -t ext4 -J size=8 -L vpi -d "$tree" "$1" 1G
}

# The commands of systemd/README.md that do not want a running system.
install_steps() {
    echo 'cd /opt/rackgrid/venv/share/rackgrid/systemd'
    sed -n '/^## Install/,/^Then three files/p' "$repo/systemd/README.md" |
        sed -n '/^```sh/,/^```/{/^```/d;p}' |
        grep -v -e '^modprobe ' -e '^udevadm ' -e '^systemd-tmpfiles '
}

make_wheel() { "$python" -m pip -q wheel --no-deps --no-build-isolation -w "$1" "$repo"; }

unpack() { # unpack LAYER: into an empty tree
    rm -rf --one-file-system "$tree"
    mkdir "$tree"
    tar -C "$tree" --xattrs -xpf "$image/$1.tar"
}

# What each layer is made of.
sum() { sha256sum | cut -d' ' -f1; }
base_stamp() { declare -f make_base | cat - <(echo "$debian") | sum; }
runtime_stamp() {
    { base_stamp; declare -f make_runtime; sed -n '/^dependencies/,/^dev = /p' "$repo/pyproject.toml"; } | sum
}
image_stamp() {
    {
        runtime_stamp
        declare -f make_image install_steps
        cat "$kernel/vpi_board.ko"
        cd "$repo"
        find firmware controller systemd hardware tests/vpi/guest -type f \
            -not -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum
    } | sum
}

is_current() { [[ -e $1 && $(cat "$1.stamp" 2>/dev/null) == "$2" ]]; }

renew() { # renew FILE COMMAND STAMP: make FILE again, unless it was made of what the stamp says
    is_current "$image/$1" "$3" && return
    say "making $image/$1"
    rm -rf "$image/new.$1"
    "$2" "$image/new.$1"
    mv "$image/new.$1" "$image/$1"
    echo "$3" >"$image/$1.stamp"
}

if [[ ${1:-} == --check ]]; then
    for file in linux vpi_board.ko pi4.dtb release; do
        [[ -e $kernel/$file ]] || { echo "there is no $kernel/$file"; exit 1; }
    done
    is_current "$image/rootfs.ext4" "$(image_stamp)" ||
        { echo "$image/rootfs.ext4 is missing, or older than this source"; exit 1; }
    exit 0
fi

((EUID == 0)) || { say "needs root: sudo make test-vpi"; exit 1; }
for tool in mmdebstrap mke2fs; do
    command -v "$tool" >/dev/null ||
        { say "needs $tool: sudo apt install mmdebstrap e2fsprogs"; exit 1; }
done
mkdir -p "$image"
renew base.tar make_base "$(base_stamp)"
renew runtime.tar make_runtime "$(runtime_stamp)"
renew rootfs.ext4 make_image "$(image_stamp)"
rm -rf --one-file-system "$tree"
