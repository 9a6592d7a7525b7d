package import TransferCore
package import WireProtocol

/// The simulation around the hosts. It decides how long work takes and which faults occur, and observes everything.
///
/// The methods under *Observation* have default implementations that do nothing.
package protocol HostWorld: AnyObject {
    var schedule: Schedule { get }

    /// Records a violated invariant.
    func violation(_ text: String)

    /// How long this work of the agent's process takes.
    func duration(of work: AgentWork, at agent: AgentHost) -> Duration

    /// The current file of an upload; `nil` for an unknown upload.
    func file(of upload: UploadID, at agent: AgentHost) -> VirtualFile?

    /// The wire of a new connection; `nil` if no gateway answers.
    func connect(_ id: ConnectionID, from agent: AgentHost) -> Wire?

    /// Makes these writes durable, all or none of them.
    ///
    /// - Returns: the failure if the writes did not become durable; otherwise `nil`.
    func commit(_ writes: [JournalWrite], of agent: AgentHost) -> UploadFailure?

    /// What happens to bytes that are about to arrive.
    func arrival(of byteCount: Int, on wire: Wire, _ direction: Wire.Direction) -> Arrival

    /// The latency of bytes on the wire.
    func latency(of wire: Wire, _ direction: Wire.Direction) -> Duration

    // MARK: Observation

    func acted(_ agent: AgentHost)
    func committed(_ agent: AgentHost)
    func sends(_ frame: Frame, slot: Slot, on id: ConnectionID, from agent: AgentHost)
    func sendsChunk(
        _ header: PartDataHeader, of upload: UploadID, on connection: ConnectionID, wireBytes: UInt64,
        from agent: AgentHost)
    func delivered(_ frame: Frame, to agent: AgentHost)
    /// Like `delivered(_:to:)`, with the slot and the connection for simulations that need them.
    func delivered(_ frame: Frame, slot: Slot, on id: ConnectionID, to agent: AgentHost)
    func finished(_ upload: UploadID, _ outcome: UploadOutcome, at agent: AgentHost)
    /// Lets the simulation change the file, or fail the read, when a read has reached this step.
    ///
    /// - Returns: the failure; `nil` if the read continues.
    func reading(_ upload: UploadID, reaches moment: ReadMoment, at agent: AgentHost) -> UploadFailure?

    func acted(_ gateway: GatewayHost)
    /// Observes a frame that has arrived completely, before the machine receives it.
    func received(_ frame: Frame, slot: Slot, on id: ConnectionID, at gateway: GatewayHost)
    /// Observes that the machine has accepted data from a connection.
    func tookData(from id: ConnectionID, at gateway: GatewayHost)
    func sends(_ frame: Frame, slot: Slot, on id: ConnectionID, from gateway: GatewayHost)
    func requests(_ request: StoreRequest, at gateway: GatewayHost)
    func answered(_ answer: StoreAnswer, to request: StoreRequest, at gateway: GatewayHost)
    func ticked(_ who: String)
}

/// Work for which an agent's process needs some time.
package enum AgentWork: Equatable, Sendable {
    case connecting
    case reading
    case committing
    /// Sending a chunk of this size, until the socket has taken it.
    case sending(wireBytes: UInt64)
}

/// Steps of a read, in order: the first half of the bytes is read after `start`, the second half after `middle`, and
/// the stamp after `end`.
package enum ReadMoment: Equatable, Sendable {
    case start
    case middle
    case end
}

/// What happens to bytes on arrival.
package struct Arrival: Equatable, Sendable {
    /// Sizes of the pieces in which the bytes are delivered, one after another. Bytes beyond these pieces are lost.
    package var pieces: [Int]
    /// How the connection ends after these pieces; `nil` if it stays open.
    package var ending: Ending?

    package enum Ending: Equatable, Sendable {
        case cut
        /// The agent notices the end of the connection, the gateway does not.
        case cutAtAgent
        /// The gateway notices the end of the connection, the agent does not.
        case cutAtGateway
        /// Neither side notices the end of the connection, and nothing arrives any more.
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
