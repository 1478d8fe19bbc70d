# SPDX-License-Identifier: LGPL-2.1-only
#
# Packages of the Debian release in $suite, by an apt of our own: this host's
# sources need not name the release, and its lists stay as they are. All packages
# are taken from the main suite: one release of kernel, headers and Xen that fit
# together.

apt_folder=$cache/apt
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
lists_days=7 # lists that are older are read again

# The archive this machine already uses, whatever the format of its sources.
mirror() {
    local uri
    uri=$(main_archive)
    [ -n "$uri" ] || { apt-get -qq update >&2 && uri=$(main_archive); }
    [ -n "$uri" ] || die "no Debian archive among this host's apt sources:" \
        "add one, any release of it will do"
    echo "${uri%/}"
}

# shellcheck disable=SC2016 # apt's own variables
main_archive() {
    apt-get indextargets --format '$(REPO_URI)' "Origin: Debian" \
        "Label: Debian" "Component: main" "Created-By: Packages" | head -n 1
}

# apt_config deb|deb-src : the path of the configuration, made if need be.
apt_config() {
    local folder=$apt_folder/$suite-$1
    [ -e "$folder/conf" ] || make_apt "$folder" "$1"
    echo "$folder/conf"
}

make_apt() {
    local folder=$1 signed='' uri
    uri=$(mirror) || return
    [ ! -e "$keyring" ] || signed=" signed-by=$keyring"
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
    echo "$2 [arch=amd64$signed] $uri $suite main" >"$folder/sources.list"
    cat >"$folder/conf.new" <<EOT
#clear APT::Update;
#clear APT::Default-Release;
Dir::State::lists "$folder/lists/";
Dir::Cache "$folder/cache/";
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "amd64";
APT::Sandbox::User "root";
Acquire::Languages "none";
EOT
    mv "$folder/conf.new" "$folder/conf"
}

# update_lists deb|deb-src [AGE-IN-DAYS] : reads the lists of the suite again,
# unless they are younger. Lists that are there serve when the archive does not
# answer.
update_lists() {
    local config lock
    config=$(apt_config "$1") || return
    (
        flock 7
        [ -z "$(find "${config%conf}" -maxdepth 1 -name updated \
            -mtime "-${2:-0}")" ] || exit 0
        apt-get -qq -c "$config" update -o APT::Update::Error-Mode=any >&2 &&
            touch "${config%conf}updated" && exit 0
        [ -e "${config%conf}updated" ] || die "the archive $(mirror) does" \
            "not answer for $suite: is there a network?"
        say "WARNING: the archive does not answer; the lists of" \
            "$(date -r "${config%conf}updated" +%F) are used"
    ) 7>>"${config%conf}lock"
}

# versions PACKAGE... : what apt would take from the suite, one line each. A
# package that the suite does not have is an error.
versions() {
    local found package
    found=$(apt-cache -c "$(apt_config deb)" show "$@" 2>/dev/null |
        awk '/^Package:/ { name = $2 } /^Version:/ { print name, $2 }' |
        sort -u)
    for package; do
        grep -q "^$package " <<<"$found" ||
            die "the archive has no package $package in $suite"
    done
    echo "$found"
}

# fetch_packages FOLDER PACKAGE... : their .deb files. Lists that are older
# than the archive name files which are gone: then they are brought up to date.
fetch_packages() {
    local folder=$1
    shift
    mkdir -p "$folder"
    versions "$@" >/dev/null || return
    download "$folder" "$@" || {
        update_lists deb
        download "$folder" "$@"
    }
}

download() {
    local config
    config=$(apt_config deb)
    (cd "$1" && shift && apt-get -q -c "$config" download "$@")
}

# fetch_source FOLDER PACKAGE : its source package, unpacked as FOLDER/PACKAGE.
fetch_source() {
    local config
    update_lists deb-src || return
    config=$(apt_config deb-src)
    (cd "$1" && apt-get -q -c "$config" source --download-only "$2" &&
        dpkg-source --no-check -x "$2"_*.dsc "$2")
}

# depends_of PACKAGE TEXT : the packages it depends on whose name begins so.
depends_of() {
    apt-cache -c "$(apt_config deb)" show "$1" |
        sed -n '/^Depends: /{s///p;q}' | tr -d ' ' | tr ',' '\n' |
        sed 's/(.*//' | grep "^$2"
}
