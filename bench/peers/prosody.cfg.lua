-- Prosody for bench/run: the modules of an ordinary public server, rate limits off, loopback only.
-- @DIR@, @RUN@ and @IP@ are filled in by servers.py.
run_as_root = true
pidfile = "@DIR@/prosody.pid"
data_path = "@DIR@/data"
log = { { levels = { min = "warn" }, to = "file", filename = "@DIR@/prosody.log" } }
interfaces = { "@IP@" }
local_interfaces = { "@IP@" }
c2s_ports = { 5222 }
c2s_direct_tls_ports = { 5223 }
s2s_ports = {}
s2s_direct_tls_ports = {}
http_ports = {}
https_ports = {}
ssl = { certificate = "@RUN@/cert.pem", key = "@RUN@/key.pem" }
c2s_direct_tls_ssl = { certificate = "@RUN@/cert.pem", key = "@RUN@/key.pem" }
c2s_require_encryption = false -- for the work without TLS
authentication = "internal_hashed"
storage = "internal"
storage_archive_item_limit = 10000000
archive_expires_after = "never"
allow_registration = true
modules_enabled = { "roster"; "saslauth"; "tls"; "disco"; "carbons"; "pep"; "private"; "blocklist"; "vcard4";
  "vcard_legacy"; "bookmarks"; "version"; "uptime"; "time"; "ping"; "register_ibr"; "mam"; "smacks"; "csi";
  "csi_simple"; "lastactivity"; "offline"; "user_account_management"; "tombstones"; "cron" }
modules_disabled = { "s2s" }
VirtualHost "localhost"
-- Here the archive is in SQLite: the built-in store reads all of an archive for each page.
VirtualHost "archive.localhost"
  storage = { archive = "sql" }
  sql = { driver = "SQLite3", database = "@DIR@/archive.sqlite" }
Component "conference.localhost" "muc"
  modules_enabled = { "muc_mam" }
  restrict_room_creation = false
