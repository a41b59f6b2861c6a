#!/usr/bin/env bash
# A database server with fresh data, on a socket in RUN_FOLDER and nowhere else: `database.sh mysql|postgres RUN_FOLDER`. Its
# administrator needs no password.
#
# These servers refuse to run as root, so there they run as nobody.
set -euo pipefail
kind=$1 run=$2

if [ "$(id -u)" = 0 ]; then
    chown nobody "$run"
    cd /
    exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$(realpath "$0")" "$@"
fi
case $kind in
mysql)
    PATH=$PATH:/usr/sbin
    mariadb-install-db --no-defaults --datadir="$run/data" --auth-root-authentication-method=normal --skip-test-db
    exec mariadbd --no-defaults --datadir="$run/data" --socket="$run/mysql.sock" --pid-file="$run/pid" --skip-networking \
        --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=32M
    ;;
postgres)
    PATH=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1):$PATH
    initdb --pgdata="$run/data" --username=root --encoding=UTF8 --locale=C --no-sync
    printf 'local all root trust\nlocal all all scram-sha-256\n' >"$run/data/pg_hba.conf"
    postgres -D "$run/data" -c listen_addresses= -c unix_socket_directories="$run" -c fsync=off &
    server=$!
    # Its own answer to TERM is to wait until everybody has gone.
    trap 'kill -INT "$server"' TERM
    wait "$server" || wait "$server"
    ;;
esac
