import NIOCore
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

extension FuzzTarget {
    /// The gateway's machine. Each event of the input is one byte followed by the event's parameters. Events are frames
    /// of several connections and devices, their data, answers of the store in any order, the passing of time, and lost
    /// connections.
    package static let gateway = FuzzTarget(name: "gateway", inputBytesMax: 1_024) { input in
        var course = GatewayCourse(input)
        while !course.input.isAtEnd { try course.step() }
        try course.comeToRest()
    } seeds: { _ in
        GatewayCourse.seeds
    }
}

/// Feeds the events of an input to a gateway's machine, and checks the invariants after each event.
struct GatewayCourse {
    static let devices = [("a", "site/a/"), ("b", "site/b/")].map { name, prefix in
        AuthorisedDevice(name: name, fingerprint: ToyDigest.sha256(name.utf8), prefix: prefix)
    }

    /// A session in a slot, as far as the peer knows it.
    struct Known {
        var plan: PartPlan
    }

    /// A chunk whose payload is still arriving.
    struct Chunk {
        var flow: FlowID
        var bytesLeft: UInt64
    }

    /// The bytes of one part between a connection and the store.
    struct Flow {
        var size: UInt64
        var appended: UInt64 = 0
        var consumed: UInt64 = 0
        /// The device whose bytes the flow carries; `nil` before its first byte.
        var device: String?
    }

    var input: FuzzInput
    var machine: Gateway
    var now = Instant(nanoseconds: 1_000_000_000)
    /// Connections that have not ended, in the order in which they began.
    var living: [ConnectionID] = []
    var lastConnection: UInt64 = 0
    /// The names of the devices to which the gateway has sent WELCOME, by connection.
    var deviceNames: [ConnectionID: String] = [:]
    var known: [ConnectionID: [UInt16: Known]] = [:]
    var chunks: [ConnectionID: Chunk] = [:]
    var flows: [FlowID: Flow] = [:]
    /// Requests to the store that have no answer yet, in the order in which they began.
    var requests: [(id: StoreRequestID, request: StoreRequest)] = []
    private var begunRequests: Set<StoreRequestID> = []
    var tokens: [[UInt8]] = []
    /// The part plans of the sessions that SESSION OPEN frames and tokens describe.
    var plans: [SessionID: [PartPlan]] = [:]
    /// The name of the last event, for the message of a finding.
    var event = ""

    init(_ bytes: [UInt8]) {
        input = FuzzInput(bytes)
        var limits = PairOptions().gatewayLimits
        limits.connectionsMax = 6
        limits.connectionsPerDeviceMax = 3
        limits.sessionsMax = 8
        limits.sessionsPerDeviceMax = 5
        limits.slotsMax = 6
        limits.partsPerSessionMax = 4
        // The length of the input decides whether the store checks conditions. If a byte decided this, all later events
        // would get another meaning when the fuzzer changes that byte.
        limits.conditions = bytes.count.isMultiple(of: 2) ? .all : .none
        machine = Gateway(limits: limits, cryptography: ToyCryptography(), software: "g")
        machine.handle(.devicesChanged(Self.devices), now: now)
    }

    // MARK: Invariants

    /// Performs the machine's actions as its shell would, and checks the invariants of budget, sessions, requests and
    /// slots.
    mutating func perform() throws(FuzzFinding) {
        for action in machine.takeActions() { try perform(action) }
        let held = flows.values.reduce(0) { $0 + $1.appended - $1.consumed }
        try hold(held <= machine.bytesReserved, "\(held) bytes are held, \(machine.bytesReserved) reserved")
        try hold(machine.bytesReserved <= machine.limits.budgetBytes, "the budget is exceeded")
        try hold(machine.connectionCount <= living.count, "more connections than there are")
        try hold(machine.sessionCount <= machine.limits.sessionsMax, "\(machine.sessionCount) sessions")
        let begunCount = machine.requestsUnderWay - machine.requestsWaiting
        try hold(begunCount <= requests.count, "answers are awaited that will not come")
        let slotsMax = living.count * Int(machine.limits.slotsMax)
        try hold(machine.slotsInUse <= slotsMax, "\(machine.slotsInUse) slots in use")
    }

