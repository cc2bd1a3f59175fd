//! How a node is configured: the values, and their fields in forms.
//!
//! XEP-0060 1.30.0 (sections 4.5, 8.2, 16.4.4), XEP-0248 0.5.0 (section 7.2)
//!
//! Not here: which values a node begins with (`defaults.rs`), who may set them.

use serde::{Deserialize, Serialize};
use stanza::StanzaError;

use crate::error::{NOT_ACCEPTABLE, UNSUPPORTED_ACCESS_MODEL};
use crate::form::{Field, Submitted, boolean};
use crate::limits::{ITEMS_MAX, PAYLOAD_BYTES_MAX};

/// A word of a fixed list, as it stands in forms and in storage.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[allow(clippy::enum_variant_names)] // the words are the specification's
        pub(crate) enum $name { $(#[serde(rename = $word)] $variant,)* }

        impl $name {
            #[allow(dead_code)] // not every list is offered in a form
            pub(crate) const WORDS: &[&str] = &[$($word),*];

            pub(crate) fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            pub(crate) fn parse(word: &str) -> Option<$name> {
                match word { $($word => Some($name::$variant),)* _ => None }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Who may subscribe and read (section 4.5).
    Access { Authorize "authorize", Open "open", Presence "presence", Roster "roster", Whitelist "whitelist", }
}
words! {
    /// Who may publish.
    Publishers { Named "publishers", Subscribers "subscribers", Open "open", }
}
words! {
    /// When the last item is sent.
    SendLast { Never "never", OnSub "on_sub", OnSubAndPresence "on_sub_and_presence", }
}
words! {
    /// The type of notifications.
    Style { Normal "normal", Headline "headline", }
}
words! {
    /// Whose address stands on an item (section 12.16).
    ItemReply { Owner "owner", Publisher "publisher", None "none", }
}
words! {
    /// XEP-0248.
    Kind { Leaf "leaf", Collection "collection", }
}

/// All that can be configured. What an older version did not know of is as the service's default has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) language: String,
    pub(crate) payload_type: String,
    pub(crate) contact: Vec<String>,
    pub(crate) deliver_notifications: bool,
    pub(crate) deliver_payloads: bool,
    pub(crate) notify_config: bool,
    pub(crate) notify_delete: bool,
    pub(crate) notify_retract: bool,
    pub(crate) notify_sub: bool,
    pub(crate) persist_items: bool,
    /// `None` is `max`.
    pub(crate) max_items: Option<u32>,
    /// Seconds; `None` is `max`.
    pub(crate) item_expire: Option<u64>,
    pub(crate) subscribe: bool,
    pub(crate) access_model: Access,
    pub(crate) roster_groups: Vec<String>,
    pub(crate) publish_model: Publishers,
    /// Bytes.
    pub(crate) max_payload_size: u32,
    pub(crate) send_last: SendLast,
    pub(crate) style: Style,
    pub(crate) item_reply: ItemReply,
    pub(crate) kind: Kind,
    /// The collection that it is in.
    pub(crate) collection: Option<String>,
}

impl Config {
    /// The defaults of XEP-0060 for a service.
    pub(crate) const fn service() -> Config {
        Config {
            title: String::new(),
            description: String::new(),
            language: String::new(),
            payload_type: String::new(),
            contact: Vec::new(),
            deliver_notifications: true,
            deliver_payloads: true,
            notify_config: false,
            notify_delete: true,
            notify_retract: true,
            notify_sub: false,
            persist_items: true,
            max_items: None,
            item_expire: None,
            subscribe: true,
            access_model: Access::Open,
            roster_groups: Vec::new(),
            publish_model: Publishers::Named,
            max_payload_size: PAYLOAD_BYTES_MAX as u32,
            send_last: SendLast::Never,
            style: Style::Headline,
            item_reply: ItemReply::Publisher,
            kind: Kind::Leaf,
            collection: None,
        }
    }

    /// How many items it keeps.
    pub(crate) fn items_max(&self) -> usize {
        self.max_items.unwrap_or(ITEMS_MAX).min(ITEMS_MAX) as usize
    }
}

impl Default for Config {
    fn default() -> Config {
        Config::service()
    }
}

/// One field of the form `pubsub#node_config`.
struct Setting {
    var: &'static str,
    label: &'static str,
    ty: &'static str,
    choices: &'static [&'static str],
    read: fn(&Config) -> Vec<String>,
    /// `None`: no such value.
    write: fn(&mut Config, &[String]) -> Option<()>,
    /// What is said when it is a precondition and not met.
    unmet: &'static str,
}

/// A setting of one of the shapes below.
macro_rules! setting {
    ($var:literal, $ty:literal, $choices:expr, $label:literal, $read:expr, $write:expr) => {
        Setting {
            var: concat!("pubsub#", $var),
            label: $label,
            ty: $ty,
            choices: $choices,
            read: $read,
            write: $write,
            unmet: concat!("pubsub#", $var, " of the node is another"),
        }
    };
    (flag $field:ident $var:literal $label:literal) => {
        setting!(
            $var,
            "boolean",
            &[],
            $label,
            |config| vec![u8::from(config.$field).to_string()],
            |config, values| {
                config.$field = boolean(one(values)?)?;
                Some(())
            }
        )
    };
    (word $field:ident $words:ident $var:literal $label:literal) => {
        setting!(
            $var,
            "list-single",
            $words::WORDS,
            $label,
            |config| vec![config.$field.word().to_owned()],
            |config, values| {
                config.$field = $words::parse(one(values)?)?;
                Some(())
            }
        )
    };
    (line $field:ident $var:literal $label:literal) => {
        setting!($var, "text-single", &[], $label, |config| texts(&config.$field), |config, values| {
            config.$field = text(values)?;
            Some(())
        })
    };
    (list $field:ident $var:literal $ty:literal $label:literal) => {
        setting!($var, $ty, &[], $label, |config| config.$field.clone(), |config, values| {
            config.$field = values.to_vec();
            Some(())
        })
    };
}

/// The fields, in the order of the form.
static SETTINGS: [Setting; 22] = [
    setting!(line title "title" "A friendly name for the node"),
    setting!(line description "description" "A description of the node"),
    setting!(line language "language" "The default language of the node"),
    setting!(line payload_type "type" "The semantic type of the payloads"),
    setting!(list contact "contact" "jid-multi" "Whom to ask about the node"),
    setting!(word access_model Access "access_model" "Who may subscribe and read"),
    setting!(list roster_groups "roster_groups_allowed" "text-multi" "Groups of the roster that may subscribe"),
    setting!(word publish_model Publishers "publish_model" "Who may publish"),
    setting!(flag persist_items "persist_items" "Whether items are kept"),
    setting!(
        "max_items",
        "text-single",
        &[],
        "How many items are kept",
        |config| maximum(config.max_items),
        |config, values| {
            let wanted = number(values, ITEMS_MAX)?;
            config.max_items = wanted.is_none_or(|most| most > 0).then_some(wanted)?;
            Some(())
        }
    ),
    setting!(
        "item_expire",
        "text-single",
        &[],
        "After how many seconds items go",
        |config| maximum(config.item_expire),
        |config, values| {
            config.item_expire = number(values, i64::MAX as u64 / 1_000)?;
            Some(())
        }
    ),
    setting!(
        "max_payload_size",
        "text-single",
        &[],
        "How many bytes a payload may have",
        |config| vec![config.max_payload_size.to_string()],
        |config, values| {
            config.max_payload_size =
                number(values, PAYLOAD_BYTES_MAX as u32)?.unwrap_or(PAYLOAD_BYTES_MAX as u32);
            Some(())
        }
    ),
    setting!(word send_last SendLast "send_last_published_item" "When the last item is sent"),
    setting!(flag deliver_notifications "deliver_notifications" "Whether subscribers are notified"),
    setting!(flag deliver_payloads "deliver_payloads" "Whether notifications have payloads"),
    setting!(word style Style "notification_type" "The type of notifications"),
    setting!(flag notify_config "notify_config" "Notify subscribers of changes of the configuration"),
    setting!(flag notify_delete "notify_delete" "Notify subscribers when the node is deleted"),
    setting!(flag notify_retract "notify_retract" "Notify subscribers when items are removed"),
    setting!(flag notify_sub "notify_sub" "Notify owners of new subscribers"),
    setting!(flag subscribe "subscribe" "Whether subscriptions are allowed"),
    setting!(word item_reply ItemReply "itemreply" "Whose address stands on an item"),
];

/// The fields of XEP-0248, only at services that have collections.
static GRAPH: [Setting; 2] = [
    setting!(word kind Kind "node_type" "Whether it holds items or nodes"),
    setting!(
        "collection",
        "text-single",
        &[],
        "The collection that it is in",
        |config| config.collection.iter().cloned().collect(),
        |config, values| {
            config.collection = Some(text(values)?).filter(|name| !name.is_empty());
            Some(())
        }
    ),
];

/// Which fields there are: those of XEP-0248 only where there are collections, and only some ways of access.
#[derive(Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) collections: bool,
    pub(crate) access: &'static [Access],
}

