// What the agent and the gateway agree on when a session opens (specification §6.3). SESSION OPEN, the session token
// and the session record all contain the terms as one value. So the terms survive a cut connection, a restart, a change
// of gateway and the loss of the agent's journal.

/// The condition under which a session may replace an object under its key.
package enum WriteCondition: Hashable, Sendable {
    /// The key must have no object. This is also the condition of a session record or token that names no condition.
    case absent
    /// The session may replace any object under the key.
    case any
    /// The session may replace only an object that the session with this id has written. It may also write if the key
    /// has no object.
    case matches(SessionID)
}

/// What the agent and the gateway agree on when a session opens. Two sessions with equal terms upload the same version
/// of the same file.
package struct SessionTerms: Hashable, Sendable {
    /// The key: in SESSION OPEN relative to the device's prefix, everywhere else the complete key. This type does not
    /// check the key (§6.2).
    package var key: String
    /// Size of the file in bytes; `nil` for a stream, whose size is unknown at first.
    package var size: UInt64?
    /// Size in bytes of each part except the last. This type does not check the bounds in WELCOME.
    package var partBytes: UInt64
    /// The source file's modification time, as the device reports it.
    package var modification: ModificationTime
    package var condition: WriteCondition
    /// Metadata that the store keeps with the object, for readers of the object.
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

    /// Compares keys by their bytes. Two keys that only Unicode treats as equivalent are different.
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

    /// The highest number that is defined for a condition.
    package static let codeMax: UInt8 = 2

    /// The session whose object may be replaced; all bits 0 for the other conditions.
    package var session: SessionID {
        if case .matches(let session) = self { session } else { .zero }
    }

    /// - Returns: `nil` if the code is unknown, or if `session` is not zero although the condition with this code names
    ///   no session.
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
