# syntax=docker/dockerfile:1

# ---- build -------------------------------------------------------------------------------------
# SQLite, libpq and the cryptography are compiled from source here: a C compiler is all they need.
FROM rust:1.95-bookworm AS build
WORKDIR /src

# Named one by one, so that a local target/ or demo folder is never sent to the builder.
COPY Cargo.toml Cargo.lock clippy.toml rustfmt.toml ./
COPY crates crates
COPY migrations migrations
COPY openapi openapi
COPY docs docs
COPY tests tests

# The caches stay outside the image; the binary is copied out before the mount goes away.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --package gateway --bin sportello \
    && cp target/dist/sportello /usr/local/bin/sportello

# ---- run ---------------------------------------------------------------------------------------
FROM debian:bookworm-slim

# The certificates are for fetching an identity provider's keys over HTTPS. Time zones are in the
# binary.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /var/lib/sportello --create-home \
        --shell /usr/sbin/nologin sportello

COPY --from=build /usr/local/bin/sportello /usr/local/bin/sportello
COPY LICENSE /usr/share/doc/sportello/LICENSE
# The binary contains the fonts, and their licence asks to go with them.
COPY crates/pdf/fonts/OFL.txt /usr/share/doc/sportello/OFL.txt

USER sportello
WORKDIR /var/lib/sportello
# Where a SQLite file lives; unused with PostgreSQL.
VOLUME ["/var/lib/sportello"]

# A container is reached from outside itself; everywhere else the default stays loopback.
ENV SPORTELLO_SERVER__LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM

# No HEALTHCHECK: whoever runs the container asks /health/live and /health/ready over HTTP.
ENTRYPOINT ["sportello"]
CMD ["serve"]
