#!/usr/bin/env bash
# `seen.php` for every path on 127.0.0.1:PORT, under a server of this kind: `server.sh php|fpm|apache PORT RUN_FOLDER [FPM_PORT]`.
#
# Each takes of names what it can be made to take: nginx drops odd ones only as long as nobody tells it otherwise.
set -euo pipefail
kind=$1 port=$2 run=$3
PATH=$PATH:/usr/sbin:/usr/local/sbin
mkdir -p "$run/site"
cp "$(dirname "$0")/seen.php" "$run/site/index.php"

case $kind in
php)
    # Nothing of this environment is the request's.
    exec env -i PATH="$PATH" php -S "127.0.0.1:$port" "$run/site/index.php"
    ;;
fpm)
    fpm=$(compgen -c php-fpm | sort -V | tail -n 1)
    cat >"$run/fpm.conf" <<CONF
[global]
pid = $run/fpm.pid
error_log = $run/fpm.log
daemonize = no
[site]
listen = 127.0.0.1:$4
pm = static
pm.max_children = 2
$([ "$(id -u)" != 0 ] || printf 'user = root\ngroup = root')
CONF
    root=()
    [ "$(id -u)" != 0 ] || root=(--allow-to-run-as-root)
    # It makes itself a session of its own, so it would outlive whoever ends this one.
    setpriv --pdeathsig TERM "$fpm" --fpm-config "$run/fpm.conf" "${root[@]}" &
    cat >"$run/nginx.conf" <<CONF
daemon off; pid $run/pid; error_log stderr; worker_processes 1;
$([ "$(id -u)" != 0 ] || printf 'user root;')
events {}
http {
    access_log off;
    client_body_temp_path $run/b; proxy_temp_path $run/p; fastcgi_temp_path $run/f; uwsgi_temp_path $run/u; scgi_temp_path $run/s;
    underscores_in_headers on; ignore_invalid_headers off;
    server {
        listen 127.0.0.1:$port;
        location / {
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME $run/site/index.php;
            fastcgi_pass 127.0.0.1:$4;
        }
    }
}
CONF
    exec nginx -p "$run" -c "$run/nginx.conf" -e stderr
    ;;
apache)
    modules=/usr/lib/apache2/modules
    php=$(compgen -G "$modules/libphp*.so" | sort -V | tail -n 1)
    cat >"$run/apache.conf" <<CONF
LoadModule mpm_prefork_module $modules/mod_mpm_prefork.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule rewrite_module $modules/mod_rewrite.so
LoadModule mime_module $modules/mod_mime.so
LoadModule php_module $php
ServerName localhost
Listen 127.0.0.1:$port
PidFile $run/pid
ErrorLog $run/error.log
DocumentRoot $run/site
TypesConfig /dev/null
AddHandler application/x-httpd-php .php
KeepAlive Off
HttpProtocolOptions Unsafe
RewriteEngine on
RewriteRule ^ /index.php [L]
CONF
    exec apache2 -X -f "$run/apache.conf"
    ;;
esac
