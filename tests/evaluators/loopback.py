"""A model server on the loopback interface: what real CLIs need to run without a network.

It speaks just enough of Anthropic's messages, OpenAI's responses and Gemini's streams.
"""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Server:
    """Where it listens, and all that it was asked (path and body)."""

    url: str = ""
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@contextmanager
def serving(reply: Callable[[str], str | int]) -> Iterator[Server]:
    """Answer each request with `reply(all of its text)`; a number is an HTTP status."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._send(404, b"{}", "application/json")

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.headers.get("content-encoding") == "gzip":
                raw = gzip.decompress(raw)
            body = json.loads(raw or b"{}")
            path = self.path.split("?")[0]
            server.requests.append((path, body))
            said = reply("\n".join(_texts(body)))
            if isinstance(said, int):
                error = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}
                return self._send(said, json.dumps(error).encode(), "application/json")
            events = (
                _messages(said) if path.endswith("/messages")
                else _responses(said) if path.endswith("/responses")
                else _gemini(said)
            )  # fmt: skip
            lines = "".join(map(_line, events))
            return self._send(200, lines.encode(), "text/event-stream")

        def _send(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            if status == 429:
                self.send_header("retry-after", "3600")
            self.end_headers()
            self.wfile.write(content)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


def _line(event: dict[str, Any]) -> str:
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from _texts(inner)


def _messages(said: str) -> list[dict[str, Any]]:
    usage = {"input_tokens": 1000, "output_tokens": 50}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "stub",
               "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}  # fmt: skip
    delta = {"type": "text_delta", "text": said}
    return [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    ]


def _responses(said: str) -> list[dict[str, Any]]:
    part = {"type": "output_text", "text": said, "annotations": []}
    item = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
            "content": [part]}  # fmt: skip
    usage = {"input_tokens": 1000, "output_tokens": 50, "total_tokens": 1050,
             "input_tokens_details": {"cached_tokens": 0},
             "output_tokens_details": {"reasoning_tokens": 0}}  # fmt: skip
    response = {"id": "resp_1", "object": "response", "status": "completed", "model": "stub",
                "output": [item], "usage": usage, "error": None}  # fmt: skip
    return [
        {
            "type": "response.created",
            "response": response | {"status": "in_progress", "output": []},
        },
        {"type": "response.output_item.added", "output_index": 0, "item": item | {"content": []}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response},
    ]


def _gemini(said: str) -> list[dict[str, Any]]:
    candidate = {"content": {"role": "model", "parts": [{"text": said}]}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 1000, "candidatesTokenCount": 50, "totalTokenCount": 1050}
    return [{"candidates": [candidate], "modelVersion": "stub", "usageMetadata": usage}]
