# prosody.sh - how `peers` configures and starts Debian's Prosody. Sourced, not run.
# Not here: accounts' names, certificates, names (`peers`).

prosody_config() {
  local dir=$PEERS_DIR/prosody trust="cafile = \"$CERTS/ca.pem\"" secure=true
  [ "$S2S_AUTH" != dialback ] || trust='' secure=false
  cat <<LUA
run_as_root = true
pidfile = "$dir/prosody.pid"
data_path = "$dir/data"
plugin_paths = { "$HERE/modules" }
log = { { levels = { min = "$PEERS_LOG" }, to = "file", filename = "$dir/prosody.log" } }
-- Its resolver answers NXDOMAIN by itself for .test, .invalid and .onion: keep to .example.
unbound = { resolvconf = false, hoststxt = false, forward = { "$DNS_IP@53" } }
interfaces = { "$PROSODY_IP" }; local_interfaces = { "$PROSODY_IP" }
c2s_direct_tls_ports = { 5223 }; s2s_direct_tls_ports = { 5270 }
http_ports = { 5280 }; http_interfaces = { "$PROSODY_IP" }
https_ports = { 5281 }; https_interfaces = { "$PROSODY_IP" }
component_ports = { 5347 }; component_interfaces = { "$PROSODY_IP" }
proxy65_ports = { 5000 }; proxy65_interfaces = { "$PROSODY_IP" }; proxy65_address = "$PROSODY_IP"
certificates = "$CERTS"
ssl = { certificate = "$CERTS/$PROSODY_DOMAIN.pem", key = "$CERTS/$PROSODY_DOMAIN.key", $trust }
c2s_require_encryption = true
s2s_require_encryption = true
s2s_secure_auth = $secure
authentication = "internal_hashed"
storage = "internal"
allow_registration = true
registration_invite_only = false
registration_throttle_max = 100000; registration_throttle_period = 1
archive_expires_after = "1w"
admins = { "admin@$PROSODY_DOMAIN" }
contact_info = { abuse = { "mailto:abuse@$PROSODY_DOMAIN" }, admin = { "xmpp:admin@$PROSODY_DOMAIN" } }
turn_external_host = "$PROSODY_IP"; turn_external_port = 3478; turn_external_secret = "turnsecret"
http_host = "$PROSODY_DOMAIN"; http_default_host = "$PROSODY_DOMAIN"
http_external_url = "http://$PROSODY_IP:5280/"
http_paths = { file_share = "/upload" }
-- bookmarks stands before pep and replaces mod_private's own.
modules_enabled = { "roster"; "saslauth"; "tls"; "dialback"; "disco"; "carbons"; "pep"; "private"; "blocklist";
  "vcard4"; "vcard_legacy"; "bookmarks"; "version"; "uptime"; "time"; "ping"; "register"; "register_ibr"; "mam";
  "smacks"; "csi"; "csi_simple"; "admin_adhoc"; "bosh"; "websocket"; "lastactivity"; "s2s_bidi";
  "server_contact_info"; "turn_external"; "limits"; "offline"; "announce"; "user_account_management"; "tombstones";
  "c2s"; "s2s"; "http"; "cron"; "invites"; "invites_adhoc"; "invites_register"; "cloud_notify"; "sasl2";
  "sasl2_bind2"; "sasl2_fast"; "interop_sasl2" }
limits = { c2s = { rate = "10mb/s" }, s2sin = { rate = "10mb/s" } }
cross_domain_websocket = true; cross_domain_bosh = true
VirtualHost "$PROSODY_DOMAIN"
Component "conference.$PROSODY_DOMAIN" "muc"
  modules_enabled = { "muc_mam", "vcard_muc", "muc_moderation" }
  restrict_room_creation = false
Component "pubsub.$PROSODY_DOMAIN" "pubsub"
  -- Only its admins may make nodes.
  admins = { "alice@$PROSODY_DOMAIN" }
Component "proxy.$PROSODY_DOMAIN" "proxy65"
Component "upload.$PROSODY_DOMAIN" "http_file_share"
  http_file_share_size_limit = 10*1024*1024
Component "echo.$PROSODY_DOMAIN"
  component_secret = "secret"
LUA
}

start_prosody() {
  local dir=$PEERS_DIR/prosody account
  mkdir -p "$dir/data"
  prosody_config >"$dir/prosody.cfg.lua"
  for account in "${ACCOUNTS[@]}"; do
    prosodyctl --config "$dir/prosody.cfg.lua" register "${account%%:*}" "$PROSODY_DOMAIN" "${account##*:}" \
      >/dev/null 2>&1 || true
  done
  prosody --config "$dir/prosody.cfg.lua" -F >"$dir/stdout.log" 2>&1 &
  echo $! >"$PEERS_DIR/prosody.pid"
}
