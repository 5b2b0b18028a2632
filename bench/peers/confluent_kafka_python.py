"""confluent-kafka for Python, with pydantic: one measurement, as measure.mjs makes them."""

import json
import resource
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from pydantic import TypeAdapter
from typing_extensions import TypedDict

job = json.loads(sys.argv[1])
topic = job.get("topic")


class Student(TypedDict):
    """The same schema as in workload.mjs."""

    id: int
    name: str
    course: str
    when: float
    ok: bool
    note: str


schema = TypeAdapter(Student)


def make_values(size=100, count=10_000):
    words = "record topic offset broker commit leader replica segment index time stream group member lag seek batch"
    values = []
    for number in range(count):
        value = {
            "id": number,
            "name": f"student {number}",
            "course": "Data Engineering",
            "when": float(number * 1000),
            "ok": True,
            "note": "",
        }
        missing = max(0, size - len(json.dumps(value, separators=(",", ":"))))
        start = number % len(words)
        value["note"] = (words[start:] + " " + words * (missing // len(words) + 1))[:missing]
        values.append(value)
    return values


def encode(value):
    return schema.dump_json(schema.validate_python(value))


def decode(message):
    message.key().decode()
    return schema.validate_json(message.value())


def key_of(value):
    return str(value["id"]).encode()


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(result):
    print("\nRESULT " + json.dumps(result), flush=True)
    # Whoever started this process ends it.
    time.sleep(60)


class Meter:
    def __init__(self):
        self.records = 0
        self.limit = job["records"]

    def start(self):
        self.begun = time.perf_counter()
        self.ends = self.begun + job["seconds"]
        self.cpu = cpu_seconds()

    def is_over(self):
        return self.records >= self.limit or time.perf_counter() >= self.ends

    def finish(self, **extra):
        seconds = time.perf_counter() - self.begun
        cpu = cpu_seconds() - self.cpu
        report(
            {
                "records": self.records,
                "seconds": seconds,
                "rate": self.records / seconds,
                "cpuPerMillion": cpu / self.records * 1e6,
                "peakMb": peak_mb(),
                **extra,
            }
        )


def percentiles(times):
    times.sort()

    def at(share):
        return times[min(len(times) - 1, int(len(times) * share))]

    return {"p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": times[-1]}


meter = Meter()


def new_producer(**properties):
    return Producer(
        {
            "bootstrap.servers": job["brokers"],
            "enable.idempotence": True,
            "acks": "all",
            "partitioner": "murmur2_random",
            "compression.type": job.get("compression", "none"),
            "linger.ms": job.get("lingerMs", 0),
            "queue.buffering.max.messages": 100_000,
            **properties,
        }
    )


def produce_all(properties, on_delivery):
    """As its documentation says: produce(), poll(0) for the reports, and flush() at the end."""
    producer = new_producer(**properties)
    values = make_values(job.get("size", 100))

    def send(value):
        while True:
            try:
                producer.produce(topic, encode(value), key_of(value), on_delivery=on_delivery)
                return
            except BufferError:
                producer.poll(0.005)

    for value in values[:1000]:
        send(value)
    producer.flush()
    meter.start()
    while not meter.is_over():
        first = meter.records % len(values)
        for value in values[first : first + 500]:
            send(value)
        meter.records += 500
        producer.poll(0)
    producer.flush()
    meter.finish()


def check(error, _message):
    if error is not None:
        raise KafkaException(error)


def produce_batches():
    producer = new_producer()
    values = make_values(job.get("size", 100))
    size = job["batch"]
    sent = delivered = 0

    def on_delivery(error, message):
        nonlocal delivered
        check(error, message)
        delivered += 1

    def send(batch):
        nonlocal sent
        producer.produce_batch(
            topic, [{"value": encode(value), "key": key_of(value)} for value in batch], on_delivery=on_delivery
        )
        sent += len(batch)

    send(values[:1000])
    producer.flush()
    meter.start()
    while not meter.is_over():
        first = meter.records % len(values)
        send(values[first : first + size])
        meter.records += size
        while sent - delivered > size * (job["inFlight"] - 1):
            producer.poll(0.01)
    producer.flush()
    meter.finish()


def produce_stream():
    produce_all({"linger.ms": 5, "delivery.report.only.error": True}, check)


def produce_latency():
    producer = new_producer()
    values = make_values()
    delivered = []

    def send(value):
        delivered.clear()
        producer.produce(topic, encode(value), key_of(value), on_delivery=lambda *_: delivered.append(True))
        while not delivered:
            producer.poll(1)

    for value in values[:100]:
        send(value)
    times = []
    meter.start()
    while not meter.is_over():
        begun = time.perf_counter()
        send(values[meter.records % len(values)])
        times.append((time.perf_counter() - begun) * 1000)
        meter.records += 1
    meter.finish(**percentiles(times))


def new_consumer(**properties):
    return Consumer(
        {
            "bootstrap.servers": job["brokers"],
            "group.id": job.get("group", "replay"),
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 10,
            **properties,
        }
    )


def consume(size):
    consumer = new_consumer()
    consumer.subscribe([topic])
    pause = job.get("handlerMs", 0) / 1000
    while True:
        for message in consumer.consume(size, 0.1):
            if meter.records == 0:
                meter.start()
            decode(message)
            if pause:
                time.sleep(pause)
            meter.records += 1
            if meter.records == meter.limit or (meter.records % 100 == 0 and meter.is_over()):
                meter.finish()
                return


def replay():
    consumer = new_consumer(**{"enable.auto.commit": False})
    partitions = consumer.list_topics(topic).topics[topic].partitions
    left = 0
    for partition in partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition))
        left += high - low
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    while left > 0:
        for message in consumer.consume(1000, 0.1):
            if meter.records == 0:
                meter.start()
            decode(message)
            meter.records += 1
            left -= 1
        if meter.records > 0 and meter.is_over():
            break
    meter.finish()


