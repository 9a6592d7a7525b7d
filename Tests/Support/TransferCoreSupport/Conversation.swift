package import TransferCommon
package import WireProtocol

/// A conversation of an agent and a gateway from `Protocol/vectors/conversations.txt` (specification §14.1). At its
/// beginning the gateway has no sessions, the store is empty and checks conditions and SHA-256, and connections are
/// plain TCP.
package struct Conversation: Sendable {
    /// Which sides must follow the conversation.
    package enum Side: String, Sendable {
        case both
        /// The gateway decides by its own budgets, so only an agent must follow the conversation.
        case agent
        /// The agent breaks a rule or uses an option, so only a gateway must follow the conversation.
        case gateway
    }

    package let name: String
    package let side: Side
    /// What the conversation demonstrates, for readers.
    package let sentence: String
    package let lines: [Line]

    /// The conversation with other lines, for tests of the replay.
    package func with(lines: [Line]) -> Conversation {
        Conversation(name: name, side: side, sentence: sentence, lines: lines)
    }
}

extension Conversation {
    /// One line of a conversation, in the order of time. Consecutive lines of one side are one flight: between them,
    /// that side does not wait for the other.
    package enum Line: Equatable, Sendable {
        /// What the store holds, or how it behaves from here on.
        case store(StoreEvent)
        /// The agent opens a connection; connections are numbered from 1.
        case connect(connection: Int)
        case frame(FrameLine)
        /// Both sides are silent for this time. Deadlines that end within it expire.
        case pause(milliseconds: Int)
        case close(connection: Int, by: Role)
        /// The gateway restarts without its sessions.
        case restart
        /// The operator drains the gateway.
        case drain(milliseconds: Int)
        /// The gateway has a valid invitation. The connections use TLS.
        case invitation(name: String, prefix: String, secret: InvitationSecret)
    }

    /// One frame of one side.
    package struct FrameLine: Equatable, Sendable {
        package let sender: Role
        package let connection: Int
        package let type: FrameType
        /// Header and body.
        package let bytes: [UInt8]
        /// The fields in text form, as in frames.txt.
        package let fields: String

        /// The side that receives the frame.
        package var receiver: Role { sender == .agent ? .gateway : .agent }

        /// The line with other bytes, for tests that check whether the replay finds the difference.
        package func with(bytes: [UInt8]) -> FrameLine {
            FrameLine(sender: sender, connection: connection, type: type, bytes: bytes, fields: fields)
        }
    }

    /// An event in the store that the conversation does not cause.
    package enum StoreEvent: Equatable, Sendable {
        /// Another writer stores an object.
        case object(StoredObject)
        /// Another writer replaces a part of an upload.
        case part(PartNumber, upload: String, content: [UInt8], etag: String)
        /// From here on the store refuses requests with data as *full*.
        case full
        /// From here on the store accepts requests with data.
        case well
        /// An upload is removed.
        case gone(upload: String)
    }

    /// An object of another writer.
    package struct StoredObject: Equatable, Sendable {
        /// The whole key, prefix included.
        package let key: String
        package let content: [UInt8]
        package let session: SessionID
        package let partBytes: UInt64
        package let etag: String
        /// Whether the store keeps the digest of the whole object. Otherwise it keeps no evidence.
        package let keepsDigest: Bool
    }
}
