import TransferCommon
import WireProtocol

/// What a session's machine may use while it handles one event: limits, budget, ids and the queue of actions.
struct GatewayContext: Hashable {
    let limits: GatewayLimits
    private let uncompared: UncomparedCryptography
    var devices = DeviceTable()
    var budget: ByteBudget
    var pace: StorePace
    var breaker: StoreBreaker
    var now = Instant(nanoseconds: 0)
    /// The gateway's wall clock, in milliseconds since 1970: a label, never compared.
    var wallMilliseconds: Int64 = 0
    var actions: [GatewayAction] = []
    /// Whose answer each request to the store is.
    private(set) var requestOwners: [StoreRequestID: RequestOwner] = [:]
    /// Slots whose opening frame asked for a receipt. They stay until the slot is closed.
    var slotsWithReceipt: Set<Attachment> = []
    /// The session whose bytes a flow carries.
    private(set) var flowOwners: [FlowID: SessionID] = [:]
    /// Undecided plain bytes of each connection, held against its initial credit.
    var undecidedBytes: [ConnectionID: UInt64] = [:]
    /// How many parts of each connection wait for a decision.
    private(set) var undecidedParts = Tally<ConnectionID>()
    /// A reservation failed because all devices together hold the budget; the gateway looks for room after the event.
    var isShort = false
    /// What became of slots; the gateway applies it after each event.
    var slotChanges: [SlotChange] = []
    private var lastRequest: UInt64 = 0
    private var lastFlow: UInt64 = 0

    init(limits: GatewayLimits, cryptography: any TransferCryptography) {
        self.limits = limits
        self.uncompared = UncomparedCryptography(value: cryptography)
        self.budget = ByteBudget(bytesMax: limits.budgetBytes)
        self.pace = StorePace(limits: limits.store)
        self.breaker = StoreBreaker(limits: limits.breaker)
    }

    var cryptography: any TransferCryptography { uncompared.value }

    mutating func send(_ frame: Frame, to attachment: Attachment) {
        actions.append(.send(attachment.connection, attachment.slot, frame))
    }

    mutating func request(_ request: StoreRequest, for session: SessionID) -> StoreRequestID {
        self.request(request, for: .session(session))
    }

    mutating func request(_ request: StoreRequest, for owner: RequestOwner) -> StoreRequestID {
        lastRequest += 1
        let id = StoreRequestID(lastRequest)
        requestOwners[id] = owner
        breaker.asked(id, now: now)
        actions.append(.store(id, request))
        return id
    }

    mutating func ownerOfAnswered(_ request: StoreRequestID) -> RequestOwner? {
        requestOwners.removeValue(forKey: request)
    }

    mutating func openFlow(size: UInt64, holdsLast: Bool, for session: SessionID) -> FlowID {
        lastFlow += 1
        let id = FlowID(lastFlow)
        flowOwners[id] = session
        actions.append(.openFlow(id, size: size, holdsLast: holdsLast))
        return id
    }

    /// The bytes of a flow are another session's from here on.
    mutating func moveFlow(_ flow: FlowID, to session: SessionID) {
        if flowOwners[flow] != nil { flowOwners[flow] = session }
    }

    mutating func dropFlow(_ flow: FlowID) {
        flowOwners[flow] = nil
        actions.append(.dropFlow(flow))
    }

    /// What holds for a device: one that is no longer known has what the site's devices have.
    func limits(of device: SHA256Digest) -> GatewayLimits {
        devices[device].map { limits.of($0.limits) } ?? limits
    }

    /// Reserves all of `bytes` or nothing.
    mutating func reserve(_ bytes: UInt64, device: SHA256Digest) -> Bool {
        let deviceMax = limits(of: device).budgetBytesPerDevice
        if budget.reserve(bytes, device: device, deviceMax: deviceMax) { return true }
        // Room that others make is of no use to who has all that it may have.
        let isWithinOwn = bytes <= deviceMax && budget.bytesReserved(device: device) <= deviceMax - bytes
        if isWithinOwn, budget.isShort(of: bytes) { isShort = true }
        return false
    }

    /// A fresh token for a session; `nil` where it would not fit, or nothing seals.
    func token(for facts: SessionRecordFacts, device: AuthorisedDevice) -> [UInt8]? {
        let token = SessionToken(
            device: device.name, session: facts.session, terms: facts.terms, issuedMilliseconds: wallMilliseconds,
            upload: facts.upload ?? "")
        guard let sealed = token.encoded.flatMap(cryptography.seal(token:)),
            sealed.count <= SessionToken.sealedBytesMax
        else { return nil }
        return sealed
    }

    /// A part was offered that is not decided yet.
    mutating func partAwaitsDecision(_ connection: ConnectionID) {
        undecidedParts.add(connection)
    }

    /// A part was decided or dropped of which so many bytes had come.
    mutating func partIsDecided(_ connection: ConnectionID, received bytes: UInt64) {
        undecidedParts.remove(connection)
        guard let held = undecidedBytes[connection] else { return }
        undecidedBytes[connection] = held > bytes ? held - bytes : nil
    }
}

/// Whose answer a request to the store is.
enum RequestOwner: Hashable {
    case session(SessionID)
    /// The look-up of a PROVE, and the device that sent it.
    case prove(Attachment, device: SHA256Digest)
    /// An object that is read back for a device; `ReadBackQueue` knows for what.
    case readBack(device: SHA256Digest)
}

/// What became of a slot.
enum SlotChange: Hashable {
    case open(Attachment)
    case completing(Attachment)
    /// - Parameter isFruitful: an object is under the key, and the agent was told of it.
    case closed(Attachment, isFruitful: Bool)
}
