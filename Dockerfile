# syntax=docker/dockerfile:1

FROM rust:1.95-slim-trixie AS build
# OpenSSL (for git's transports) and aws-lc are built from source, with these.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc g++ libc6-dev make perl pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY Cargo.toml Cargo.lock askama.toml ./
COPY benches benches
# The demo's files are in the binary.
COPY config config
COPY src src
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked && install -m 0755 target/release/driftless /driftless

FROM debian:trixie-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -o 65532 -g 65532 -m 0700 /run/driftless /var/lib/driftless
COPY --from=build /driftless /usr/local/bin/driftless

LABEL org.opencontainers.image.title="driftless" \
      org.opencontainers.image.description="Keeps Amazon ECS services as a git repository says" \
      org.opencontainers.image.licenses="Apache-2.0"

# A number, so that ECS and Kubernetes can see that it is not root. It needs no entry in /etc/passwd.
USER 65532:65532
# Declared so that new volumes belong to that user; everything else may be read-only.
VOLUME ["/run/driftless", "/var/lib/driftless"]
ENV HOME=/var/lib/driftless
EXPOSE 8080
STOPSIGNAL SIGTERM
# ECS looks only at the task definition's own health check; this one is for docker and compose.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/local/bin/driftless", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/driftless"]
CMD ["run"]
