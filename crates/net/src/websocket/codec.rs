//! WebSocket frames of the server's side, as a machine without I/O: bytes in, whole text messages out.
//!
//! RFC 6455 sections 5 to 7, RFC 7395 section 3 (text only). No extension is ever negotiated.
//!
//! An idle connection keeps no buffer here.
//!
//! Not here: the HTTP request that starts it (`upgrade.rs`), what is in a message (stream).

use std::time::{Duration, Instant};

/// Pieces that one message may have.
const FRAGMENTS: u8 = 8;
/// Pings, pongs and other control frames in each [`CONTROL_WINDOW`].
const CONTROL_FRAMES: u8 = 16;
const CONTROL_WINDOW: Duration = Duration::from_secs(10);
/// Longest payload of a control frame (RFC 6455 section 5.5).
const CONTROL_BYTES: u64 = 125;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A whole message.
    Message(Vec<u8>),
    /// A control frame, already dealt with.
    Control,
}

/// The reading state of one connection, and what it has to reply.
pub(crate) struct Codec {
    /// The part of a frame's head that has come.
    head: [u8; 14],
    head_len: usize,
    frame: Option<Frame>,
    /// The payload of the unfinished message.
    message: Vec<u8>,
    /// The payload of the unfinished control frame.
    control: Vec<u8>,
    /// Frames of the unfinished message; 0: none was begun.
    fragments: u8,
    limit: usize,
    controls: (Option<Instant>, u8),
    replies: Vec<u8>,
    /// A close frame was sent, or is among the replies.
    closed: bool,
    /// Nothing more is read.
    ended: bool,
    /// Which rule was broken, by the code of the close frame, until somebody asks.
    fault: Option<u16>,
}

/// The frame whose payload is being read.
#[derive(Clone, Copy)]
struct Frame {
    opcode: u8,
    last: bool,
    mask: [u8; 4],
    length: u64,
    done: u64,
}

mod opcode {
    pub(super) const CONTINUATION: u8 = 0;
    pub(super) const TEXT: u8 = 1;
    pub(super) const BINARY: u8 = 2;
    pub(super) const CLOSE: u8 = 8;
    pub(super) const PING: u8 = 9;
    pub(super) const PONG: u8 = 10;
}

/// RFC 6455 section 7.4.1.
mod code {
    pub(super) const PROTOCOL_ERROR: u16 = 1002;
    pub(super) const UNSUPPORTED: u16 = 1003;
    pub(super) const INVALID_TEXT: u16 = 1007;
    pub(super) const POLICY: u16 = 1008;
    pub(super) const TOO_BIG: u16 = 1009;
}