    private mutating func perform(_ action: GatewayAction) throws(FuzzFinding) {
        switch action {
        case .send(let id, let slot, let frame):
            try hold(living.contains(id), "\(frame.type) is sent to a connection that has ended")
            try hold(frame.isEncodable(slot: slot), "\(frame.type) cannot be encoded")
            try hold(frame.faultOfRefusal == nil, frame.faultOfRefusal ?? "")
            try noteToken(in: frame, for: id)
        case .close(let id):
            try hold(living.contains(id), "a connection is closed that has ended")
            forget(id)
        case .store(let id, let request):
            try hold(begunRequests.insert(id).inserted, "a request's number is used again")
            requests.append((id, request))
            let bound = machine.limits.calls[request.callClass] ?? .max
            let count = requests.count { $0.request.callClass == request.callClass }
            try hold(count <= bound, "more than \(bound) calls of the class \(request.callClass) are under way")
            try noteKey(of: request)
        case .cancel(let id):
            try hold(requests.contains { $0.id == id }, "a request is cancelled that is not under way")
        case .openFlow(let id, let size, _):
            try hold(flows[id] == nil, "a flow's number is used again")
            flows[id] = Flow(size: size)
        case .releaseFlow(let id):
            try hold(flows[id] != nil, "a flow is released that is not there")
        case .dropFlow(let id):
            try hold(flows.removeValue(forKey: id) != nil, "a flow is dropped that is not there")
        case .reportWritten:
            // The test never reports that a socket has taken frames, so the gateway sends few pages of stored parts.
            break
        case .enrol:
            // The test does not answer the enrolment. The connection ends when its deadline passes.
            break
        case .note(.welcomed(let id, let device, _)):
            try hold(living.contains(id), "a connection is welcomed that has ended")
            deviceNames[id] = device
        case .note:
            break
        }
    }

    private mutating func noteToken(in frame: Frame, for id: ConnectionID) throws(FuzzFinding) {
        let sealed: [UInt8]
        switch frame {
        case .sessionOpened(let opened): sealed = opened.token
        case .resumeState(let state): sealed = state.token
        default: return
        }
        guard !sealed.isEmpty else { return }
        tokens.append(sealed)
        guard case .opened(let plain) = ToyCryptography().open(token: sealed), let token = SessionToken(encoded: plain)
        else { throw FuzzFinding("\(event): a token that does not open") }
        let device = Self.devices.first { $0.name == deviceNames[id] }
        try hold(
            device.map { token.device == $0.name && token.terms.key.utf8.starts(with: $0.prefix.utf8) } == true,
            "a token of \(token.device)'s \(token.terms.key) goes to \(deviceNames[id] ?? "an unknown device")")
    }

    private func noteKey(of request: StoreRequest) throws(FuzzFinding) {
        let key: String
        var flow: FlowID?
        switch request {
        case .lookUpObject(let name, _), .readObject(let name, _, _), .findRecords(let name),
            .removeRecord(let name, _), .createUpload(let name, _),
            .listParts(let name, _), .complete(let name, _, _, _, _), .abort(let name, _), .renewRecord(let name, _):
            key = name
        case .writeRecord(let facts): key = facts.key
        case .storePart(let name, _, _, let bytes), .storeObject(let name, _, let bytes, _):
            (key, flow) = (name, bytes.flow)
        }
        if case .storeObject(_, let metadata, let bytes, _) = request {
            let isWhole = plans[metadata.session]?.contains { $0.isOnePart && $0.fileBytes == bytes.size } == true
            try hold(isWhole, "a part is stored as if it were the whole file")
        }
        let owner = Self.devices.first { key.utf8.starts(with: $0.prefix.utf8) }
        try hold(owner != nil, "the store is asked for \(key)")
        if let flow {
            try hold(flows[flow] != nil, "a flow is given to the store that is not there")
            let sender = flows[flow]?.device
            try hold(sender == nil || sender == owner?.name, "\(sender ?? "")'s bytes go to \(key)")
        }
    }

    mutating func forget(_ id: ConnectionID) {
        living.removeAll { $0 == id }
        known[id] = nil
        chunks[id] = nil
    }

    func hold(_ condition: Bool, _ description: @autoclosure () -> String) throws(FuzzFinding) {
        guard condition else { throw FuzzFinding("\(event): \(description())") }
    }

    /// Closes all connections, answers the requests to the store and advances the clock. Then checks that the gateway
    /// holds nothing more, except what it keeps on purpose.
    mutating func comeToRest() throws(FuzzFinding) {
        event = "rest"
        for id in living {
            machine.handle(.connectionLost(id), now: now)
            forget(id)
            try perform()
        }
        for _ in 0..<400 {
            while let first = requests.first {
                requests.removeFirst()
                machine.handle(.storeAnswered(first.id, .failed(.cancelled), wallMilliseconds: 0), now: now)
                try perform()
            }
            guard let deadline = machine.nextDeadline else { break }
            now = max(now, deadline)
            machine.handle(.tick, now: now)
            try perform()
        }
        try hold(machine.nextDeadline == nil, "the gateway does not come to rest")
        try hold(machine.bytesReserved == 0, "\(machine.bytesReserved) bytes stay reserved")
        try hold(machine.sessionCount == 0, "\(machine.sessionCount) sessions stay")
        try hold(flows.isEmpty, "\(flows.count) flows stay")
        try hold(machine.partsUnderWay == 0 && machine.slotsInUse == 0, "parts or slots stay")
    }
}
