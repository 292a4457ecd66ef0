"""Holds a segnatura against segnatura.xsd, with the validator of the package xmlschema.

segnatura.py           prints `ready PORT`

POST /validations      {"xml": "…"}: {"errors": ["…"], "number": "0000042"}
"""

import json
import pathlib
import xml.etree.ElementTree as ElementTree
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import xmlschema

SCHEMA = xmlschema.XMLSchema(str(pathlib.Path(__file__).with_name("segnatura.xsd")))
NUMBER = ".//{http://www.agid.gov.it/protocollo/}NumeroRegistrazione"


class Validator(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        text = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))["xml"]
        root = ElementTree.fromstring(text.encode())
        errors = [f"{error.path}: {error.reason}" for error in SCHEMA.iter_errors(root)]
        found = root.find(NUMBER)
        body = json.dumps({"errors": errors, "number": None if found is None else found.text}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", 0), Validator)
print(f"ready {server.server_port}", flush=True)
server.serve_forever()
