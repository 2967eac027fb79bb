"""Settings come from the environment; a value that production cannot do without stops the start with its name.

With DEBUG on (what script/server and script/test set) every value has a default that fits a laptop.
"""

from datetime import timedelta
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from billing_project import acquirers, clock
from billing_project.environment import DEBUG, env, required

BASE_DIR = Path(__file__).resolve().parent.parent
clock.install(env.str("CLOCK_FILE", default=""), debug=DEBUG)

# --- Web ---
SECRET_KEY = required("SECRET_KEY", "laptop-only-secret-key-that-is-long-enough-for-hs256")
PUBLIC_URL = required("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[PUBLIC_URL])
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024  # bytes; a callback or a form is a few kilobytes

ROOT_URLCONF = "billing_project.urls"
WSGI_APPLICATION = "billing_project.wsgi.application"
APPEND_SLASH = False  # the API takes both forms; see urls.py

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "accounts",
    "billing",
    "subscriptions",
    "notifications",
    "simulation",
]

MIDDLEWARE = [
    "billing_project.request_id.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- People ---
AUTH_USER_MODEL = "accounts.User"
LOGIN_URL, LOGIN_REDIRECT_URL, LOGOUT_REDIRECT_URL = "login", "account", "plans"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}Validator"}
    for name in ("UserAttributeSimilarity", "MinimumLength", "CommonPassword", "NumericPassword")
]

# Who of the staff may do what: Django groups, set to this table by every migrate (accounts.roles). To look at all
# of a customer is one thing, to move money another; marketing sets plans and prices and sees nobody's money.
STAFF_ROLES = {
    "support": [
        "accounts.view_user",
        "billing.view_*",
        "billing.check_payment",
        "subscriptions.view_*",
        "subscriptions.cancel_subscription",  # gives back what the plan's rules say, and not a kopeck more
        "subscriptions.pause_subscription",
        "subscriptions.switch_subscription",
        "notifications.view_*",
    ],
    "billing manager": [
        "accounts.view_user",
        "billing.view_*",
        "billing.check_payment",
        "billing.refund_payment",
        "billing.capture_payment",
        "billing.void_invoice",
        "billing.close_wallet",
        "billing.retry_parked",
        "billing.resolve_case",
        "billing.release_halt",
        "billing.switch_acquirer",
        "subscriptions.view_*",
        "subscriptions.cancel_subscription",
        "subscriptions.give_subscription",
        "subscriptions.pause_subscription",
        "subscriptions.switch_subscription",
        "subscriptions.change_plan",
        "subscriptions.*_price",
        "subscriptions.*_pricemove",
        "notifications.view_*",
    ],
    "marketing": [
        "billing.view_product",
        "billing.add_product",
        "billing.change_product",
        "subscriptions.view_plan",
        "subscriptions.add_plan",
        "subscriptions.change_plan",
        "subscriptions.*_price",
        "subscriptions.*_pricemove",
        "subscriptions.*_personaldiscount",
        "subscriptions.*_termdiscount",
        "subscriptions.*_promocode",
    ],
    "administrator": ["*"],
}

