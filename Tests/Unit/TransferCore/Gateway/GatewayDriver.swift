import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Passes events to a gateway's machine and records the actions that the machine returns. Tests use it to bring the
/// machine to a named state.
struct GatewayDriver {
    static let device = Pair.device
    static let otherDevice = AuthorisedDevice(
        name: "device-2", fingerprint: ToyDigest.sha256([2, 2, 2]), prefix: "other/")
    static let connection = ConnectionID(1)
    static let slot = Slot(1)
    static let session = SessionID(high: 1, low: 1)
    static let modification = ModificationTime(seconds: 5, nanoseconds: 0)

    var machine: Gateway
    var now = Instant(nanoseconds: 1_000_000_000)
    /// Unanswered requests to the store, in order.
    var requests: [(id: StoreRequestID, request: StoreRequest)] = []
    var flows: [FlowID] = []
    var tokens: [[UInt8]] = []
    /// Whether reading an object brings no evidence. If `true`, the driver answers a request to read an object with the
    /// facts of the look-up, as if the object could not be read. Tests of reading set it to `false` and answer the
    /// requests themselves.
    var readsTellNothing = true
    /// Whether the driver answers the renewal of a session's record by itself, so that most tests need not know of it.
    var answersRenewals = true
    private var lastConnection = connection.value
    private var actions: [GatewayAction] = []
    private var eventCount = 0

    init(
        cryptography: ToyCryptography = ToyCryptography(), change: (inout GatewayLimits) -> Void = { _ in }
    ) {
        var limits = PairOptions().gatewayLimits
        change(&limits)
        machine = Gateway(limits: limits, cryptography: cryptography, software: "g")
        machine.handle(.devicesChanged([Self.device]), now: now)
    }

    // MARK: Events

    @discardableResult
    mutating func frame(_ frame: Frame, slot: Slot = slot, from id: ConnectionID = connection) -> [GatewayAction] {
        machine.handle(.frame(frame, slot: slot, from: id, wallMilliseconds: 0), now: now)
        return collect()
    }

    @discardableResult
    mutating func connect(
        _ id: ConnectionID = connection, run: UInt64 = 1, of device: AuthorisedDevice = device
    ) -> [GatewayAction] {
        machine.handle(.accepted(id), now: now)
        return frame(.hello(Self.hello(run: run, of: device)), slot: .connection, from: id)
    }

    /// Opens a session of several parts, and answers the requests to the store that the gateway makes for this.
    mutating func openParts(size: UInt64?) {
        let open = SessionOpen(
            session: Self.session, terms: Self.terms(size: size, key: "file"), compares: size != nil)
        frame(.sessionOpen(open))
        for answer in [.object(nil), .records([]), .done, .uploadCreated(upload: "upload-1"), .done] as [StoreAnswer] {
            self.answer(answer)
        }
    }

    /// Sends SESSION OPEN for a key that holds nothing.
    @discardableResult
    mutating func openAbsent(
        _ open: SessionOpen, slot: Slot = slot, from id: ConnectionID = connection
    ) -> [GatewayAction] {
        var told = frame(.sessionOpen(open), slot: slot, from: id)
        if let index = requests.lastIndex(where: { if case .lookUpObject = $0.request { true } else { false } }) {
            machine.handle(.storeAnswered(requests.remove(at: index).id, .object(nil), wallMilliseconds: 0), now: now)
            told += collect()
        }
        return told
    }

    /// Opens another connection of the same run, and sends RESUME QUERY on it. If another connection has the session
    /// open, the new connection joins it; otherwise it resumes the session.
    mutating func join() -> (id: ConnectionID, told: [Frame]) {
        let id = newConnection()
        connect(id)
        let token = tokens.last ?? Self.token()
        return (id, frames(frame(.resumeQuery(ResumeQuery(listedParts: 0, token: token)), from: id), to: id))
    }

    /// Returns an unused connection number.
    mutating func newConnection() -> ConnectionID {
        lastConnection += 1
        return ConnectionID(lastConnection)
    }

    /// Passes the header of a chunk to the machine, and then its bytes if the machine accepts them.
    @discardableResult
    mutating func data(
        part: UInt32 = 1, offset: UInt64 = 0, bytes: UInt32, isCompressed: Bool = false, slot: Slot = slot,
        from id: ConnectionID = connection
    ) -> OnPartData {
        guard let number = PartNumber(part) else { return .discard }
        let header = PartDataHeader(
            part: number, offset: offset, plainBytes: bytes, isCompressed: isCompressed,
            payloadBytes: isCompressed ? bytes / 2 : bytes)
        let verdict = machine.handle(.data(header, slot: slot, from: id), now: now).partData
        if case .accept(let flow, let skip) = verdict {
            machine.handle(.bytes(UInt64(bytes) - skip, flow: flow, from: id), now: now)
        }
        _ = collect()
        return verdict
    }

    /// Answers the oldest request to the store.
    @discardableResult
    mutating func answer(_ answer: StoreAnswer) -> [GatewayAction] {
        guard !requests.isEmpty else { return [] }
        machine.handle(.storeAnswered(requests.removeFirst().id, answer, wallMilliseconds: 0), now: now)
        let actions = collect()
        guard readsTellNothing, let last = requests.last, case .readObject = last.request,
            actions.contains(.store(last.id, last.request))
        else { return actions }
        requests.removeLast()
        machine.handle(.storeAnswered(last.id, answer, wallMilliseconds: 0), now: now)
        return actions.filter { $0 != .store(last.id, last.request) } + collect()
    }

