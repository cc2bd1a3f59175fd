//! Arrows between our crates point down, and nothing below the I/O line reaches I/O.
//!
//! Not here: what a crate's source says; see `core_tokens`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Deserialize;

use super::exceptions::Exceptions;
use super::finding::Finding;
use super::house;

/// Dependencies by the name that the manifest gives them.
type Table = BTreeMap<String, toml::Value>;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Raw {
    package: RawPackage,
    #[serde(flatten)]
    tables: RawTables,
    #[serde(default)]
    target: BTreeMap<String, RawTables>,
}

#[derive(Deserialize)]
struct RawPackage {
    name: String,
    metadata: Option<toml::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawTables {
    #[serde(default)]
    dependencies: Table,
    #[serde(default)]
    dev_dependencies: Table,
    #[serde(default)]
    build_dependencies: Table,
}

/// What the rules need to know of one of our crates.
pub(crate) struct Manifest {
    path: String,
    text: String,
    name: String,
    floor: Option<i64>,
    /// Packages that the crate is built from.
    needs: BTreeSet<String>,
    /// Packages that only its tests need.
    tests_need: BTreeSet<String>,
    /// What a package is called in the manifest, where that is another name.
    called: BTreeMap<String, String>,
}

impl Manifest {
    /// `root` is the text of the workspace's manifest, which says what `workspace = true` means.
    pub(crate) fn read(path: &str, text: &str, root: &str) -> Result<Self, Finding> {
        let wrong = |e: toml::de::Error| {
            Finding::new(path, 1, e.message().replace('\n', " "), "tidy could not read this manifest")
        };
        let raw: Raw = toml::from_str(text).map_err(wrong)?;
        let root: toml::Value = toml::from_str(root).map_err(wrong)?;
        let shared = root.get("workspace").and_then(|w| w.get("dependencies"));
        let floor = raw.package.metadata.as_ref().and_then(|m| m.get("house")?.get("floor")?.as_integer());
        let mut manifest = Self {
            path: path.to_owned(),
            text: text.to_owned(),
            name: raw.package.name,
            floor,
            needs: BTreeSet::new(),
            tests_need: BTreeSet::new(),
            called: BTreeMap::new(),
        };
        for tables in raw.target.values().chain([&raw.tables]) {
            for (name, value) in tables.dependencies.iter().chain(&tables.build_dependencies) {
                let package = manifest.package(name, value, shared);
                manifest.needs.insert(package);
            }
            for (name, value) in &tables.dev_dependencies {
                let package = manifest.package(name, value, shared);
                manifest.tests_need.insert(package);
            }
        }
        Ok(manifest)
    }

    /// The package that the manifest calls `name`.
    fn package(&mut self, name: &str, value: &toml::Value, shared: Option<&toml::Value>) -> String {
        let inherited = value.get("workspace").and_then(toml::Value::as_bool).unwrap_or(false);
        let value = if inherited { shared.and_then(|s| s.get(name)) } else { Some(value) };
        let package = value.and_then(|v| v.get("package")?.as_str()).unwrap_or(name).to_owned();
        self.called.insert(package.clone(), name.to_owned());
        package
    }

    fn line(&self, package: &str) -> usize {
        let name = self.called.get(package).map_or(package, String::as_str);
        let names = |l: &str| l.strip_prefix(name).is_some_and(|r| r.starts_with([' ', '=', '.']));
        self.text.lines().position(names).map_or(1, |i| i + 1)
    }

