"""What HAProxy is started with. It never changes while HAProxy lives: all that changes is in one map.

A request meets: its limits; the headers that only we may write; its entry in the map (that of its slice,
else that of the rest), read once, so that it belongs to one whole route; its bucket; then one of

    incumbent     straight to the incumbent, whose own errors pass through
    either        through a hop to the candidate, and from there, should it fail in any way, to the incumbent

The hops are frontends on sockets in this folder: each gives one try a patience of its own, and the first
makes any failure (4xx too: if the request was at fault the incumbent says so itself) one that is retried.
"""

from __future__ import annotations

from headgate.adapters.planes.haproxy_routes import FIELD, REST, SLICE
from headgate.plan.planes import PLANES
from headgate.routing import FULL_BP

#: How long a caller may wait in all. Patience with the candidate is the route's ``timeout_ms``.
CALLER_TIMEOUT = "15s"
CONNECT_TIMEOUT = "250ms"
#: A larger body does not fit the buffer that a second try is made from: it is refused (413). All of that
#: buffer is copied for every request, whatever it holds, so it cannot be as large as Envoy's.
MAX_BODY_BYTES = PLANES["haproxy"].max_body_bytes
_MAX_HEADERS_BYTES = 16_384
_BUFFER_BYTES = MAX_BODY_BYTES + 2 * _MAX_HEADERS_BYTES
#: A candidate that fails so often in a row is left alone until nobody asked it for so long.
EJECTED_AFTER, EJECTED_FOR = 5, "5s"
#: 2**64 modulo the buckets: HAProxy's integers are signed, and this makes a negative hash the unsigned one.
_WRAPPED = 2**64 % FULL_BP


def config(bind: str, threads: int, held: str) -> str:
    """Return the configuration file.

    Parameters
    ----------
    bind
        Address, port and TLS of the callers' door.
    threads
        Worker threads.
    held
        Entry of the map for when that holds none: the incumbent alone, never a guess.
    """
    return f"""\
# Written by Headgate, which writes it again at every start. The share is in routes.map.
global
  stats socket unix@admin.sock mode 600 level admin
  nbthread {threads}
  fd-hard-limit 50000
  # a second HAProxy on the port must fail to start, not take half of the connections
  noreuseport
  tune.bufsize {_BUFFER_BYTES}
  log stdout len 65535 format raw local0

defaults
  mode http
  option dontlognull
  option http-keep-alive
  http-reuse always
  timeout http-request {CALLER_TIMEOUT}
  timeout http-keep-alive 60s
  timeout client 60s
  timeout connect {CONNECT_TIMEOUT}
  timeout server {CALLER_TIMEOUT}

{_front(bind, held)}
{_BACKENDS}"""


def _front(bind: str, held: str) -> str:
    return f"""\
frontend front
  bind {bind}
  log global
  log-format '{_LOG_FORMAT}'
  http-request set-var(txn.began) date(0,us)
  http-request return status 431 if {{ req.hdrs,length gt {_MAX_HEADERS_BYTES} }}
  http-request deny deny_status 413 if {{ req.body_size gt {MAX_BODY_BYTES} }}
  http-request wait-for-body time {CALLER_TIMEOUT}
  http-request deny deny_status 413 if {{ req.body_size gt {MAX_BODY_BYTES} }}
  # what only we may say
  http-request del-header x-rollout -m beg
  http-request del-header x-envoy- -m beg
  http-request del-header x-shadow
  # of several values the first alone counts, for the plane, the models and the log
  http-request set-var(txn.at) req.fhdr(x-request-at,1)
  http-request set-var(txn.id) req.fhdr(x-request-id,1)
  http-request set-var(txn.id) uuid unless {{ var(txn.id) -m found }}
  http-request set-header x-request-id %[var(txn.id)] unless {{ req.fhdr_cnt(x-request-id) eq 1 }}
  http-request set-var(txn.entity) req.fhdr(x-entity-id,1)
  http-request set-header x-entity-id %[var(txn.entity)] if {{ req.fhdr_cnt(x-entity-id) gt 1 }}
  http-request set-var(txn.entity) var(txn.id) unless {{ req.fhdr_cnt(x-entity-id) gt 0 }}
  http-request set-var(txn.asked) req.fhdr(x-headgate-slice,1)
  http-request set-header x-headgate-slice %[var(txn.asked)] if {{ req.fhdr_cnt(x-headgate-slice) gt 1 }}
  http-request set-var(txn.asked) var(txn.asked),hex
  # one entry is one whole route
  http-request set-var(txn.route) str({SLICE}),concat(,txn.asked),map_str(routes.map)
  http-request set-var(txn.route) str({REST}),map_str(routes.map) unless {{ var(txn.route) -m found }}
  # a file that somebody damaged: the incumbent alone, never a guess
  http-request set-var(txn.whole) var(txn.route),{FIELD["incumbent_ip"]},ipmask(32,128) \
if {{ var(txn.route),{FIELD["place"]} -m len gt 0 }}
  http-request set-var(txn.route) str({held}) unless {{ var(txn.whole) -m found }}
  http-request set-var(txn.rollout) var(txn.route),{FIELD["rollout"]},ub64dec
  http-request set-var(txn.slice) var(txn.route),{FIELD["slice"]},ub64dec
  http-request set-var(txn.generation) var(txn.route),{FIELD["generation"]}
  http-request set-var(txn.share) var(txn.route),{FIELD["share_bp"]},add(0)
  http-request set-var(txn.candidate) var(txn.route),{FIELD["candidate"]}
  # the bucket: unsigned xxHash64 of salt:entity, seed 0
  http-request set-var(txn.hash) var(txn.route),{FIELD["salt"]},ub64dec,concat(:,txn.entity),xxh64(0)
  http-request set-var(txn.bucket) var(txn.hash),mod({FULL_BP})
  http-request set-var(txn.bucket) var(txn.bucket),add({_WRAPPED + FULL_BP}),mod({FULL_BP}) \
if {{ var(txn.hash) -m int lt 0 }}
  http-request set-var(txn.side) str(incumbent)
  http-request set-var(txn.side) str(candidate) if {{ var(txn.bucket),sub(txn.share) lt 0 }}
  http-request set-header x-rollout-side %[var(txn.side)]
  use_backend either if {{ var(txn.side) -m str candidate }} \
{{ var(txn.candidate),table_gpc0(candidate) lt {EJECTED_AFTER} }}
  default_backend incumbent
  http-response set-var(txn.answered) res.fhdr(x-rollout-answered,1)
  http-response del-header x-rollout -m beg
  http-after-response set-header x-rollout-side %[var(txn.side)] if {{ var(txn.side) -m found }}
  http-after-response set-header x-rollout none if {{ var(txn.side) -m found }}
  http-after-response set-header x-rollout %[var(txn.rollout)] if {{ var(txn.rollout) -m len gt 0 }}
  http-after-response set-header x-rollout-generation %[var(txn.generation)] if {{ var(txn.side) -m found }}
"""


