#!/bin/sh
# Makes what the stack keeps secret, in packaging/docker/secrets: passwords, the endpoints' token, and two certificates
# with the authority that signed them, whose key is thrown away. What is there already is kept: to renew the
# certificates delete ca.pem, to change a password its file; then run it again and `docker compose up -d --force-recreate`.
#
# Run it as root, so that the files are readable for the containers' users alone (group 65532, which compose.yaml gives
# them). Otherwise they are readable for all, in a directory that only you may enter.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
cd secrets

# SQL Server wants three kinds of characters; none that a shell, YAML or T-SQL would read as its own.
password() {
  [ -s "$1" ] || printf 'Hs1-%s' "$(openssl rand -hex 24)" >"$1"
}

# name, names that the certificate is for
certificate() {
  openssl req -new -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n' "$2" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.new -CAkey ca.key -set_serial "0x$(openssl rand -hex 16)" -days 825 -extfile "$1.ext" -out "$1.pem" \
    2>/dev/null
  rm "$1.csr" "$1.ext"
}

for name in sqlserver_sa sqlserver_writer sqlserver_reader grafana_admin http_token; do
  password "$name"
done

if [ ! -s ca.pem ]; then
  # ca.pem comes last: a run that was interrupted begins anew.
  openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.new -days 825 -subj '/CN=hostspool stack' \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
  certificate sqlserver 'DNS:sqlserver,DNS:localhost'
  certificate http 'DNS:writer,DNS:agent,DNS:localhost'
  rm ca.key
  mv ca.new ca.pem
fi

if [ "$(id -u)" = 0 ]; then
  chgrp 65532 ./*
  chmod 0440 ./*
else
  chmod 0444 ./*
fi
echo "secrets are in $(pwd)"
