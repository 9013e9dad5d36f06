"""Letters: subject and text of what is mailed, by kind of message."""

_FAILING = """\
Hello,

for a day nothing that we sent to your webhook endpoint {endpoint} at {host} has arrived.
We go on trying. After five days of nothing but failures it is disabled.

GET /v1/webhook_endpoints/{endpoint}/deliveries shows what came back at each try.
"""
_DISABLED = """\
Hello,

your webhook endpoint {endpoint} at {host} is disabled: it answered 410, or nothing has arrived there for five days.
Nothing is sent to it any more. GET /v1/events has everything that happened.

To enable it again:            POST /v1/webhook_endpoints/{endpoint}  {{"enabled": true}}
To have sent what was missed:  POST /v1/webhook_endpoints/{endpoint}/replay
"""
LETTERS = {
    "endpoint_failing": ("Your webhook endpoint has been failing for a day", _FAILING),
    "endpoint_disabled": ("Your webhook endpoint is disabled", _DISABLED),
}
