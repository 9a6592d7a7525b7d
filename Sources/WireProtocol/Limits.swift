/// The limits that the specification fixes for every agent and gateway. Within them, a gateway chooses limits of its
/// own and sends them in WELCOME. Limits that each implementation may choose freely are not here. `FrameType` has the
/// maximum length of the body of each type.
package enum WireLimits {
    // The frame (§2, §3).

    /// Bytes of the header before every body: length, type, flags and slot.
    package static let headerBytes = 8
    /// Maximum length of the body of a frame that a receiver skips: its type is unknown, and its flag bit 7 is set.
    package static let skippedBodyBytesMax = 65_536
    /// Maximum number of extension fields at the end of a body.
    package static let extensionFieldsMax = 16
    /// Bytes of an extension field before its value: tag and count.
    package static let extensionFieldHeadBytes = 4
    /// Maximum length of a `message` text. A sender cuts a longer one.
    package static let messageBytesMax = 512
    /// Maximum length of a session token, in every frame that contains one.
    package static let tokenBytesMax = 4_096

    // The connection (§4.1, §4.2, §5).

    /// The protocol version that this code implements.
    package static let version: UInt16 = 1
    /// "SLUC", the first four bytes of a HELLO's body.
    package static let magic: UInt32 = 0x534C_5543
    /// Maximum length of a body that a gateway accepts before it has received HELLO.
    package static let bodyBytesBeforeHelloMax = 1_024
    /// Maximum number of plain bytes in one PART DATA frame. WELCOME may set a lower maximum.
    package static let chunkBytesMax: UInt32 = 262_144
    /// Bytes of the fields of PART DATA before its payload: part, offset and plainBytes.
    package static let partDataFieldsBytes = 16
    /// Maximum number of parts of a session. WELCOME may set a lower maximum.
    package static let partsMax: UInt32 = 10_000
    /// Maximum number of pins in a HELLO.
    package static let pinsMax = 8
    /// Maximum length of `receiptKey` in WELCOME (DER SubjectPublicKeyInfo).
    package static let receiptKeyBytesMax = 256

    // Sessions and parts (§4.6 to §4.26).

    /// The value of `size` on the wire for a file of unknown size.
    package static let unknownSize = UInt64.max
    /// The value of `freeBytes` on the wire if the agent does not know the free space.
    package static let unknownFreeBytes = UInt64.max
    /// Maximum length of a key (§6.2). Encoder and decoder do not check it: the gateway refuses a longer key with
    /// `key_invalid`.
    package static let keyBytesMax = 1_024
    /// Maximum length of the ETag of a stored part; the minimum is one byte.
    package static let partETagBytesMax = 1_024
    /// The nanoseconds of a modification time must be below this number.
    package static let nanosecondsPerSecond: UInt32 = 1_000_000_000
    /// Maximum length of the signature of a receipt; the minimum is one byte.
    package static let signatureBytesMax = 128
    /// Maximum number of partial parts in one RESUME STATE or SESSION OPENED.
    package static let partialPartsMax = 1_024
    /// Maximum number of wanted parts in one RESUME STATE or PARTS WANTED.
    package static let wantedPartsMax = 10_000
}
