import TransferCommon
import WireProtocol

/// What all sessions share: limits, devices, budget, ids, and the queue of actions.
struct GatewayContext: Hashable {
    let limits: GatewayLimits
    private let library: Uncompared<any TransferCryptography>
    var devices = DeviceTable()
    var reservations: Reservations
    var pace: StorePace
    var breaker: StoreBreaker
    var now = Instant(nanoseconds: 0)
    /// The gateway's wall clock, in milliseconds since 1970. The machine writes it into tokens, receipts and reports,
    /// and decides nothing by it.
    var wallMilliseconds: Int64 = 0
    /// When a stopping gateway closes its connections; `nil` while it serves.
    var drainDeadline: Instant?
    var actions: [GatewayAction] = []
    /// For each request to the store: who gets the answer.
    private(set) var requestOwners: [StoreRequestID: RequestOwner] = [:]
    /// Slots whose opening frame asked for a receipt, until they are closed.
    var slotsWithReceipt: Set<Attachment> = []
    /// Lists of stored parts that wait to be sent.
    var answers = AnswerQueue()
    /// The part that each flow carries.
    private(set) var flowOwners: [FlowID: FlowOwner] = [:]
    /// Changes of slots that sessions have requested, and that the gateway applies after the event.
    var slotChanges: [SlotChange] = []
    var renewals = RecordRenewals()
    private var lastRequest: UInt64 = 0
    private var lastFlow: UInt64 = 0

    static let drainMessage = "the gateway is being stopped"

    init(limits: GatewayLimits, cryptography: any TransferCryptography) {
        self.limits = limits
        self.library = Uncompared(cryptography)
        self.reservations = Reservations(bytesMax: limits.budgetBytes)
        self.pace = StorePace(limits: limits.store)
        self.breaker = StoreBreaker(limits: limits.breaker)
    }

    var cryptography: any TransferCryptography { library.value }

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

    mutating func openFlow(size: UInt64, holdsLast: Bool, for owner: FlowOwner) -> FlowID {
        lastFlow += 1
        let id = FlowID(lastFlow)
        flowOwners[id] = owner
        actions.append(.openFlow(id, size: size, holdsLast: holdsLast))
        return id
    }

    /// Makes another session the owner of a flow.
    mutating func moveFlow(_ flow: FlowID, to session: SessionID) {
        flowOwners[flow]?.session = session
    }

    mutating func dropFlow(_ flow: FlowID) {
        flowOwners[flow] = nil
        actions.append(.dropFlow(flow))
    }

    /// The limits of a device. For a device that may no longer use the site: the site's limits.
    func limits(of device: SHA256Digest) -> GatewayLimits {
        devices[device].map { limits.of($0.limits) } ?? limits
    }

    /// Reserves all of `bytes` or none of them.
    mutating func reserve(_ bytes: UInt64, device: SHA256Digest) -> Bool {
        let deviceMax = limits(of: device).budgetBytesPerDevice
        return reservations.reserve(bytes, device: device, deviceMax: deviceMax)
    }

    /// Seals a token for a session; `nil` if the token would be too long, or if no key can seal.
    func token(for facts: SessionRecord, device: AuthorisedDevice) -> [UInt8]? {
        let token = SessionToken(
            device: device.name, session: facts.session, terms: facts.terms, issuedMilliseconds: wallMilliseconds,
            upload: facts.upload ?? "")
        guard let sealed = token.encoded.flatMap(cryptography.seal(token:)),
            sealed.count <= SessionToken.sealedBytesMax
        else { return nil }
        return sealed
    }
}

/// Who gets the answer to a request to the store.
enum RequestOwner: Hashable {
    case session(SessionID)
    /// The look-up of a PROVE, and the device that sent it.
    case prove(Attachment, device: SHA256Digest)
    /// An object is read back for a device; `ReadBackQueue` knows its reader.
    case readBack(device: SHA256Digest)
    /// The renewal of a session's record, and the device that has resumed the session.
    case renewal(SessionID, device: SHA256Digest)
}

/// The part whose bytes a flow carries.
struct FlowOwner: Hashable {
    var session: SessionID
    let part: PartNumber
}

/// A change of a slot.
enum SlotChange: Hashable {
    case open(Attachment)
    case completing(Attachment)
    /// - isFruitful: whether the last frame in the slot shows the agent an object under the session's key.
    case closed(Attachment, isFruitful: Bool)
}
