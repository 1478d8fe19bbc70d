# SPDX-License-Identifier: LGPL-2.1-only

# unpack_vmlinux FOLDER : FOLDER/vmlinux, the kernel of FOLDER/vmlinuz as it is
# in memory: unpacking it takes an emulated machine seconds at each start. It is
# found by the boot protocol's fields setup_sects, payload_offset and
# payload_length.
unpack_vmlinux() {
    local from=$1/vmlinuz to=$1/vmlinux start
    start=$((($(number "$from" 0x1f1 1) + 1) * 512 + $(number "$from" 0x248 4)))
    tail -c "+$((start + 1))" "$from" |
        head -c "$(($(number "$from" 0x24c 4) - 4))" >"$to.packed"
    unpack_payload "$to.packed" >"$to"
    rm "$to.packed"
    strip "$to"
}

# number FILE OFFSET SIZE : a field of the header.
number() { od -An -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '; }

# Each release of the kernel is compressed by what was best in its time.
unpack_payload() {
    case $(od -An -t x1 -N 4 "$1" | tr -d ' ') in
    fd377a58) xz -dc --single-stream "$1" ;;
    28b52ffd) zstd -dcq "$1" ;;
    *) die "the kernel's compression is not known" ;;
    esac
}
