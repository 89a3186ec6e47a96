# Which image runs beckon? Two stages: one installs by hash, the other holds nothing but Python and the result.

FROM python:3.12.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 UV_LINK_MODE=copy
WORKDIR /build
COPY pyproject.toml requirements.lock ./
# The tools (uv, hatchling) stay here; what runs goes to /venv. Every file is checked against the lock.
RUN python -m venv tools \
    && sed -n '/^uv==/,/# via/p' requirements.lock > uv.lock \
    && tools/bin/pip install --require-hashes --no-deps --requirement uv.lock \
    && tools/bin/uv pip install --python tools/bin/python --require-hashes \
        --constraint requirements.lock --requirement pyproject.toml --extra build \
    && tools/bin/uv venv --python /usr/local/bin/python3 /venv \
    && tools/bin/uv pip install --python /venv/bin/python --require-hashes --compile-bytecode \
        --constraint requirements.lock --requirement pyproject.toml
COPY state state
COPY triggers triggers
COPY connectors connectors
COPY config config
COPY flows flows
COPY console console
RUN tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && tools/bin/uv pip install --python /venv/bin/python --no-deps --no-index --compile-bytecode dist/*.whl

FROM python:3.12.11-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin beckon \
    && install --directory --owner=beckon --group=beckon /app/var
COPY --from=build /venv /venv
# Runs with a read-only root file system; only the embedded default writes, under /app/var.
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["beckon"]
CMD ["run"]
