# SPDX-License-Identifier: LGPL-2.1-only
#
# Packages of the distribution the rig is made from. All of them are taken
# from the main suite: one release of kernel, headers and Xen that fit together.

suite=bookworm

# The archive this machine already uses, whatever the format of its sources.
mirror() {
    local uri
    # shellcheck disable=SC2016 # apt's own variables
    uri=$(apt-get indextargets --format '$(REPO_URI)' \
        "Release: $suite" "Component: main" "Created-By: Packages" | head -n 1)
    [ -n "$uri" ] || die "no $suite main archive among this host's apt sources"
    echo "${uri%/}"
}

# versions PACKAGE... : what apt would take from the suite, one line each.
versions() {
    apt-cache show "${@/%//$suite}" 2>/dev/null |
        awk '/^Package:/ { name = $2 } /^Version:/ { print name, $2 }' |
        sort -u
}

# fetch_packages FOLDER PACKAGE... : their .deb files. Lists that are older
# than the archive name files which are gone: then they are brought up to date.
fetch_packages() {
    local folder=$1
    shift
    mkdir -p "$folder"
    download "$folder" "$@" || {
        apt-get -q update
        download "$folder" "$@"
    }
}

download() {
    (cd "$1" && shift &&
        apt-get -q -o APT::Sandbox::User=root download "${@/%//$suite}")
}

# The real package behind the metapackage linux-image-amd64, for example
# linux-image-6.1.0-50-amd64.
linux_image_package() {
    apt-cache show "linux-image-amd64/$suite" |
        sed -n 's/^Depends: \([^ ]*\).*/\1/p'
}
