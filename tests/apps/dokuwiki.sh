#!/usr/bin/env bash
# DokuWiki on 127.0.0.1:PORT, with fresh data: `dokuwiki.sh PORT RUN_FOLDER`. Members alice and bob, and a crowd, member00 to
# member49, may edit and upload.
#
# The packaged files are copied, since the package's own configuration lies in /etc and its data belongs to root. What of
# them only root can read is made anew below.
set -euo pipefail
port=$1 run=$2

rm -rf "$run"
mkdir -p "$run/data"/{attic,cache,index,locks,log,media,media_attic,media_meta,meta,pages,tmp}
mkdir "$run/sessions"
run=$(cd "$run" && pwd)
cp -rL --no-preserve=ownership /usr/share/dokuwiki/. "$run/" 2>/dev/null || true
chmod -R u+rwX "$run"
cp -r --no-preserve=ownership /etc/dokuwiki "$run/conf" 2>/dev/null || true
rm -f "$run/conf/users.auth.php" "$run/conf/acl.auth.php" "$run/conf/local.php" "$run/.htaccess"

# The package points to its folder in /etc in this one place.
sed -i "s#'/etc/dokuwiki/'#'$run/conf/'#; s#/etc/dokuwiki/#$run/conf/none/#g" "$run/inc/preload.php"
cat >"$run/conf/local.php" <<'PHP'
<?php
$conf['title'] = 'Wiki';
$conf['lang'] = 'en';
$conf['savedir'] = __DIR__ . '/../data';
$conf['useacl'] = 1;
$conf['superuser'] = '@admin';
$conf['updatecheck'] = 0;
$conf['disableactions'] = 'register,resendpwd';
PHP
# Everyone may read; members may edit (2), create (4) and upload (8).
printf '*\t@ALL\t1\n*\t@user\t8\n' >"$run/conf/acl.auth.php"
php -r '
    $members = ["alice" => "Wonder-land.2049", "bob" => "b&b \"q\" <9> it'"'"'s"];
    for ($i = 0; $i < 50; $i++) $members[sprintf("member%02d", $i)] = sprintf("Wonder-land.M%02d", $i);
    foreach ($members as $name => $password) {
        echo $name, ":", password_hash($password, PASSWORD_BCRYPT, ["cost" => 8]), ":", ucfirst($name), " Example:", $name, "@wiki.test:user\n";
    }' >"$run/conf/users.auth.php"
printf '====== Start ======\n\nWelcome to the wiki.\n' >"$run/data/pages/start.txt"
export PHP_CLI_SERVER_WORKERS=4
exec php -d opcache.enable_cli=1 -d session.save_path="$run/sessions" -d upload_max_filesize=8M -d post_max_size=9M -S "127.0.0.1:$port" -t "$run"
