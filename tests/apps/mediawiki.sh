#!/usr/bin/env bash
# MediaWiki on 127.0.0.1:PORT, with a fresh copy of a wiki made once, on a MariaDB of its own: `mediawiki.sh PORT RUN_FOLDER`. The
# database's socket is RUN_FOLDER/mysql.sock.
#
# Members Alice and Bob, Admin who runs it, and a crowd, Member00 to Member49. The wiki is as its installer leaves it; its settings
# only learn of the database, and that it is called by the name it is asked by.
set -euo pipefail
self=$(realpath "$0")
here=$(dirname "$self")
cd "$here/../.."
port=$1 run=$2
code=/usr/share/mediawiki
wiki=$PWD/target/apps/mediawiki
# Pages are a hundred files of PHP each.
php=(php -d opcache.enable_cli=1 -d display_errors=0)

rm -rf "$run"
mkdir -p "$run"
source "$here/own-database.sh"
own_database "$run" wiki

make_wiki() {
    rm -rf "$wiki" "$wiki.new"
    mkdir -p "$wiki.new"
    php "$code/maintenance/install.php" --confpath "$wiki.new" --dbtype mysql --dbserver "localhost:$SOCKET" --dbname wiki \
        --dbuser root --installdbuser root --scriptpath '' --skins Vector --pass 'Adm1n-pass.word' Wiki Admin
    cat >>"$wiki.new/LocalSettings.php" <<'PHP'
$wgServer = '//' . ( $_SERVER['HTTP_HOST'] ?? 'localhost' );
$wgDBserver = 'localhost:' . getenv( 'SOCKET' );
PHP
    MW_CONFIG_FILE=$wiki.new/LocalSettings.php php "$code/maintenance/eval.php" <<'PHP'
use MediaWiki\MediaWikiServices as S;
$members = [ 'Alice' => 'Wonder-land.2049', 'Bob' => "b&b \"q\" <9> it's" ];
for ( $i = 0; $i < 50; $i++ ) { $members[sprintf( 'Member%02d', $i )] = sprintf( 'Wonder-land.M%02d', $i ); }
foreach ( $members as $name => $password ) { $user = User::createNew( $name, [ 'email' => "$name@wiki.test" ] ); $user->changeAuthenticationData( [ 'username' => $name, 'password' => $password, 'retype' => $password ] ); }
PHP
    mariadb-dump --no-defaults --user=root --socket="$SOCKET" wiki >"$wiki.new/fresh.sql"
    mv "$wiki.new" "$wiki"
}

# Tests start it side by side; one of them makes it, the others wait. The lock goes with this subshell.
mkdir -p "$(dirname "$wiki")"
(
    flock 9
    if ! cmp -s "$self" "$wiki/made-by.sh"; then
        make_wiki >&2
        cp "$self" "$wiki/made-by.sh"
    fi
) 9>"$wiki.lock"

sql wiki <"$wiki/fresh.sql"

export MW_CONFIG_FILE=$wiki/LocalSettings.php PHP_CLI_SERVER_WORKERS=4
exec "${php[@]}" -S "127.0.0.1:$port" -t "$code"
