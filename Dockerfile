# passgate in a container. Try it out in front of an application on port 8000 of this machine:
#
#   docker build -t passgate .
#   docker run --rm --network host -e PASSGATE_SERVER__LISTEN=127.0.0.1:8080 --name passgate passgate
#   docker exec passgate passgate user add alice        # prints a link to set a password with
#
# For good: mount a gateway.toml at /etc/passgate/gateway.toml and a volume at /var/lib/passgate, or set any key from the
# environment (PASSGATE_SERVER__PUBLIC_URL=https://forum.example.org, PASSGATE_UPSTREAM__URL=http://forum:8000 …).

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake g++ make perl \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin passgate

FROM debian:bookworm-slim
# A user of its own, and the folder for what it keeps.
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin passgate \
    && install -d -o passgate -g passgate -m 0700 /var/lib/passgate
COPY --from=build /build/target/release/passgate /usr/local/bin/passgate
COPY gateway.toml /etc/passgate/gateway.toml
# Commands find their gateway.toml in the folder they are started in.
WORKDIR /etc/passgate
USER passgate
# In a container the loopback address reaches nobody. The admin listener stays on it: the health check below is inside.
ENV PASSGATE_SERVER__LISTEN=0.0.0.0:8080 \
    PASSGATE_SERVER__DATA_DIR=/var/lib/passgate
EXPOSE 8080
VOLUME /var/lib/passgate
# The image has no curl; bash, which Debian always has, can ask for /ready on server.admin_listen itself.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9090 && printf 'GET /ready HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r -t 4 line <&3 && [[ $line == 'HTTP/1.1 200'* ]]"]
ENTRYPOINT ["passgate"]
CMD ["serve"]
