"""Other people's proxies as somebody sets them up by hand: half and half by entity, and an access log."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import suppress

from headgate.adapters.planes.haproxy_process import find_binary as find_haproxy
from headgate.errors import PlaneUnavailable


def program(binary: str) -> str | None:
    """Return a program; of HAProxy the very one that the plane runs, so that only what it is told differs."""
    if binary == "haproxy":
        with suppress(PlaneUnavailable):
            return str(find_haproxy())
    return shutil.which(binary, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def version_of(path: str) -> str:
    """Return the number a program says of its version; nginx says it on stderr."""
    done = subprocess.run(  # noqa: S603 - our own argument list, no shell
        [path, "-v"], capture_output=True, text=True, timeout=20, check=False
    )
    found = re.search(r"\d+\.\d+[.\w]*", done.stdout or done.stderr)
    return found[0] if found else "of an untold version"


NGINX = """\
daemon off;
worker_processes {threads};
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000;
  split_clients "bench-1:$http_x_entity_id" $side {{ 50% candidate; * incumbent; }}
  upstream incumbent {{ server 127.0.0.1:{one}; keepalive 64; keepalive_requests 1000000; }}
  upstream candidate {{ server 127.0.0.1:{two}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://$side; proxy_http_version 1.1; proxy_set_header Connection "";
      add_header x-rollout-side $side;
    }}
  }}
}}
"""

HAPROXY = """\
global
  nbthread {threads}
  log stdout format raw local0
defaults
  mode http
  option httplog
  log global
  option http-keep-alive
  http-reuse always
  timeout client 60s
  timeout connect 1s
  timeout server 15s
frontend front
  bind 127.0.0.1:{port}
  http-request set-var(txn.e) req.fhdr(x-entity-id,1),xxh32(1),mod(2)
  use_backend candidate if {{ var(txn.e) -m int eq 0 }}
  default_backend incumbent
backend incumbent
  server one 127.0.0.1:{one}
backend candidate
  server two 127.0.0.1:{two}
"""
