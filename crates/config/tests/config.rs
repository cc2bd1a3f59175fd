//! Files in, messages out; and what `init` makes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use config::settings::{SECTIONS, SETTINGS};
use config::{Certificates, Checked, Config, Init, InitError, Level};

/// A directory that goes with its test.
struct Temp(PathBuf);

impl Temp {
    fn new() -> Temp {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("detente-config-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Temp(path)
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.0.join("detente.toml");
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read(text: &str, environment: &[(&str, &str)]) -> Checked {
    let temp = Temp::new();
    let variables = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    config::read(&temp.file(text), variables)
}

/// The messages, with the folder of the test cut off.
fn messages(checked: &Checked) -> Vec<String> {
    let short = |text: String| match (text.find("--> "), text.find("detente.toml")) {
        (Some(from), Some(to)) => format!("{}{}", &text[..from + 4], &text[to..]),
        _ => text,
    };
    checked.faults.iter().map(|fault| short(fault.to_string())).collect()
}

/// A file in order, to which tests add.
const GOOD: &str = "[server]\ndomains = [\"a.example\"]\n[tls]\ncertificate = \"x.crt\"\nkey = \"x.key\"\n";

#[test]
fn every_fault_is_explained_at_its_place() {
    for (text, expected) in [
        (
            "[limits]\nstanza_byte = 5\n",
            "error: there is no setting `stanza_byte` in [limits]\n --> detente.toml:7:1\n  |\n\
             7 | stanza_byte = 5\n  | ^^^^^^^^^^^\n  = did you mean `stanza_bytes`?",
        ),
        (
            "[limit]\nstanza_bytes = 50_000\n",
            "error: there is no section [limit]\n --> detente.toml:6:2\n  |\n6 | [limit]\n  |  ^^^^^\n  = did you mean `limits`?",
        ),
        (
            "[auth]\nplian = true\n",
            "error: there is no setting `plian` in [auth]\n --> detente.toml:7:1\n  |\n\
             7 | plian = true\n  | ^^^^^\n  = did you mean `plain`?",
        ),
        (
            "[log]\ndurability = \"full\"\n",
            "error: there is no setting `durability` in [log]\n --> detente.toml:7:1\n  |\n\
             7 | durability = \"full\"\n  | ^^^^^^^^^^\n  = `durability` belongs into the section [storage]",
        ),
        (
            "[storage]\ncolour = 1\n",
            "error: there is no setting `colour` in [storage]\n --> detente.toml:7:1\n  |\n\
             7 | colour = 1\n  | ^^^^^^\n  = the settings here are: archive_days, durability",
        ),
        (
            "[storage]\ndurability = \"ful\"\n",
            "error: `durability` cannot be \"ful\"\n --> detente.toml:7:14\n  |\n\
             7 | durability = \"ful\"\n  |              ^^^^^\n  = did you mean \"full\"?",
        ),
        (
            "[limits]\nauth_failures = 9\n",
            "error: `auth_failures` is out of range: 9\n --> detente.toml:7:17\n  |\n\
             7 | auth_failures = 9\n  |                 ^\n  = write a whole number from 2 to 5",
        ),
        (
            "[limits]\nstanza_bytes = -1\n",
            "error: `stanza_bytes` is out of range: -1\n --> detente.toml:7:16\n  |\n\
             7 | stanza_bytes = -1\n  |                ^^\n  = write a whole number from 10000 to 16777216",
        ),
        (
            "[auth]\nfast = \"yes\"\n",
            "error: `fast` must not be text\n --> detente.toml:7:8\n  |\n\
             7 | fast = \"yes\"\n  |        ^^^^^\n  = write true or false",
        ),
        (
            "[auth]\nscram = [\"SHA-256\", \"MD5\"]\n",
            "error: `scram[1]` cannot be \"MD5\"\n --> detente.toml:7:21\n  |\n\
             7 | scram = [\"SHA-256\", \"MD5\"]\n  |                     ^^^^^\n  \
             = write one of \"SHA-512\", \"SHA-256\", \"SHA-1\"",
        ),
        (
            "[auth]\nscram = []\n",
            "error: accounts need at least one kind of SCRAM, for their keys\n --> detente.toml:7:9\n  |\n\
             7 | scram = []\n  |         ^^\n  = write scram = [\"SHA-256\", \"SHA-1\"]",
        ),
        (
            "log = 1\n",
            "error: there is no setting `log` in [tls]\n --> detente.toml:6:1\n  |\n\
             6 | log = 1\n  | ^^^\n  = the settings here are: certificate, key",
        ),
        (
            "[listen]\nc2s = [\"localhost:5222\"]\n",
            "error: \"localhost:5222\" is no address to listen on\n --> detente.toml:7:8\n  |\n\
             7 | c2s = [\"localhost:5222\"]\n  |        ^^^^^^^^^^^^^^^^\n  \
             = write an address and a port, as in \"127.0.0.1:5222\" or \"[::]:5222\"",
        ),
        (
            "[listen]\nc2s_tls = [\"127.0.0.1:5222\"]\n",
            "error: port 5222 is taken by `c2s` already\n --> detente.toml:7:12\n  |\n\
             7 | c2s_tls = [\"127.0.0.1:5222\"]\n  |            ^^^^^^^^^^^^^^^^\n  = give one of the two another port",
        ),
        (
            "[listen]\nmetrics = [\"192.0.2.1:5290\"]\n",
            "warning: other machines could see how the server is doing\n --> detente.toml:7:12\n  |\n\
             7 | metrics = [\"192.0.2.1:5290\"]\n  |            ^^^^^^^^^^^^^^^^\n  \
             = listen on 127.0.0.1, or on an address that only your own machines can reach",
        ),
        (
            "[listen]\nc2s_tls = [\"127.0.0.1:443\"]\n",
            "warning: port 443 may need a privilege\n --> detente.toml:7:12\n  |\n\
             7 | c2s_tls = [\"127.0.0.1:443\"]\n  |            ^^^^^^^^^^^^^^^\n  \
             = allow it with AmbientCapabilities=CAP_NET_BIND_SERVICE, or listen on a port from 1024 on",
        ),
        (
            "[listen]\nc2s = []\nc2s_tls = []\nhttp = []\nhttps = []\n",
            "error: the server would listen nowhere\n --> detente.toml:6:2\n  |\n\
             6 | [listen]\n  |  ^^^^^^\n  = leave at least one of c2s, c2s_tls, http and https as it is by default",
        ),
        (
            "[log]\nlevel = \"info,net=debg\"\n",
            "error: \"debg\" is no level\n --> detente.toml:7:9\n  |\n\
             7 | level = \"info,net=debg\"\n  |         ^^^^^^^^^^^^^^^\n  = did you mean debug?",
        ),
        (
            "[http]\norigins = [\"chat.example\"]\n",
            "error: \"chat.example\" is no origin\n --> detente.toml:7:12\n  |\n\
             7 | origins = [\"chat.example\"]\n  |            ^^^^^^^^^^^^^^\n  \
             = write scheme and host, and nothing behind them, as in \"https://chat.example\"",
        ),
        (
            "[http]\ntrusted_proxies = [\"127.0.0.1:80\"]\n",
            "error: \"127.0.0.1:80\" is no IP address\n --> detente.toml:7:20\n  |\n\
             7 | trusted_proxies = [\"127.0.0.1:80\"]\n  |                    ^^^^^^^^^^^^^^\n  \
             = write an address without a port, as in \"127.0.0.1\"",
        ),
        (
            "[domain.\"a.exmple\"]\nregistration = true\n",
            "error: \"a.exmple\" is not one of this server's domains\n --> detente.toml:6:9\n  |\n\
             6 | [domain.\"a.exmple\"]\n  |         ^^^^^^^^^^\n  = did you mean [domain.\"a.example\"]?",
        ),
        (
            "[domain.\"a.example\"]\nkey = \"a.key\"\n",
            "error: a `key` without a `certificate`\n --> detente.toml:7:7\n  |\n\
             7 | key = \"a.key\"\n  |       ^^^^^^^\n  = set `certificate` in the same section",
        ),
        (
            "[domain.\"a.example\".contacts]\nabuse = [\"abuse@a.example\"]\n",
            "error: \"abuse@a.example\" is no URI\n --> detente.toml:7:10\n  |\n\
             7 | abuse = [\"abuse@a.example\"]\n  |          ^^^^^^^^^^^^^^^^^\n  \
             = write an address with its scheme, as in \"mailto:abuse@example.org\"",
        ),
    ] {
        assert_eq!(messages(&read(&format!("{GOOD}{text}"), &[])), [expected], "{text}");
    }
}

#[test]
fn domains_are_checked() {
    for (text, expected) in [
        ("", "error: no domain is named"),
        ("[server]\ndomains = []\n", "error: no domain is named"),
        ("[server]\ndomains = [\"a@b\"]\n", "error: \"a@b\" is no domain"),
        ("[server]\ndomains = [\"\"]\n", "error: \"\" is no domain"),
        (
            "[server]\ndomains = [\"müller.example\"]\n",
            "error: \"müller.example\" is an internationalised domain",
        ),
        ("[server]\ndomains = [\"a.example\", \"A.example\"]\n", "error: \"a.example\" is named twice"),
        ("[server]\ndomains = [\"a.example\"]\n", "error: a.example has no certificate"),
    ] {
        let found = messages(&read(text, &[]));
        assert!(found.iter().any(|message| message.starts_with(expected)), "{text}: {found:?}");
        assert!(read(text, &[]).config.is_none());
    }
    let good = read(&GOOD.replace("a.example", "A.Example"), &[]).config.unwrap();
    assert_eq!(good.server.domains, ["a.example"]);
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_file() {
    let text = "[server]\ndomains = \"a\"\ndata_dirr = \"x\"\n[lisen]\n[limits]\nidle_seconds = 1\n= 3\nwrite_seconds = 0\n";
    let checked = read(text, &[("DETENTE_LOG__LEVELS", "debug")]);
    let found = messages(&checked);
    for expected in [
        "`domains` must not be text",
        "no setting `data_dirr`",
        "no section [lisen]",
        "`idle_seconds` is out of range: 1",
        "not proper TOML",
        "`write_seconds` is out of range: 0",
        "DETENTE_LOG__LEVELS names no setting",
    ] {
        assert!(found.iter().any(|message| message.contains(expected)), "{expected}: {found:#?}");
    }
    assert!(checked.config.is_none());
    let lines: Vec<usize> = checked
        .faults
        .iter()
        .filter_map(|fault| match &fault.place {
            config::Place::Line { line, .. } => Some(*line),
            _ => None,
        })
        .collect();
    assert!(lines.is_sorted() && lines.len() >= 6, "{lines:?}");
}

#[test]
fn odd_files_are_explained_and_never_panic() {
    for text in
        ["\u{0}", "=", "[", "[server", "a = \"", "\u{feff}[server]", "x = [[[[[", "[a]\n[a]\n", "é = 'ü\n"]
    {
        let checked = read(text, &[]);
        assert!(checked.config.is_none() && !checked.faults.is_empty(), "{text:?}");
        for fault in &checked.faults {
            assert!(!fault.to_string().is_empty());
        }
    }
    let temp = Temp::new();
    let missing = config::read(&temp.0.join("none.toml"), []);
    assert!(missing.faults[0].to_string().contains("name another file with --config"));
    fs::write(temp.0.join("bytes.toml"), [0xff, 0xfe]).unwrap();
    let bytes = config::read(&temp.0.join("bytes.toml"), []);
    assert!(bytes.faults[0].what.contains("UTF-8"));
}

/// What is asked of an authority is asked with the operator's agreement, and in a way that can work.
#[test]
fn certificates_of_an_authority_are_checked() {
    const BARE: &str = "[server]\ndomains = [\"a.example\"]\n[listen]\nshared = [\"127.0.0.1:443\"]\n";
    for (more, want) in [
        ("", vec!["a.example has no certificate"]),
        ("[acme]\nenabled = true\n", vec!["nobody has agreed"]),
        ("[acme]\nenabled = true\nagree_to_terms = true\n", vec![]),
        ("[acme]\nenabled = true\nagree_to_terms = true\nchallenge = \"http-01\"\n", vec!["port 80"]),
        (
            "[acme]\nenabled = true\nagree_to_terms = true\nchallenge = \"dns-01\"\n",
            vec!["how to change DNS"],
        ),
        (
            "[acme]\nenabled = true\nagree_to_terms = true\nchallenge = \"dns-01\"\ndns_server = \"ns:53\"\ndns_key_name = \"k\"\n",
            vec!["`dns_key_name` alone"],
        ),
        (
            "[acme]\nenabled = true\nagree_to_terms = true\nexternal_key_id = \"k\"\nexternal_key = \"!\"\n",
            vec!["Base64"],
        ),
        (
            "[acme]\nenabled = true\nagree_to_terms = true\ndirectory = \"http://a\"\ncontact = [\"a@b\"]\n",
            vec!["no such address", "no such address"],
        ),
    ] {
        let found: Vec<String> = read(&format!("{BARE}{more}"), &[])
            .faults
            .into_iter()
            .map(|fault| fault.what)
            .filter(|what| !what.contains("privilege"))
            .collect();
        assert_eq!(found.len(), want.len(), "{more}: {found:?}");
        assert!(want.iter().all(|want| found.iter().any(|what| what.contains(want))), "{more}: {found:?}");
    }
    let both = "[tls]\ncertificate = \"c\"\nkey = \"k\"\n[acme]\nenabled = true\nagree_to_terms = true\n";
    let checked = read(&format!("{BARE}{both}"), &[]);
    assert!(checked.faults.iter().any(|fault| fault.what.contains("certificates in files already")));
    assert!(checked.config.unwrap().acme_domains().is_empty());
}

#[test]
fn the_environment_overrides_the_file() {
    let changed = |variables: &[(&str, &str)]| read(GOOD, variables).config.unwrap();
    let config = changed(&[
        ("DETENTE_LIMITS__STANZA_BYTES", "50_000"),
        ("DETENTE_SERVER__DOMAINS", "b.example, c.example"),
        ("DETENTE_LISTEN__C2S", "[\"127.0.0.1:1\"]"),
        ("DETENTE_LISTEN__HTTPS", ""),
        ("DETENTE_LOG__LEVEL", "debug,net=trace"),
        ("DETENTE_LOG__FORMAT", "json"),
        ("DETENTE_AUTH__PLAIN", "true"),
        ("DETENTE_AUTH__SCRAM", "SHA-512"),
        ("DETENTE_CONFIG", "ignored"),
        ("PATH", "ignored"),
    ]);
    assert_eq!(config.limits.stanza_bytes, 50_000);
    assert_eq!(config.server.domains, ["b.example", "c.example"]);
    assert_eq!((config.listen.c2s, config.listen.https), (vec!["127.0.0.1:1".to_owned()], vec![]));
    assert_eq!((config.log.level.as_str(), config.log.format), ("debug,net=trace", config::LogFormat::Json));
    assert!(config.auth.plain && config.auth.scram == ["SHA-512"]);

    for (name, value, expected) in [
        (
            "DETENTE_LIMITS__STANZA_BYTE",
            "1",
            "error: DETENTE_LIMITS__STANZA_BYTE names no setting\n --> the environment variable \
             DETENTE_LIMITS__STANZA_BYTE\n  = did you mean DETENTE_LIMITS__STANZA_BYTES?",
        ),
        (
            "DETENTE_X",
            "1",
            "error: DETENTE_X names no setting\n --> the environment variable DETENTE_X\n  \
             = variables have the form DETENTE_SECTION__SETTING, as in DETENTE_LOG__LEVEL",
        ),
        (
            "DETENTE_LIMITS__STANZA_BYTES",
            "many",
            "error: \"many\" is no value for `limits.stanza_bytes`\n --> the environment variable \
             DETENTE_LIMITS__STANZA_BYTES\n  = write a whole number from 10000 to 16777216",
        ),
        (
            "DETENTE_LIMITS__STANZA_BYTES",
            "1",
            "error: `stanza_bytes` is out of range: 1\n --> the environment variable \
             DETENTE_LIMITS__STANZA_BYTES\n  = write a whole number from 10000 to 16777216",
        ),
        (
            "DETENTE_LISTEN__C2S",
            "nowhere",
            "error: \"nowhere\" is no address to listen on\n --> the environment variable DETENTE_LISTEN__C2S\n  \
             = write an address and a port, as in \"127.0.0.1:5222\" or \"[::]:5222\"",
        ),
    ] {
        assert_eq!(messages(&read(GOOD, &[(name, value)])), [expected]);
    }
}

/// An object storage that cannot work is told before it is needed, and its secret is in no text.
#[test]
fn files_are_where_programs_that_name_no_protocol_find_http() {
    for (given, expected) in [
        ("", "https://a.example"),
        ("shared_default = \"c2s\"\n", "https://a.example:5443"),
        ("shared_default = \"refuse\"\n", "https://a.example:5443"),
    ] {
        let text = format!(
            "[server]\ndomains = [\"a.example\"]\n[listen]\nhttps = [\"0.0.0.0:5443\"]\nshared = [\"0.0.0.0:443\"]\n{given}"
        );
        let config: config::Config = toml::from_str(&text).unwrap();
        assert_eq!(config.upload_origin("a.example").as_deref(), Some(expected), "{given}");
    }
}

/// Purging such a domain would purge what the service of the other one has stored.
#[test]
fn no_domain_is_added_with_the_name_of_a_service() {
    let config: config::Config =
        toml::from_str("[server]\ndomains = [\"a.example\", \"pubsub.b.example\"]\n").unwrap();
    for (name, why) in [
        ("c.example", None),
        ("a.example", None),
        ("pubsub.b.example", None),
        ("conference.a.example", Some("it is the name of a service of a.example")),
        ("pubsub.a.example", Some("it is the name of a service of a.example")),
        ("b.example", Some("a service of it would have the name of pubsub.b.example")),
    ] {
        let (with, refused) = config.clone().with_added(&[name.to_owned()]);
        let told = refused.into_iter().map(|(_, why)| why).next();
        assert_eq!(told.as_deref(), why, "{name}");
        assert_eq!(with.server.domains.iter().any(|domain| domain == name), why.is_none(), "{name}");
    }
}

#[test]
fn object_storage_is_looked_at() {
    let keys = "access_key = \"a\"\nsecret_key = \"hidden\"\n";
    for (settings, word) in [
        ("bucket = \"files\"\n".to_owned(), "`access_key` is missing"),
        ("bucket = \"files\"\naccess_key = \"a\"\n".to_owned(), "`secret_key` is missing"),
        (format!("bucket = \"files\"\nendpoint = \"http://s3.example\"\n{keys}"), "without encryption"),
        (format!("bucket = \"files\"\nregion = \"a b\"\n{keys}"), "that is no region"),
        (keys.to_owned(), "without `bucket` files stay in the data folder"),
        (format!("bucket = \"files\"\nendpoint = \"http://127.0.0.1:9000\"\n{keys}"), ""),
        (format!("bucket = \"files\"\n{keys}"), ""),
    ] {
        let text = messages(&read(&format!("{GOOD}\n[s3]\n{settings}"), &[])).join("\n");
        assert!(if word.is_empty() { text.is_empty() } else { text.contains(word) }, "{settings}: {text}");
        assert!(!text.contains("hidden"), "{text}");
    }
}

#[test]
fn table_and_types_agree() {
    // The types know every setting with a default, and the default is the same.
    let defaults: String = SECTIONS
        .iter()
        .filter(|(section, _)| !section.ends_with(".*"))
        .map(|(section, _)| {
            let lines = SETTINGS
                .iter()
                .filter(|s| s.path.split('.').next() == Some(section) && !s.default.is_empty());
            let lines: String =
                lines.map(|s| format!("{} = {}\n", s.path.rsplit('.').next().unwrap(), s.default)).collect();
            format!("[{section}]\n{lines}")
        })
        .collect();
    let config: Config = toml::from_str(&defaults).unwrap();
    assert_eq!(config, Config::default());
    // The table knows every field.
    let mut full = Config::default();
    let text = || Some("x".to_owned());
    full.tls = config::Tls { certificate: text(), key: text() };
    full.http.public_url = text();
    full.listen.resume_location = text();
    let own = config::Domain {
        certificate: text(),
        key: text(),
        registration: Some(true),
        resume_location: text(),
        strangers: Some(config::Strangers::Hold),
        ..Default::default()
    };
    full.group.insert("*".to_owned(), config::Group { name: text(), members: Vec::new() });
    full.domain.insert("*".to_owned(), own);
    full.turn.host = text();
    full.turn.secret = text();
    full.bytestreams.host = text();
    full.push.contact = text();
    full.acme = config::Acme {
        ca_file: text(),
        external_key_id: text(),
        external_key: text(),
        dns_program: text(),
        dns_server: text(),
        dns_zone: text(),
        dns_key_name: text(),
        dns_key_secret: text(),
        ..Default::default()
    };
    full.s3 = config::Objects {
        bucket: text(),
        endpoint: text(),
        access_key: text(),
        secret_key: text(),
        ..Default::default()
    };
    let service = config::External {
        port: Some(1),
        transport: text(),
        username: text(),
        password: text(),
        secret: text(),
        ..Default::default()
    };
    full.external.insert("*".to_owned(), service);
    full.federation.ca_file = text();
    let remote =
        config::Remote { tls: Some(config::Demand::Optional), auth: Some(config::ServerAuth::Dialback) };
    full.federation.domain.insert("*".to_owned(), remote);
    full.listen.components_socket = text();
    let privileges = config::Privileges { roster_push: Some(true), ..Default::default() };
    let component = config::Component { name: text(), privileges, ..Default::default() };
    full.component.insert("*".to_owned(), component);
    let mut fields = BTreeSet::new();
    collect(&toml::Value::try_from(&full).unwrap(), String::new(), &mut fields);
    let table: BTreeSet<String> = SETTINGS.iter().map(|s| s.path.to_owned()).collect();
    assert_eq!(fields, table);
    for setting in SETTINGS {
        assert!(setting.about.ends_with('.'), "{}", setting.path);
        let section = setting.path.split('.').next().unwrap();
        assert!(SECTIONS.iter().any(|(name, _)| name.split('.').next() == Some(section)), "{}", setting.path);
    }
}

fn collect(value: &toml::Value, path: String, into: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(value, path, into);
            }
        }
        _ => drop(into.insert(path)),
    }
}

struct Trusting;

impl Certificates for Trusting {
    fn check(&self, domain: &str, chain: &[u8], key: &[u8]) -> Result<Vec<String>, String> {
        assert!(chain.starts_with(b"-----BEGIN CERTIFICATE") && key.starts_with(b"-----BEGIN PRIVATE KEY"));
        match domain {
            "bad.example" => Err("the certificate is not valid for bad.example".to_owned()),
            "old.example" => Ok(vec!["the certificate is not valid now".to_owned()]),
            _ => Ok(Vec::new()),
        }
    }
}

fn init(dir: &Path, domains: &[&str]) -> Init {
    let domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
    Init { dir: dir.to_owned(), domains, listen: None, port_offset: 0, identity: None }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn init_makes_a_folder_that_is_in_order() {
    let temp = Temp::new();
    let dir = temp.0.join("new/folder");
    let made = init(&dir, &["localhost"]).run().unwrap();
    assert!(made.local && made.self_made);
    for (path, expected) in
        [("", 0o700), ("certs", 0o700), ("detente.toml", 0o600), ("certs/localhost.key", 0o600)]
    {
        assert_eq!(mode(&dir.join(path)), expected, "{path}");
    }
    let checked = config::check(&made.config, [], &Trusting);
    assert_eq!(messages(&checked), [""; 0]);
    let config = checked.config.unwrap();
    assert_eq!(config.listen.c2s, ["127.0.0.1:5222"]);
    assert_eq!(config.listen.https, ["127.0.0.1:5281"]);
    assert_eq!(config.data_dir(), dir.join("data"));
    // What is a comment there is the default: only what init decided differs.
    let decided = Config {
        server: config::Server { domains: vec!["localhost".to_owned()], ..Default::default() },
        listen: config.listen.clone(),
        domain: config.domain.clone(),
        base: dir.clone(),
        ..Config::default()
    };
    assert_eq!(config, decided);
    let text = fs::read_to_string(&made.config).unwrap();
    for setting in SETTINGS {
        let name = setting.path.rsplit('.').next().unwrap();
        assert!(
            text.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{name} = "))),
            "{name}"
        );
    }
}

#[test]
fn init_with_every_comment_taken_away_is_still_in_order() {
    let temp = Temp::new();
    let made = init(&temp.0, &["a.example"]).run().unwrap();
    let text = fs::read_to_string(&made.config).unwrap();
    let is_setting = |line: &str| {
        let name = line.split(" = ").next().unwrap_or_default();
        SETTINGS.iter().any(|setting| setting.path.rsplit('.').next() == Some(name) && line.contains(" = "))
            || line.starts_with("[domain")
            || line.starts_with("[component")
            || line.starts_with("[external")
            || line.starts_with("[federation")
            || line.starts_with("[group")
    };
    let awake: Vec<&str> =
        text.lines().map(|line| line.strip_prefix("# ").filter(|l| is_setting(l)).unwrap_or(line)).collect();
    fs::write(&made.config, awake.join("\n")).unwrap();
    let found = messages(&config::read(&made.config, []));
    assert_eq!(found, [""; 0]);
}

#[test]
fn init_never_overwrites() {
    let temp = Temp::new();
    init(&temp.0, &["a.example", "b.example"]).run().unwrap();
    let all = |dir: &Path| -> Vec<(PathBuf, Vec<u8>)> {
        ["detente.toml", "certs/a.example.crt", "certs/a.example.key", "certs/b.example.crt"]
            .map(|name| (dir.join(name), fs::read(dir.join(name)).unwrap()))
            .to_vec()
    };
    let before = all(&temp.0);
    assert!(
        matches!(init(&temp.0, &["c.example"]).run(), Err(InitError::Exists(path)) if path.ends_with("detente.toml"))
    );
    assert_eq!(before, all(&temp.0));
    assert!(!temp.0.join("certs/c.example.key").exists());
    // Without the configuration the certificates are used again; half a pair is left alone.
    fs::remove_file(temp.0.join("detente.toml")).unwrap();
    init(&temp.0, &["a.example", "b.example"]).run().unwrap();
    assert_eq!(before, all(&temp.0));
    fs::remove_file(temp.0.join("detente.toml")).unwrap();
    fs::remove_file(temp.0.join("certs/a.example.crt")).unwrap();
    let half = init(&temp.0, &["a.example"]).run();
    assert!(matches!(half, Err(InitError::Exists(path)) if path.ends_with("certs/a.example.key")));
    assert!(!temp.0.join("detente.toml").exists());
}

#[test]
fn init_listens_where_it_should() {
    type Case = (&'static [&'static str], Option<&'static str>, u16, &'static [&'static str], &'static str);
    let cases: [Case; 5] = [
        (&["localhost", "b.localhost"], None, 0, &["127.0.0.1:5222"], "127.0.0.1:5280"),
        (&["localhost", "a.example"], None, 0, &["0.0.0.0:5222", "[::]:5222"], "127.0.0.1:5280"),
        (&["localhost"], Some("::"), 10, &["0.0.0.0:5232", "[::]:5232"], "127.0.0.1:5290"),
        (&["a.example"], Some("::1"), 10_000, &["[::1]:15222"], "[::1]:15280"),
        (&["a.example"], Some("192.0.2.1"), 0, &["192.0.2.1:5222"], "127.0.0.1:5280"),
    ];
    for (domains, listen, port_offset, c2s, http) in cases {
        let temp = Temp::new();
        let listen = listen.map(|ip| ip.parse().unwrap());
        let made = Init { listen, port_offset, ..init(&temp.0, domains) }.run().unwrap();
        let config = config::check(&made.config, [], &Trusting).ok().unwrap();
        assert_eq!(config.listen.c2s, c2s);
        assert_eq!(config.listen.http, [http]);
    }
    let temp = Temp::new();
    let far = Init { port_offset: 60_300, ..init(&temp.0, &["localhost"]) }.run();
    assert!(matches!(far, Err(InitError::Port)));
    for bad in ["a@b", "", "a/b", "münchen.example"] {
        assert!(matches!(init(&temp.0, &[bad]).run(), Err(InitError::Domain(_))), "{bad}");
    }
    assert!(!temp.0.join("detente.toml").exists());
}

#[test]
fn l05_files_that_others_may_read_or_change_are_refused() {
    let temp = Temp::new();
    let made = init(&temp.0, &["a.example"]).run().unwrap();
    fs::create_dir(temp.0.join("data")).unwrap();
    let set =
        |name: &str, mode| fs::set_permissions(temp.0.join(name), fs::Permissions::from_mode(mode)).unwrap();
    set("data", 0o700);
    assert_eq!(messages(&config::check(&made.config, [], &Trusting)), [""; 0]);
    for (name, open, closed, expected) in [
        ("data", 0o755, 0o700, "others on this machine may look into the data folder"),
        ("certs/a.example.key", 0o644, 0o640, "everybody on this machine may read the private key"),
        ("detente.toml", 0o666, 0o600, "everybody on this machine may change the configuration"),
    ] {
        set(name, open);
        let checked = config::check(&made.config, [], &Trusting);
        let found = messages(&checked);
        assert!(found.len() == 1 && found[0].contains(expected) && found[0].contains("= chmod"), "{found:?}");
        assert!(checked.config.is_none());
        set(name, closed);
        assert_eq!(messages(&config::check(&made.config, [], &Trusting)), [""; 0]);
    }
    let before = fs::read_to_string(&made.config).unwrap();
    let secret = "\n[acme]\nexternal_key_id = \"id\"\nexternal_key = \"c2VjcmV0\"\n";
    fs::write(&made.config, before.replacen("\n[acme]\n", secret, 1)).unwrap();
    assert_eq!(messages(&config::check(&made.config, [], &Trusting)), [""; 0]);
    set("detente.toml", 0o644);
    let found = messages(&config::check(&made.config, [], &Trusting));
    assert!(found.len() == 1 && found[0].contains("may read secrets: acme.external_key\n"), "{found:?}");
    // In a variable it is nobody else's.
    let variable = ("DETENTE_ACME__EXTERNAL_KEY".to_owned(), "c2VjcmV0".to_owned());
    assert_eq!(messages(&config::check(&made.config, [variable], &Trusting)), [""; 0]);
    set("detente.toml", 0o600);
    fs::write(&made.config, before).unwrap();
    fs::remove_file(temp.0.join("certs/a.example.crt")).unwrap();
    let found = messages(&config::check(&made.config, [], &Trusting));
    assert!(found.len() == 1 && found[0].contains("a.example.crt cannot be read: No such file"), "{found:?}");
}

#[test]
fn certificates_are_judged_for_each_domain() {
    let temp = Temp::new();
    let made = init(&temp.0, &["a.example", "bad.example", "old.example"]).run().unwrap();
    let checked = config::check(&made.config, [], &Trusting);
    let levels: Vec<_> = checked.faults.iter().map(|fault| (fault.level, fault.what.as_str())).collect();
    assert_eq!(
        levels,
        [
            (Level::Error, "bad.example: the certificate is not valid for bad.example"),
            (Level::Warning, "old.example: the certificate is not valid now"),
        ]
    );
}

#[test]
fn places_to_resume_are_hosts_perhaps_with_ports() {
    for (text, good) in [
        ("xmpp1.example.org", true),
        ("xmpp1.example.org:9222", true),
        ("192.0.2.1:5222", true),
        ("[2001:db8::1]", true),
        ("[2001:db8::1]:9222", true),
        ("2001:db8::1", false),
        ("[2001:db8::1]9222", false),
        ("[192.0.2.1]:5222", false),
        ("xmpp1.example.org:", false),
        ("xmpp1.example.org:0", false),
        ("xmpp1.example.org:+1", false),
        ("xmpp1.example.org:65536", false),
        ("tls://xmpp1.example.org", false),
        ("a@xmpp1.example.org", false),
        (":5222", false),
        ("", false),
    ] {
        let settings = format!(
            "[listen]\nresume_location = \"node.example\"\n[domain.\"a.example\"]\nresume_location = \"{text}\"\n"
        );
        let checked = read(&format!("{GOOD}{settings}"), &[]);
        match checked.config {
            Some(config) => {
                assert!(good, "{text}");
                assert_eq!(config.resume_location("a.example"), Some(text));
                assert_eq!(config.resume_location("b.example"), Some("node.example"));
            }
            None => {
                assert!(!good, "{text}");
                let what = format!("error: \"{text}\" is no place to reconnect to\n --> detente.toml:9:19");
                assert!(checked.faults.len() == 1 && messages(&checked)[0].starts_with(&what), "{text}");
            }
        }
    }
}

#[test]
fn calls_are_checked() {
    for (text, expected) in [
        ("[turn]\n", &[][..]),
        ("[turn]\nexternal_address = [\"203.0.113.1\", \"2001:db8::1\"]\n", &[]),
        (
            "[turn]\nexternal_address = [\"turn.example\"]\n",
            &["error: \"turn.example\" is no address that clients"],
        ),
        ("[turn]\nexternal_address = [\"0.0.0.0\"]\n", &["error: \"0.0.0.0\" is no address that clients"]),
        ("[turn]\nexternal_address = [\"203.0.113.1\", \"203.0.113.2\"]\n", &["error: a second address"]),
        ("[turn]\nexternal_address = [\"192.168.1.1\"]\n", &["warning: 192.168.1.1 is not reached"]),
        ("[turn]\nport_first = 50000\nport_last = 49999\n", &["error: it is larger than `port_last`"]),
        ("[turn]\nport_first = 50000\nport_last = 50099\n", &["warning: there are fewer ports"]),
        ("[turn]\ndenied_peers = [\"10.0.0.0/33\"]\n", &["error: \"10.0.0.0/33\" is no range"]),
        ("[turn]\nallowed_peers = [\"here\"]\n", &["error: \"here\" is no range"]),
        (
            "[turn]\nexternal_address = [\"203.0.113.1\"]\n[listen]\nturn = []\nturn_tls = []\n",
            &["error: the relay would listen nowhere"],
        ),
        // Ports that are not opened are not taken.
        ("[listen]\nc2s = [\"0.0.0.0:3478\"]\n", &[]),
        (
            "[listen]\nc2s = [\"0.0.0.0:3478\"]\n[turn]\nexternal_address = [\"203.0.113.1\"]\n",
            &["error: port 3478 is taken by `c2s` already"],
        ),
        ("[safety]\nreports_to = [\"antispam.example\", \"a@b.example\"]\n", &[]),
        ("[safety]\nreports_to = [\"mailto:a b\"]\n", &["error: \"mailto:a b\" is no address"]),
        (
            "[safety]\nreports_to = [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\", \"i\"]\n",
            &["error: there are more than 8 addresses"],
        ),
        ("[bytestreams]\nhost = \"files.example\"\n", &[]),
        ("[bytestreams]\nhost = \"2001:db8::1\"\n", &[]),
        (
            "[bytestreams]\nhost = \"files.example:7777\"\n",
            &["error: \"files.example:7777\" is no host that"],
        ),
        ("[bytestreams]\nhost = \"a@b\"\n", &["error: \"a@b\" is no host that"]),
        ("[bytestreams]\nhost = \"0.0.0.0\"\n", &["error: \"0.0.0.0\" is no host that"]),
        ("[bytestreams]\nhost = \"\"\n", &["error: \"\" is no host that"]),
        (
            "[bytestreams]\nhost = \"a.example\"\n[listen]\nbytestreams = []\n",
            &["error: the proxy would listen nowhere"],
        ),
        (
            "[listen]\nc2s = [\"0.0.0.0:7777\"]\n[bytestreams]\nhost = \"a.example\"\n",
            &["error: port 7777 is taken by `c2s` already"],
        ),
        ("[listen]\nc2s = [\"0.0.0.0:7777\"]\n", &[]),
        ("[external.a]\ntype = \"turn\"\nhost = \"b.example\"\nport = 3478\nsecret = \"x\"\n", &[]),
        ("[external.a]\ntype = \"turn\"\n", &["error: `host` is missing"]),
        ("[external.a]\nhost = \"b.example\"\n", &["error: `type` is missing"]),
        (
            "[external.a]\ntype = \"turn\"\nhost = \"b.example\"\nusername = \"x\"\n",
            &["error: one of `username` and `password` is missing"],
        ),
        (
            "[external.a]\ntype = \"turn\"\nhost = \"b\"\ntransport = \"tls\"\n",
            &["error: `transport` cannot be"],
        ),
    ] {
        let found = messages(&read(&format!("{GOOD}{text}"), &[]));
        let as_expected = found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected));
        assert!(as_expected && found.len() == expected.len(), "{text}: {found:?}");
    }
}

#[test]
fn safety_and_groups_are_checked() {
    for (text, expected) in [
        (
            "[safety]\nstrangers = \"hold\"\nblock_lists = [\"lists.example/bans\"]\ndirectory = \"all\"\n",
            &[][..],
        ),
        ("[safety]\nblock_lists = [\"lists.example\"]\n", &["error: \"lists.example\" is no list"]),
        ("[safety]\ndirectory = \"everybody\"\n", &["error: "]),
        ("[group.family]\nmembers = [\"a@a.example\", \"B <b@a.example>\"]\n", &[]),
        (
            "[group.family]\nmembers = [\"a@elsewhere.example\"]\n",
            &["error: \"elsewhere.example\" is not one"],
        ),
        ("[group.family]\nmembers = [\"a.example\"]\n", &["error: \"a.example\" is no member"]),
        ("[group.family]\nname = \"\"\n", &["error: its name cannot stand in a roster"]),
    ] {
        let found = messages(&read(&format!("{GOOD}{text}"), &[]));
        assert_eq!(found.len(), expected.len(), "{text}: {found:?}");
        assert!(
            found.iter().zip(expected).all(|(found, start)| found.starts_with(start)),
            "{text}: {found:?}"
        );
    }
}
