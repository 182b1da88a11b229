# The reverse proxy as a small image without pip, a shell's worth of rights, or anything to write.
#
#   docker build -t reverseproxy .
#   docker run --rm --read-only --cap-drop ALL -p 8080:8080 reverseproxy
#   docker run ... -v ./routes.yaml:/etc/reverseproxy/routes.yaml:ro reverseproxy
#
# Pin BASE by digest for builds that must be repeatable to the byte. Any Debian or Alpine image with Python
# 3.11 or newer and its venv module will do.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /src
# What changes rarely first: the locked dependencies stay cached while the program changes.
COPY requirements.lock .ci/build.lock ./
RUN python3 -m venv /build \
 && /build/bin/pip install --no-cache-dir --require-hashes -r build.lock \
 && python3 -m venv --without-pip /opt/reverseproxy \
 && /build/bin/pip --python /opt/reverseproxy/bin/python install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY twisted twisted
COPY proxy proxy
RUN /build/bin/hatchling build -t wheel -d /wheels \
 && /build/bin/pip --python /opt/reverseproxy/bin/python install --no-deps --no-index /wheels/*.whl
# Twisted remembers its plugins in a file beside them. Written here, since at run time nothing can be: without
# it every start would import every plugin and complain about the folder. A layer keeps whole seconds only, and a cache
# of the same second as a plugin counts as old: hence the minute.
RUN /opt/reverseproxy/bin/python -c "from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))" \
 && find /opt/reverseproxy -name dropin.cache -exec touch -d "1 minute" {} +

FROM ${BASE}
RUN groupadd --gid 10001 reverseproxy \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin reverseproxy
COPY --from=build /opt/reverseproxy /opt/reverseproxy
COPY config/routes.yaml /etc/reverseproxy/routes.yaml
ENV PATH=/opt/reverseproxy/bin:$PATH \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /etc/reverseproxy
EXPOSE 8080 8443
STOPSIGNAL SIGTERM
# Asks http://127.0.0.1:8080/; routes that listen elsewhere want `--health-cmd 'reverseproxy ping --url ...'`.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["reverseproxy", "ping"]
# No pid file: the process is always 1, and a stale file of an earlier run would keep it from starting.
ENTRYPOINT ["twistd", "-n", "--pidfile=", "reverseproxy"]
CMD ["--config", "/etc/reverseproxy/routes.yaml"]