impl Codec {
    /// A connection that has just been upgraded; messages have at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Codec {
        Codec {
            head: [0; 14],
            head_len: 0,
            frame: None,
            message: Vec::new(),
            control: Vec::new(),
            fragments: 0,
            limit,
            controls: (None, 0),
            replies: Vec::new(),
            closed: false,
            ended: false,
            fault: None,
        }
    }

    /// Sets the size of the largest message.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Whether a close frame came, or the peer broke a rule: nothing more is to be read.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Once, after a rule was broken: the code for it.
    pub(crate) fn take_fault(&mut self) -> Option<u16> {
        self.fault.take()
    }

    /// Frames to send: pongs, and at most one close frame.
    pub(crate) fn replies(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.replies)
    }

    /// Whether nothing may be sent any more (RFC 6455 section 5.5.1).
    pub(crate) fn closed(&self) -> bool {
        self.closed
    }

    /// Sends a close frame, once.
    pub(crate) fn close(&mut self, code: u16) {
        if !self.closed {
            self.closed = true;
            self.replies.extend([0x80 | opcode::CLOSE, 2]);
            self.replies.extend(code.to_be_bytes());
        }
    }

    /// Writes one text message.
    pub(crate) fn text(out: &mut Vec<u8>, payload: &[u8]) {
        write_frame(out, opcode::TEXT, payload);
    }

    /// Reads up to the end of the next frame that matters; `None` when it needs more bytes.
    pub(crate) fn next(&mut self, input: &mut &[u8], now: Instant) -> Option<Event> {
        while !self.ended {
            let result = match self.frame {
                None => self.read_head(input, now),
                Some(frame) => self.read_payload(frame, input),
            };
            match result {
                Ok(Step::More) => {}
                Ok(Step::Need) => return None,
                Ok(Step::Event(event)) => return Some(event),
                Err(code) => {
                    self.close(code);
                    (self.ended, self.fault) = (true, Some(code));
                }
            }
        }
        None
    }

    fn read_head(&mut self, input: &mut &[u8], now: Instant) -> Result<Step, u16> {
        let size = loop {
            let size = head_size(&self.head[..self.head_len]);
            if self.head_len == size {
                break size;
            }
            let Some((byte, rest)) = input.split_first() else { return Ok(Step::Need) };
            self.head[self.head_len] = *byte;
            self.head_len += 1;
            *input = rest;
        };
        let head = &self.head[..size];
        self.head_len = 0;
        let first = head[0];
        if first & 0x70 != 0 || head[1] & 0x80 == 0 {
            return Err(code::PROTOCOL_ERROR); // reserved bits, or not masked
        }
        let (length, mask) = (length(head)?, head.last_chunk().copied().unwrap_or_default());
        let frame = Frame { opcode: first & 0x0f, last: first & 0x80 != 0, mask, length, done: 0 };
        self.admit(frame, now)?;
        self.frame = Some(frame);
        Ok(Step::More)
    }

    /// Checks a head before any byte of its payload is stored.
    fn admit(&mut self, frame: Frame, now: Instant) -> Result<(), u16> {
        match frame.opcode {
            opcode::TEXT if self.fragments == 0 => {}
            opcode::CONTINUATION if self.fragments > 0 => {}
            opcode::BINARY if self.fragments == 0 => return Err(code::UNSUPPORTED),
            opcode::CLOSE | opcode::PING | opcode::PONG if frame.last && frame.length <= CONTROL_BYTES => {
                return self.count_control(now);
            }
            _ => return Err(code::PROTOCOL_ERROR),
        }
        if self.fragments == FRAGMENTS {
            return Err(code::POLICY);
        }
        self.fragments += 1;
        let room = self.limit.saturating_sub(self.message.len()) as u64;
        if frame.length > room { Err(code::TOO_BIG) } else { Ok(()) }
    }

    fn count_control(&mut self, now: Instant) -> Result<(), u16> {
        let since = *self.controls.0.get_or_insert(now);
        if now.duration_since(since) >= CONTROL_WINDOW {
            self.controls = (Some(now), 0);
        }
        self.controls.1 += 1;
        if self.controls.1 > CONTROL_FRAMES { Err(code::POLICY) } else { Ok(()) }
    }

    fn read_payload(&mut self, mut frame: Frame, input: &mut &[u8]) -> Result<Step, u16> {
        let left = frame.length - frame.done;
        let take = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let (now, rest) = input.split_at(take);
        *input = rest;
        let target = if frame.opcode < opcode::CLOSE { &mut self.message } else { &mut self.control };
        let phase = (frame.done % 4) as usize;
        let mask = [0, 1, 2, 3].map(|at| frame.mask[(at + phase) % 4]);
        let from = target.len();
        target.extend_from_slice(now);
        unmask(&mut target[from..], mask);
        frame.done += take as u64;
        if frame.done < frame.length {
            self.frame = Some(frame);
            return Ok(Step::Need);
        }
        self.frame = None;
        self.finish(frame)
    }

    fn finish(&mut self, frame: Frame) -> Result<Step, u16> {
        if frame.opcode < opcode::CLOSE {
            if !frame.last {
                return Ok(Step::More);
            }
            self.fragments = 0;
            let message = std::mem::take(&mut self.message);
            std::str::from_utf8(&message).map_err(|_| code::INVALID_TEXT)?;
            return Ok(Step::Event(Event::Message(message)));
        }
        let payload = std::mem::take(&mut self.control);
        match frame.opcode {
            opcode::PING if !self.closed => write_frame(&mut self.replies, opcode::PONG, &payload),
            opcode::CLOSE => {
                self.ended = true;
                self.close(close_code(&payload));
            }
            _ => {}
        }
        Ok(Step::Event(Event::Control))
    }
}

enum Step {
    More,
    Need,
    Event(Event),
}

/// How long a head is, as far as the bytes that have come tell.
fn head_size(head: &[u8]) -> usize {
    let Some(second) = head.get(1) else { return 2 };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    mask + match second & 0x7f {
        126 => 4,
        127 => 10,
        _ => 2,
    }
}

/// RFC 6455 section 5.2: the shortest form must be used.
fn length(head: &[u8]) -> Result<u64, u16> {
    let (length, least) = match head[1] & 0x7f {
        126 => (u64::from(u16::from_be_bytes([head[2], head[3]])), 126),
        127 => (head[2..10].iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)), 0x1_0000),
        short => (u64::from(short), 0),
    };
    if length < least || length > u64::MAX / 2 { Err(code::PROTOCOL_ERROR) } else { Ok(length) }
}

/// What to answer to a close frame: the same code, if it is one that may be sent (RFC 6455 section 7.4).
fn close_code(payload: &[u8]) -> u16 {
    match payload {
        [] => 1000,
        [a, b, reason @ ..] => match u16::from_be_bytes([*a, *b]) {
            code @ (1000..=1003 | 1007..=1011 | 3000..=4999) if std::str::from_utf8(reason).is_ok() => code,
            _ => code::PROTOCOL_ERROR,
        },
        _ => code::PROTOCOL_ERROR,
    }
}

fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

