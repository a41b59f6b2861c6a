"""WebSockets: a message of 100 bytes there and back, on each connection one after the other."""

from .load import measure, measure_program
from .programs import Program, free_port
from .report import Part, Table
from .rounds import compare, interleaved, median, number, under_load, with_spread
from .settings import CONNECTIONS, FEWER_ROUNDS, LOAD_CORE, SECONDS
from .subjects import Cast, wanted


class Sockets(Cast):
    """Subjects in front of an application that only echoes; the first conversation is the proof that they work."""

    def subject(self, name):
        return getattr(self, name.replace("-", "_"))()


def run():
    port = free_port()
    echo = Program("echo", LOAD_CORE, port, [measure_program(), "echo", f"127.0.0.1:{port}"])
    names = wanted(["direct", "limit", "nginx", "haproxy", "pingora", "passgate-guest", "passgate-member"])
    subjects = Sockets(echo).all(names)

    def turn(subject):
        said = measure("talk", f"127.0.0.1:{subject.port}", CONNECTIONS, SECONDS, subject.cookie)
        return {"requests": said["messages"], "seconds": said["seconds"], **said["took"]}

    answered = interleaved("WebSocket", subjects, FEWER_ROUNDS, lambda subject: under_load(subject, lambda: turn(subject)))
    compare(answered, "nginx")
    rows = [
        [subject.name, number(median(subject.rounds, "requests_per_s")),
         "-" if subject.name == "direct" else number(median(subject.rounds, "cpu_us"), 1),
         with_spread(subject.rounds, "to_nginx"), number(median(subject.rounds, "p50_ms"), 2), number(median(subject.rounds, "p99_ms"), 2)]
        for subject in answered
    ]
    headings = ["", "messages/s", "CPU µs each", "to nginx", "p50 ms", "p99 ms"]
    title = f"WebSocket echo, 100 bytes, {CONNECTIONS} connections"
    return Part([Table(title, headings, rows)], {subject.name: subject.rounds for subject in answered})
