//! Packets on their way between nodes: header bytes inline, slots used again and again.

use bellini_core::header::HEADER_BYTES_MAX;
use bellini_core::io::HopKind;
use bellini_core::payload::Payload;
use bytes::Bytes;

/// Room for a frame's header: that of a packet, or a whole control message.
const INLINE: usize = HEADER_BYTES_MAX;

/// One frame on its way.
#[derive(Debug)]
pub struct Frame {
    header: [u8; INLINE],
    len: u16,
    /// Bytes beyond the inline ones: long control messages only.
    spill: Option<Box<[u8]>>,
    /// The payload.
    pub payload: Payload,
    /// Size of the IP packet.
    pub wire_bytes: u32,
    /// The kind of hop that it travels on.
    pub kind: HopKind,
    /// Whether it carries a packet of a session.
    pub is_packet: bool,
    /// The link that it was sent on.
    pub link: u32,
}

impl Frame {
    /// Returns the header bytes.
    #[inline]
    #[must_use]
    pub fn header(&self) -> &[u8] {
        match &self.spill {
            None => &self.header[..usize::from(self.len)],
            Some(spill) => spill,
        }
    }
}

/// The pool of frames.
#[derive(Debug, Default)]
pub struct Pool {
    frames: Vec<Frame>,
    free: Vec<u32>,
}

impl Pool {
    /// Puts a frame into the pool.
    #[inline]
    pub fn insert(
        &mut self,
        header: &[u8],
        payload: Payload,
        kind: HopKind,
        is_packet: bool,
        wire_bytes: u32,
        link: u32,
    ) -> u32 {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.frames.push(Frame {
                    header: [0; INLINE],
                    len: 0,
                    spill: None,
                    payload: Payload::Bytes(Bytes::new()),
                    wire_bytes: 0,
                    kind,
                    is_packet: false,
                    link: 0,
                });
                (self.frames.len() - 1) as u32
            }
        };
        let frame = &mut self.frames[index as usize];
        if header.len() <= INLINE {
            frame.header[..header.len()].copy_from_slice(header);
            frame.len = header.len() as u16;
            frame.spill = None;
        } else {
            frame.spill = Some(header.into());
        }
        frame.payload = payload;
        frame.wire_bytes = wire_bytes;
        frame.kind = kind;
        frame.is_packet = is_packet;
        frame.link = link;
        index
    }

    /// Returns the frame at `index`.
    #[inline]
    #[must_use]
    pub fn get(&self, index: u32) -> &Frame {
        &self.frames[index as usize]
    }

    /// Takes the payload out, before the frame is handed in.
    #[inline]
    pub fn take_payload(&mut self, index: u32) -> Payload {
        core::mem::replace(&mut self.frames[index as usize].payload, Payload::Bytes(Bytes::new()))
    }

    /// Frees the slot; what the payload shares is released.
    #[inline]
    pub fn remove(&mut self, index: u32) {
        self.frames[index as usize].payload = Payload::Bytes(Bytes::new());
        self.free.push(index);
    }

    /// Returns how many frames are in the pool.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len() - self.free.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
