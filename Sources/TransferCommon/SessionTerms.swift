// What agent and gateway agreed when a session opened (specification §6.3). The terms travel as one value in SESSION
// OPEN, in the session token and in the session record, so they survive a lost connection, a restart, a change of
// gateway and a lost journal.

/// Which object a session may replace under its key.
package enum WriteCondition: Hashable, Sendable {
    /// The key must hold no object. Records and tokens without a condition have this condition.
    case absent
    /// The session may replace any object under the key.
    case any
    /// The session may replace only the object that this session id wrote. The session may also write if the key holds
    /// no object.
    case matches(SessionID)
}

/// What agent and gateway agreed when a session opened. Two sessions of equal terms upload the same version of one
/// file.
package struct SessionTerms: Hashable, Sendable {
    /// The key: in SESSION OPEN relative to the device's prefix, elsewhere the whole key. This type checks neither
    /// length nor form (§6.2).
    package var key: String
    /// Bytes of the file; `nil` while the size is unknown (a stream).
    package var size: UInt64?
    /// Bytes of each part but the last. This type does not check WELCOME's bounds.
    package var partBytes: UInt64
    /// The source file's modification time, as the device reports it.
    package var modification: ModificationTime
    package var condition: WriteCondition
    /// Metadata that the store keeps with the object for its readers.
    package var metadata: SessionMetadata

    package init(
        key: String, size: UInt64?, partBytes: UInt64, modification: ModificationTime, condition: WriteCondition,
        metadata: SessionMetadata = .none
    ) {
        self.key = key
        self.size = size
        self.partBytes = partBytes
        self.modification = modification
        self.condition = condition
        self.metadata = metadata
    }

    /// Compares keys by their bytes: keys that only look alike differ.
    package static func == (left: SessionTerms, right: SessionTerms) -> Bool {
        left.size == right.size && left.partBytes == right.partBytes && left.modification == right.modification
            && left.condition == right.condition && left.metadata == right.metadata
            && left.key.hasSameBytes(as: right.key)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(size)
        hasher.combine(partBytes)
        hasher.combine(modification)
        hasher.combine(condition)
        hasher.combine(metadata)
        for byte in key.utf8 { hasher.combine(byte) }
    }
}

// MARK: - On the wire

extension WriteCondition {
    /// The number of the condition on the wire.
    package var code: UInt8 {
        switch self {
        case .absent: 0
        case .any: 1
        case .matches: 2
        }
    }

    /// The highest defined number.
    package static let codeMax: UInt8 = 2

    /// The session whose object may be replaced; zeros for the other conditions.
    package var session: SessionID {
        if case .matches(let session) = self { session } else { .zero }
    }

    /// - Returns: `nil` for an unknown code, and for a session id with a code that has none.
    package init?(code: UInt8, session: SessionID) {
        let isZero = session == .zero
        switch code {
        case 0 where isZero: self = .absent
        case 1 where isZero: self = .any
        case 2: self = .matches(session)
        default: return nil
        }
    }
}
