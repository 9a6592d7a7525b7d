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
    var calls: StoreCallQueue
    var now = Instant(nanoseconds: 0)
    /// The gateway's wall clock, in milliseconds since 1970, for tokens, receipts and reports. It decides nothing.
    var wallMilliseconds: Int64 = 0
    /// When a stopping gateway closes its connections; `nil` while it serves.
    var drainDeadline: Instant?
    var actions: [GatewayAction] = []
    /// Who gets the answer to each request to the store. A request is listed even if its call has not begun.
    private(set) var requestOwners: [StoreRequestID: RequestOwner] = [:]
    /// Slots whose opening frame asked for a receipt, until they are closed.
    var slotsWithReceipt: Set<Attachment> = []
    /// Lists of stored parts that wait to be sent.
    var answers = AnswerQueue()
    /// The part that each flow carries.
    private(set) var flowOwners: [FlowID: FlowOwner] = [:]
    /// Changes of slots that sessions have requested. `GatewayTransfers.settle` applies them after the event.
    var slotChanges: [SlotChange] = []
    /// Sessions that no longer need an object to be read back. `settle` ends these reads after the event.
    var unneededReads: [ReadBackQueue.Reader] = []
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
        self.calls = StoreCallQueue(limits: limits.calls)
    }

    var cryptography: any TransferCryptography { library.value }

    mutating func send(_ frame: Frame, to attachment: Attachment) {
        actions.append(.send(attachment.connection, attachment.slot, frame))
    }

    // MARK: Requests to the store

    /// Requests a call to the store. The call begins now, or when its turn comes (`StoreCallQueue`).
    mutating func request(_ request: StoreRequest, for owner: RequestOwner) -> StoreRequestID {
        lastRequest += 1
        let id = StoreRequestID(lastRequest)
        requestOwners[id] = owner
        if calls.begins(request, id, of: owner.device) {
            begun(id, request)
        } else {
            calls.add(request, id, of: owner.device)
        }
        return id
    }

    private mutating func begun(_ id: StoreRequestID, _ request: StoreRequest) {
        if requestOwners[id]?.isBackground != true { breaker.asked(id, now: now) }
        actions.append(.store(id, request))
    }

    /// Ends a request that the store has answered, begins calls that wait, and returns who gets the answer.
    /// `isDoubtful`: whether a failure may mean only that the upload of a part is gone.
    mutating func answered(_ request: StoreRequestID, _ answer: StoreAnswer, isDoubtful: Bool) -> RequestOwner? {
        let owner = requestOwners.removeValue(forKey: request)
        if owner?.isBackground != true {
            storeAnswered(request, answer, device: owner?.device, isDoubtful: isDoubtful)
        }
        if let callClass = calls.ended(request) {
            while let call = calls.next(of: callClass) { begun(call.id, call.request) }
        }
        return owner
    }

    /// Withdraws a request whose answer is not needed; returns whether its call was waiting, and now never begins.
    @discardableResult
    mutating func withdraw(_ request: StoreRequestID) -> Bool {
        guard calls.leave(request) else { return false }
        requestOwners[request] = nil
        return true
    }

    /// Withdraws a request whose answer a session no longer needs. The store may have answered already, and the gateway
    /// may hold the answer back until it has read the object. Then the object need not be read.
    mutating func leave(_ request: StoreRequestID, of session: SessionID) {
        guard !withdraw(request), requestOwners[request] == nil else { return }
        unneededReads.append(.session(session, look: request))
    }

    /// Ends a request whose answer is no longer needed: its call never begins, or is cancelled.
    mutating func cancel(_ request: StoreRequestID) {
        if !withdraw(request) { actions.append(.cancel(request)) }
    }

    // MARK: Flows

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

    // MARK: Devices

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

/// Who gets the answer to a request to the store, and the device that caused the request.
enum RequestOwner: Hashable {
    case session(SessionID, device: SHA256Digest)
    /// The look-up of a PROVE.
    case prove(Attachment, device: SHA256Digest)
    /// An object is read back; `ReadBackQueue` knows its readers.
    case readBack(device: SHA256Digest)
    /// The renewal of a session's record.
    case renewal(SessionID, device: SHA256Digest)

    /// Whether no agent waits for the answer. The circuit breaker and the pace ignore such an answer: a failure of
    /// background work must not hold up parts, and its success does not show that the store takes parts.
    var isBackground: Bool {
        switch self {
        case .renewal: true
        case .session, .prove, .readBack: false
        }
    }

    var device: SHA256Digest {
        switch self {
        case .session(_, let device), .prove(_, let device), .readBack(let device), .renewal(_, let device): device
        }
    }
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
