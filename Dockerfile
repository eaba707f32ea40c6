# One image for the web server, the worker, the scheduler and the management commands; only the command differs.

FROM python:3.11-slim-bookworm AS builder

WORKDIR /build
COPY requirements.txt .
# Wheels only, each checked against its hash: no compiler here, and none that could be missed. pip itself stays out of
# the environment that goes on.
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --require-hashes --only-binary :all: -r requirements.txt


FROM python:3.11-slim-bookworm

# granian reads GRANIAN_*. Its own default is hundreds of threads, each with a database connection that it keeps:
# 2 × 8 stay well under PostgreSQL's 100.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DATA_DIR=/data \
    GRANIAN_WORKERS=2 \
    GRANIAN_BLOCKING_THREADS=8

# The number is fixed, so that volumes written by one image are writable by the next. A named volume takes over the owner
# of the folder that it is mounted on: these are the places to mount one. /srv/static is for a web server in front.
RUN groupadd --gid 10001 lyceum \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin lyceum \
    && install -d -o lyceum -g lyceum /data /data/media /srv/static

WORKDIR /app
COPY --from=builder /opt/venv /opt/venv
COPY . .

# The code belongs to root, and the process cannot change it: whatever is compiled or collected has to be so now. The
# key that the settings make for this does not outlive the line.
RUN DATA_DIR=/tmp/build python manage.py collectstatic --noinput \
    && python -m compileall -q . \
    && rm -rf /tmp/build

USER 10001:10001
EXPOSE 8000

# Asked for by a name that ALLOWED_HOSTS lets in, and past any proxy that the environment names.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "\
import os, urllib.request as web; \
host = os.environ.get('ALLOWED_HOSTS', '').split(',')[0].strip().lstrip('.*') or 'localhost'; \
ask = web.Request('http://127.0.0.1:8000/healthz/', headers={'Host': host}); \
web.build_opener(web.ProxyHandler({})).open(ask, timeout=3)"]

# The exec form: granian itself gets SIGTERM, lets requests in flight end and stops. A request may be waiting for Stripe;
# what has not ended after 25 s never will.
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--no-ws", \
     "--respawn-failed-workers", "--workers-kill-timeout", "25", "config.wsgi:application"]
