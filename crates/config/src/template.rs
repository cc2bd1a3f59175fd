//! The annotated file that `detente init` writes: every section with a sentence, every default as a comment.
//!
//! Not here: what is set (`init.rs`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::settings::{SECTIONS, SETTINGS, Setting};

/// Sections that are repeated with names of one's choice, each with an example.
const NAMED: [(&str, &str); 2] = [("external.*", "external.relay"), ("group.*", "group.family")];

const WIDTH: usize = 100;

/// The file, with these settings set and all others as comments. Paths of domains have the domain in place of `*`.
pub(crate) fn render(set: &BTreeMap<String, String>, domains: &[String]) -> String {
    let mut out = String::from(
        "# The configuration of Détente.\n#\n\
         # A line with # before it shows what holds without it: take the # away to change it.\n\
         # `detente check` says whether all is well. Most changes take effect by a reload (SIGHUP), and it names those that do not.\n\
         # Every setting can also come from the environment, as in DETENTE_LOG__LEVEL=debug.\n",
    );
    for (section, about) in SECTIONS {
        let settings = || SETTINGS.iter().filter(|setting| section_of(setting) == *section);
        if let Some((_, example)) = NAMED.iter().find(|(named, _)| named == section) {
            let _ = write!(out, "\n# {about}\n# [{example}]\n");
            settings().for_each(|setting| line(&mut out, setting, set, setting.path));
            continue;
        }
        if *section == "federation.domain.*" {
            let _ = write!(out, "\n# {about}\n# [federation.domain.\"old.example\"]\n");
            settings().for_each(|setting| line(&mut out, setting, set, setting.path));
            continue;
        }
        if *section == "component.*" {
            let domain = domains.first().map_or("example.org", String::as_str);
            let _ = write!(out, "\n# {about}\n# [component.\"irc.{domain}\"]\n");
            let own = settings().filter(|setting| !setting.path.contains(".privileges."));
            own.for_each(|setting| line(&mut out, setting, set, setting.path));
            let _ = writeln!(out, "# [component.\"irc.{domain}\".privileges]");
            let privileges = settings().filter(|setting| setting.path.contains(".privileges."));
            privileges.for_each(|setting| line(&mut out, setting, set, setting.path));
            continue;
        }
        if *section != "domain.*" {
            let _ = write!(out, "\n# {about}\n[{section}]\n");
            settings().for_each(|setting| line(&mut out, setting, set, setting.path));
            continue;
        }
        let _ = write!(out, "\n# {about}\n");
        for domain in domains {
            let _ = writeln!(out, "[domain.\"{domain}\"]");
            let own = settings().filter(|setting| !setting.path.contains(".contacts."));
            own.for_each(|setting| line(&mut out, setting, set, &setting.path.replace('*', domain)));
            let _ = writeln!(out, "\n# [domain.\"{domain}\".contacts]");
            let contacts = settings().filter(|setting| setting.path.contains(".contacts."));
            contacts.for_each(|setting| line(&mut out, setting, set, &setting.path.replace('*', domain)));
            out.push('\n');
        }
    }
    while out.ends_with("\n\n") {
        out.pop();
    }
    out
}

fn section_of(setting: &Setting) -> &'static str {
    match setting.path.split('.').next().unwrap_or_default() {
        "federation" if setting.path.contains('*') => "federation.domain.*",
        "domain" => "domain.*",
        "component" => "component.*",
        "external" => "external.*",
        "group" => "group.*",
        section => section,
    }
}

fn line(out: &mut String, setting: &Setting, set: &BTreeMap<String, String>, path: &str) {
    for row in wrap(setting.about) {
        let _ = writeln!(out, "# {row}");
    }
    let name = setting.path.rsplit('.').next().unwrap_or_default();
    let _ = match set.get(path) {
        Some(value) => writeln!(out, "{name} = {value}"),
        None if setting.default.is_empty() => writeln!(out, "# {name} = {}", example(setting)),
        None => writeln!(out, "# {name} = {}", setting.default),
    };
}

/// For settings without a default.
fn example(setting: &Setting) -> &'static str {
    match setting.path.rsplit('.').next().unwrap_or_default() {
        "certificate" => "\"certs/example.org.crt\"",
        "ca_file" => "\"authorities.pem\"",
        "tls" => "\"required\"",
        "auth" => "\"dialback\"",
        "key" => "\"certs/example.org.key\"",
        "public_url" => "\"https://chat.example.org\"",
        "registration" => "false",
        "resume_location" => "\"xmpp1.example.org:5222\"",
        "host" if setting.path.starts_with("bytestreams.") => "\"example.org\"",
        "host" => "\"turn.example.org\"",
        "secret" => "\"something long that nobody guesses\"",
        "bucket" => "\"chat-files\"",
        "endpoint" => "\"https://s3.example.org\"",
        "access_key" | "secret_key" => "\"as the storage says\"",
        "external_key_id" | "external_key" | "dns_key_name" | "dns_key_secret" => "\"as you were given it\"",
        "dns_program" => "\"/usr/local/bin/change-dns\"",
        "dns_server" => "\"ns1.example.org:53\"",
        "dns_zone" => "\"example.org\"",
        "name" if setting.path.starts_with("component.") => "\"IRC\"",
        "roster_push" => "true",
        "components_socket" => "\"components.sock\"",
        "type" => "\"turn\"",
        "port" => "3478",
        "transport" => "\"udp\"",
        "username" | "password" => "\"guest\"",
        "name" => "\"Family\"",
        "strangers" => "\"hold\"",
        "members" => "[]",
        "contact" => "\"mailto:admin@example.org\"",
        "domains" => "[\"example.org\"]",
        "outage" => "[\"https://elsewhere.example/status.json\"]",
        _ => "[\"mailto:somebody@example.org\"]",
    }
}

fn wrap(text: &str) -> Vec<String> {
    let mut rows: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        match rows.last_mut() {
            Some(row) if row.is_empty() || row.len() + 1 + word.len() <= WIDTH => {
                if !row.is_empty() {
                    row.push(' ');
                }
                row.push_str(word);
            }
            _ => rows.push(word.to_owned()),
        }
    }
    rows
}
