# SPDX-License-Identifier: Apache-2.0
# Yuelai in a container: `docker compose up`, or
#   docker build -t yuelai . && docker run -p 8080:8080 -v yuelai:/data yuelai
# Two stages: what builds stays behind. Nobody is root, only /data is written.

FROM debian:bookworm-slim AS build
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
      --no-install-recommends git make gcc libc6-dev cmake ninja-build \
      pkg-config libuv1-dev libwslay-dev libsqlite3-dev libcurl4-openssl-dev \
      libluajit-5.1-dev libargon2-dev libssl-dev \
      libprotobuf-c-dev protobuf-c-compiler libhttp-parser-dev libyajl-dev \
      libicu-dev libxml2-dev libmagic-dev libgd-dev \
      ca-certificates nodejs npm \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# The web's packages change seldom: a layer of their own.
COPY web/package.json web/package-lock.json web/.npmrc web/
RUN cd web && npm ci --no-audit --no-fund
COPY . .
RUN cd web && npm run -s build
RUN cmake --preset release && cmake --build build/release

FROM debian:bookworm-slim
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
      --no-install-recommends libuv1 libwslay1 libsqlite3-0 libcurl4 \
      libluajit-5.1-2 libargon2-1 libssl3 libprotobuf-c1 libhttp-parser2.9 \
      libyajl2 libicu72 libxml2 libmagic1 libgd3 ca-certificates tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin yuelai \
    && install -d -o yuelai -g yuelai -m 0700 /data
WORKDIR /opt/yuelai
COPY --from=build /src/build/yuelai bin/yuelai
COPY --from=build /src/web/dist web/dist
# Mount your own over these to change them while it runs (compose.yaml does).
COPY scripts scripts
COPY channels channels
COPY ai ai
USER yuelai
ENV YUELAI_DATA=/data YUELAI_LISTEN=0.0.0.0:8080 YUELAI_HOME=/opt/yuelai \
    YUELAI_LOG=json
VOLUME /data
EXPOSE 8080
# No curl in here; bash speaks enough HTTP.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${YUELAI_LISTEN##*:} && printf 'GET /readyz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r -t 2 _ code _ <&3 && [ \"$code\" = 200 ]"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/yuelai/bin/yuelai"]
CMD ["serve"]
