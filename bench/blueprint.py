"""The transform in the shape of AWS's blueprint kinesis-firehose-process-record-python, for comparison.

It does what the Go function does with CSV rows and JSON output, with the standard library: rows with the schema's names
and types, and a record with a bad row goes back as it came, as ProcessingFailed.

    blueprint.py COLUMNS EVENT ANSWER SECONDS

COLUMNS is JSON: [[name, type], ...]. The answer goes to a file, and the best time of one answer, in seconds, to stdout,
with the peak of memory in KiB.
"""

import base64
import csv
import datetime
import io
import json
import math
import resource
import sys
import time


def real(text):
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def timestamp(text):
    datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
    return text


TYPES = {"INTEGER": int, "BIGINT": int, "REAL": real, "DOUBLE": real, "TIMESTAMP": timestamp}
COLUMNS = [(name, TYPES.get(kind, str)) for name, kind in json.loads(sys.argv[1])]


def reshape(payload):
    lines = []
    for row in csv.reader(io.StringIO(payload.decode("utf-8"))):
        if len(row) != len(COLUMNS):
            raise ValueError("another number of columns")
        values = {name: convert(text) for (name, convert), text in zip(COLUMNS, row)}
        lines.append(json.dumps(values, separators=(",", ":")))
        lines.append("\n")
    return "".join(lines).encode("utf-8")


def lambda_handler(event, context):
    output = []
    for record in event["records"]:
        try:
            data = reshape(base64.b64decode(record["data"]))
            output.append({
                "recordId": record["recordId"],
                "result": "Ok",
                "data": base64.b64encode(data).decode("utf-8"),
            })
        except ValueError:
            output.append({"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]})
    return {"records": output}


def main():
    with open(sys.argv[2], "rb") as file:
        event = file.read()
    best, until = math.inf, time.perf_counter() + float(sys.argv[4])
    while time.perf_counter() < until:
        start = time.perf_counter()
        answer = json.dumps(lambda_handler(json.loads(event), None))
        best = min(best, time.perf_counter() - start)
    with open(sys.argv[3], "w", encoding="utf-8") as file:
        file.write(answer)
    print(best, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


main()
