package import TransferCore
package import WireProtocol

/// The world that hosts live in: it decides how long things take and what goes wrong, and sees all that happens.
///
/// Everything but the first group has a default that does nothing, so that a world says only what it is about.
package protocol HostWorld: AnyObject {
    var schedule: Schedule { get }

    /// Something that must never be, and was.
    func violation(_ text: String)

    /// How long the agent's process needs for something.
    func duration(of work: AgentWork, at agent: AgentHost) -> Duration

    /// The file of an upload as it is now; `nil` where the upload is not known.
    func file(of upload: UploadID, at agent: AgentHost) -> VirtualFile?

    /// The wire of a connection that was asked for; `nil` where nobody answers.
    func connect(_ id: ConnectionID, from agent: AgentHost) -> Wire?

    /// Makes writes durable, together.
    ///
    /// - Returns: why that failed, or `nil`.
    func commit(_ writes: [JournalWrite], of agent: AgentHost) -> UploadFailure?

    /// What becomes of bytes that are about to arrive.
    func arrival(of byteCount: Int, on wire: Wire, _ direction: Wire.Direction) -> Arrival

    /// How long bytes are on their way.
    func latency(of wire: Wire, _ direction: Wire.Direction) -> Duration

    // MARK: What is seen

    func acted(_ agent: AgentHost)
    func committed(_ agent: AgentHost)
    func sends(_ frame: Frame, slot: Slot, on id: ConnectionID, from agent: AgentHost)
    func sendsChunk(
        _ header: PartDataHeader, of upload: UploadID, on connection: ConnectionID, wireBytes: UInt64,
        from agent: AgentHost)
    func delivered(_ frame: Frame, to agent: AgentHost)
    /// The same, for a world that looks at slots.
    func delivered(_ frame: Frame, slot: Slot, on id: ConnectionID, to agent: AgentHost)
    func finished(_ upload: UploadID, _ outcome: UploadOutcome, at agent: AgentHost)
    /// A reading has come to a point; the world may change the file, or fail the reading.
    func reading(_ upload: UploadID, reaches moment: ReadMoment, at agent: AgentHost) -> UploadFailure?

    func acted(_ gateway: GatewayHost)
    /// A frame has arrived whole, and is about to be handed to the machine.
    func received(_ frame: Frame, slot: Slot, on id: ConnectionID, at gateway: GatewayHost)
    /// The machine has taken data of a connection.
    func tookData(from id: ConnectionID, at gateway: GatewayHost)
    func sends(_ frame: Frame, slot: Slot, on id: ConnectionID, from gateway: GatewayHost)
    func requests(_ request: StoreRequest, at gateway: GatewayHost)
    func answered(_ answer: StoreAnswer, to request: StoreRequest, at gateway: GatewayHost)
    func ticked(_ who: String)
}

/// What takes an agent's process time.
package enum AgentWork: Equatable, Sendable {
    case connecting
    case reading
    case committing
    /// Until the socket has taken a chunk of so many bytes.
    case sending(wireBytes: UInt64)
}

/// Points of a reading, in order; the first half of the bytes is taken after `start`, the second after `middle`, and
/// the stamp after `end`.
package enum ReadMoment: Equatable, Sendable {
    case start
    case middle
    case end
}

/// What becomes of bytes when they arrive.
package struct Arrival: Equatable, Sendable {
    /// The bytes are delivered in pieces of these sizes, one after another; what is left over is lost.
    package var pieces: [Int]
    /// What ends the connection then, if anything.
    package var ending: Ending?

    package enum Ending: Equatable, Sendable {
        case cut
        /// The gateway does not notice.
        case cutAtAgent
        /// The agent does not notice.
        case cutAtGateway
        /// Nobody notices, and nothing arrives any more.
        case silence
    }

    package init(pieces: [Int], ending: Ending? = nil) {
        self.pieces = pieces
        self.ending = ending
    }
}

extension HostWorld {
    package func acted(_ agent: AgentHost) {}
    package func committed(_ agent: AgentHost) {}
    package func sends(_ frame: Frame, slot: Slot, on id: ConnectionID, from agent: AgentHost) {}
    package func sendsChunk(
        _ header: PartDataHeader, of upload: UploadID, on connection: ConnectionID, wireBytes: UInt64,
        from agent: AgentHost
    ) {}
    package func delivered(_ frame: Frame, to agent: AgentHost) {}
    package func delivered(_ frame: Frame, slot: Slot, on id: ConnectionID, to agent: AgentHost) {}
    package func finished(_ upload: UploadID, _ outcome: UploadOutcome, at agent: AgentHost) {}
    package func reading(_ upload: UploadID, reaches moment: ReadMoment, at agent: AgentHost) -> UploadFailure? { nil }
    package func acted(_ gateway: GatewayHost) {}
    package func received(_ frame: Frame, slot: Slot, on id: ConnectionID, at gateway: GatewayHost) {}
    package func tookData(from id: ConnectionID, at gateway: GatewayHost) {}
    package func sends(_ frame: Frame, slot: Slot, on id: ConnectionID, from gateway: GatewayHost) {}
    package func requests(_ request: StoreRequest, at gateway: GatewayHost) {}
    package func answered(_ answer: StoreAnswer, to request: StoreRequest, at gateway: GatewayHost) {}
    package func ticked(_ who: String) {}
}
