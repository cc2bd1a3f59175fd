# ejabberd.sh - how `peers` configures and starts Debian's ejabberd. Sourced, not run.
#
# Without Erlang's distribution (no epmd, no ejabberdctl): it is administered by its HTTP API on loopback.
# Not here: accounts' names, certificates, names (`peers`).

ejabberd_config() {
  local dir=$PEERS_DIR/ejabberd trust=$CERTS/ca.pem dialback=''
  if [ "$S2S_AUTH" = dialback ]; then
    trust=/etc/ssl/certs/ca-certificates.crt dialback='mod_s2s_dialback: {}'
  fi
  cat <<YAML
hosts: [ "$EJABBERD_DOMAIN" ]
loglevel: $PEERS_LOG
certfiles: [ "$CERTS/$EJABBERD_DOMAIN.all.pem" ]
ca_file: "$trust"
s2s_cafile: "$trust"
s2s_use_starttls: required
auth_method: internal
auth_password_format: scram
auth_scram_hash: sha256
disable_sasl_mechanisms: [ "DIGEST-MD5" ]
registration_timeout: infinity
acl:
  local: { user_regexp: "" }
  admin: { user: [ "admin@$EJABBERD_DOMAIN" ] }
  loopback: { ip: [ "127.0.0.0/8" ] }
access_rules:
  local: { allow: local }
  c2s: { allow: all }
  announce: { allow: admin }
  configure: { allow: admin }
  muc_create: { allow: all }
  pubsub_createnode: { allow: all }
  trusted_network: { allow: loopback }
api_permissions:
  "http from loopback":
    from: [ mod_http_api ]
    who: { access: { allow: loopback } }
    what: [ "*" ]
listen:
  - { port: 5222, ip: "$EJABBERD_IP", module: ejabberd_c2s, max_stanza_size: 262144, shaper: none, access: c2s, starttls: true, starttls_required: true }
  - { port: 5223, ip: "$EJABBERD_IP", module: ejabberd_c2s, max_stanza_size: 262144, shaper: none, access: c2s, tls: true }
  - { port: 5269, ip: "$EJABBERD_IP", module: ejabberd_s2s_in, max_stanza_size: 524288 }
  - { port: 5270, ip: "$EJABBERD_IP", module: ejabberd_s2s_in, max_stanza_size: 524288, tls: true }
  - { port: 5347, ip: "$EJABBERD_IP", module: ejabberd_service, hosts: { "echo.$EJABBERD_DOMAIN": { password: "secret" } } }
  - { port: 5280, ip: "$EJABBERD_IP", module: ejabberd_http, request_handlers: { "/api": mod_http_api, "/xmpp-websocket": ejabberd_http_ws, "/http-bind": mod_bosh, "/upload": mod_http_upload, "/.well-known/host-meta": mod_host_meta, "/.well-known/host-meta.json": mod_host_meta } }
  - { port: 5281, ip: "$EJABBERD_IP", module: ejabberd_http, tls: true, request_handlers: { "/xmpp-websocket": ejabberd_http_ws, "/http-bind": mod_bosh, "/upload": mod_http_upload, "/.well-known/host-meta": mod_host_meta, "/.well-known/host-meta.json": mod_host_meta } }
modules:
  mod_adhoc: {}
  mod_admin_extra: {}
  mod_announce: { access: announce }
  mod_avatar: {}
  mod_blocking: {}
  mod_bosh: {}
  mod_caps: {}
  mod_carboncopy: {}
  mod_client_state: {}
  mod_configure: {}
  mod_disco: { server_info: [ { modules: all, name: "abuse-addresses", urls: [ "mailto:abuse@$EJABBERD_DOMAIN" ] } ] }
  mod_host_meta: { bosh_service_url: "https://@HOST@:5281/http-bind", websocket_url: "wss://@HOST@:5281/xmpp-websocket" }
  mod_http_api: {}
  mod_http_upload: { host: "upload.@HOST@", put_url: "http://$EJABBERD_IP:5280/upload", docroot: "$dir/upload", max_size: 10485760, access: c2s }
  mod_last: {}
  mod_mam: { assume_mam_usage: true, default: always }
  mod_muc: { host: "conference.@HOST@", access: [ allow ], access_admin: [ { allow: admin } ], access_create: muc_create, access_persistent: muc_create, access_mam: [ allow ], default_room_options: { mam: true } }
  mod_muc_admin: {}
  mod_offline: {}
  mod_ping: {}
  mod_privacy: {}
  mod_private: {}
  mod_proxy65: { host: "proxy.@HOST@", ip: "$EJABBERD_IP", port: 7777, access: c2s, max_connections: 5 }
  mod_pubsub: { host: "pubsub.@HOST@", access_createnode: pubsub_createnode, plugins: [ flat, pep ], force_node_config: { "storage:bookmarks": { access_model: whitelist } } }
  mod_push: {}
  mod_push_keepalive: {}
  mod_register: { ip_access: trusted_network }
  mod_roster: { versioning: true }
  mod_shared_roster: {}
  mod_stream_mgmt: { resend_on_timeout: if_offline }
  mod_stun_disco: { credentials_lifetime: 12h, secret: "turnsecret", services: [ { host: "$EJABBERD_IP", port: 3478, type: stun, transport: udp, restricted: false }, { host: "$EJABBERD_IP", port: 3478, type: turn, transport: udp, restricted: true } ] }
  mod_time: {}
  mod_vcard: {}
  mod_vcard_xupdate: {}
  mod_version: {}
  $dialback
YAML
}

start_ejabberd() {
  local dir=$PEERS_DIR/ejabberd ebin
  ebin=$(ls -d /usr/lib/*/ejabberd-*/ebin | tail -1)
  mkdir -p "$dir/mnesia" "$dir/log" "$dir/upload"
  ejabberd_config >"$dir/ejabberd.yml"
  # SRV records are asked for by Erlang's own resolver, addresses by libc: it needs both this and in-net.
  cat >"$dir/inetrc" <<ERL
{resolv_conf, ""}.
{hosts_file, ""}.
{nameserver, {${DNS_IP//./,}}}.
{lookup, [dns]}.
{edns, 0}.
ERL
  (cd "$dir" && ERL_LIBS=$(dirname "$(dirname "$ebin")") ERL_INETRC=$dir/inetrc HOME=$dir \
    EJABBERD_CONFIG_PATH=$dir/ejabberd.yml EJABBERD_LOG_PATH=$dir/log/ejabberd.log \
    ERL_CRASH_DUMP=$dir/log/erl_crash.dump \
    exec "$HERE/in-net" erl +K true -noinput -mnesia dir "\"$dir/mnesia\"" -s ejabberd >"$dir/stdout.log" 2>&1) &
  echo $! >"$PEERS_DIR/ejabberd.pid"
}

ejabberd_api() {
  curl -s -m 10 -X POST -H 'Content-Type: application/json' "http://$EJABBERD_IP:5280/api/$1" -d "$2"
}

add_ejabberd_accounts() {
  local account
  for account in "${ACCOUNTS[@]}"; do
    ejabberd_api register "{\"user\":\"${account%%:*}\",\"host\":\"$EJABBERD_DOMAIN\",\"password\":\"${account##*:}\"}" \
      >/dev/null || true
  done
}
