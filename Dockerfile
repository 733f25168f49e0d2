# syntax=docker/dockerfile:1
# One image a service: docker build --build-arg SERVICE=orders .
# SERVICE=* installs what all of them need together, for `fillstream migrate` and the other commands.
# KEYS=aws or KEYS=gcp leaves out what the other cloud's key service takes.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
WORKDIR /build
COPY locks/uv.txt .
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip install --disable-pip-version-check --require-hashes -r uv.txt
ARG SERVICE
# Without SERVICE there is no lock of that name, and the build ends here.
ARG KEYS=*
COPY locks/service-${SERVICE}.txt locks/keys-${KEYS}.txt locks/
RUN --mount=type=cache,target=/root/.cache/uv \
    uv venv /opt/fillstream \
    && uv pip install --python /opt/fillstream --link-mode copy --compile-bytecode --require-hashes \
        $(printf -- '-r %s ' locks/*.txt)
# Pure Python, so there is nothing to build.
COPY fillstream /opt/fillstream/app/fillstream
COPY libs /opt/fillstream/app/libs
COPY services /opt/fillstream/app/services
RUN printf '#!/opt/fillstream/bin/python\nfrom fillstream.cli.main import main\n\nmain()\n' > /opt/fillstream/bin/fillstream \
    && chmod 755 /opt/fillstream/bin/fillstream \
    && /opt/fillstream/bin/python -m compileall -q /opt/fillstream/app

FROM python:${PYTHON}-slim
# A volume that is mounted at /keys for the first time takes on its owner.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin fillstream \
    && mkdir --mode 700 /keys && chown 10001 /keys
COPY --from=build /opt/fillstream /opt/fillstream
ENV PATH=/opt/fillstream/bin:$PATH \
    PYTHONPATH=/opt/fillstream/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    FILLSTREAM_HTTP_HOST=0.0.0.0 \
    FILLSTREAM_HTTP_PORT=8000
WORKDIR /opt/fillstream/app
USER 10001
EXPOSE 8000
CMD ["fillstream", "--help"]
