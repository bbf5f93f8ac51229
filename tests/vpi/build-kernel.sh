#!/usr/bin/env bash
# Builds the virtual Pi's kernel, its board (a module) and its device tree into the cache.
#
#     build-kernel.sh          what is missing or older than its sources: the kernel takes a quarter
#                              of an hour of one core, the board a few seconds
#
# Debian's linux-source-6.1, for User-Mode Linux: the kernel is a program, and needs no rights.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/rackgrid-vpi
tarball=/usr/src/linux-source-6.1.tar.xz
source=$cache/linux-source-6.1
build=$cache/build
out=$cache/kernel
jobs=${JOBS:-$(nproc)}

say() { echo "build-kernel: $*" >&2; }

needs=(linux-source-6.1 gcc make flex bison bc xz-utils)
for package in "${needs[@]}"; do
    dpkg-query -Wf '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || {
        say "needs $package: sudo apt install --no-install-recommends ${needs[*]}"
        exit 1
    }
done
mkdir -p "$out"

kernel_make() { make -s -C "$source" ARCH=um O="$build" "$@"; }

configure() {
    kernel_make x86_64_defconfig
    (cd "$source" && scripts/kconfig/merge_config.sh -m -O "$build" "$build/.config" \
        "$here/kernel/uml.config" >/dev/null)
    kernel_make olddefconfig
    local line unmet=0
    while IFS= read -r line; do
        [[ $line == CONFIG_* || $line == "# CONFIG_"* ]] || continue
        grep -qxF "$line" "$build/.config" && continue
        # An option that is not there at all is as good as one that is not set.
        [[ $line == "# "* ]] && ! grep -q "^${line:2:-11}=" "$build/.config" && continue
        say "kernel/uml.config is not met: $line"
        unmet=1
    done <"$here/kernel/uml.config"
    ((unmet == 0))
}

make_kernel() {
    say "unpacking $tarball"
    rm -rf "$source" "$build"
    mkdir "$build"
    tar -C "$cache" -xf "$tarball"
    # A guest that reboots by itself is the same process anew: its network must not stay open.
    sed -i 's/open(PATH_NET_TUN, O_RDWR)/open(PATH_NET_TUN, O_RDWR | O_CLOEXEC)/' \
        "$source/arch/um/drivers/vector_user.c"
    # A CPU with AMX has 11,008 bytes of registers to be saved, of which this UML knows 2,696: it then
    # ends at its first process ("ptrace set fp regs failed"). A larger buffer is right for all.
    sed -i 's/DEFINE_LONGS(HOST_FP_SIZE, 2696)/DEFINE_LONGS(HOST_FP_SIZE, 11264)/' \
        "$source/arch/x86/um/user-offsets.c"
    grep -q 'HOST_FP_SIZE, 11264' "$source/arch/x86/um/user-offsets.c"
    configure
    say "building the kernel with $jobs jobs (a quarter of an hour of CPU)"
    kernel_make -j"$jobs" linux modules
    cp "$build"/modules.builtin "$build"/modules.builtin.modinfo "$out/"
    : >"$out/modules.order"
    kernel_make kernelrelease >"$out/release"
    strip --strip-debug -o "$out/linux.new" "$build/linux"
    mv "$out/linux.new" "$out/linux" # guests that run keep the old one
    rm -f "$out/vpi_board.ko"
}

make_board() {
    say "building the board"
    rm -rf "$cache/module"
    mkdir "$cache/module"
    cp "$here/kernel/Makefile" "$here/kernel/vpi_board.c" "$cache/module/"
    kernel_make M="$cache/module" modules
    "$build/scripts/dtc/dtc" -q -O dtb -o "$out/pi4.dtb" "$here/kernel/pi4.dts"
    cp "$cache/module/vpi_board.ko" "$out/"
}

renew() { # renew FILE COMMAND INPUT...: make FILE again unless it was made of these very inputs
    local file=$out/$1 command=$2 stamp
    shift 2
    stamp=$({ dpkg-query -Wf '${Version}' linux-source-6.1; cat "$@"; } | sha256sum)
    [[ -e $file && $(cat "$file.stamp" 2>/dev/null) == "$stamp" ]] && return
    "$command"
    echo "$stamp" >"$file.stamp"
}

renew linux make_kernel "$here/kernel/uml.config"
renew vpi_board.ko make_board "$here/kernel/Makefile" "$here/kernel/vpi_board.c" "$here/kernel/pi4.dts"