    @discardableResult
    mutating func tick(after duration: Duration) -> [GatewayAction] {
        now = now + duration
        machine.handle(.tick, now: now)
        return collect()
    }

    @discardableResult
    mutating func change(_ body: (inout Gateway, Instant) -> Void) -> [GatewayAction] {
        body(&machine, now)
        return collect()
    }

    /// Expects that the owners of memory hold what is reserved, as `GatewayHost` does in simulations. With very many
    /// sessions and slots, only every 64th event is checked, because a check looks at all of them.
    private mutating func expectOneAccount() {
        eventCount += 1
        guard machine.sessionCount + machine.slotsInUse < 100 || eventCount.isMultiple(of: 64) else { return }
        let owned = machine.bytesOwned
        let isTrue = owned.allSatisfy { machine.use(of: $0.key).bytesReserved == $0.value }
        #expect(isTrue && owned.values.reduce(0, +) == machine.bytesReserved)
    }

    private mutating func collect() -> [GatewayAction] {
        expectOneAccount()
        var taken = machine.takeActions()
        var renewals: [StoreRequestID] = []
        for action in taken {
            switch action {
            case .store(let id, .renewRecord) where answersRenewals: renewals.append(id)
            case .store(let id, let request): requests.append((id, request))
            case .openFlow(let id, _, _): flows.append(id)
            case .dropFlow(let id): flows.removeAll { $0 == id }
            case .send(_, _, .sessionOpened(let opened)): tokens.append(opened.token)
            case .send(_, _, .resumeState(let state)) where !state.token.isEmpty: tokens.append(state.token)
            default: break
            }
        }
        for id in renewals {
            taken.removeAll { if case .store(id, _) = $0 { true } else { false } }
            machine.handle(.storeAnswered(id, .done, wallMilliseconds: 0), now: now)
            taken += collect()
        }
        return taken
    }

    /// Closes all connections, answers the store requests, and advances the clock until no deadline is left.
    mutating func comeToRest() {
        for id in 1...lastConnection { change { $0.handle(.connectionLost(ConnectionID(id)), now: $1) } }
        for _ in 0..<200 {
            while !requests.isEmpty { answer(.failed(.cancelled)) }
            guard let deadline = machine.nextDeadline else { return }
            now = max(now, deadline)
            tick(after: .zero)
        }
    }

    // MARK: Values

    static func hello(
        run: UInt64 = 1, of device: AuthorisedDevice = device, capabilities: Capabilities = []
    ) -> Hello {
        Hello(
            versionMin: 1, versionMax: 1, capabilities: capabilities, fingerprint: device.fingerprint,
            run: RunID(high: run, low: run), software: "a")
    }

    static func terms(
        size: UInt64? = 2_500, key: String = "site/file", condition: WriteCondition = .absent
    ) -> SessionTerms {
        SessionTerms(key: key, size: size, partBytes: 1_000, modification: modification, condition: condition)
    }

    static func open(
        size: UInt64, condition: WriteCondition = .absent, compares: Bool = true, session: SessionID = session
    ) -> SessionOpen {
        SessionOpen(
            session: session, terms: terms(size: size, key: "file", condition: condition), compares: compares)
    }

    static func bytes(_ part: UInt32, of size: UInt64) -> [UInt8] {
        let count = min(1_000, size - UInt64(part - 1) * 1_000)
        return Array(repeating: UInt8(truncatingIfNeeded: part), count: Int(count))
    }

    static func offer(_ part: UInt32, of size: UInt64) -> PartOffer? {
        let content = bytes(part, of: size)
        return PartNumber(part).map {
            PartOffer(
                part: $0, size: UInt64(content.count), isLast: UInt64(part) * 1_000 >= size,
                digest: ToyDigest.sha256(content), md5: nil)
        }
    }

    static func entries(of size: UInt64) -> [PartListEntry] {
        let count = UInt32(max((size + 999) / 1_000, 1))
        return (1...count).compactMap { value in
            PartNumber(value).map {
                let content = bytes(value, of: size)
                return PartListEntry(
                    part: $0, size: UInt64(content.count), digest: ToyDigest.sha256(content), etag: "etag-\(value)")
            }
        }
    }

    static func complete(_ size: UInt64, isFirst: Bool = false) -> Complete {
        let entries = entries(of: size)
        return Complete(
            root: ToyDigest.root(entries.compactMap(\.digest)), partCount: UInt32(entries.count), size: size,
            isFirst: isFirst)
    }

    static func token(
        size: UInt64 = 2_500, upload: String = "upload-1", condition: WriteCondition = .absent
    ) -> [UInt8] {
        let token = SessionToken(
            device: device.name, session: session, terms: terms(size: size, condition: condition),
            issuedMilliseconds: 0, upload: upload)
        return token.encoded.flatMap { ToyCryptography().seal(token: $0) } ?? []
    }

    static func object(size: UInt64 = 2_500, session: SessionID? = session) -> ObjectSummary {
        ObjectSummary(size: size, partBytes: 1_000, evidence: .none, etag: "e", version: "", session: session)
    }

    static let storedObject = StoredObject(evidence: .none, etag: "e", version: "")
}

/// The frames that a gateway's machine sends, in order.
///
/// - Parameter id: only frames to this connection; `nil` for all connections.
func frames(_ actions: [GatewayAction], to id: ConnectionID? = nil) -> [Frame] {
    actions.compactMap { action in
        if case .send(let connection, _, let frame) = action, id == nil || connection == id { frame } else { nil }
    }
}
