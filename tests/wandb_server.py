"""A W&B server in this process, as much of one as `wandb` needs to start a run and stream its history."""

from __future__ import annotations

import gzip
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROJECT = {"id": "p", "name": "p", "entity": {"id": "e", "name": "me"}}


class WandbServer:
    """Answers on a free port of the loopback address, until it is stopped.

    Attributes:
        url: its address.
        history: the rows of the only run, by their place.
        names: of the runs that were started or continued.
    """

    def __init__(self) -> None:
        self.history: list[dict[str, Any]] = []
        self.names: list[str] = []
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.stopped = False

    def stop(self) -> None:
        """Go down: connections that are open are not answered any more, new ones are refused."""
        self.stopped = True
        self._server.shutdown()
        self._server.server_close()

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any] | None:
        """The data of a GraphQL query; None where it is not known."""
        name = re.findall(r"\w+", query)[1]
        if name == "RunResumeStatus":
            return {"model": {**PROJECT, "bucket": self._bucket() if self.names else None}}
        if name == "UpsertBucket":
            self.names.append(variables["name"])
            return {"upsertBucket": {"bucket": {**self._bucket(), "project": PROJECT}, "inserted": True}}
        if name == "Viewer":
            return {"viewer": {"id": "u", "entity": "me", "username": "me", "flags": "{}", "email": "x@y"}}
        return None

    def _bucket(self) -> dict[str, Any]:
        last = json.dumps(self.history[-1]) if self.history else "{}"
        return {
            **{"id": "b", "name": self.names[-1], "displayName": "n", "config": "{}", "tags": []},
            **{"summaryMetrics": last, "historyTail": json.dumps([last]), "eventsTail": "[]"},
            **{"logLineCount": 0, "historyLineCount": len(self.history), "eventsLineCount": 0},
            "wandbConfig": '{"t":1}',
        }

    def stream(self, message: dict[str, Any]) -> None:
        """Take a piece of a run's files."""
        piece = (message.get("files") or {}).get("wandb-history.jsonl")
        if piece:
            rows = [json.loads(line) for line in piece["content"]]
            self.history[piece["offset"] : piece["offset"] + len(rows)] = rows


class _Handler(BaseHTTPRequestHandler):
    fake: WandbServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._reply({})

    def do_PUT(self) -> None:
        self._body()
        self._reply({})

    def do_POST(self) -> None:
        body = json.loads(self._body() or b"{}") if "otel" not in self.path else self._body()
        if self.path == "/graphql":
            data = self.fake.answer(body["query"], body.get("variables") or {})
            self._reply({"errors": [{"message": "not known"}]} if data is None else {"data": data})
            return
        if "file_stream" in self.path and not self.fake.stopped:
            self.fake.stream(body)
        self._reply({})

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _reply(self, value: dict[str, Any]) -> None:
        if self.fake.stopped:
            self.close_connection = True
            return
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
