# docker build .                    the portal, which is also the worker: only the command differs
# docker build --target sandbox .   portal, worker and WeChat Pay sandbox in one, to try it

# Installs the locked packages; only this stage has a compiler, which mysqlclient needs.
FROM python:3.11-slim-bookworm AS builder
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev libmariadb-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
WORKDIR /app
COPY requirements.txt requirements-mysql.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements.txt -r requirements-mysql.txt
COPY portal portal
RUN pybabel compile -d portal/translations && python -m compileall -q portal


FROM python:3.11-slim-bookworm AS runtime
RUN apt-get update \
    && apt-get install -y --no-install-recommends libmariadb3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin portal \
    && install -d -o portal -g portal -m 0700 /var/lib/portal
COPY --from=builder /venv /venv
WORKDIR /app
COPY gunicorn.conf.py wsgi.py ./
COPY migrations migrations
COPY static static
COPY templates templates
COPY --from=builder /app/portal portal
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    VAR_DIR=/var/lib/portal \
    LICENSE_KEY_DIR=/var/lib/portal/license-keys \
    MAIL_DIR=/var/lib/portal/mail
VOLUME /var/lib/portal
USER portal


FROM runtime AS sandbox
COPY sandbox sandbox
COPY scripts scripts
ENV HOST=0.0.0.0
EXPOSE 8000 8100
STOPSIGNAL SIGTERM
CMD ["python", "-m", "scripts.run"]


# Last, so that it is what `docker build .` makes. It holds no sandbox.
FROM runtime AS portal
ENV WEB_CONCURRENCY=4 \
    WEB_THREADS=16
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import http.client as h, sys; c = h.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
CMD ["gunicorn", "wsgi:app", "--bind", "0.0.0.0:8000", "--no-control-socket"]
