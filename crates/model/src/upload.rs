//! What may be asked about uploaded files, as plain data.
//!
//! XEP-0363 1.2.0.
//!
//! Not here: who keeps the files (crate `files`), and how they travel (HTTP, crate `net`).

use address::Bare;

/// A question or an order about uploaded files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadQuery {
    /// A place for one new file (XEP-0363 section 5). Answer: [`UploadFound::Slot`] or a refusal.
    Slot {
        /// Whose file it will be.
        account: Bare,
        /// Its name, as the client has it: any text that is not empty.
        name: String,
        /// Its exact length in bytes.
        bytes: u64,
        /// Its media type, if the client told it.
        media_type: Option<String>,
        /// What it is for, which decides how long it is kept.
        purpose: Purpose,
    },
    /// Files of an account, newest first. Answer: [`UploadFound::Files`].
    List {
        /// Whose.
        account: Bare,
        /// At most so many.
        limit: u32,
    },
    /// Removes files of an account; what is not there or not its own is passed over. Answer: [`UploadFound::Deleted`].
    Delete {
        /// Whose.
        account: Bare,
        /// Which: their [`UploadedFile::id`].
        ids: Vec<String>,
    },
    /// Removes files of an account that a message shared and that was retracted (XEP-0424); what is not there or not its
    /// own is passed over. Answer: [`UploadFound::Deleted`], or [`UploadFound::Off`] if files stay nevertheless.
    Retract {
        /// Whose.
        account: Bare,
        /// The addresses that the message named, whatever they are.
        urls: Vec<String>,
    },
}

/// What a file is for (XEP-0363 section 5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// An attachment: kept as long as the operator says.
    #[default]
    Message,
    /// An avatar or a banner: small, kept until it is removed.
    Profile,
    /// Gone at this time (Unix milliseconds) at the latest.
    Ephemeral(u64),
    /// Kept until it is removed, where the operator allows it.
    Permanent,
}

/// Where a file is to be put, and where it will be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// For the HTTP request `PUT`. It is a secret.
    pub put: String,
    /// For everybody who shall have the file.
    pub get: String,
}

/// The answer to an [`UploadQuery`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadFound {
    /// There is a place.
    Slot(Slot),
    /// The file is larger than this many bytes.
    TooLarge(u64),
    /// The account has used up what it may; it may try again at this time (Unix milliseconds).
    Quota(u64),
    /// That purpose is not served here.
    Purpose,
    /// Something about the file's name or media type is not acceptable.
    Malformed,
    /// Uploads are not possible here.
    Off,
    /// Files.
    Files(Vec<UploadedFile>),
    /// So many files were removed.
    Deleted(u32),
}

/// A file that was uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedFile {
    /// Names it among the files of its account; sorts by time.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was uploaded, in Unix milliseconds.
    pub at_ms: u64,
    /// When it goes, in Unix milliseconds; `None`: it stays.
    pub until_ms: Option<u64>,
    /// Where it is.
    pub url: String,
}
