//! The sections of the configuration file, in their order.
//!
//! Not here: what is in them (`settings.rs`).

/// A section, with a sentence about it.
pub const SECTIONS: &[(&str, &str)] = &[
    ("server", "What this server is."),
    ("listen", "Where clients reach it. An empty list closes a door. IPv4 and IPv6 need one address each."),
    ("tls", "The certificate for all domains that have none of their own under [domain.\"...\"]."),
    (
        "acme",
        "Certificates that the server gets itself (ACME: Let's Encrypt and others), for all domains that have none in a file.",
    ),
    ("log", "What it tells about itself, on standard error."),
    (
        "auth",
        "How people prove who they are. Passwords are never stored, only keys that were derived from them.",
    ),
    ("registration", "Who may make an account."),
    ("storage", "How data is kept."),
    ("rooms", "Rooms for many people (XEP-0045): a service for each domain."),
    ("limits", "How much one client, one address or all of them may ask for."),
    ("http", "WebSocket and BOSH for web clients, on the listeners `http` and `https`."),
    (
        "upload",
        "Files that people send to others (XEP-0363), on the listener `https` or behind `public_url`.",
    ),
    (
        "s3",
        "Object storage (S3: AWS, MinIO, Garage, Ceph) for uploaded files, instead of the data folder. There is one as soon as `bucket` is set.",
    ),
    (
        "invitations",
        "Invitations: links with which people become contacts and make accounts (XEP-0401, XEP-0445).",
    ),
    ("safety", "Spam, strangers, and who is found."),
    (
        "push",
        "What wakes telephones and browsers: what push services learn (XEP-0357), and a push service for browsers.",
    ),
    ("pubsub", "Publish and subscribe as a service of its own (XEP-0060), at `pubsub.` before each domain."),
    (
        "turn",
        "Calls between networks: a relay (STUN and TURN) for people of this server. There is one as soon as `external_address` is set.",
    ),
    (
        "bytestreams",
        "Files from client to client, between networks: a proxy (XEP-0065) at `proxy.` before each domain. There is one as soon as `host` is set.",
    ),
    (
        "federation",
        "Other servers. Encryption and a valid certificate are asked of all, but for those named below [federation.domain.\"...\"].",
    ),
    (
        "federation.domain.*",
        "What differs for one other server and those below it, as for an old one without a certificate.",
    ),
    (
        "external.*",
        "Services elsewhere that clients are told of (XEP-0215), as a relay for calls. Repeat this section for each, with a name of your choice.",
    ),
    (
        "components",
        "Programs that serve a domain of this server, such as gateways to other networks (XEP-0114).",
    ),
    ("component.*", "A component. Repeat this section for each, with its domain."),
    (
        "group.*",
        "People of this server who see one another in their contacts without asking. Repeat this section for each group, with a name of your choice.",
    ),
    ("domain.*", "What differs for one domain. Repeat this section for each."),
];
