"""Who is measured: where the load goes, what it sends, and whose CPU time counts."""

import base64
import ssl
import subprocess
import urllib.error
import urllib.request

from . import peers
from .gateway import TEN_RULES, AsItIs, Gateway
from .settings import FOLDER, MEMBER, PASSWORD, Broken, Missing, fault, named, say

# In the order of the table.
ALL = {
    "direct": "the upstream itself",
    "limit": "bytes carried there and back, unread",
    "pingora": "the engine alone, with a look into a map of sessions; what passgate takes beyond it is its own",
    "nginx": "a bare proxy, no access log",
    "nginx-log": "the same, with its access log as Debian ships it: a file, a write a request",
    "nginx-auth": "the same, each request asked about at a server that says yes: the best any forward-auth peer can do",
    "nginx-auth-anew": "the same as its defaults have it: a connection of its own for each question",
    "haproxy": "a bare proxy, no log",
    "apache-form": "mod_auth_form, a member signed in",
    "caddy-basic": "basic_auth; the hash of the password is kept in memory",
    "caddy-forward": "forward_auth, to the server that says yes",
    "traefik-forward": "forwardAuth, to the same",
    "passgate-guest": "as by default, access log included; nobody signed in",
    "passgate-member": "the same, a member signed in",
    "passgate-rules": "the same with ten access rules, of which the last one fits",
    "passgate-quiet": "a guest without the access log (log.level = \"warn\"), to compare with nginx and pingora",
    "passgate-redirect": "nobody signed in where that is asked: the answer leads to the sign-in page",
    "passgate-verify": "the question of a proxy in front, asked by the load itself",
    "nginx-passgate": "nginx that puts that question for each request, by the recipe config/nginx.conf; both count",
}


class Subject:
    """One thing to measure."""

    def __init__(self, name, programs, fields=None, member=None, path="/x", scheme="http", expects=200):
        self.name, self.programs, self.fields, self.path = name, programs, fields or {}, path
        self.scheme, self.member, self.expects = scheme, member, expects
        self.port = programs[0].port if scheme == "http" else programs[0].tls_port
        self.rounds = []

    @property
    def cookie(self):
        return self.fields.get("Cookie", "")

    def url(self, path=None):
        return f"{self.scheme}://localhost:{self.port}{path or self.path}"

    def ask(self, path):
        """Status, fields and text of one answer. A redirect is an answer."""
        handlers = [AsItIs()]
        if self.scheme == "https":
            trusted = ssl.create_default_context(cafile=FOLDER / "tls" / "authority.pem")
            handlers.append(urllib.request.HTTPSHandler(context=trusted))
        opener = urllib.request.build_opener(*handlers)
        try:
            with opener.open(urllib.request.Request(self.url(path), headers=self.fields), timeout=30) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.status, answer.headers, answer.read().decode()

    def prove(self):
        """Asks once by hand, so that no figure is that of an error page."""
        status, headers, body = self.ask(self.path)
        if status != self.expects:
            raise Broken(f"{self.name} answers {status}: {body[:300]!r}")
        if self.path.endswith("/verify"):
            self.expect(headers["Remote-User"], self.member)
        elif status == 200:
            self.expect(body, peers.BODY)
            self.expect(self.ask("/who")[2], f"[{self.member or ''}]")

    def expect(self, found, expected):
        if found != expected:
            raise Broken(f"{self.name}: {found[:300]!r} instead of {expected[:300]!r}")

    def cpu_seconds(self):
        return sum(program.cpu_seconds() for program in self.programs)

    def resident_mib(self):
        return sum(program.resident_mib() for program in self.programs)


