"""A mail server (aiosmtpd) that keeps what it is handed, as another library than the sender's reads it.

    mail.py FOLDER

Every message becomes FOLDER/mail-<number>.json. FOLDER/refuse.json, where it exists, says what is refused:
{"later": N} answers 451 to the next N messages, {"never": ["address"]} answers 550 to these recipients, and
{"slow": seconds} lets every message wait so long before it is taken.
"""

import asyncio
import email
import email.policy
import json
import pathlib
import socket
import sys

from aiosmtpd.controller import Controller

FOLDER = pathlib.Path(sys.argv[1])
count = 0
later = 0


def wishes():
    path = FOLDER / "refuse.json"
    return json.loads(path.read_text()) if path.exists() else {}


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in wishes().get("never", []):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        global count, later
        told = wishes()
        if later < told.get("later", 0):
            later += 1
            return "451 4.7.1 try again later"
        if told.get("slow"):
            (FOLDER / "begun").touch()
            await asyncio.sleep(told["slow"])
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = [part for part in parsed.walk() if not part.is_multipart()]
        kept = {
            "envelope": {"from": envelope.mail_from, "to": envelope.rcpt_tos},
            "headers": {name.lower(): str(value) for name, value in parsed.items()},
            "seen_twice": sorted({n for n in map(str.lower, parsed.keys()) if len(parsed.get_all(n)) > 1}),
            "from": [[a.display_name, a.addr_spec] for a in parsed["from"].addresses],
            "to": [[a.display_name, a.addr_spec] for a in parsed["to"].addresses],
            "dated": parsed["date"].datetime is not None,
            "structure": [part.get_content_type() for part in parsed.walk()],
            "parts": [
                {
                    "type": part.get_content_type(),
                    "charset": part.get_content_charset(),
                    "method": part.get_param("method"),
                    "name": part.get_filename(),
                    "content": part.get_content()
                    if isinstance(part.get_content(), str)
                    else part.get_content().decode(),
                }
                for part in parts
            ],
            "defects": [type(defect).__name__ for part in parsed.walk() for defect in part.defects],
        }
        count += 1
        path = FOLDER / f"mail-{count:04}.json"
        path.with_suffix(".part").write_text(json.dumps(kept))
        path.with_suffix(".part").rename(path)
        return "250 OK"


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


controller = Controller(Handler(), hostname="127.0.0.1", port=free_port())
controller.start()
print(f"ready {controller.port}", flush=True)
controller._thread.join()
