"""App IO as its published contract describes it: what that would refuse is refused here, and kept as a breach.

    app_io.py FOLDER

FOLDER/io.json says who uses it and how it answers: {"key": "…", "profiles": {"<fiscal code>": {"sender_allowed": true,
"preferred_languages": ["de_DE"]}}, "answers": [{"path": "/messages", "status": 429, "retry_after": 1}]}; answers are
used up from the front. Every message taken becomes FOLDER/io-<number>.json, every breach FOLDER/breach-<number>.json.
"""

import datetime
import http.server
import json
import pathlib
import re
import sys

FOLDER = pathlib.Path(sys.argv[1])
FISCAL_CODE = re.compile(
    "^[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]$"
)
used = 0
messages = 0
breaches = 0


def wishes():
    path = FOLDER / "io.json"
    return json.loads(path.read_text()) if path.exists() else {}


def keep(kind, number, value):
    path = FOLDER / f"{kind}-{number:04}.json"
    path.with_suffix(".part").write_text(json.dumps(value))
    path.with_suffix(".part").rename(path)


def wrong_message(body):
    """What the contract has against a message."""
    found = []
    if set(body) - {"fiscal_code", "content", "feature_level_type", "default_addresses", "time_to_live"}:
        found.append("unknown members")
    if not FISCAL_CODE.match(str(body.get("fiscal_code", ""))):
        found.append("fiscal_code")
    content = body.get("content")
    if not isinstance(content, dict):
        return found + ["content"]
    if set(content) - {"subject", "markdown", "due_date", "require_secure_channels", "payment_data", "third_party_data"}:
        found.append("unknown members of content")
    for name, least, most in [("subject", 10, 120), ("markdown", 80, 10000)]:
        value = content.get(name)
        if not isinstance(value, str) or not least <= len(value) <= most:
            found.append(f"content.{name}")
    if "due_date" in content:
        try:
            datetime.datetime.strptime(content["due_date"], "%Y-%m-%dT%H:%M:%S.%fZ")
        except ValueError:
            found.append("content.due_date")
    return found


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=None, headers=()):
        data = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        kind = "application/json" if status < 400 else "application/problem+json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def problem(self, status, title, headers=()):
        self.answer(status, {"title": title, "status": status}, headers)

    def breach(self, what):
        global breaches
        breaches += 1
        keep("breach", breaches, {"path": self.path, "what": what})
        self.problem(400, "Invalid request")

    def refused(self, told):
        """An answer that the test asked for, or that of a wrong key."""
        global used
        planned = told.get("answers", [])
        if used < len(planned) and self.path == planned[used]["path"]:
            step = planned[used]
            used += 1
            waits = [("Retry-After", str(step["retry_after"]))] if "retry_after" in step else []
            self.problem(step["status"], "as asked", waits)
            return True
        if self.headers.get("Ocp-Apim-Subscription-Key") != told.get("key"):
            self.problem(401, "Unauthorized")
            return True
        return False

    def do_POST(self):
        global messages
        told = wishes()
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get_content_type() != "application/json":
            return self.breach("content type")
        try:
            body = json.loads(raw)
        except ValueError:
            return self.breach("no JSON")
        if self.refused(told):
            return None
        if self.path == "/profiles":
            if set(body) != {"fiscal_code"} or not FISCAL_CODE.match(str(body["fiscal_code"])):
                return self.breach("profile")
            profile = told.get("profiles", {}).get(body["fiscal_code"])
            return self.answer(200, profile) if profile else self.problem(404, "Not found")
        if self.path == "/messages":
            wrong = wrong_message(body)
            if wrong:
                return self.breach(wrong)
            messages += 1
            keep("io", messages, body)
            return self.answer(201, {"id": f"01IO{messages:08}"})
        return self.breach("path")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"ready {server.server_address[1]}", flush=True)
server.serve_forever()
