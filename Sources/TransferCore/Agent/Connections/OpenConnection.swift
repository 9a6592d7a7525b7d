import TransferCommon
package import WireProtocol

/// A connection between WELCOME and its end: what the gateway said, and the slots, chunks and parts that use it.
package struct OpenConnection: Hashable, Sendable {
    package let welcome: Welcome
    /// What the gateway proved in the handshake; `nil` on plain TCP.
    let gateway: GatewayProof?
    var liveness: PeerLiveness
    private(set) var slots = AgentSlotTable()
    var turns = PartTurns()
    private(set) var chunks = ChunkQueue()
    private(set) var rate = SendRate()

    init(_ welcome: Welcome, gateway: GatewayProof?, now: Instant) {
        self.welcome = welcome
        self.gateway = gateway
        self.liveness = PeerLiveness(now: now)
    }

    /// After this time without a byte from the gateway the connection counts as dead. At least 3 s, so that a gateway
    /// cannot make the agent send one PING after another.
    var idleLimit: Duration { .milliseconds(Int64(max(welcome.idleLimitMilliseconds, 3_000))) }

    // MARK: Slots

    var hasFreeSlot: Bool { slots.hasFree(slotsMax: welcome.slotsMax) }

    mutating func takeSlot(for upload: UploadID) -> Slot? { slots.take(for: upload, slotsMax: welcome.slotsMax) }

    /// Closes a slot, because the frame that closes it has been read.
    mutating func closed(_ slot: Slot) { slots.closed(slot, hasChunks: chunks.contains(slot)) }

    /// Notes that SESSION LEAVE is sent in the slot.
    mutating func leave(_ slot: Slot, of upload: UploadID) {
        turns.removeAll(of: upload)
        slots.leave(slot)
    }

    /// Frees a slot that was left, because SESSION LEFT has been read in it.
    mutating func left(_ slot: Slot) { slots.left(slot, hasChunks: chunks.contains(slot)) }

    // MARK: Data

    /// Takes the part whose turn it is, with the size of its next chunk; `nil` while enough bytes wait for the socket.
    mutating func takeNext(_ limits: AgentLimits) -> Turn? {
        guard welcome.chunkBytesMax > 0, chunks.bytes < limits.queuedBytesMax,
            let part = turns.takeNext(initialCredit: welcome.initialCreditBytes)
        else { return nil }
        return Turn(part: part, bytesMax: rate.chunkBytes(limits, gatewayMax: welcome.chunkBytesMax))
    }

    /// The part whose turn it is, and the maximum size of its next chunk.
    struct Turn: Hashable, Sendable {
        var part: UploadPart
        var bytesMax: UInt64
    }

    /// What is left of the initial credit, for bytes of parts on which the gateway has not decided.
    var creditLeft: UInt64 { turns.creditLeft(initialCredit: welcome.initialCreditBytes) }

    /// Adds a chunk that was passed to the shell.
    mutating func queued(_ chunk: Chunk, of offer: OfferID) { chunks.append(chunk, of: offer) }

    /// Removes a chunk that the socket has taken, or that will never be sent.
    mutating func removed(_ chunk: Chunk) -> ChunkQueue.Entry? {
        guard let entry = chunks.remove(chunk) else { return nil }
        if !chunks.contains(entry.slot) { slots.drained(entry.slot) }
        return entry
    }

    /// Counts bytes that the socket has taken, which measures the rate.
    mutating func taken(wireBytes: UInt64, now: Instant) { rate.taken(wireBytes: wireBytes, now: now) }
}
