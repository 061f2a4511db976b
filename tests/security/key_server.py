"""A server of JWK Sets on this machine, which does as a test says and counts who asks."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Issuer:
    """Answers with ``answer``, which is keys, bytes or a status, once ``gate`` is set."""

    def __init__(self):
        self.answer, self.asked = [], []
        self.gate, self.is_asked = threading.Event(), threading.Event()
        self.gate.set()

    def reply(self):
        self.is_asked.set()
        self.gate.wait(30)
        if isinstance(self.answer, int):
            return self.answer, b'{"keys": []}'
        if isinstance(self.answer, bytes):
            return 200, self.answer
        return 200, json.dumps({"keys": self.answer}).encode()


@contextlib.contextmanager
def serving(issuer, context=None):
    """Its port, while it listens; with TLS if there is a ``context``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            issuer.asked.append(self.path)
            status, body = issuer.reply()
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_args):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False  # closing waits for each of them

        def handle_error(self, *_args):
            pass  # who hangs up, as one does that trusts no certificate

    with Server(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            issuer.gate.set()
            server.shutdown()
            thread.join()
