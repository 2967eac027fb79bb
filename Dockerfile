# One image for web, worker, beat and migrations; compose.yaml says which is which.
FROM python:3.12-slim AS packages
COPY requirements.txt /
# Every package is pinned with its hash: what was not locked is not installed.
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes --requirement /requirements.txt

FROM python:3.12-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin boxoffice
WORKDIR /app
COPY --from=packages /venv /venv
COPY . .
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=billing_project.settings \
    WEB_CONCURRENCY=2

# The settings refuse to load without their values; collecting static files uses none of these.
RUN SECRET_KEY=build PUBLIC_URL=http://build DATABASE_URL=postgres://build/build BROKER_URL=redis://build \
    BANK_API_URL=http://build BANK_MERCHANT=build BANK_SECRET=build BANK_CALLBACK_SECRETS=build \
    TOKEN_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    python manage.py collectstatic --noinput && chmod -R a+rX /app

# Nothing in the image is written to when it runs.
USER boxoffice
EXPOSE 8000
# WEB_CONCURRENCY is the number of processes. A worker's heartbeat file belongs in memory.
CMD ["gunicorn", "billing_project.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--threads", "4", \
     "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "--graceful-timeout", "25", "--access-logfile", "-"]
