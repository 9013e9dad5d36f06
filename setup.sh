#!/bin/sh
# Make the environment in .venv from uv.lock. Needs Python 3.11–3.13 and a package registry; does nothing when it is up to date.
set -eu
cd "$(dirname "$0")"

python=""
for name in python3.11 python3.12 python3.13 python3; do
    if command -v "$name" >/dev/null 2>&1 &&
        "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'; then
        python=$(command -v "$name")
        break
    fi
done
if [ -z "$python" ]; then
    echo "setup: Python 3.11, 3.12 or 3.13 is needed; on Debian 12: apt-get install python3 python3-venv" >&2
    exit 1
fi

stamp=.venv/.setup
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(cat uv.lock pyproject.toml client/pyproject.toml preview/pyproject.toml | cksum)" ]; then
    exit 0
fi

if ! .tools/bin/uv --version >/dev/null 2>&1; then
    rm -rf .tools
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
            echo "setup: installing python3-venv"
            apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
        else
            echo "setup: Python's venv module is missing; as root: apt-get install python3-venv" >&2
            exit 1
        fi
    fi
    echo "setup: installing uv into .tools"
    "$python" -m venv .tools
    .tools/bin/python -m pip install --quiet --disable-pip-version-check "uv==0.13.9"
fi

echo "setup: installing the locked packages into .venv"
# trust what this machine trusts, where it says what that is: a company's own certificate, say
if [ -s /etc/ssl/certs/ca-certificates.crt ]; then
    export UV_SYSTEM_CERTS=true
fi
UV_PYTHON_DOWNLOADS=never .tools/bin/uv sync --quiet --locked --python "$python"
cat uv.lock pyproject.toml client/pyproject.toml preview/pyproject.toml | cksum >"$stamp"