def end_to_end():
    producer = new_producer()
    times = []
    state = {"received": 0, "ready": False}

    def receive():
        consumer = new_consumer()
        consumer.subscribe([topic])
        while True:
            message = consumer.poll(0.1)
            if message is None or message.error():
                continue
            value = decode(message)
            if not value["ok"]:
                state["ready"] = True
                continue
            if value["when"] >= state["measuring"]:
                times.append((time.perf_counter() - value["when"]) * 1000)
            state["received"] += 1

    threading.Thread(target=receive, daemon=True).start()
    value = {"id": 0, "name": "student", "course": "Data Engineering", "when": 0.0, "ok": False, "note": ""}
    while not state["ready"]:
        producer.produce(topic, encode(value), key_of(value))
        producer.poll(0.1)
    warm_up = min(1, job["seconds"] * 0.3)
    begun = time.perf_counter()
    state["measuring"] = begun + warm_up
    wanted = int(job["rate"] * (job["seconds"] + warm_up))
    sent = 0
    cpu = cpu_seconds()
    while sent < wanted:
        now = time.perf_counter()
        due = min(wanted, int((now - begun) * job["rate"]))
        while sent < due:
            intended = begun + (sent + 1) / job["rate"]
            when = intended if now - intended > 0.002 else now
            record = {**value, "id": sent % 10_000, "ok": True, "when": when}
            producer.produce(topic, encode(record), key_of(record))
            sent += 1
        producer.poll(0)
        time.sleep(0.001)
    cores = (cpu_seconds() - cpu) / (job["seconds"] + warm_up)
    deadline = time.perf_counter() + 3
    while state["received"] < sent and time.perf_counter() < deadline:
        time.sleep(0.005)
    missing = sent - state["received"]
    times.extend([3_000] * missing)
    report({**percentiles(times), "records": len(times), "missing": missing, "cores": cores})


calls = {
    "produceBatches": produce_batches,
    "produceStream": produce_stream,
    "produceLatency": produce_latency,
    "consumeEach": lambda: consume(1000),
    "consumeBatches": lambda: consume(1000),
    "endToEnd": end_to_end,
    "replay": replay,
}
calls[job["call"]]()
