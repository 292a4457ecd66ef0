"""A receiver of webhooks: checks signatures with the reference library of Standard Webhooks, and keeps what came.

webhooks.py            prints `ready PORT`

POST /hook/NAME        a delivery; checked with the keys of NAME once there are any
PUT  /keys/NAME        {"keys": ["whsec_…", …]}: a delivery is good when one of them fits
PUT  /answers/NAME     {"answers": [{"status": 503, "retry_after": "1", "delay": 0.5}, …]}: for the next deliveries,
                       one each; then 204
GET  /seen/NAME        {"deliveries": [{"id", "timestamp", "event", "good", "content_type", "signatures"}, …]}
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

LOCK = threading.Lock()
KEYS, ANSWERS, SEEN = {}, {}, {}


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def reply(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        what, name = self.path.strip("/").split("/")
        given = json.loads(self.body())
        with LOCK:
            if what == "keys":
                KEYS[name] = given["keys"]
            else:
                ANSWERS.setdefault(name, []).extend(given["answers"])
        self.reply(204)

    def do_GET(self):
        name = self.path.rsplit("/", 1)[1]
        with LOCK:
            seen = list(SEEN.get(name, []))
        self.reply(200, json.dumps({"deliveries": seen}).encode(), [("content-type", "application/json")])

    def do_POST(self):
        name, body = self.path.rsplit("/", 1)[1], self.body()
        headers = {key.lower(): value for key, value in self.headers.items()}

        def fits(key):
            try:
                Webhook(key).verify(body, headers)
                return True
            except WebhookVerificationError:
                return False

        with LOCK:
            keys = list(KEYS.get(name, []))
            queue = ANSWERS.get(name, [])
            answer = queue.pop(0) if queue else {"status": 204}
            SEEN.setdefault(name, []).append({
                "id": headers.get("webhook-id"),
                "timestamp": headers.get("webhook-timestamp"),
                "content_type": headers.get("content-type"),
                "signatures": len(headers.get("webhook-signature", "").split()),
                "good": [fits(key) for key in keys],
                "event": json.loads(body),
                "answered": answer["status"],
            })
        time.sleep(answer.get("delay", 0))
        extra = [("retry-after", answer["retry_after"])] if "retry_after" in answer else []
        self.reply(answer["status"], headers=extra)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


server = Server(("127.0.0.1", 0), Receiver)
print("ready", server.server_port, flush=True)
server.serve_forever()