impl Offer {
    fn settings(self) -> impl Iterator<Item = &'static Setting> {
        SETTINGS.iter().chain(GRAPH.iter().filter(move |_| self.collections))
    }

    /// The fields with their values.
    pub(crate) fn fields(self, config: &Config) -> Vec<Field> {
        let choices = |setting: &Setting| match setting.ty {
            "list-single" if setting.choices == Access::WORDS => {
                self.access.iter().map(|access| access.word().to_owned()).collect()
            }
            _ => setting.choices.iter().map(|choice| (*choice).to_owned()).collect(),
        };
        let field = |setting: &'static Setting| Field {
            var: setting.var,
            label: setting.label,
            ty: setting.ty,
            values: (setting.read)(config),
            choices: choices(setting),
        };
        self.settings().map(field).collect()
    }

    /// The configuration with what was submitted; fields that nobody knows change nothing (XEP-0004 section 3.2).
    ///
    /// # Errors
    /// If a field has a value that it cannot have. Nothing is changed then.
    pub(crate) fn apply(self, config: &Config, form: &Submitted) -> Result<Config, StanzaError> {
        let mut changed = config.clone();
        for (var, values) in &form.0 {
            let Some(setting) = self.settings().find(|setting| setting.var == var) else { continue };
            let is_access = setting.choices == Access::WORDS;
            let refusal = if is_access { UNSUPPORTED_ACCESS_MODEL } else { NOT_ACCEPTABLE };
            (setting.write)(&mut changed, values).ok_or(refusal.clone())?;
            if is_access && !self.access.contains(&changed.access_model) {
                return Err(refusal);
            }
        }
        Ok(changed)
    }

    /// Whether a node with this configuration meets what a publisher demands (section 7.1.5); if not, which demand is
    /// not met, or that it is none that could be.
    pub(crate) fn unmet(self, config: &Config, demands: &Submitted) -> Option<&'static str> {
        demands.0.iter().find_map(|(var, values)| {
            let Some(setting) = self.settings().find(|setting| setting.var == var) else {
                return Some("an unknown precondition");
            };
            // Said as it would be if it were set: `true` is `1`, and more than can be is `max`.
            let mut wanted = config.clone();
            let same = (setting.write)(&mut wanted, values).is_some() && wanted == *config;
            (!same).then_some(setting.unmet)
        })
    }
}

