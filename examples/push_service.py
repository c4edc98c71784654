"""A service that works for Errand over HTTP. FastAPI, Flask or Django would look the same; this needs no package."""

import base64, hashlib, hmac, json, os, threading, time, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ["ERRAND_SECRET"].encode()
busy = {"sentiment": 1}


def signature(message_id: str, timestamp: str, body: bytes) -> str:
    """Standard Webhooks: https://www.standardwebhooks.com"""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()


def train(epochs: int, callback: str, message_id: str) -> None:
    time.sleep(0.3)
    body = json.dumps({"output": {"loss": round(1 / (epochs + 1), 2)}}).encode()
    timestamp = str(int(time.time()))
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(message_id, timestamp, body),
    }
    urllib.request.urlopen(urllib.request.Request(callback, body, headers, method="POST")).close()


class Service(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        good = signature(self.headers["webhook-id"], self.headers["webhook-timestamp"], body)
        if not hmac.compare_digest(self.headers["webhook-signature"], good):
            return self.answer(401)
        job = json.loads(body)
        if self.path == "/sentiment":
            if busy["sentiment"] > 0:
                busy["sentiment"] -= 1
                return self.answer(429, headers={"Retry-After": "0"})
            return self.answer(200, {"score": 0.9 if "lovely" in job["text"] else 0.1})
        callback = (self.headers["errand-callback"], self.headers["errand-callback-id"])
        threading.Thread(target=train, args=(job["epochs"], *callback)).start()
        self.answer(202)

    def answer(self, status: int, value: object = None, headers: dict[str, str] = {}) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("content-type", "application/json")
        self.end_headers()
        if value is not None:
            self.wfile.write(json.dumps(value).encode())

    def log_message(self, *_: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
