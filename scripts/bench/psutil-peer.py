"""The plain way to do what an agent does: psutil's eleven fields to Kafka at an interval, and nothing kept anywhere.

psutil-peer.py BOOTSTRAP TOPIC SECONDS
"""
import json
import socket
import sys
import time
from datetime import datetime, timezone

import psutil
from kafka import KafkaProducer

bootstrap, topic, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
host = socket.gethostname()
producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
psutil.cpu_percent()
due = time.monotonic()
while True:
    due += seconds
    time.sleep(max(0, due - time.monotonic()))
    memory = psutil.virtual_memory()
    disk = psutil.disk_usage("/")
    network = psutil.net_io_counters()
    sample = {
        "hostname": host,
        "timestamp": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "cpu_percent": psutil.cpu_percent(),
        "memory_percent": memory.percent,
        "memory_used_mb": round(memory.used / 2**20, 2),
        "memory_total_mb": round(memory.total / 2**20, 2),
        "disk_percent": disk.percent,
        "disk_used_gb": round(disk.used / 2**30, 2),
        "disk_total_gb": round(disk.total / 2**30, 2),
        "network_bytes_sent": network.bytes_sent,
        "network_bytes_recv": network.bytes_recv,
    }
    producer.send(topic, key=host.encode(), value=json.dumps(sample).encode()).get(30)
