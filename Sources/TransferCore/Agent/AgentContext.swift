import TransferCommon
import WireProtocol

/// What uploads and proofs use while they handle one event: connections, journal numbers and the queue of actions.
struct AgentContext: Hashable {
    /// Constant, except the rate (`AgentEvent.rateLimited`).
    var limits: AgentLimits
    private let library: Uncompared<any AgentCryptography>
    /// The time of the event, and the lengths of waits.
    var clock: AgentClock
    var connections = AgentConnectionTable()
    var actions: [AgentAction] = []
    /// When the agent last made progress. After `AgentLimits.retryFor` without progress, the run ends.
    var progressAt: Instant
    /// The last refusal after which an upload or a proof waits, and when it came.
    var lastRefusal: WaitCause?
    /// While a gateway owes an answer, the agent does not give up before this moment.
    var patientUntil = Instant(nanoseconds: 0)
    /// The upload or proof whose present wait for an answer has been reported; `nil` if there is none.
    var toldOfWait: UploadID?
    /// Parts that count against `AgentLimits.concurrency`: they are read, offered or sent, or wait for the store.
    var partsUnderWay = 0
    /// Whether the agent trusts the store to take data.
    var store = StoreTrust()
    /// Parts are taken up and offered only while this is `running`.
    var phase = AgentPhase.running
    /// This device's store and key prefix, according to the journal; `nil` if the journal does not know.
    var site: DeviceSite?
    /// Whether the user has been told that a gateway signs receipts with another key than its own.
    var isOtherKeyTold = false
    /// Stored uploads that lack their receipt. After this event, the agent asks a gateway for each of these receipts.
    var proofsToBegin: [ProofToBegin] = []
    /// Whether room for parts was freed or requested: the agent then checks if waiting uploads hold all of it.
    var isRoomToBeLookedAt = false
    private var lastSequence: UInt64 = 0
    private var lastOffer: UInt64 = 0
    /// Writes that must be durable before an upload or proof takes its next step, in the order they were made.
    private var awaited: [AwaitedWrite] = []

    /// A proof that begins after the event that is being handled.
    struct ProofToBegin: Hashable {
        var request: ProofRequest
        var purpose: AgentProof.Purpose
    }

    /// Why uploads wait although a gateway is connected.
    struct WaitCause: Hashable {
        var refusal: GatewayRefusal
        var since: Instant
    }

    private struct AwaitedWrite: Hashable {
        var sequence: JournalSequence
        var upload: UploadID
    }

    init(
        limits: AgentLimits, cryptography: any AgentCryptography,
        generator: any RandomNumberGenerator & Hashable & Sendable, site: DeviceSite?, now: Instant
    ) {
        self.limits = limits
        self.library = Uncompared(cryptography)
        self.clock = AgentClock(policy: limits.retry, generator: generator, now: now)
        self.site = site
        self.progressAt = now
    }

    var now: Instant { clock.now }

    var cryptography: any AgentCryptography { library.value }

    var isJournalLost: Bool {
        if case .journalLost = phase { true } else { false }
    }

    /// Whether another part may be taken up.
    var hasRoom: Bool { partsUnderWay < limits.concurrency }

    mutating func send(_ frame: Frame, to attachment: Attachment) {
        actions.append(.send(attachment.connection, attachment.slot, frame))
    }

    @discardableResult
    mutating func journal(_ write: JournalWrite) -> JournalSequence {
        lastSequence += 1
        let sequence = JournalSequence(lastSequence)
        actions.append(.journal(sequence, write))
        return sequence
    }

    /// Adds a write that the next step of an upload or proof waits for.
    mutating func journal(_ write: JournalWrite, awaitedBy upload: UploadID) -> JournalSequence {
        let sequence = journal(write)
        awaited.append(AwaitedWrite(sequence: sequence, upload: upload))
        return sequence
    }

    /// The uploads and proofs whose writes have become durable, each once per write.
    mutating func committed(through sequence: JournalSequence) -> [UploadID] {
        let count = awaited.prefix { $0.sequence <= sequence }.count
        defer { awaited.removeFirst(count) }
        return awaited.prefix(count).map(\.upload)
    }

    mutating func newOffer() -> OfferID {
        lastOffer += 1
        return OfferID(lastOffer)
    }

    /// Takes a slot for an upload on the open connection with the fewest sessions; `nil` if no slot is free.
    mutating func takeSlot(for upload: UploadID, excluding taken: Set<ConnectionID> = []) -> Attachment? {
        guard let connection = connections.leastUsed(excluding: taken),
            let slot = connections[connection]?.takeSlot(for: upload)
        else { return nil }
        return Attachment(connection: connection, slot: slot)
    }
}