class Cast:
    """Starts what the wanted subjects need, each program once."""

    def __init__(self, upstream, tls=None):
        self.upstream, self.tls, self.started = upstream, tls, {}
        self.scheme = "https" if tls else "http"

    def once(self, name, start):
        if name not in self.started:
            self.started[name] = start()
        return self.started[name]

    def gateway(self, name="passgate", **settings):
        return self.once(name, lambda: Gateway(name, self.upstream.port, tls=self.tls, **settings))

    def cookie(self, gateway):
        return self.once(f"{gateway.name} cookie", gateway.sign_in)

    def yes(self):
        return self.once("constant-200", peers.constant_200)

    def subject(self, name):
        """Started and proved, or `Missing`."""
        make = getattr(self, name.replace("-", "_"))
        subject = make()
        subject.prove()
        return subject

    def all(self, names):
        """Those of them that can be had; for the others it is said why not."""
        subjects = []
        for name in names:
            try:
                subjects.append(self.subject(name))
            except Missing as reason:
                say(f"{name} is left out: {reason}")
            except (Broken, OSError, subprocess.CalledProcessError) as reason:
                fault(f"{name} is left out: {reason}")
        return subjects

    def of(self, name, *programs, **more):
        return Subject(name, programs, scheme=self.scheme, **more)

    def direct(self):
        return Subject("direct", [self.upstream])

    def limit(self):
        return self.of("limit", peers.limit(self.upstream.port))

    def pingora(self):
        return self.of("pingora", peers.pingora(self.upstream.port))

    def nginx(self):
        return self.of("nginx", peers.nginx("nginx", self.upstream.port, self.tls))

    def nginx_log(self):
        log = FOLDER / "nginx-access.log"
        return self.of("nginx-log", peers.nginx("nginx-log", self.upstream.port, self.tls, access_log=log))

    def nginx_auth(self):
        asking = peers.nginx("nginx-auth", self.upstream.port, self.tls, asked=self.yes().port)
        return self.of("nginx-auth", asking, self.yes(), member=MEMBER)

    def nginx_auth_anew(self):
        asking = peers.nginx("nginx-auth-anew", self.upstream.port, self.tls, asked=self.yes().port, anew=True)
        return self.of("nginx-auth-anew", asking, self.yes(), member=MEMBER)

    def haproxy(self):
        return self.of("haproxy", peers.haproxy("haproxy", self.upstream.port, self.tls))

    def apache_form(self):
        program = peers.apache("apache-form", self.upstream.port)
        return self.of("apache-form", program, fields={"Cookie": program.cookie}, member=MEMBER)

    def caddy_basic(self):
        told = base64.b64encode(f"{MEMBER}:{PASSWORD}".encode()).decode()
        program = peers.caddy("caddy-basic", self.upstream.port)
        return self.of("caddy-basic", program, fields={"Authorization": f"Basic {told}"}, member=MEMBER)

    def caddy_forward(self):
        asking = peers.caddy("caddy-forward", self.upstream.port, asked=self.yes().port)
        return self.of("caddy-forward", asking, self.yes(), member=MEMBER)

    def traefik_forward(self):
        asking = peers.traefik("traefik-forward", self.upstream.port, self.yes().port)
        return self.of("traefik-forward", asking, self.yes(), member=MEMBER)

    def passgate_guest(self):
        return self.of("passgate-guest", self.gateway())

    def passgate_member(self):
        return self.signed_in("passgate-member", self.gateway())

    def passgate_rules(self):
        gateway = self.gateway("passgate-rules", access=f'default = "deny"\n{TEN_RULES}')
        return self.signed_in("passgate-rules", gateway)

    def passgate_quiet(self):
        return self.of("passgate-quiet", self.gateway("passgate-quiet", log_level="warn"))

    def passgate_redirect(self):
        gateway = self.gateway("passgate-closed", access='default = "login"')
        fields = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        return self.of("passgate-redirect", gateway, fields=fields, expects=302)

    def behind(self):
        return self.gateway("passgate-behind", server='trusted_proxies = ["127.0.0.1/32"]')

    def passgate_verify(self):
        gateway = self.behind()
        question = {"X-Original-Method": "GET", "X-Original-URL": f"{gateway.origin}/x", "X-Forwarded-For": "192.0.2.7"}
        return self.signed_in("passgate-verify", gateway, question, path="/.passgate/verify")

    def nginx_passgate(self):
        gateway = self.behind()
        asking = peers.nginx_before_passgate("nginx-passgate", self.upstream.port, gateway.port)
        return self.of("nginx-passgate", asking, gateway, fields={"Cookie": self.cookie(gateway)}, member=MEMBER)

    def signed_in(self, name, gateway, fields=None, **more):
        return self.of(name, gateway, fields={**(fields or {}), "Cookie": self.cookie(gateway)}, member=MEMBER, **more)


def wanted(names):
    """Those of the names that were asked for."""
    chosen = named("SUBJECTS")
    return [name for name in names if not chosen or name in chosen]
