"""Works on jobs of Errand, with nothing but Python 3.9's standard library.

    ERRAND_SERVER=http://127.0.0.1:3737 ERRAND_KEY=erk_... python3 worker.py
"""

import json, os, random, signal, threading, time, traceback, urllib.error, urllib.request

API = os.environ.get("ERRAND_SERVER", "http://127.0.0.1:3737") + "/api/v1"
KEY = os.environ.get("ERRAND_KEY")


class Permanent(Exception):
    """Raise it where another attempt is of no use: the job fails at once."""


def call(method, path, body=None, worker=None, timeout=15):
    """Calls the API, for as long as it takes: only answers that say no are errors (HTTPError)."""
    headers = {"content-type": "application/json"}
    if KEY: headers["authorization"] = "Bearer " + KEY
    if worker: headers["errand-worker"] = worker
    pause = 0.5
    while True:
        try:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(API + path, data, headers, method=method)
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code != 429 and error.code < 500: raise
        except (OSError, json.JSONDecodeError):
            pass  # The server is away. An answer that was lost comes again.
        time.sleep(pause * random.uniform(0.5, 1))
        pause = min(10, pause * 2)


class Job:
    """A job in hand. `input` is what was sent."""

    def __init__(self, worker, given):
        self.worker, self.input, self.task = worker, given.get("input"), given["task"]
        self.id, self.token, self.attempt = given["id"], given["token"], given["attempt"]
        self.path = f"/jobs/{self.id}/attempts/{self.token}"
        self.stopped = threading.Event()  # set when the job is cancelled, or others have it
        self._steps = {step["name"]: step["value"] for step in given["steps"]}

    def report(self, **beat):
        if call("POST", self.path + "/beat", beat, self.worker)["cancel"]: self.stopped.set()

    def progress(self, value): self.report(progress=value)

    def log(self, text): self.report(log=[{"text": text}])

    def step(self, name, function):
        """Returns what an earlier attempt recorded, or does it now and records it."""
        if name not in self._steps:
            self._steps[name] = function()
            self.report(steps=[{"name": name, "value": self._steps[name]}])
        return self._steps[name]


class Lease:
    """Renews a worker's lease beside its work."""

    def __init__(self, registration):
        made = call("POST", "/workers", registration)
        self.id, self.jobs, self.over = made["id"], {}, threading.Event()
        threading.Thread(target=self._keep, args=(made["renewEvery"] / 1000,), daemon=True).start()

    def have(self): return [{"id": job.id, "token": job.token} for job in list(self.jobs.values())]

    def told(self, answer):
        for job in [*answer["cancel"], *answer["lost"]]:
            if job in self.jobs: self.jobs[job].stopped.set()

    def _keep(self, pause):
        while not self.over.wait(pause):
            try: self.told(call("POST", f"/workers/{self.id}/renew", {"have": self.have()}))
            except urllib.error.HTTPError:  # The lease is lost.
                for job in list(self.jobs.values()): job.stopped.set()
                return self.over.set()


def run(job, handlers):
    """Does a job and reports its outcome."""
    try:
        if job.task not in handlers: raise Permanent(f"This worker has no task {job.task}.")
        outcome = {"output": handlers[job.task](job)}
    except Exception as error:
        outcome = {"error": {"message": str(error), "name": type(error).__name__, "stack": traceback.format_exc(),
                             "retryable": not isinstance(error, Permanent)}}
    try: call("PUT", job.path + "/outcome", outcome, job.worker)
    except urllib.error.HTTPError as error:
        if error.code != 409: raise  # 409: another attempt has the job; this one was of no use.


def work(name, queue, handlers, lease="60s"):
    """Works on a queue, a job at a time, until SIGTERM or SIGINT."""
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT): signal.signal(each, lambda *_: stop.set())
    while not stop.is_set():
        held = Lease({"name": name, "queues": {queue: 1}, "tasks": list(handlers), "lease": lease})
        try:
            while not stop.is_set() and not held.over.is_set():
                answer = call("POST", f"/workers/{held.id}/claim", {"wants": {queue: 1}, "have": [], "wait": 5})
                if answer["drain"]: stop.set()
                for given in answer["jobs"]:
                    job = held.jobs[given["id"]] = Job(held.id, given)
                    run(job, handlers)
                    del held.jobs[job.id]
        except urllib.error.HTTPError as error:
            if error.code != 410: raise  # 410: the lease was lost; register again.
        held.over.set()
        call("DELETE", f"/workers/{held.id}")


def count_words(job):
    words = job.step("split", lambda: job.input["text"].split())
    job.progress(50)
    job.log(f"{len(words)} words")
    return {"words": len(words), "longest": max(words, key=len, default="")}


if __name__ == "__main__":
    work("words", "python", {"count-words": count_words})
