/// The limits that the specification fixes for every agent and gateway. WELCOME carries the values that a gateway
/// chooses within these limits. Limits that each implementation chooses for itself are defined elsewhere. `FrameType`
/// has the longest body of each type.
package enum WireLimits {
    // The frame (§2, §3).

    /// Bytes of the header before every body: length, type, flags and slot.
    package static let headerBytes = 8
    /// Longest body that a receiver skips for a frame of unknown type with flag bit 7 set.
    package static let skippedBodyBytesMax = 65_536
    /// Most extension fields at the end of one body.
    package static let extensionFieldsMax = 16
    /// Bytes of an extension field before its value: tag and count.
    package static let extensionFieldHeadBytes = 4
    /// Longest `message` text; a sender cuts a longer one.
    package static let messageBytesMax = 512
    /// Longest session token, in every frame that carries one.
    package static let tokenBytesMax = 4_096

    // The connection (§4.1, §4.2, §5).

    /// The protocol version that this code implements.
    package static let version: UInt16 = 1
    /// "SLUC", the first four bytes of a HELLO's body.
    package static let magic: UInt32 = 0x534C_5543
    /// Longest body that a gateway accepts before it has seen a HELLO.
    package static let bodyBytesBeforeHelloMax = 1_024
    /// Most plain bytes in one PART DATA frame; WELCOME may only lower it.
    package static let chunkBytesMax: UInt32 = 262_144
    /// Bytes of the fields of PART DATA before its payload: part, offset and plainBytes.
    package static let partDataFieldsBytes = 16
    /// Most parts per session; WELCOME may only lower it.
    package static let partsMax: UInt32 = 10_000
    /// Most pins in a HELLO.
    package static let pinsMax = 8
    /// Longest `receiptKey` of WELCOME (DER SubjectPublicKeyInfo).
    package static let receiptKeyBytesMax = 256

    // Sessions and parts (§4.6 to §4.26).

    /// The value of `size` on the wire for a file of unknown size.
    package static let unknownSize = UInt64.max
    /// The value of `freeBytes` on the wire if the agent does not know the free space.
    package static let unknownFreeBytes = UInt64.max
    /// Longest key (§6.2). The codec does not check keys: the gateway refuses a longer one with `key_invalid`.
    package static let keyBytesMax = 1_024
    /// Longest ETag of a stored part; the shortest is one byte.
    package static let partETagBytesMax = 1_024
    /// Upper bound of a modification time's nanoseconds, not included.
    package static let nanosecondsPerSecond: UInt32 = 1_000_000_000
    /// Longest signature of a receipt; the shortest is one byte.
    package static let signatureBytesMax = 128
    /// Most partial parts in one RESUME STATE or SESSION OPENED.
    package static let partialPartsMax = 1_024
    /// Most parts wanted in one RESUME STATE or PARTS WANTED.
    package static let wantedPartsMax = 10_000
}
