//! XML namespaces, each once, under the specification that defines it.
//!
//! Not here: namespaces of stream negotiation's inner workings that nobody else needs.
#![allow(missing_docs)] // each name is its specification's

// RFC 6120
pub const CLIENT: &str = "jabber:client";
pub const SERVER: &str = "jabber:server";
pub const STREAMS: &str = "http://etherx.jabber.org/streams";
pub const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
pub const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
// RFC 3921
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
// RFC 6121
pub const ROSTER: &str = "jabber:iq:roster";
pub const ROSTER_VERSIONING: &str = "urn:xmpp:features:rosterver";
pub const PRE_APPROVAL: &str = "urn:xmpp:features:pre-approval";
// RFC 7395
pub const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";
// XEP-0004
pub const FORMS: &str = "jabber:x:data";
// XEP-0012
pub const LAST: &str = "jabber:iq:last";
// XEP-0027
pub const PGP_OLD: &str = "jabber:x:encrypted";
// XEP-0030
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
// XEP-0045
pub const MUC: &str = "http://jabber.org/protocol/muc";
pub const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
pub const MUC_ADMIN: &str = "http://jabber.org/protocol/muc#admin";
pub const MUC_OWNER: &str = "http://jabber.org/protocol/muc#owner";
pub const MUC_CONFIG: &str = "http://jabber.org/protocol/muc#roomconfig";
pub const MUC_INFO: &str = "http://jabber.org/protocol/muc#roominfo";
pub const MUC_REQUEST: &str = "http://jabber.org/protocol/muc#request";
pub const MUC_REGISTER: &str = "http://jabber.org/protocol/muc#register";
pub const MUC_ROOMS: &str = "http://jabber.org/protocol/muc#rooms";
pub const MUC_TRAFFIC: &str = "http://jabber.org/protocol/muc#traffic";
pub const MUC_STABLE_ID: &str = "http://jabber.org/protocol/muc#stable_id";
// XEP-0048
pub const BOOKMARKS_OLD: &str = "storage:bookmarks";
// XEP-0049
pub const PRIVATE: &str = "jabber:iq:private";
// XEP-0050
pub const COMMANDS: &str = "http://jabber.org/protocol/commands";
// XEP-0054
pub const VCARD: &str = "vcard-temp";
// XEP-0055
pub const SEARCH: &str = "jabber:iq:search";
// XEP-0059
pub const RSM: &str = "http://jabber.org/protocol/rsm";
// XEP-0060
pub const PUBSUB: &str = "http://jabber.org/protocol/pubsub";

/// Names of XEP-0060 section 10 and of its forms, with what they begin with.
macro_rules! pubsub {
    ($($name:ident $text:literal,)*) => {
        $(pub const $name: &str = concat!("http://jabber.org/protocol/pubsub#", $text);)*
    };
}

pubsub! {
    PUBSUB_EVENT "event",
    PUBSUB_OWNER "owner",
    PUBSUB_ERRORS "errors",
    PUBSUB_NODE_CONFIG "node_config",
    PUBSUB_META_DATA "meta-data",
    PUBSUB_PUBLISH_OPTIONS "publish-options",
    PUBSUB_SUBSCRIBE_OPTIONS "subscribe_options",
    PUBSUB_SUBSCRIBE_AUTHORIZATION "subscribe_authorization",
    PUBSUB_GET_PENDING "get-pending",
    PUBSUB_ACCESS_AUTHORIZE "access-authorize",
    PUBSUB_ACCESS_OPEN "access-open",
    PUBSUB_ACCESS_PRESENCE "access-presence",
    PUBSUB_ACCESS_ROSTER "access-roster",
    PUBSUB_ACCESS_WHITELIST "access-whitelist",
    PUBSUB_AUTO_CREATE "auto-create",
    PUBSUB_AUTO_SUBSCRIBE "auto-subscribe",
    PUBSUB_COLLECTIONS "collections",
    PUBSUB_CONFIG_NODE "config-node",
    PUBSUB_CONFIG_NODE_MAX "config-node-max",
    PUBSUB_CREATE_AND_CONFIGURE "create-and-configure",
    PUBSUB_CREATE_NODES "create-nodes",
    PUBSUB_DELETE_ITEMS "delete-items",
    PUBSUB_DELETE_NODES "delete-nodes",
    PUBSUB_FILTERED_NOTIFICATIONS "filtered-notifications",
    PUBSUB_INSTANT_NODES "instant-nodes",
    PUBSUB_ITEM_IDS "item-ids",
    PUBSUB_LAST_PUBLISHED "last-published",
    PUBSUB_LEASED_SUBSCRIPTION "leased-subscription",
    PUBSUB_MANAGE_SUBSCRIPTIONS "manage-subscriptions",
    PUBSUB_MEMBER_AFFILIATION "member-affiliation",
    PUBSUB_MODIFY_AFFILIATIONS "modify-affiliations",
    PUBSUB_MULTI_ITEMS "multi-items",
    PUBSUB_ON_A_JID "pubsub-on-a-jid",
    PUBSUB_OUTCAST_AFFILIATION "outcast-affiliation",
    PUBSUB_PERSISTENT_ITEMS "persistent-items",
    PUBSUB_PRESENCE_SUBSCRIBE "presence-subscribe",
    PUBSUB_PUBLISH "publish",
    PUBSUB_PUBLISH_ONLY_AFFILIATION "publish-only-affiliation",
    PUBSUB_PUBLISHER_AFFILIATION "publisher-affiliation",
    PUBSUB_PURGE_NODES "purge-nodes",
    PUBSUB_RETRACT_ITEMS "retract-items",
    PUBSUB_RETRIEVE_AFFILIATIONS "retrieve-affiliations",
    PUBSUB_RETRIEVE_DEFAULT "retrieve-default",
    PUBSUB_RETRIEVE_DEFAULT_SUB "retrieve-default-sub",
    PUBSUB_RETRIEVE_ITEMS "retrieve-items",
    PUBSUB_RETRIEVE_SUBSCRIPTIONS "retrieve-subscriptions",
    PUBSUB_RSM "rsm",
    PUBSUB_SUBSCRIBE "subscribe",
    PUBSUB_SUBSCRIPTION_NOTIFICATIONS "subscription-notifications",
    PUBSUB_SUBSCRIPTION_OPTIONS "subscription-options",
}
// XEP-0065
pub const BYTESTREAMS: &str = "http://jabber.org/protocol/bytestreams";