    fn finding(&self, package: &str, what: String, mend: &str) -> Finding {
        Finding::new(&self.path, self.line(package), what, mend)
    }
}

/// Every crate has a floor, and its arrows point to lower ones.
pub(crate) fn arrows(manifests: &[Manifest], exceptions: &Exceptions) -> Vec<Finding> {
    let floors: BTreeMap<&str, i64> =
        manifests.iter().filter_map(|m| Some((m.name.as_str(), m.floor?))).collect();
    let mut out = Vec::new();
    for m in manifests {
        let Some(&own) = floors.get(m.name.as_str()) else {
            let mend = "add `[package.metadata.house]` with `floor = N`; see ARCHITECTURE.md";
            out.push(Finding::new(&m.path, 1, format!("`{}` has no floor", m.name), mend));
            continue;
        };
        for package in &m.needs {
            let Some(&floor) = floors.get(package.as_str()) else { continue };
            let why = wrong_arrow(&m.name, own, package, floor);
            if let Some((what, mend)) = why
                && !exceptions.arrow(&m.name, package)
            {
                out.push(m.finding(package, what, mend));
            }
        }
        for package in &m.tests_need {
            let Some(&floor) = floors.get(package.as_str()) else { continue };
            if floor > own && !exceptions.arrow(&m.name, package) {
                let what = format!("tests of `{}` (floor {own}) reach up to `{package}` ({floor})", m.name);
                out.push(m.finding(package, what, "move the test to the upper crate"));
            }
        }
    }
    out
}

/// What is wrong with an arrow of the program, if anything, and how to mend it.
fn wrong_arrow(from: &str, own: i64, to: &str, floor: i64) -> Option<(String, &'static str)> {
    if floor >= own {
        let what = format!("`{from}` (floor {own}) depends on `{to}` (floor {floor})");
        return Some((what, "arrows point down only: move the shared part to a lower crate"));
    }
    if house::CORE.contains(&from) && !house::CORE.contains(&to) {
        let what = format!("`{from}` does no I/O but depends on `{to}`, which may");
        return Some((what, "say what is wanted as an effect; an upper crate does it"));
    }
    let is_engine = house::ENGINES.iter().any(|family| to.starts_with(family));
    if is_engine && from != house::WIRING && !house::TOOLS.contains(&from) {
        let what = format!("`{from}` names the engine `{to}`");
        return Some((what, "depend on the trait; only `detente` chooses an engine"));
    }
    None
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// Crates below the I/O line reach no forbidden package, directly or through others.
///
/// Our own crates are followed through their manifests (so that tests may use anything), all others
/// through `Cargo.lock`.
pub(crate) fn forbidden(manifests: &[Manifest], lock: &str, exceptions: &Exceptions) -> Vec<Finding> {
    let lock: Lock = match toml::from_str(lock) {
        Ok(lock) => lock,
        Err(e) => return vec![Finding::new("Cargo.lock", 1, e.message(), "run `cargo check`")],
    };
    let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in &lock.package {
        // "name version" where a name occurs in several versions: they count as one.
        let names = package.dependencies.iter().filter_map(|d| d.split(' ').next());
        graph.entry(&package.name).or_default().extend(names);
    }
    for m in manifests {
        graph.insert(&m.name, m.needs.iter().map(String::as_str).collect());
    }
    let mut out = Vec::new();
    for m in manifests.iter().filter(|m| house::CORE.contains(&m.name.as_str())) {
        for way in ways_to_forbidden(&graph, &m.name) {
            let (first, last) = (way[1], way[way.len() - 1]);
            if !exceptions.dependency(&m.name, last) {
                let what = format!("`{}` does no I/O but reaches `{last}`: {}", m.name, way.join(" -> "));
                out.push(m.finding(first, what, "switch the feature off or take another library"));
            }
        }
    }
    out
}

/// The shortest way from `start` to each forbidden package that it reaches.
fn ways_to_forbidden<'a>(graph: &BTreeMap<&'a str, BTreeSet<&'a str>>, start: &'a str) -> Vec<Vec<&'a str>> {
    let mut seen = BTreeSet::from([start]);
    let mut queue = VecDeque::from([vec![start]]);
    let mut out = Vec::new();
    while let Some(way) = queue.pop_front() {
        let here = way[way.len() - 1];
        if way.len() > 1 && house::is_forbidden(here) {
            out.push(way);
            continue;
        }
        for next in graph.get(here).into_iter().flatten().filter(|next| seen.insert(next)) {
            queue.push_back(way.iter().copied().chain([*next]).collect());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "[workspace.dependencies]\njid-prep = { package = \"jid\", version = \"1\" }\n";

    fn manifest(name: &str, floor: i64, rest: &str) -> Manifest {
        let text = format!("[package]\nname = \"{name}\"\nmetadata.house.floor = {floor}\n{rest}");
        Manifest::read(&format!("crates/{name}/Cargo.toml"), &text, ROOT).unwrap()
    }

    fn arrows_of(manifests: &[Manifest], exceptions: &str) -> Vec<String> {
        let exceptions = Exceptions::read(exceptions).unwrap();
        let found = arrows(manifests, &exceptions);
        found.into_iter().chain(exceptions.leftovers()).map(|f| f.to_string()).collect()
    }

    #[test]
    fn arrows_point_down() {
        let down = manifest("kernel", 4, "[dependencies]\nmodel.workspace = true\n");
        let model = manifest("model", 3, "[dependencies]\nkernel.workspace = true\n");
        let found = arrows_of(&[down, model], "");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/model/Cargo.toml:5: `model` (floor 3) depends on `kernel`"));
    }

    #[test]
    fn an_exception_with_a_reason_is_heeded() {
        let pair =
            || [manifest("net", 4, "[dependencies]\nstream.workspace = true\n"), manifest("stream", 4, "")];
        assert_eq!(arrows_of(&pair(), "").len(), 1);
        assert!(arrows_of(&pair(), "[arrows]\n\"net -> stream\" = \"until both are split\"").is_empty());
    }

    #[test]
    fn tests_may_use_what_stands_beside_them_but_not_above() {
        let a = manifest("a", 2, "[dev-dependencies]\nb = { path = \"../b\" }\n");
        assert!(arrows_of(&[a, manifest("b", 2, "")], "").is_empty());
        let a = manifest("a", 2, "[dev-dependencies]\nb = { path = \"../b\" }\n");
        assert_eq!(arrows_of(&[a, manifest("b", 3, "")], "").len(), 1);
    }

    #[test]
    fn the_core_names_only_the_core_and_only_the_program_names_engines() {
        let features = manifest("features", 5, "[dependencies]\nstore = {}\n");
        let found = arrows_of(&[features, manifest("store", 4, "")], "");
        assert!(found[0].contains("`features` does no I/O but depends on `store`"), "{found:?}");
        for (from, want) in [("admin", 1), ("detente", 0), ("bench", 0)] {
            let m = manifest(from, 7, "[target.'cfg(unix)'.dependencies]\nstore-sqlite = {}\n");
            assert_eq!(arrows_of(&[m, manifest("store-sqlite", 5, "")], "").len(), want, "{from}");
        }
    }

    #[test]
    fn a_crate_without_a_floor_is_named() {
        let m = Manifest::read("crates/a/Cargo.toml", "[package]\nname = \"a\"\n", ROOT).unwrap();
        assert_eq!(arrows_of(&[m], "").len(), 1);
    }

    #[test]
    fn forbidden_packages_are_found_through_others() {
        let lock = "[[package]]\nname = \"jid\"\ndependencies = [\"idna 1.0\"]\n
            [[package]]\nname = \"idna\"\ndependencies = [\"tokio\"]\n";
        let address = manifest("address", 1, "[dependencies]\njid-prep.workspace = true\n");
        let model = manifest("model", 2, "[dev-dependencies]\ntokio = \"1\"\n");
        let found = forbidden(&[address, model], lock, &Exceptions::default());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 5, "the line of the first step, under the manifest's own name for it");
        assert!(found[0].what.ends_with("address -> jid -> idna -> tokio"), "{}", found[0].what);
    }
}