#: One line of a live request; no text in it can end it or break out of its quotes.
_LOG_FORMAT = (
    '{"ts":%Ts.%ms,"at":"%[var(txn.at),json(utf8s)]","request_id":"%[str(=),concat(,txn.id),json(utf8s)]",'
    '"entity":"%[str(=),concat(,txn.entity),json(utf8s)]","status":%ST,"end":"%tsc",'
    '"us":%[date(0,us),sub(txn.began)],"ms":%Ta,"rollout":"%[var(txn.rollout),json(utf8s)]",'
    '"generation":"%[var(txn.generation)]","slice":"%[var(txn.slice),json(utf8s)]",'
    '"assigned":"%[var(txn.side)]","served":"%s","answered":"%[var(txn.answered)]","retries":"%rc"}'
)


def _to(side: str) -> str:
    """Return the rules that lead a request where its route says; without an address it goes nowhere."""
    ip, port = FIELD[f"{side}_ip"], FIELD[f"{side}_port"]
    return f"""\
  http-request set-var(txn.ip) var(txn.route),{ip},ipmask(32,128)
  http-request deny deny_status 503 unless {{ var(txn.ip) -m found }}
  http-request set-dst var(txn.ip)
  http-request set-dst-port var(txn.route),{port}"""


_BACKENDS = f"""\
backend either
  timeout server 20s
  retries 1
  option redispatch 1
  retry-on conn-failure empty-response junk-response response-timeout 500 502 503 504
  # all to the first; a retry avoids the one that failed
  balance first
  http-request set-header x-rollout-route %[var(txn.route)]
  server candidate unix@candidate.sock id 1
  server incumbent unix@incumbent.sock id 2

frontend to-candidate
  bind unix@candidate.sock mode 600
  http-request set-var(txn.route) req.fhdr(x-rollout-route,1)
  http-request del-header x-rollout-route
  default_backend candidate

frontend to-incumbent
  bind unix@incumbent.sock mode 600
  http-request set-var(txn.route) req.fhdr(x-rollout-route,1)
  http-request del-header x-rollout-route
  default_backend incumbent

backend candidate
  # failures in a row, forgotten once nobody asked for a while: so it is tried again
  stick-table type string len 64 size 1k expire {EJECTED_FOR} store gpc0
  retries 1
  # a server may close an idle connection just as it is used again
  retry-on empty-response
  http-request track-sc0 var(txn.route),{FIELD["candidate"]}
  http-request set-timeout server var(txn.route),{FIELD["timeout_ms"]}
{_to("candidate")}
  # an answer whose length was told and that is cut off half way is a failure too, if the buffer can hold it
  http-response wait-for-body time {CALLER_TIMEOUT}
  http-response set-var(txn.had) res.body_len
  http-response set-var(txn.failed) bool(true) if {{ res.body_size,sub(txn.had) gt 0 }} \
{{ res.body_size le {MAX_BODY_BYTES} }}
  http-response set-var(txn.failed) bool(true) if {{ status ge 500 }}
  http-response set-var(txn.row) sc_inc_gpc0(0) if {{ var(txn.failed) -m found }}
  http-response set-var(txn.row) sc_clr_gpc0(0) unless {{ var(txn.failed) -m found }}
  http-response set-var(txn.counted) bool(true)
  http-response set-header x-rollout-answered yes
  http-response set-status 503 if {{ status ge 400 }} || {{ var(txn.failed) -m found }}
  http-after-response set-var(txn.row) sc_inc_gpc0(0) unless {{ var(txn.counted) -m found }}
  server candidate 0.0.0.0:0

backend incumbent
  retries 1
  retry-on empty-response
{_to("incumbent")}
  http-response set-header x-rollout-answered yes
  server incumbent 0.0.0.0:0
"""
