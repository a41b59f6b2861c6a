#!/usr/bin/env bash
# A database server with fresh data, on a socket in RUN_FOLDER and nowhere else: `database.sh mysql|postgres RUN_FOLDER`. Its
# administrator needs no password.
set -euo pipefail
kind=$1 run=$2

mysql_server() {
    PATH=$PATH:/usr/sbin
    # Root has to say that this is meant.
    local as
    as=--user=$(id -un)
    mariadb-install-db --no-defaults "$as" --datadir="$run/data" --auth-root-authentication-method=normal --skip-test-db
    exec mariadbd --no-defaults "$as" --datadir="$run/data" --socket="$run/mysql.sock" --pid-file="$run/pid" --skip-networking \
        --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=32M
}

postgres_server() {
    PATH=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1):$PATH
    initdb --pgdata="$run/data" --username=root --encoding=UTF8 --locale=C --no-sync
    printf 'local all root trust\nlocal all all scram-sha-256\n' >"$run/data/pg_hba.conf"
    postgres -D "$run/data" -c listen_addresses= -c unix_socket_directories="$run" -c fsync=off &
    server=$!
    # Its own answer to TERM is to wait until everybody has gone.
    trap 'kill -INT "$server"' TERM
    wait "$server" || wait "$server"
}

if [ "$kind" = mysql ]; then
    mysql_server
elif [ "$(id -u)" = 0 ]; then
    # It refuses to run as root, so it runs as nobody, who may not be let into the folder of this file.
    chown nobody "$run"
    cd /
    exec setpriv --reuid=nobody --regid=nogroup --clear-groups \
        bash -euo pipefail -c "$(declare -f postgres_server); run=\$1; postgres_server" bash "$run"
else
    postgres_server
fi
