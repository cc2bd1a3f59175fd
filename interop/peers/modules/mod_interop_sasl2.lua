-- Debian's SASL2 modules were written for a newer Prosody than Debian's: what they use and 0.12 lacks.
module:hook("stream-features", function (event)
  local conn = event.origin.conn;
  if conn and not conn.ssl_info then conn.ssl_info = function () return { protocol = "TLSv1.3" }; end end
end, 10);
module:hook("advertise-sasl-features", function (event)
  event.stream = event.stream or { from = "somebody@" .. module.host };
end, 10);
getmetatable(require "util.stanza".stanza("x")).__index.get_child_attr = function (self, name, ns, attr)
  local child = self:get_child(name, ns);
  return child and child.attr[attr];
end
local datetime = require "util.datetime";
local whole = datetime.datetime;
datetime.datetime = function (t) return whole(t and math.floor(t)); end
