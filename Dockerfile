# The gallery in a container: docker build -t gallery . && docker run -p 7860:7860 -v gallery:/data gallery
FROM python:3.11-slim

# Another index for pip, for this build alone.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    OMP_WAIT_POLICY=passive \
    GRADIO_ANALYTICS_ENABLED=False \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    GM_DATA_DIR=/data/gallery \
    HF_HOME=/data/hub

RUN useradd --uid 1000 --create-home gallery \
    && mkdir /data \
    && chown gallery:gallery /data

WORKDIR /gallery
# Before the code: it takes minutes, and changes seldom.
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY --chown=gallery:gallery app.py README.md LICENSE ./
COPY --chown=gallery:gallery demos demos
COPY --chown=gallery:gallery gm_core gm_core
COPY --chown=gallery:gallery assets assets

USER gallery
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['GRADIO_SERVER_PORT'] + '/robots.txt', timeout=8)"]
CMD ["python", "app.py"]
