//! What the targets need beside the bodies in `crates/fuzzing`: parsers in C, and a bound on computing time.
//!
//! Not here: the targets' bodies.

use std::ffi::{c_char, c_int, c_void};

use fuzzing::jid::Preparation;
use fuzzing::xml_flat::{Flat, Oracle, Theirs, has_wide_name, push_text, tag};
use xml::{Error, Fault};

type Tell = extern "C" fn(*mut c_void, c_char, *const c_char, usize, *const c_char, usize, *const c_char, usize);

unsafe extern "C" {
    fn expat_reads(bytes: *const c_char, len: usize, tell: Tell, to: *mut c_void) -> c_int;
    fn libxml2_reads(bytes: *const c_char, len: usize, tell: Tell, to: *mut c_void) -> c_int;
}

#[derive(Default)]
struct Ear {
    theirs: Theirs,
    flat: Flat,
    depth: usize,
    name: (String, String),
    attrs: Vec<(String, String, String)>,
}

extern "C" fn hear(
    to: *mut c_void,
    kind: c_char,
    a: *const c_char,
    al: usize,
    b: *const c_char,
    bl: usize,
    c: *const c_char,
    cl: usize,
) {
    // SAFETY: the bridge passes our own `Ear` back, and pointers with their lengths.
    let (ear, [a, b, c]) = unsafe {
        let text = |at: *const c_char, len| std::slice::from_raw_parts(at.cast::<u8>(), len);
        (&mut *to.cast::<Ear>(), [text(a, al), text(b, bl), text(c, cl)])
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match kind as u8 {
        b's' => {
            ear.depth += 1;
            ear.name = (text(a), text(b));
            ear.attrs.clear();
        }
        b'a' => ear.attrs.push((text(a), text(b), text(c))),
        b'd' if ear.depth > 1 => ear.flat.push(tag(&ear.name.0, &ear.name.1, ear.attrs.drain(..))),
        b't' if ear.depth > 1 => push_text(&mut ear.flat, &text(a)),
        b'e' => {
            ear.depth = ear.depth.saturating_sub(1);
            if ear.depth >= 1 {
                ear.flat.push("/".to_owned());
            }
            if ear.depth == 1 {
                ear.theirs.elements.push(std::mem::take(&mut ear.flat));
            }
        }
        _ => {}
    }
}

fn listen(input: &[u8], read: unsafe extern "C" fn(*const c_char, usize, Tell, *mut c_void) -> c_int) -> Theirs {
    let mut ear = Ear::default();
    // SAFETY: the bridge keeps neither pointer.
    let refused = unsafe { read(input.as_ptr().cast(), input.len(), hear, (&raw mut ear).cast()) };
    ear.theirs.refused = refused != 0;
    ear.theirs
}

/// What XMPP forbids, and XML does not.
fn is_stricter_than_xml(error: Error, input: &[u8]) -> bool {
    match error {
        Error::TextBetweenElements | Error::LimitPassed(_) | Error::Restricted(_) | Error::UnsupportedEncoding => true,
        // CDATA beside first-level elements is text there.
        Error::NotWellFormed(Fault::Markup) => input.windows(9).any(|w| w == b"<![CDATA["),
        // libxml2 passes over declarations of `xml`, however many.
        Error::NotWellFormed(Fault::DuplicateAttribute) => input.windows(9).any(|w| w == b"xmlns:xml"),
        // The namespace of `xml` is refused on elements.
        Error::NotWellFormed(Fault::ReservedPrefix) => input.windows(5).any(|w| w == b"<xml:"),
        _ => false,
    }
}

/// The system's expat.
pub const EXPAT: Oracle = Oracle {
    name: "expat",
    read: |input| listen(input, expat_reads),
    misreads: has_wide_name,
    is_laxer: is_stricter_than_xml,
};

/// The system's libxml2.
pub const LIBXML2: Oracle = Oracle {
    name: "libxml2",
    read: |input| listen(input, libxml2_reads),
    // In pieces, libxml2 2.9 leaves a carriage return in CDATA as it is (against XML 1.0 section 2.11).
    misreads: |input| {
        let has = |what: &[u8]| input.windows(what.len()).any(|w| w == what);
        has_wide_name(input) || (has(b"<![CDATA[") && has(b"\r"))
    },
    is_laxer: is_stricter_than_xml,
};

/// Processor time that any input may take, and each byte of it, in nanoseconds. Each is about ten times what the slowest
/// target needs in an instrumented build: this finds what grows faster than the input, not what is a little slow.
const TIME_ALWAYS_NS: u64 = 20_000_000;
const TIME_PER_BYTE_NS: u64 = 100_000;

fn thread_time_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Runs a target, and once more up to five times if it took long: the quickest run counts, so that what else the machine
/// does is not taken for a fault.
///
/// # Panics
/// If every run takes longer than such an input may.
pub fn in_time(data: &[u8], target: impl Fn(&[u8])) {
    let most = TIME_ALWAYS_NS + TIME_PER_BYTE_NS * data.len() as u64;
    let mut least = u64::MAX;
    for _ in 0..5 {
        let from = thread_time_ns();
        target(data);
        least = least.min(thread_time_ns() - from);
        if least <= most {
            return;
        }
    }
    panic!("{} ms for {} bytes", least / 1_000_000, data.len());
}

unsafe extern "C" {
    fn looks_up(domain: *const c_char, out: *mut c_char, room: usize) -> c_int;
    fn prepares(text: *const c_char, len: usize, what: c_char, out: *mut c_char, room: usize) -> c_int;
}

fn prepared(text: &str, what: u8) -> Option<String> {
    let mut out = vec![0_u8; 8 * text.len() + 64];
    // SAFETY: the bridge reads `len` bytes, writes at most `room`, and says how many.
    let written = unsafe {
        prepares(text.as_ptr().cast(), text.len(), what as c_char, out.as_mut_ptr().cast(), out.len())
    };
    out.truncate(usize::try_from(written).ok()?);
    String::from_utf8(out).ok()
}

/// Prepares a domain by the rules of 2003 (RFC 6122), and where those of 2008 know it too, finds the same name to look up.
fn domain(text: &str) -> Option<String> {
    let prepared = prepared(text, b'd')?;
    let mut out = vec![0_u8; 1024];
    let domain = std::ffi::CString::new(prepared.as_str()).ok()?;
    // SAFETY: `domain` ends with NUL; the bridge writes at most `room`, and says how many.
    let written = unsafe { looks_up(domain.as_ptr(), out.as_mut_ptr().cast(), out.len()) };
    if let Ok(length) = usize::try_from(written) {
        out.truncate(length);
        let theirs = String::from_utf8_lossy(&out).to_ascii_lowercase();
        let ours = idna::domain_to_ascii(&prepared);
        assert!(ours.as_ref().is_ok_and(|ours| *ours == theirs), "{prepared:?}: {ours:?}, libidn2 {theirs:?}");
    }
    Some(prepared)
}

/// GNU libidn (RFC 6122: nodeprep, nameprep, resourceprep), and libidn2 for looking up.
pub const LIBIDN: Preparation = Preparation {
    local: |text| prepared(text, b'n'),
    domain,
    resource: |text| prepared(text, b'r'),
};
