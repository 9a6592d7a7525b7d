package import TransferCommon
package import WireProtocol

/// A whole conversation of an agent and a gateway, as `Protocol/vectors/conversations.txt` has it (specification
/// §14.1). It begins with a gateway that remembers no session, an empty store that checks conditions and SHA-256, and
/// plain TCP.
package struct Conversation: Sendable {
    /// Who can be held to it.
    package enum Side: String, Sendable {
        case both
        /// The gateway decides something by budgets of its own: only an agent can be held to it.
        case agent
        /// The agent breaks a rule, or does what an agent need not do: only a gateway can be held to it.
        case gateway
    }

    package let name: String
    package let side: Side
    /// What it shows, for people.
    package let sentence: String
    package let lines: [Line]

    /// The conversation with other lines, for tests of what compares lines.
    package func with(lines: [Line]) -> Conversation {
        Conversation(name: name, side: side, sentence: sentence, lines: lines)
    }
}

extension Conversation {
    /// One line, in the order of time. Lines in a row of one side are one flight: that side does not wait for the other
    /// between them.
    package enum Line: Equatable, Sendable {
        /// What the store holds, or does from here on.
        case store(StoreEvent)
        /// The agent makes a connection; they are numbered from 1.
        case connect(connection: Int)
        case frame(FrameLine)
        /// Nothing is sent for this long; what is awaited by then has come.
        case pause(milliseconds: Int)
        case close(connection: Int, by: Role)
        /// The gateway forgets all sessions.
        case restart
        /// The operator stops the gateway.
        case drain(milliseconds: Int)
        /// The gateway has a live invitation. The connections are under TLS.
        case invitation(name: String, prefix: String, secret: InvitationSecret)
    }

    /// One frame of one side.
    package struct FrameLine: Equatable, Sendable {
        package let sender: Role
        package let connection: Int
        package let type: FrameType
        /// Header and body.
        package let bytes: [UInt8]
        /// The fields in words, as in frames.txt.
        package let fields: String

        /// The end that reads it.
        package var receiver: Role { sender == .agent ? .gateway : .agent }

        /// The line with other bytes, for tests of what compares lines.
        package func with(bytes: [UInt8]) -> FrameLine {
            FrameLine(sender: sender, connection: connection, type: type, bytes: bytes, fields: fields)
        }
    }

    /// What happens in the store beside the conversation.
    package enum StoreEvent: Equatable, Sendable {
        /// Another writer writes an object.
        case object(StoredObject)
        /// Another writer writes a part of an upload again.
        case part(PartNumber, upload: String, content: [UInt8], etag: String)
        /// From here on the store refuses what carries data, as full.
        case full
        /// From here on the store takes what carries data.
        case well
        /// An upload is removed.
        case gone(upload: String)
    }

    /// An object of another writer.
    package struct StoredObject: Equatable, Sendable {
        /// The whole key.
        package let key: String
        package let content: [UInt8]
        package let session: SessionID
        package let partBytes: UInt64
        package let etag: String
        /// The store keeps the digest of the whole; else it keeps nothing of the content.
        package let keepsDigest: Bool
    }
}
