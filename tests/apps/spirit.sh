#!/usr/bin/env bash
# django-spirit on 127.0.0.1:PORT, with a fresh copy of a forum made once: `spirit.sh PORT RUN_FOLDER`.
#
# Members alice and bob, and a crowd, member00 to member49; one category, one topic. The forum itself is as it comes; its settings
# only learn where this run keeps its files, and of its proxy: that X-Forwarded-Proto says whether the visitor came over TLS, as
# any proxied Django needs, and X-Forwarded-For from where. It says whom it refuses.
set -euo pipefail
self=$(realpath "$0")
cd "$(dirname "$self")/../.."
port=$1 run=$2
bin=$PWD/target/venv/bin
project=$PWD/target/apps/spirit
export DJANGO_SETTINGS_MODULE=forum.settings.run PYTHONDONTWRITEBYTECODE=1

make_project() {
    rm -rf "$project" "$project.new"
    mkdir -p "$project.new"
    cd "$project.new"
    PATH="$bin:$PATH" spirit startproject forum
    cat >forum/forum/settings/run.py <<'PYTHON'
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from .dev import *


class Hasher(PBKDF2PasswordHasher):
    """A tenth of the rounds, so that a crowd is no minute's work."""

    iterations = 100_000


ALLOWED_HOSTS = ["*"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
MIDDLEWARE = ["forum.proxied.Proxied", *MIDDLEWARE]
PASSWORD_HASHERS = ["forum.settings.run.Hasher"]
RUN = os.environ["SPIRIT_RUN"]
DATABASES["default"]["NAME"] = os.path.join(RUN, "db.sqlite3")
# On a busy machine its own threads wait for each other longer than the five seconds it gives them.
DATABASES["default"]["OPTIONS"] = {"timeout": 60}
MEDIA_ROOT = os.path.join(RUN, "media")
HAYSTACK_CONNECTIONS["default"]["PATH"] = os.path.join(RUN, "search")
PYTHON
    cat >forum/forum/proxied.py <<'PYTHON'
from django.contrib.auth.signals import user_login_failed
from django.dispatch import receiver
from spirit.core.middleware import XForwardedForMiddleware


@receiver(user_login_failed)
def tell(credentials, **_):
    print("refused", credentials["username"], flush=True)


class Proxied(XForwardedForMiddleware):
    """Spirit's own fails where no proxy is, as in some tests."""

    def process_request(self, request):
        if "x-forwarded-for" in request.headers:
            super().process_request(request)
PYTHON
    export SPIRIT_RUN=$PWD/fresh
    mkdir -p "$SPIRIT_RUN/media"
    "$bin/python" forum/manage.py spiritinstall
    "$bin/python" forum/manage.py shell <<'PYTHON'
from django.contrib.auth import get_user_model
from spirit.category.models import Category
from spirit.comment.models import Comment
from spirit.topic.models import Topic

User = get_user_model()
members = {"alice": "Wonder-land.2049", "bob": "b&b \"q\" <9> it's"}
members |= {f"member{i:02}": f"Wonder-land.M{i:02}" for i in range(50)}
for name, password in members.items():
    user = User.objects.create_user(name, name + "@forum.test", password)
    user.st.is_verified = True
    user.st.save()
alice = User.objects.get(username="alice")
topic = Topic.objects.create(category=Category.objects.create(title="Lounge"), user=alice, title="First topic")
Comment.objects.create(user=alice, topic=topic, comment="Welcome", comment_html="<p>Welcome</p>")
PYTHON
    mv "$project.new" "$project"
}

# Tests start it side by side; one of them makes it, the others wait. The lock goes with this subshell.
mkdir -p "$(dirname "$project")"
(
    flock 9
    if ! cmp -s "$self" "$project/made-by.sh"; then
        make_project >&2
        cp "$self" "$project/made-by.sh"
    fi
) 9>"$project.lock"

rm -rf "$run"
mkdir -p "$run"
cp -r "$project/fresh/." "$run/"
export SPIRIT_RUN=$run
cd "$project/forum"
exec "$bin/python" manage.py runserver --noreload --skip-checks "127.0.0.1:$port"
