# To be read in by a script that starts an application: `own_database RUN_FOLDER NAME` starts a MariaDB for it alone, with an empty
# database of this name. Its socket is $SOCKET, and RUN_FOLDER/mysql.sock leads there; `sql` runs statements on it.

own_database() {
    local run=$1 name=$2 here database
    here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
    # It lasts as long as anybody holds the other end of its leash. Its folder has to be one that everybody can reach.
    database=$(mktemp -d)
    exec 4> >(
        trap : TERM
        "$here/leash.sh" "$here/database.sh" mysql "$database" >"$run.database.log" 2>&1
        rm -rf "$database" "$run.database.log"
    )
    ln -s "$database/mysql.sock" "$run/mysql.sock"
    export SOCKET=$database/mysql.sock
    for _ in $(seq 600); do
        sql -e '' 2>/dev/null && break
        sleep 0.1
    done
    sql -e "CREATE DATABASE $name CHARACTER SET utf8mb4"
}

sql() { mariadb --no-defaults --user=root --socket="$SOCKET" "$@"; }
