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
_REVOKE = """\
To revoke it, at once and everywhere, send the key itself; no other is needed:

    POST /v1/keys/revoke_leaked  {{"key": "sda_…"}}

Or ask the operator for:  seedance-api key revoke {key_id}
"""
_LEAKED = """\
Hello,

somebody has found your API key {key} and reported it to us. It is revoked: nothing can be done with it any more.

Make another key, use it instead, and remove the old one from wherever it could be read.
GET /v1/requests?key_id={key_id} lists what was done with it.
"""
_GUESSED = (
    """\
Hello,

up to {at} UTC somebody has sent {count} wrong secrets with the id of your API key {key}. Each was refused,
and further ones are, for longer each time. The key itself works as before, from everywhere.

A secret cannot be guessed, so you need not do anything. The id is what comes first in the key: if that can be read
somewhere, look whether all of it can.

"""
    + _REVOKE
)
_CHANGED = (
    """\
Hello,

at {at} UTC your API key {key} was used otherwise than before. {says}

Within the hour before, it was used from: {networks}.

If it was you, you need not do anything. If it was not, or you do not know, revoke the key and make another one.
GET /v1/requests?key_id={key_id} lists what was done with it.

"""
    + _REVOKE
)
LETTERS = {
    "key_network": ("Your API key was used from a new network", _CHANGED),
    "key_spending": ("Your API key spends much more than usual", _CHANGED),
    "key_failing": ("Requests with your API key fail much more often than usual", _CHANGED),
    "key_denied": ("Your API key is used for what it is not for", _CHANGED),
    "key_moderated": ("Many videos ordered with your API key are refused by moderation", _CHANGED),
    "key_leaked": ("Your API key was found by others, and is revoked", _LEAKED),
    "key_guessed": ("Somebody sends wrong secrets for your API key", _GUESSED),
    "endpoint_failing": ("Your webhook endpoint has been failing for a day", _FAILING),
    "endpoint_disabled": ("Your webhook endpoint is disabled", _DISABLED),
}