fn one(values: &[String]) -> Option<&str> {
    match values {
        [value] => Some(value),
        _ => None,
    }
}

fn text(values: &[String]) -> Option<String> {
    match values {
        [] => Some(String::new()),
        [value] => Some(value.clone()),
        _ => None,
    }
}

/// `max`, or a number; one that is not below `most` is the same as `max`.
fn number<N: std::str::FromStr + PartialOrd>(values: &[String], most: N) -> Option<Option<N>> {
    match one(values)? {
        "max" => Some(None),
        value => value.trim().parse().ok().map(|number| Some(number).filter(|number| *number < most)),
    }
}

fn maximum<N: ToString>(value: Option<N>) -> Vec<String> {
    vec![value.map_or_else(|| "max".to_owned(), |number| number.to_string())]
}

fn texts(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { vec![text.to_owned()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Offer = Offer {
        collections: true,
        access: &[Access::Open, Access::Whitelist, Access::Presence, Access::Roster, Access::Authorize],
    };

    fn form(fields: &[(&str, &[&str])]) -> Submitted {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        Submitted(fields.iter().map(|(var, values)| (format!("pubsub#{var}"), owned(values))).collect())
    }

    #[test]
    fn what_a_form_says_is_what_it_reads() {
        let config =
            Config { title: "A".into(), roster_groups: vec!["b".into(), "c".into()], ..Config::service() };
        let said =
            ALL.fields(&config).into_iter().map(|field| (field.var.to_owned(), field.values)).collect();
        assert_eq!(
            ALL.apply(&Config { title: "old".into(), ..Config::default() }, &Submitted(said)),
            Ok(config)
        );
        assert_eq!(ALL.fields(&Config::default()).len(), SETTINGS.len() + GRAPH.len());
    }

    #[test]
    fn refuses_values_that_a_field_cannot_have() {
        let config = Config::service();
        for (var, values) in [
            ("persist_items", &["yes"][..]),
            ("persist_items", &[]),
            ("max_items", &["0"]),
            ("max_items", &["-1"]),
            ("max_items", &["many"]),
            ("item_expire", &[""]),
            ("publish_model", &["nobody"]),
            ("send_last_published_item", &["always"]),
            ("title", &["a", "b"]),
            ("node_type", &["tree"]),
        ] {
            assert_eq!(ALL.apply(&config, &form(&[(var, values)])), Err(NOT_ACCEPTABLE), "{var} {values:?}");
        }
        let few = Offer { collections: false, access: &[Access::Open] };
        for access in ["presence", "everybody"] {
            let asked = form(&[("title", &["x"]), ("access_model", &[access])]);
            assert_eq!(few.apply(&config, &asked), Err(UNSUPPORTED_ACCESS_MODEL), "{access}");
        }
        let unknown = form(&[("node_type", &["collection"]), ("weather", &["fine"]), ("title", &["x"])]);
        assert_eq!(few.apply(&config, &unknown), Ok(Config { title: "x".into(), ..config }));
    }

    #[test]
    fn checks_every_precondition() {
        let config = Config { max_items: Some(5), ..Config::service() };
        for (fields, unmet) in [
            (&[][..], None),
            (&[("persist_items", &["true"][..]), ("max_items", &["5"])], None),
            (
                &[("persist_items", &["1"]), ("max_items", &["max"])],
                Some("pubsub#max_items of the node is another"),
            ),
            (&[("access_model", &["whitelist"])], Some("pubsub#access_model of the node is another")),
            (&[("access_model", &["nonsense"])], Some("pubsub#access_model of the node is another")),
            (&[("weather", &["fine"])], Some("an unknown precondition")),
            (&[("item_expire", &["max"]), ("title", &[])], None),
        ] {
            assert_eq!(ALL.unmet(&config, &form(fields)), unmet, "{fields:?}");
        }
        let full = Config { max_items: None, ..config };
        for most in ["max", "256", "1000"] {
            assert_eq!(ALL.unmet(&full, &form(&[("max_items", &[most])])), None, "{most}");
        }
    }
}
