"""passgate as a subject: its configuration, its members, and signing in as a browser does."""

import contextlib
import html.parser
import http.cookiejar
import os
import shutil
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from .settings import BUILD, FOLDER, LOG, MEMBER, PASSWORD, ROOT, SUBJECT_CORE, Broken, say
from .programs import Program, free_port

# Ten of them, of which the last one fits.
TEN_RULES = "".join(f'[[access.rule]]\npath = "/area-{number}/**"\nrequire = "deny"\n' for number in range(9))
TEN_RULES += '[[access.rule]]\npath = "/**"\nrequire = "login"\n'

_binary = []


def passgate_binary():
    if "PASSGATE" in os.environ:
        return os.environ["PASSGATE"]
    if not _binary:
        say(f"building passgate, as a {BUILD}")
        build = ["cargo", "build", *(["--release"] if BUILD == "release" else []), "--locked"]
        subprocess.run(build, cwd=ROOT, check=True)
        _binary.append(str(ROOT / "target" / BUILD / "passgate"))
    return _binary[0]


class Gateway(Program):
    """passgate on a store of its own, with guests let through unless told otherwise."""

    def __init__(self, name, upstream, tls=None, log_level="info", members=(MEMBER,), access='default = "guest"',
                 server="", rest="", imported=(), store=None, public_url=None, patience=10):
        self.tls_port = free_port() if tls else None
        port = free_port()
        data = FOLDER / f"{name}-data"
        shutil.rmtree(data, ignore_errors=True)
        self.file = FOLDER / f"{name}.toml"
        self.origin = f"https://localhost:{self.tls_port}" if tls else f"http://localhost:{port}"
        self.authority = tls and tls / "authority.pem"
        listen = f"""[tls]
listen = ["127.0.0.1:{self.tls_port}"]
[[tls.certificate]]
chain = "{tls}/localhost.pem"
key = "{tls}/localhost.key"
"""
        self.file.write_text(f"""[server]
listen = ["127.0.0.1:{port}"]
public_url = "{public_url or self.origin}"
data_dir = "{data}"
admin_listen = ""
{server}
[connections]
most = 20000
most_per_address = 20000
[upstream]
url = "http://127.0.0.1:{upstream}"
max_tunnels_per_client = 1000
[log]
level = "{log_level}"
[store]
path = "{store or ''}"
{listen if tls else ''}
{rest}
[access]
{access}
""")
        self.binary = passgate_binary()
        for member in members:
            self.command("user", "add", member, "--password-stdin", stdin=PASSWORD + "\n")
        if imported:
            self.command("user", "import", "-", "--from", "phpbb", stdin="\n".join(imported))
        super().__init__(name, SUBJECT_CORE, port, [self.binary, "serve", "--config", self.file], LOG, patience)

    def command(self, *arguments, stdin=None):
        ran = subprocess.run(
            [self.binary, *arguments, "--config", self.file], input=stdin, text=True, capture_output=True
        )
        if ran.returncode:
            raise Broken(f"passgate {arguments[0]} {arguments[1]}: {ran.stderr}")

    def sign_in(self):
        """The cookie of the member, as a browser gets it: by the form."""
        jar = http.cookiejar.CookieJar()
        handlers = [urllib.request.HTTPCookieProcessor(jar), AsItIs()]
        if self.authority:
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.authority)))
        browser = urllib.request.build_opener(*handlers)
        address = f"{self.origin}/.passgate/login"
        form = HiddenFields()
        form.feed(browser.open(address).read().decode())
        fields = {**form.fields, "username": MEMBER, "password": PASSWORD}
        headers = {"Origin": self.origin, "Referer": address}
        with contextlib.suppress(urllib.error.HTTPError):
            browser.open(urllib.request.Request(address, urllib.parse.urlencode(fields).encode(), headers))
        for cookie in jar:
            if cookie.name.endswith("passgate"):
                return f"{cookie.name}={cookie.value}"
        raise Broken(f"signing in gave no session cookie; see {self.log}")


class AsItIs(urllib.request.HTTPRedirectHandler):
    """Follows no redirect; it comes as an `HTTPError`."""

    def redirect_request(self, *_):
        return None


class HiddenFields(html.parser.HTMLParser):
    """The hidden fields of a page that has one form."""

    def __init__(self):
        super().__init__()
        self.fields = {}

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "input" and attributes.get("type") == "hidden":
            self.fields[attributes["name"]] = attributes.get("value", "")
