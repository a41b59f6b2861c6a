"""A mail server for tests, on 127.0.0.1: `smtp.py [--port N] [--tls starttls|tls|none] [--certificate FILE --key FILE] [--user NAME]`.

Prints one JSON line when it listens, {"port": …}, and one for each mail it takes: who it is from and for, the name that signed
in, whether it came over TLS, and the mail itself. With --user it takes mail from that name alone, whose password is the
variable SMTP_PASSWORD. Addresses at never.example are refused for good, those at later.example for now. Ends with its input.
"""

import argparse
import asyncio
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def say(**line):
    print(json.dumps(line), flush=True)


class Taker:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.endswith("@never.example"):
            return "550 5.1.1 no such member: " + address
        if address.endswith("@later.example"):
            return "451 4.7.1 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        user = session.auth_data.decode() if session.authenticated else None
        say(**{
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "hello": session.host_name,
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "user": user,
            "mail": envelope.original_content.decode("utf-8", "surrogateescape"),
        })
        return "250 OK"


def authenticator(user):
    def check(server, session, envelope, mechanism, login):
        is_right = login.login == user.encode() and login.password == os.environ["SMTP_PASSWORD"].encode()
        return AuthResult(success=is_right, handled=False, auth_data=login.login)

    return check


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", choices=["starttls", "tls", "none"], default="none")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--user")
    options = parser.parse_args()
    context = None
    if options.tls != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.certificate, options.key)
    settings = {"enable_SMTPUTF8": True, "hostname": "localhost"}
    if options.tls == "starttls":
        settings |= {"tls_context": context, "require_starttls": True}
    if options.user:
        settings |= {"authenticator": authenticator(options.user), "auth_required": True}
        settings |= {"auth_require_tls": options.tls == "starttls"}
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Taker(), **settings),
        "127.0.0.1",
        options.port,
        ssl=context if options.tls == "tls" else None,
    )
    say(port=server.sockets[0].getsockname()[1])
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main())
