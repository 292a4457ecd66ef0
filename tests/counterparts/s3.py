"""A store that speaks S3: moto's server, with one bucket.

s3.py BUCKET           prints `ready PORT`
"""

import http.client
import sys
import threading

from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
_, port = server.get_host_and_port()
connection = http.client.HTTPConnection("127.0.0.1", port)
connection.request("PUT", f"/{sys.argv[1]}", headers={"host": f"127.0.0.1:{port}"})
answer = connection.getresponse()
assert answer.status == 200, answer.read()
print("ready", port, flush=True)
threading.Event().wait()
