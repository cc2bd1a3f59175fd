//! ChannelData, and where a message ends in a stream of bytes.
//!
//! RFC 8656 section 12.4 and 12.5, RFC 8489 section 6.2.2
//!
//! Not here: messages of STUN (`message.rs`), sockets.

use crate::limits::FRAME_BYTES_MAX;
use crate::message::HEADER;

/// The numbers that channels may have: those of RFC 8656 section 12 end with 0x4fff, but clients that follow RFC 5766
/// section 11 choose among all of these, coturn's own among them.
pub const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x7fff;
/// Bytes before the data of a channel.
pub const CHANNEL_HEADER: usize = 4;

/// Reads ChannelData: the channel and the data. By UDP padding may follow.
pub fn channel_data(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (&[a, b, c, d], rest) = bytes.split_first_chunk::<CHANNEL_HEADER>()?;
    let channel = u16::from_be_bytes([a, b]);
    let data = rest.get(..usize::from(u16::from_be_bytes([c, d])))?;
    CHANNELS.contains(&channel).then_some((channel, data))
}

/// Writes ChannelData; in a stream it is padded to four bytes. `None`: the data are too long.
pub fn write_channel_data(channel: u16, data: &[u8], padded: bool) -> Option<Vec<u8>> {
    let length = u16::try_from(data.len()).ok()?;
    let mut bytes = Vec::with_capacity(CHANNEL_HEADER + data.len() + 3);
    bytes.extend_from_slice(&channel.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(data);
    if padded {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    Some(bytes)
}

/// How many bytes of a stream belong to the message that begins it. `Ok(None)`: more must come first.
///
/// # Errors
/// No message begins like this: the stream cannot go on.
#[allow(clippy::result_unit_err)] // there is nothing to say but that
pub fn length(begin: &[u8]) -> Result<Option<usize>, ()> {
    let Some(&[a, b, c, d]) = begin.first_chunk::<4>() else {
        return if begin.first().is_none_or(|first| is_message(*first) || is_channel(*first)) {
            Ok(None)
        } else {
            Err(())
        };
    };
    let length = usize::from(u16::from_be_bytes([c, d]));
    let whole = match u16::from_be_bytes([a, b]) {
        _ if is_message(a) && length.is_multiple_of(4) => HEADER + length,
        channel if CHANNELS.contains(&channel) => (CHANNEL_HEADER + length).next_multiple_of(4),
        _ => return Err(()),
    };
    if whole > FRAME_BYTES_MAX { Err(()) } else { Ok(Some(whole)) }
}

fn is_message(first: u8) -> bool {
    first & 0xc0 == 0
}

fn is_channel(first: u8) -> bool {
    first & 0xc0 == 0x40
}