# --- Database ---
DATABASES = {"default": env.db_url_config(required("DATABASE_URL", "postgres://postgres@127.0.0.1:15432/boxoffice"))}
DATABASES["default"].update(
    ENGINE="django.db.backends.postgresql",
    # A pool instead of a connection per request; the health check outlives a restart of PostgreSQL.
    CONN_MAX_AGE=0,
    CONN_HEALTH_CHECKS=True,
    OPTIONS={
        "pool": {"min_size": 1, "max_size": env.int("DATABASE_POOL", default=8), "timeout": 10},
        "connect_timeout": 5,
        # A verb's transaction takes milliseconds; what idles longer holds locks for nobody.
        "options": "-c idle_in_transaction_session_timeout=60000 -c lock_timeout=15000",
    },
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Celery: a wake-up call, never the record of work -------------------------------------------------------------
CELERY_BROKER_URL = required("BROKER_URL", "redis://127.0.0.1:16379/0")
# What is counted per address and person (throttles) is counted by all processes together.
_cache = env.str("CACHE_URL", default="") or CELERY_BROKER_URL
if _cache.startswith(("redis://", "rediss://")):
    CACHES = {
        "default": {
            "BACKEND": "billing_project.cache.SharedCache",
            "LOCATION": _cache,
            "KEY_PREFIX": "boxoffice",
        }
    }
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TIMEZONE = "UTC"
# A lost broker must not hold up the page that wakes it: one short try, then the sweep does the work.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 1, "socket_timeout": 5, "visibility_timeout": 600}

# --- Time and language ---
USE_TZ = USE_I18N = True
TIME_ZONE = "Europe/Moscow"
LANGUAGE_CODE = "en"

# --- Files ---
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Mail ---
EMAIL_BACKEND = env.str("EMAIL_BACKEND", default="django.core.mail.backends.console.EmailBackend")
EMAIL_FILE_PATH = env.str("EMAIL_FILE_PATH", default=str(BASE_DIR / ".var" / "mail"))
EMAIL_HOST = env.str("EMAIL_HOST", default="localhost")
EMAIL_PORT = env.int("EMAIL_PORT", default=25)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Boxoffice <billing@boxoffice.example>")
SUPPORT_EMAIL = env.str("SUPPORT_EMAIL", default="support@boxoffice.example")

# --- API ---
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework_simplejwt.authentication.JWTAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["billing.api.parsing.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "billing.api.problems.handle",
    "NUM_PROXIES": env.int("PROXIES", default=0),  # how many of ours stand before it: the rest of X-Forwarded-For lies
    "DEFAULT_THROTTLE_RATES": {
        "auth": env.str("AUTH_RATE", default="30/min"),
        "promo_user": env.str("PROMO_RATE", default="10/hour"),  # promo codes that there are not, typed by one person
        "promo_address": env.str("PROMO_ADDRESS_RATE", default="100/hour"),  # and from one address
    },
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=30),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "USER_ID_CLAIM": "user_id",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Boxoffice",
    "DESCRIPTION": "Subscription billing for an online cinema.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PREPROCESSING_HOOKS": ["accounts.slashes.documented"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- Acquirers: their list, their routes and when one is down are in billing_project/acquirers.py --------------------
ACQUIRERS = acquirers.read(f"{PUBLIC_URL}/api/v1/callbacks")
ACQUIRER_ROUTES, ACQUIRER_HEALTH = acquirers.ROUTES, acquirers.HEALTH
CUSTOMER_CHOOSES_ACQUIRER, ALLOW_SANDBOX = acquirers.CUSTOMER_CHOOSES, acquirers.ALLOW_SANDBOX
# Card tokens are encrypted with the first key and read with any of them: put a new key first to rotate.
TOKEN_KEYS = env.list("TOKEN_KEYS", default=["bGFwdG9wLW9ubHktdG9rZW4ta2V5LTMyLWJ5dGVzISE="] if DEBUG else [])
if not TOKEN_KEYS:
    raise ImproperlyConfigured("TOKEN_KEYS must hold at least one Fernet key (comma-separated)")

# --- Billing rules ---
COOLING_OFF = timedelta(minutes=env.int("COOLING_OFF_MINUTES", default=60))  # everything comes back within this
DISCOUNT_STACKING = env.str("DISCOUNT_STACKING", default="standing", choices=["standing", "best_of"])  # see quotes.py
RECEIPT_PENDING_LIMIT = timedelta(hours=env.int("RECEIPT_PENDING_LIMIT_HOURS", default=24))  # then a human looks
CHECKOUT_TTL = timedelta(minutes=env.int("CHECKOUT_TTL_MINUTES", default=60))  # then an unpaid checkout is closed
TOP_UP_LIMITS = {"RUB": 100_000, "KZT": 500_000, "JPY": 200_000, "": 1_000}  # whole units put into a wallet at once
METER_EVERY = timedelta(minutes=env.int("METER_EVERY_MINUTES", default=60))  # what runs by the hour is charged so often
METER_LOW = timedelta(hours=env.int("METER_LOW_HOURS", default=24))  # the customer is told when less is left
# A sweep of more than `factor` times what was forecast stops; not below `least` people or these sums ("": any other).
SWEEP_GUARD = {
    "factor": env.int("SWEEP_GUARD_FACTOR", default=3),
    "least": env.int("SWEEP_GUARD_LEAST", default=50),
    "least_amounts": {"RUB": 250_000, "KZT": 1_500_000, "JPY": 500_000, "": 3_000},
}
# A renewal that was declined is tried again so many hours after the end of the term, while the plan's grace lasts.
DUNNING_STEPS = [timedelta(hours=int(step)) for step in env.list("DUNNING_STEPS_HOURS", default=["24", "48"])]
DUNNING_LAST_CALL = timedelta(hours=env.int("DUNNING_LAST_CALL_HOURS", default=3))  # the last try: before grace ends
CARD_ATTEMPTS = env.int("CARD_ATTEMPTS", default=15)  # the networks' cap of charges of one card by us ...
CARD_ATTEMPTS_WITHIN = timedelta(days=env.int("CARD_ATTEMPTS_WITHIN_DAYS", default=30))  # ... within so long
PRICE_NOTICE = timedelta(days=env.int("PRICE_NOTICE_DAYS", default=30))  # nobody's price changes sooner than this
CHARGES_AT_ONCE = env.int("CHARGES_AT_ONCE", default=6)  # by one worker; none holds a database connection meanwhile
CALLING_PROCESSES = env.int("CALLING_PROCESSES", default=6)  # the web's and all workers': each calls its share at once

# --- Logs ---
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "billing_project.request_id.RequestIdFilter"}},
    "formatters": {"line": {"format": "{asctime} {levelname} {name} [{request_id}] {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
