/// The limits that the specification fixes for every agent and gateway. What a gateway chooses within them travels in
/// WELCOME; what an implementation chooses for itself is not here. The maximum body of each type is in `FrameType`.
package enum WireLimits {
    // The frame (§2, §3).

    /// Length, type, flags and slot: what stands before every body.
    package static let headerBytes = 8
    /// Longest body of a frame of unknown type that is skipped because flag bit 7 is set.
    package static let skippedBodyBytesMax = 65_536
    /// Most extension fields at the end of one body.
    package static let extensionFieldsMax = 16
    /// Tag and count of an extension field, before its value.
    package static let extensionFieldHeadBytes = 4
    /// Longest `message` text; a sender cuts a longer one.
    package static let messageBytesMax = 512
    /// Longest session token, in every frame that carries one.
    package static let tokenBytesMax = 4_096

    // The connection (§4.1, §4.2, §5).

    /// The version of the protocol that is written here.
    package static let version: UInt16 = 1
    /// "SLUC", the first four bytes of a HELLO's body.
    package static let magic: UInt32 = 0x534C_5543
    /// Longest body that a gateway accepts before it has seen a HELLO.
    package static let bodyBytesBeforeHelloMax = 1_024
    /// Most plain bytes in one PART DATA, whatever WELCOME says.
    package static let chunkBytesMax: UInt32 = 262_144
    /// Part, offset and plainBytes: the fields of PART DATA before its payload.
    package static let partDataFieldsBytes = 16
    /// Most parts of a session, whatever WELCOME says.
    package static let partsMax: UInt32 = 10_000
    /// Most pins in a HELLO.
    package static let pinsMax = 8
    /// Longest `receiptKey` of WELCOME (DER SubjectPublicKeyInfo).
    package static let receiptKeyBytesMax = 256

    // Sessions and parts (§4.6 to §4.26).

    /// The `size` on the wire of a file whose size is not known yet.
    package static let unknownSize = UInt64.max
    /// The `freeBytes` of a REPORT that does not know them.
    package static let unknownFreeBytes = UInt64.max
    /// Longest key (§6.2). The codec does not judge keys: a longer one is the gateway's to refuse with `key_invalid`.
    package static let keyBytesMax = 1_024
    /// Longest ETag of a stored part; the shortest is one byte.
    package static let partETagBytesMax = 1_024
    /// Nanoseconds of a modification time are below this.
    package static let nanosecondsPerSecond: UInt32 = 1_000_000_000
    /// Longest signature of a receipt; the shortest is one byte.
    package static let signatureBytesMax = 128
    /// Most partial parts in one RESUME STATE or SESSION OPENED.
    package static let partialPartsMax = 1_024
    /// Most parts wanted in one RESUME STATE or PARTS WANTED.
    package static let wantedPartsMax = 10_000
}