fn write_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match payload.len() {
        n @ 0..=125 => out.push(n as u8),
        n @ 126..=0xffff => {
            out.push(126);
            out.extend((n as u16).to_be_bytes());
        }
        n => {
            out.push(127);
            out.extend((n as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [1, 2, 3, 200];

    /// A frame as a client sends it.
    fn sent(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, first & 0x0f, payload);
        bytes[0] = first;
        bytes[1] |= 0x80;
        let body = bytes.len() - payload.len();
        let mut masked = bytes[body..].to_vec();
        unmask(&mut masked, MASK);
        bytes.truncate(body);
        bytes.extend(MASK);
        bytes.extend(masked);
        bytes
    }

    /// Everything that comes out of `input`, given in pieces of `size`.
    fn run(codec: &mut Codec, input: &[u8], size: usize) -> Vec<Event> {
        let (mut events, now) = (Vec::new(), Instant::now());
        for mut piece in input.chunks(size) {
            while let Some(event) = codec.next(&mut piece, now) {
                events.push(event);
            }
        }
        events
    }

    #[test]
    fn messages_come_out_whole_however_they_are_cut() {
        let long = "ü".repeat(40_000);
        let input = [
            sent(0x81, b"<open/>"),
            sent(0x01, "<a>\u{20ac}".as_bytes()),
            sent(0x89, b"are you there"),
            sent(0x00, b""),
            sent(0x80, b"</a>"),
            sent(0x81, long.as_bytes()),
        ]
        .concat();
        for size in [1, 2, 3, 5, 1000, input.len()] {
            let mut codec = Codec::new(100_000);
            let want = ["<open/>", "", "<a>\u{20ac}</a>", &long];
            let got = run(&mut codec, &input, size);
            let got: Vec<String> = got
                .into_iter()
                .map(|event| match event {
                    Event::Message(message) => String::from_utf8(message).unwrap(),
                    Event::Control => String::new(),
                })
                .collect();
            assert_eq!(got, want, "in pieces of {size}");
            assert_eq!(codec.replies(), [&[0x8a, 13][..], b"are you there"].concat());
            assert!(!codec.ended());
        }
    }

    #[test]
    fn what_breaks_the_rules_is_answered_with_the_right_code() {
        let unmasked = [0x81, 1, b'a'].to_vec();
        let huge = [&[0x81, 0xff][..], &(1u64 << 40).to_be_bytes(), &MASK].concat();
        let not_shortest = [&[0x81, 0xfe, 0, 5][..], &MASK].concat();
        let nine =
            [sent(0x01, b"")].into_iter().chain((0..8).map(|_| sent(0x00, b""))).collect::<Vec<_>>().concat();
        let pings = (0..17).flat_map(|_| sent(0x89, b"")).collect();
        let cases: [(&str, Vec<u8>, u16); 17] = [
            ("binary", sent(0x82, b"a"), 1003),
            ("unmasked", unmasked, 1002),
            ("reserved bit", sent(0xc1, b"a"), 1002),
            ("unknown opcode", sent(0x83, b"a"), 1002),
            ("unknown control", sent(0x8b, b""), 1002),
            ("continuation of nothing", sent(0x80, b"a"), 1002),
            ("text within text", [sent(0x01, b"a"), sent(0x81, b"b")].concat(), 1002),
            ("fragmented ping", sent(0x09, b""), 1002),
            ("long ping", sent(0x89, &[0; 126]), 1002),
            ("not the shortest length", not_shortest, 1002),
            ("invalid UTF-8", [sent(0x01, b"\xe2\x82"), sent(0x80, b"a")].concat(), 1007),
            ("too big", sent(0x81, &[b'a'; 101]), 1009),
            ("too big in sum", [sent(0x01, &[b'a'; 60]), sent(0x80, &[b'a'; 60])].concat(), 1009),
            ("huge", huge, 1009),
            ("too many fragments", nine, 1008),
            ("ping flood", pings, 1008),
            ("close code that must not be sent", sent(0x88, &1005u16.to_be_bytes()), 1002),
        ];
        for (what, input, code) in cases {
            for size in [1, input.len()] {
                let mut codec = Codec::new(100);
                let events = run(&mut codec, &input, size);
                assert!(!events.iter().any(|event| matches!(event, Event::Message(_))), "{what}");
                assert!(codec.ended(), "{what}");
                let replies = codec.replies();
                assert_eq!(
                    replies[replies.len() - 4..],
                    [&[0x88, 2][..], &code.to_be_bytes()].concat(),
                    "{what}"
                );
            }
        }
    }

    #[test]
    fn closing_is_answered_once() {
        let mut codec = Codec::new(100);
        let input = [sent(0x88, &4000u16.to_be_bytes()), sent(0x81, b"late")].concat();
        assert_eq!(run(&mut codec, &input, 100), [Event::Control]);
        codec.close(1000);
        assert_eq!(codec.replies(), [&[0x88, 2][..], &4000u16.to_be_bytes()].concat());
    }

    #[test]
    fn calm_pings_are_no_flood() {
        let (mut codec, start) = (Codec::new(100), Instant::now());
        for n in 0..100 {
            codec.next(&mut &sent(0x89, b"")[..], start + Duration::from_secs(n));
        }
        assert!(!codec.ended());
    }

    #[test]
    fn the_head_of_a_message_has_the_right_length() {
        for size in [0, 125, 126, 0xffff, 0x1_0000] {
            let mut out = Vec::new();
            Codec::text(&mut out, &vec![b'a'; size]);
            assert_eq!(length(&out), Ok(size as u64));
            assert_eq!(out.len() - head_size(&out), size);
        }
    }
}
