#!/usr/bin/env bash
# WordPress on 127.0.0.1:PORT, with a fresh copy of a site made once, on a MariaDB of its own: `wordpress.sh PORT RUN_FOLDER`. The
# database's socket is RUN_FOLDER/mysql.sock.
#
# Members alice and bob, admin who runs it, and a crowd, member00 to member49; one post, which members may comment on. The site is as its
# installer leaves it; its settings only learn of the database, and that it is called by the name it is asked by.
set -euo pipefail
self=$(realpath "$0")
here=$(dirname "$self")
cd "$here/../.."
port=$1 run=$2
site=$PWD/target/apps/wordpress
php=(php -d opcache.enable_cli=1 -d display_errors=0)

rm -rf "$run"
mkdir -p "$run"

source "$here/own-database.sh"
own_database "$run" wordpress

# The package's own configuration lies in /etc, and the program looks for it beside itself; so the program is copied, once.
make_site() {
    rm -rf "$site" "$site.new"
    mkdir -p "$site.new"
    cp -rL /usr/share/wordpress "$site.new/code"
    cp -rL /var/lib/wordpress/wp-content/themes "$site.new/code/wp-content/"
    cat >"$site.new/code/wp-config.php" <<'PHP'
<?php
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:' . getenv('SOCKET'));
define('DB_CHARSET', 'utf8mb4');
define('AUTH_KEY', 'one of eight texts that are to be anything');
if (($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https') $_SERVER['HTTPS'] = 'on';
define('WP_HOME', (isset($_SERVER['HTTPS']) ? 'https://' : 'http://') . ($_SERVER['HTTP_HOST'] ?? 'localhost'));
define('WP_SITEURL', WP_HOME);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
$table_prefix = 'wp_';
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
PHP
    (cd "$site.new/code" && php <<'PHP'
<?php
define('WP_INSTALLING', true);
require 'wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('Site', 'admin', 'admin@site.test', true, '', 'Adm1n-pass.word');
$members = ['alice' => 'Wonder-land.2049', 'bob' => "b&b \"q\" <9> it's"];
for ($i = 0; $i < 50; $i++) $members[sprintf('member%02d', $i)] = sprintf('Wonder-land.M%02d', $i);
foreach ($members as $name => $password) {
    // As a form brings it: with slashes.
    wp_insert_user(['user_login' => $name, 'user_pass' => wp_slash($password), 'user_email' => "$name@site.test"]);
}
update_option('comment_previously_approved', 0);
PHP
    )
    mariadb-dump --no-defaults --user=root --socket="$SOCKET" wordpress >"$site.new/fresh.sql"
    mv "$site.new" "$site"
}

# Tests start it side by side; one of them makes it, the others wait. The lock goes with this subshell.
mkdir -p "$(dirname "$site")"
(
    flock 9
    if ! cmp -s "$self" "$site/made-by.sh"; then
        make_site >&2
        cp "$self" "$site/made-by.sh"
    fi
) 9>"$site.lock"
sql wordpress <"$site/fresh.sql"

export PHP_CLI_SERVER_WORKERS=4
exec "${php[@]}" -S "127.0.0.1:$port" -t "$site/code"
