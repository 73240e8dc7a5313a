# Sightglass, non-root, with a read-only root file system in mind: only /data is written to.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY lock/run.txt lock/run.txt
RUN python -m venv /opt/sightglass \
 && /opt/sightglass/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps -r lock/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY proxy proxy
RUN /opt/sightglass/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
COPY --from=build /opt/sightglass /opt/sightglass
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin sightglass \
 && install -d -o 10001 -g 10001 -m 0700 /data
USER 10001:10001
WORKDIR /data
ENV PATH=/opt/sightglass/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    SIGHTGLASS_DATA=/data
VOLUME /data
EXPOSE 11435 11436
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:11435/-/health', timeout=2)"]
ENTRYPOINT ["sightglass"]
CMD ["serve"]
