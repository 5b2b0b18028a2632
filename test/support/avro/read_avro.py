"""Reads bytes as fastavro does: a line { writer, reader, bytes } each, and prints { value } or { error }."""

import io
import json
import sys

import fastavro


def plain(value):
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return {"bytes": value.hex()} if isinstance(value, bytes) else value


for line in sys.stdin:
    try:
        given = json.loads(line)
        writer, reader = (fastavro.parse_schema(given[name]) for name in ("writer", "reader"))
        value = fastavro.schemaless_reader(io.BytesIO(bytes.fromhex(given["bytes"])), writer, reader)
        answer = {"value": plain(value)}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))
