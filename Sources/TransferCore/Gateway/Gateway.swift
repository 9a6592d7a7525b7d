package import WireProtocol

// The whole gateway but its sockets, files and clocks: connections, slots, runs, budgets and sessions.
//
// How to use it: hand it one event, with the time; then take `takeActions()` and do them in order; only then hand it
// the next. It never waits, never asks for the time, and no input ends the process: whatever a peer or a store says is
// answered or ended with a code.

/// The gateway's machine.
package struct Gateway {
    var context: GatewayContext
    var connections: [ConnectionID: GatewayConnection] = [:]
    var sessions: [SessionID: GatewaySession] = [:]
    /// The run whose HELLO came last, of each device.
    var currentRuns: [SHA256Digest: RunID] = [:]
    var devices: [SHA256Digest: AuthorisedDevice] = [:]
    /// When the gateway goes away; `nil` while it stays.
    package private(set) var drainDeadline: Instant?
    private let software: String

    package init(limits: GatewayLimits, cryptography: any TransferCryptography, software: String) {
        self.context = GatewayContext(limits: limits, cryptography: cryptography)
        self.software = software
    }

    // MARK: Read-outs

    package var limits: GatewayLimits { context.limits }
    package var bytesReserved: UInt64 { context.budget.bytesReserved }
    package var connectionCount: Int { connections.count }
    package var sessionCount: Int { sessions.count }
    /// Slots that carry a session, over all connections.
    package var slotsInUse: Int { connections.values.reduce(0) { $0 + $1.slots.count } }
    /// Requests to the store that have not been answered.
    package var requestsUnderWay: Int { context.requestOwners.count }
    package var partsUnderWay: Int { sessions.values.reduce(0) { $0 + $1.parts.count } }

    /// Whether a draining gateway has nothing more to finish.
    package var isDrained: Bool { drainDeadline != nil && !sessions.values.contains { $0.isBusy } }

    package mutating func takeActions() -> [GatewayAction] {
        defer { context.actions = [] }
        return context.actions
    }

    // MARK: Events

    /// The device list was read, at start or again: devices that are gone lose their connections.
    package mutating func devicesChanged(_ list: [AuthorisedDevice], now: Instant) {
        context.now = now
        devices = [:]
        for device in list { devices[device.fingerprint] = device }
        for id in connections.keys.sorted() {
            guard let device = connections[id]?.device, devices[device.fingerprint] != device else { continue }
            end(id, .notAuthorised)
        }
    }

    /// A peer has connected.
    package mutating func accepted(_ id: ConnectionID, now: Instant) {
        context.now = now
        connections[id] = GatewayConnection(now: now, limits: context.limits)
        if drainDeadline != nil {
            end(id, .draining)
        } else if connections.count > context.limits.connectionsMax {
            end(id, .tooManyConnections)
        }
    }

    /// A frame has arrived. Frames of connections that were ended are ignored: their bytes were under way.
    ///
    /// - Parameter wallMilliseconds: the gateway's clock, milliseconds since 1970.
    package mutating func receivedFrame(
        _ frame: Frame, slot: Slot, from id: ConnectionID, now: Instant, wallMilliseconds: Int64
    ) {
        context.now = now
        context.wallMilliseconds = wallMilliseconds
        guard let phase = connections[id]?.phase else { return }
        connections[id]?.heardAt = now
        switch phase {
        case .silent:
            guard case .hello(let hello) = frame else { return end(id, .unexpectedFrame) }
            receivedHello(hello, from: id)
        case .open(let device, _):
            receivedFrame(frame, at: Attachment(connection: id, slot: slot), device: device)
        }
        settleSlots()
    }

    /// The peer sent something that is no frame of the protocol.
    package mutating func receivedMalformed(_ code: ErrorCode, from id: ConnectionID, now: Instant) {
        context.now = now
        end(id, code)
    }

    /// The header of a PART DATA frame has arrived; its payload follows.
    package mutating func receivedData(
        _ header: PartDataHeader, slot: Slot, from id: ConnectionID, now: Instant
    ) -> OnPartData {
        context.now = now
        guard let connection = connections[id] else { return .discard }
        connections[id]?.heardAt = now
        guard case .open = connection.phase else { return violation(id, .unexpectedFrame) }
        guard header.plainBytes <= context.limits.chunkBytesMax else { return violation(id, .badValue) }
        let attachment = Attachment(connection: id, slot: slot)
        guard let use = connection.slots[slot], use.stage == .opening || use.stage == .open,
            let result = sessions[use.session]?.receivedData(
                header, from: attachment, creditBytes: connection.creditBytes, &context)
        else { return .discard }
        switch result {
        case .success(let verdict): return verdict
        case .failure(let failure): return violation(id, failure.code)
        }
    }

    /// Plain bytes of an accepted chunk are about to go to their flow.
    ///
    /// - Returns: whether they still may.
    package mutating func receivedBytes(_ count: UInt64, flow: FlowID, from id: ConnectionID, now: Instant) -> Bool {
        context.now = now
        connections[id]?.heardAt = now
        guard connections[id] != nil, let session = context.flowOwners[flow] else { return false }
        return sessions[session]?.receivedBytes(count, flow: flow, connection: id, &context) ?? false
    }

    /// The connection is gone.
    package mutating func connectionLost(_ id: ConnectionID, now: Instant) {
        context.now = now
        forget(id)
        settleSlots()
    }

    /// The store's side has taken bytes of a flow; `total` counts from the flow's beginning.
    package mutating func consumed(_ total: UInt64, flow: FlowID, now: Instant) {
        context.now = now
        guard let session = context.flowOwners[flow] else { return }
        sessions[session]?.consumed(total, flow: flow, &context)
    }

    /// The store has answered. Every request is answered once, also a cancelled one.
    package mutating func storeAnswered(
        _ request: StoreRequestID, _ answer: StoreAnswer, now: Instant, wallMilliseconds: Int64
    ) {
        context.now = now
        context.wallMilliseconds = wallMilliseconds
        guard let id = context.ownerOfAnswered(request), let session = sessions[id] else { return }
        var busy: Set<SessionID> = []
        if case .records(let records) = answer {
            busy = Set(records.map(\.label.session).filter { sessions[$0]?.attached.isEmpty == false })
        }
        var changed = session
        changed.receivedAnswer(answer, to: request, isBusy: busy.contains, &context)
        sessions[id] = changed
        settleSlots()
        forgetIfEnded(id)
    }

    /// Called at `nextDeadline`, or at any time.
    package mutating func tick(now: Instant) {
        context.now = now
        for id in connections.keys.sorted() { tick(connection: id) }
        for id in sessions.keys.sorted(by: { ($0.high, $0.low) < ($1.high, $1.low) }) {
            sessions[id]?.tick(&context)
            if sessions[id]?.isForgettable(context) == true { sessions[id] = nil }
        }
        settleSlots()
        if let drainDeadline, drainDeadline <= now {
            for id in connections.keys.sorted() { end(id, .draining) }
        }
    }

    /// The next moment at which `tick` has something to do.
    package var nextDeadline: Instant? {
        var deadlines = sessions.values.compactMap { $0.nextDeadline(context.limits) }
        for connection in connections.values {
            switch connection.phase {
            case .silent(let deadline): deadlines.append(deadline)
            case .open: deadlines.append(max(connection.heardAt, connection.pingedAt ?? connection.heardAt) + pingAfter)
            }
        }
        if let drainDeadline { deadlines.append(drainDeadline) }
        return deadlines.min()
    }

    /// The gateway is going away: agents are told, parts under way are finished until the deadline.
    package mutating func drain(within duration: Duration, now: Instant) {
        context.now = now
        guard drainDeadline == nil else { return }
        drainDeadline = now + duration
        let away = GoAway(deadlineMilliseconds: duration.wireMilliseconds, message: "the gateway is being stopped")
        for id in connections.keys.sorted() {
            if connections[id]?.device != nil { context.actions.append(.send(id, .connection, .goAway(away))) }
        }
    }

    // MARK: Connections

    private var pingAfter: Duration { context.limits.idleLimit / 3 }

    private mutating func tick(connection id: ConnectionID) {
        guard let connection = connections[id] else { return }
        switch connection.phase {
        case .silent(let deadline):
            if deadline <= context.now { end(id, .idle) }
        case .open:
            if connection.heardAt + context.limits.idleLimit <= context.now { return end(id, .idle) }
            let quietSince = max(connection.heardAt, connection.pingedAt ?? connection.heardAt)
            guard quietSince + pingAfter <= context.now else { return }
            connections[id]?.pingedAt = context.now
            context.actions.append(.send(id, .connection, .ping(Ping(nonce: context.now.nanoseconds))))
        }
    }

    private mutating func receivedHello(_ hello: Hello, from id: ConnectionID) {
        guard hello.versionMin <= WireLimits.version, hello.versionMax >= WireLimits.version else {
            return end(id, .versionUnsupported, message: "this gateway speaks version \(WireLimits.version)")
        }
        guard let device = devices[hello.fingerprint] else { return end(id, .notAuthorised) }
        if let current = currentRuns[device.fingerprint], current != hello.run { fenceOlderRuns(of: device) }
        let siblings = connections.values.count { $0.device?.fingerprint == device.fingerprint }
        guard siblings < context.limits.connectionsPerDeviceMax else { return end(id, .tooManyConnections) }
        currentRuns[device.fingerprint] = hello.run
        let limits = context.limits
        // Initial credit takes at most half of the budget: idle agents must not keep busy ones out.
        let credit =
            context.budget.bytesReserved + UInt64(limits.initialCreditBytes) <= limits.budgetBytes / 2
            && context.budget.reserve(UInt64(limits.initialCreditBytes), device: device.fingerprint)
            ? limits.initialCreditBytes : 0
        connections[id]?.phase = .open(device: device, run: hello.run)
        connections[id]?.creditBytes = credit
        let welcome = Welcome(
            version: WireLimits.version, capabilities: hello.capabilities.intersection(.lz4), slotsMax: limits.slotsMax,
            chunkBytesMax: limits.chunkBytesMax, initialCreditBytes: credit, partBytesMin: limits.parts.partBytesMin,
            partBytesMax: limits.parts.partBytesMax, partBytesDefault: limits.parts.partBytesDefault,
            partsMax: limits.parts.partsMax, objectBytesMax: limits.parts.objectBytesMax,
            putLimitMilliseconds: limits.putLimit.wireMilliseconds,
            idleLimitMilliseconds: limits.idleLimit.wireMilliseconds, serverTime: context.wallMilliseconds,
            software: software)
        context.actions.append(.send(id, .connection, .welcome(welcome)))
        context.actions.append(.note(.welcomed(id, device: device.name, run: hello.run)))
    }

    /// The newer run has the device: nothing more is taken from the older ones, and nobody waits for them.
    private mutating func fenceOlderRuns(of device: AuthorisedDevice) {
        for id in connections.keys.sorted() where connections[id]?.device?.fingerprint == device.fingerprint {
            context.actions.append(.note(.fenced(id, device: device.name)))
            end(id, .fenced)
        }
    }

    /// Ends a connection with a code. Whatever else arrives on it is ignored.
    mutating func end(_ id: ConnectionID, _ code: ErrorCode, message: String = "") {
        guard connections[id] != nil else { return }
        let report = ErrorReport(scope: .connection, code: code, retryAfterMilliseconds: 0, message: message)
        context.actions.append(.send(id, .connection, .error(report)))
        context.actions.append(.close(id))
        context.actions.append(.note(.refused(id, code)))
        forget(id)
    }

    private mutating func violation(_ id: ConnectionID, _ code: ErrorCode) -> OnPartData {
        end(id, code)
        return .violation
    }

    /// The one place where a connection's slots, credit and budget are given back.
    private mutating func forget(_ id: ConnectionID) {
        guard let connection = connections.removeValue(forKey: id) else { return }
        for use in connection.slots.values.sorted(by: { ($0.session.high, $0.session.low) < ($1.session.high, $1.session.low) }) {
            sessions[use.session]?.connectionLost(id, &context)
            forgetIfEnded(use.session)
            guard let device = connection.device else { continue }
            context.budget.release(use.listBytes, device: device.fingerprint)
        }
        if let device = connection.device {
            context.budget.release(UInt64(connection.creditBytes), device: device.fingerprint)
        }
        context.undecidedBytes[id] = nil
    }

    func forgettable(_ id: SessionID) -> Bool { sessions[id]?.phase == .ended }

    mutating func forgetIfEnded(_ id: SessionID) {
        if forgettable(id) { sessions[id] = nil }
    }

    /// Applies what sessions said of slots during the event.
    mutating func settleSlots() {
        for change in context.slotChanges {
            switch change {
            case .open(let attachment):
                connections[attachment.connection]?.slots[attachment.slot]?.stage = .open
            case .closed(let attachment):
                closeSlot(attachment)
            }
        }
        context.slotChanges = []
    }

    mutating func closeSlot(_ attachment: Attachment) {
        guard let use = connections[attachment.connection]?.slots.removeValue(forKey: attachment.slot),
            let device = connections[attachment.connection]?.device
        else { return }
        context.budget.release(use.listBytes, device: device.fingerprint)
    }
}

extension GatewaySession {
    /// Whether stopping now would cut something short that is worth waiting for.
    var isBusy: Bool {
        switch phase {
        case .ended, .settled: false
        case .open: parts.values.contains { $0.request != nil && $0.owner != nil }
        default: true
        }
    }
}
