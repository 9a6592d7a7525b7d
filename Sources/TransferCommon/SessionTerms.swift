// What was agreed when a session opened (specification §6.3). It travels as one value in SESSION OPEN, in the session
// token and in the session record, so that it survives a cut, a restart, another gateway and a lost journal.

/// Which object a session may replace under its key.
package enum WriteCondition: Hashable, Sendable {
    /// The key must hold no object. The value of everything that says nothing of a condition.
    case absent
    /// Whatever the key holds may be replaced.
    case any
    /// Only the object that this session wrote may be replaced. A key that holds no object will do, too.
    case matches(SessionID)
}

/// What was agreed when a session opened. Two sessions of equal terms are uploads of the same version of one file.
package struct SessionTerms: Hashable, Sendable {
    /// In SESSION OPEN relative to the device's prefix, elsewhere whole. Neither its length nor its form is checked
    /// here (§6.2).
    package var key: String
    /// Bytes of the file; `nil` while it is not known (a stream).
    package var size: UInt64?
    /// The part size. Whether it is within WELCOME's bounds is not checked here.
    package var partBytes: UInt64
    /// The file's, as the device has it.
    package var modification: ModificationTime
    package var condition: WriteCondition
    /// What the store keeps beside the object for its readers.
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

    /// Keys are bytes: texts that only look alike are two keys.
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
    /// The number on the wire.
    package var code: UInt8 {
        switch self {
        case .absent: 0
        case .any: 1
        case .matches: 2
        }
    }

    /// The highest number that has a meaning.
    package static let codeMax: UInt8 = 2

    /// The session whose object may be replaced; zeros where there is none.
    package var session: SessionID {
        if case .matches(let session) = self { session } else { .zero }
    }

    /// - Returns: `nil` for a code that is not known, or a session where the code has none.
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
