"""How gunicorn serves the portal, everywhere: `make run`, tests, containers. It reads this file by itself.

The address is given with `--bind`; sizes come from the environment.
"""

import os
from typing import Any

worker_class = "gthread"  # a request mostly waits for the database or for WeChat Pay
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("WEB_THREADS", "16"))

# Longer than any request may take: a call to a gateway is cut off after 10 s.
timeout = 30
graceful_timeout = 30
keepalive = 5

# A worker is replaced now and then, not all at the same moment, so that no leak can grow for ever.
max_requests = 20_000
max_requests_jitter = 5_000

# The heartbeat file must not wait for a slow disk.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108

# The portal logs its own requests, with license texts and tokens masked; gunicorn would write them in full.
accesslog = None
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    """Say that a worker has loaded the portal and takes requests: what a deployment waits for."""
    worker.log.info("Worker with pid %s takes requests", worker.pid)
