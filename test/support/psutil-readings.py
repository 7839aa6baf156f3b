"""Answers each line of standard input, the path of a /proc, with what psutil says, as a line of JSON."""
import json
import os
import sys
import time
import warnings

import psutil

warnings.simplefilter("ignore")


def reading(procfs):
    psutil.PROCFS_PATH = procfs
    memory = psutil.virtual_memory()
    swap = psutil.swap_memory()
    disk = psutil.disk_usage("/")
    live = procfs == "/proc"
    return {
        "version": psutil.__version__,
        "memory": {"total": memory.total, "used": memory.used, "available": memory.available, "percent": memory.percent},
        "swap": {"total": swap.total, "used": swap.used, "percent": swap.percent},
        "disk": {"total": disk.total, "used": disk.used, "percent": disk.percent},
        "interfaces": {
            name: {
                "sent": io.bytes_sent,
                "recv": io.bytes_recv,
                "errors": io.errin + io.errout,
                "drops": io.dropin + io.dropout,
            }
            for name, io in psutil.net_io_counters(pernic=True, nowrap=False).items()
        },
        "disks": {
            name: {"read_bytes": io.read_bytes, "write_bytes": io.write_bytes, "reads": io.read_count, "writes": io.write_count}
            for name, io in psutil.disk_io_counters(perdisk=True, nowrap=False).items()
        },
        "cpu": psutil.cpu_times()._asdict() if live else {},
        "cpu_count": psutil.cpu_count() if live else 0,
        "load": os.getloadavg(),
        "uptime": time.time() - psutil.boot_time() if live else 0,
        "processes": len(psutil.pids()),
        "partitions": [p.mountpoint for p in psutil.disk_partitions()] if live else [],
    }


for line in sys.stdin:
    print(json.dumps(reading(line.rstrip("\n"))), flush=True)