// XEP-0066
pub const OOB: &str = "jabber:x:oob";
// XEP-0077
pub const REGISTER: &str = "jabber:iq:register";
pub const REGISTER_FEATURE: &str = "http://jabber.org/features/iq-register";
// XEP-0080
pub const GEOLOC: &str = "http://jabber.org/protocol/geoloc";
// XEP-0084
pub const AVATAR_DATA: &str = "urn:xmpp:avatar:data";
pub const AVATAR_METADATA: &str = "urn:xmpp:avatar:metadata";
// XEP-0085
pub const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
// XEP-0092
pub const VERSION: &str = "jabber:iq:version";
// XEP-0103
pub const URL_DATA: &str = "http://jabber.org/protocol/url-data";
// XEP-0107
pub const MOOD: &str = "http://jabber.org/protocol/mood";
// XEP-0108
pub const ACTIVITY: &str = "http://jabber.org/protocol/activity";
// XEP-0114
pub const COMPONENT: &str = "jabber:component:accept";
// XEP-0115
pub const CAPS: &str = "http://jabber.org/protocol/caps";
// XEP-0122
pub const VALIDATE: &str = "http://jabber.org/protocol/xdata-validate";
// XEP-0118
pub const TUNE: &str = "http://jabber.org/protocol/tune";
// XEP-0124
pub const HTTP_BIND: &str = "http://jabber.org/protocol/httpbind";
// XEP-0156
pub const ALT_WEBSOCKET: &str = "urn:xmpp:alt-connections:websocket";
pub const ALT_BOSH: &str = "urn:xmpp:alt-connections:xbosh";
// XEP-0206
pub const XBOSH: &str = "urn:xmpp:xbosh";
// XEP-0131
pub const SHIM: &str = "http://jabber.org/protocol/shim";
// XEP-0138
pub const COMPRESS: &str = "http://jabber.org/protocol/compress";
// XEP-0133
pub const ADMIN: &str = "http://jabber.org/protocol/admin";
// XEP-0153
pub const VCARD_UPDATE: &str = "vcard-temp:x:update";
// XEP-0157
pub const SERVER_INFO: &str = "http://jabber.org/network/serverinfo";
// XEP-0160
pub const MSG_OFFLINE: &str = "msgoffline";
// XEP-0172
pub const NICK: &str = "http://jabber.org/protocol/nick";
// XEP-0184
pub const RECEIPTS: &str = "urn:xmpp:receipts";
// XEP-0191
pub const BLOCKING: &str = "urn:xmpp:blocking";
pub const BLOCKING_ERRORS: &str = "urn:xmpp:blocking:errors";
// XEP-0198
pub const SM: &str = "urn:xmpp:sm:3";
// XEP-0199
pub const PING: &str = "urn:xmpp:ping";
// XEP-0205
pub const ERRORS: &str = "urn:xmpp:errors";
// XEP-0202
pub const TIME: &str = "urn:xmpp:time";
// XEP-0203
pub const DELAY: &str = "urn:xmpp:delay";
// XEP-0215
pub const EXTERNAL_SERVICES: &str = "urn:xmpp:extdisco:2";
// XEP-0220
pub const DIALBACK: &str = "jabber:server:dialback";
pub const DIALBACK_FEATURE: &str = "urn:xmpp:features:dialback";
// XEP-0227
pub const PIE: &str = "urn:xmpp:pie:0";
pub const PIE_SCRAM: &str = "urn:xmpp:pie:0#scram";
pub const PIE_MAM: &str = "urn:xmpp:pie:0#mam";
pub const XINCLUDE: &str = "http://www.w3.org/2001/XInclude";
pub const PRIVACY: &str = "jabber:iq:privacy";
pub const PROSODY_ACCOUNT: &str = "http://prosody.im/protocol/extended-xep0227";
/// Ours, for what XEP-0227 has no word for.
pub const MOVING: &str = "urn:x-detente:moving:0";
// XEP-0249
pub const CONFERENCE: &str = "jabber:x:conference";
// XEP-0277
pub const MICROBLOG: &str = "urn:xmpp:microblog:0";
// XEP-0280
pub const CARBONS: &str = "urn:xmpp:carbons:2";
// XEP-0288
pub const BIDI: &str = "urn:xmpp:bidi";
pub const BIDI_FEATURE: &str = "urn:xmpp:features:bidi";
// XEP-0292
pub const VCARD4: &str = "urn:ietf:params:xml:ns:vcard-4.0";
pub const VCARD4_NODE: &str = "urn:xmpp:vcard4";
pub const CONTACTS_NODE: &str = "urn:xmpp:contacts";
// XEP-0297
pub const FORWARD: &str = "urn:xmpp:forward:0";
// XEP-0313
pub const MAM: &str = "urn:xmpp:mam:2";
pub const MAM_EXTENDED: &str = "urn:xmpp:mam:2#extended";
// XEP-0317
pub const HATS: &str = "urn:xmpp:hats:0";
pub const HATS_COMMANDS: &str = "urn:xmpp:hats:commands";
// XEP-0333
pub const MARKERS: &str = "urn:xmpp:chat-markers:0";
// XEP-0334
pub const HINTS: &str = "urn:xmpp:hints";
// XEP-0352
pub const CSI: &str = "urn:xmpp:csi:0";
// XEP-0353
pub const JINGLE_MESSAGE: &str = "urn:xmpp:jingle-message:0";
// XEP-0355
pub const DELEGATION: &str = "urn:xmpp:delegation:2";
// XEP-0356
pub const PRIVILEGE_1: &str = "urn:xmpp:privilege:1";
pub const PRIVILEGE: &str = "urn:xmpp:privilege:2";
// XEP-0357
pub const PUSH: &str = "urn:xmpp:push:0";
pub const PUSH_SUMMARY: &str = "urn:xmpp:push:summary";
// Extensions of it by others: what may be filtered, how it is sealed, where push comes in.
pub const PUSH_IGNORE_UNKNOWN: &str = "tigase:push:filter:ignore-unknown:0";
pub const PUSH_MUTED: &str = "tigase:push:filter:muted:0";
pub const PUSH_GROUPCHAT: &str = "tigase:push:filter:groupchat:0";
pub const PUSH_PRIORITY: &str = "tigase:push:priority:0";
pub const PUSH_JINGLE: &str = "tigase:push:jingle:0";
pub const PUSH_ENCRYPT: &str = "tigase:push:encrypt:0";
pub const PUSH_ENCRYPT_AES_128_GCM: &str = "tigase:push:encrypt:aes-128-gcm";
pub const UNIFIED_PUSH: &str = "http://gultsch.de/xmpp/drafts/unified-push";
pub const PUSH_DELIVERED: &str = "urn:detente:push:delivered";
pub const PUSH_WEB: &str = "urn:detente:push:web";
// XEP-0363
pub const UPLOAD: &str = "urn:xmpp:http:upload:0";
pub const UPLOAD_PURPOSE: &str = "urn:xmpp:http:upload:purpose:0";
pub const UPLOAD_MESSAGE: &str = "urn:xmpp:http:upload:purpose:0#message";
pub const UPLOAD_PROFILE: &str = "urn:xmpp:http:upload:purpose:0#profile";
pub const UPLOAD_EPHEMERAL: &str = "urn:xmpp:http:upload:purpose:0#ephemeral";
pub const UPLOAD_PERMANENT: &str = "urn:xmpp:http:upload:purpose:0#permanent";
// XEP-0359
pub const SID: &str = "urn:xmpp:sid:0";
// XEP-0372
pub const REFERENCE: &str = "urn:xmpp:reference:0";
// XEP-0373
pub const OPENPGP: &str = "urn:xmpp:openpgp:0";
pub const OPENPGP_KEYS: &str = "urn:xmpp:openpgp:0:public-keys";
pub const OPENPGP_SECRET: &str = "urn:xmpp:openpgp:0:secret-key";
// XEP-0379
pub const PARS: &str = "urn:xmpp:pars:0";
// XEP-0380
pub const ENCRYPTION: &str = "urn:xmpp:eme:0";
// XEP-0384
pub const OMEMO_OLD: &str = "eu.siacs.conversations.axolotl";
pub const OMEMO: &str = "urn:xmpp:omemo:2";
pub const OMEMO_OLD_DEVICES: &str = "eu.siacs.conversations.axolotl.devicelist";
pub const OMEMO_OLD_BUNDLES: &str = "eu.siacs.conversations.axolotl.bundles:";
pub const OMEMO_DEVICES: &str = "urn:xmpp:omemo:2:devices";
pub const OMEMO_BUNDLES: &str = "urn:xmpp:omemo:2:bundles";
// XEP-0386
pub const BIND2: &str = "urn:xmpp:bind:0";
// XEP-0388
pub const SASL2: &str = "urn:xmpp:sasl:2";
// XEP-0398
pub const AVATAR_CONVERSION: &str = "urn:xmpp:pep-vcard-conversion:0";
// XEP-0401
pub const INVITE_CONTACT: &str = "urn:xmpp:invite#invite";
pub const INVITE_ACCOUNT: &str = "urn:xmpp:invite#create-account";
pub const INVITATION: &str = "urn:xmpp:invite#invitation";
// XEP-0402
pub const BOOKMARKS: &str = "urn:xmpp:bookmarks:1";
pub const BOOKMARKS_COMPAT: &str = "urn:xmpp:bookmarks:1#compat";
pub const BOOKMARKS_COMPAT_PEP: &str = "urn:xmpp:bookmarks:1#compat-pep";
// XEP-0411
pub const BOOKMARKS_CONVERSION: &str = "urn:xmpp:bookmarks-conversion:0";
// XEP-0377
pub const REPORTING: &str = "urn:xmpp:reporting:1";
pub const REPORTING_SPAM: &str = "urn:xmpp:reporting:spam";
pub const REPORTING_ABUSE: &str = "urn:xmpp:reporting:abuse";
// XEP-0410
pub const SELF_PING: &str = "http://jabber.org/protocol/muc#self-ping-optimization";
// XEP-0421
pub const OCCUPANT_ID: &str = "urn:xmpp:occupant-id:0";
// XEP-0424
pub const RETRACT: &str = "urn:xmpp:message-retract:1";
pub const RETRACT_TOMBSTONE: &str = "urn:xmpp:message-retract:1#tombstone";
// XEP-0425
pub const MODERATE: &str = "urn:xmpp:message-moderate:1";
// XEP-0428
pub const FALLBACK: &str = "urn:xmpp:fallback:0";
// XEP-0433
pub const CHANNEL_SEARCH: &str = "urn:xmpp:channel-search:0:search";
pub const CHANNEL_SEARCH_FORM: &str = "urn:xmpp:channel-search:0:search-params";
pub const CHANNEL_SEARCH_ERROR: &str = "urn:xmpp:channel-search:0:error";
pub const CHANNEL_SEARCH_BY_ADDRESS: &str = "{urn:xmpp:channel-search:0:order}address";
pub const CHANNEL_SEARCH_OPEN: &str = "{urn:xmpp:channel-search:0:anonymity}none";
// XEP-0440
pub const CHANNEL_BINDING: &str = "urn:xmpp:sasl-cb:0";
// XEP-0441 takes its elements from XEP-0313.
// XEP-0444
pub const REACTIONS: &str = "urn:xmpp:reactions:0";
// XEP-0445
pub const IBR_TOKEN: &str = "urn:xmpp:ibr-token:0";
// XEP-0447
pub const FILE_SHARING: &str = "urn:xmpp:sfs:0";
// XEP-0472
pub const SOCIAL_FEED: &str = "urn:xmpp:pubsub-social-feed:1";
// XEP-0478
pub const STREAM_LIMITS: &str = "urn:xmpp:stream-limits:0";
// XEP-0482
pub const CALL_INVITES: &str = "urn:xmpp:call-invites:0";
// XEP-0484
pub const FAST: &str = "urn:xmpp:fast:0";
// XEP-0490
pub const DISPLAYED: &str = "urn:xmpp:mds:displayed:0";
pub const DISPLAYED_ASSIST: &str = "urn:xmpp:mds:server-assist:0";
// XEP-0502
pub const MUC_ACTIVITY: &str = "{urn:xmpp:muc-activity}message-activity";
// Ours: what the server tells accounts of strangers, and rooms of those whose accounts are removed.
// Ours: what operators ask of rooms.
pub const ROOMS: &str = "urn:x-detente:rooms:0";
// Ours: what the server tells an account of its own about strangers.
pub const STRANGERS: &str = "urn:x-detente:strangers:0";
pub const DEPARTED: &str = "urn:x-detente:departed:0";
