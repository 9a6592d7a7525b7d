package import TransferCommon
package import WireProtocol

/// The gateway's machine: connections, devices, sessions and budgets, without sockets, files and clocks.
///
/// This type decides about connections: who may connect, and when a connection ends. `GatewayTransfers` decides about
/// everything that happens in slots.
///
/// The shell calls `handle` with one event and the time, then performs `takeActions()` in order, and only then reports
/// the next event. The machine never waits and never reads a clock. No input traps: the machine answers whatever a peer
/// or a store sends, or ends the connection with a code.
package struct Gateway: Hashable {
    var context: GatewayContext
    var connections = ConnectionTable()
    var transfers = GatewayTransfers()
    private var reports = DeviceReports()
    let software: String
    /// Fingerprint of the site's next key, for WELCOME; `nil` while none is announced.
    package private(set) var nextSiteKey: SHA256Digest?

    private static let fencedMessage = "a newer run of this device has taken over"
    private static let fullMessage = "the gateway has as many connections as it may have"

    package init(limits: GatewayLimits, cryptography: any TransferCryptography, software: String) {
        self.context = GatewayContext(limits: limits, cryptography: cryptography)
        self.software = software
    }

    // MARK: Read-outs

    package var limits: GatewayLimits { context.limits }
    package var bytesReserved: UInt64 { context.reservations.bytesReserved }
    /// How many parts may be on their way to the store at once; the store's answers decide this number.
    package var partsAllowed: Int { context.pace.partsAllowed }
    package var connectionCount: Int { connections.count }
    package var sessionCount: Int { transfers.sessions.count }
    /// The sessions that have not ended; those that are only remembered do not count.
    package var unfinishedSessionCount: Int { transfers.sessions.unfinishedCount }

    /// What a device uses of the resources that `DeviceLimits` limits.
    package func use(of device: SHA256Digest) -> (connections: Int, sessions: Int, bytesReserved: UInt64) {
        (
            context.devices.connectionCount(of: device), transfers.sessions.count(of: device),
            context.reservations.bytesReserved(device: device)
        )
    }
    /// Slots that carry a session or a PROVE, over all connections.
    package var slotsInUse: Int { transfers.slots.count }
    /// The entries of PART LIST that have arrived in a slot, until COMPLETE or the end of RESUME QUERY takes them.
    package func entriesListed(at attachment: Attachment) -> [PartListEntry] {
        transfers.slots[attachment]?.list.entries ?? []
    }
    /// Requests that the store has not answered, whether their calls have begun or wait.
    package var requestsUnderWay: Int { context.requestOwners.count }
    /// Requests to the store whose calls have not begun.
    package var requestsWaiting: Int { context.calls.waitingCount }
    package var partsUnderWay: Int { transfers.sessions.partCount }

    /// When a stopping gateway closes its connections; `nil` while it serves.
    package var drainDeadline: Instant? { context.drainDeadline }

    /// Whether a stopping gateway has nothing left to finish.
    package var isDrained: Bool { drainDeadline != nil && !transfers.sessions.isBusy }

    /// Whether a connection is open: it was sent WELCOME, and has not ended.
    package func isOpen(_ id: ConnectionID) -> Bool { connections[id]?.device != nil }

    /// The name of the device at the other end of a connection; `nil` before WELCOME.
    package func deviceName(on id: ConnectionID) -> String? { connections[id]?.device?.name }

    /// The name of the device that caused an unanswered request; `nil` if it may no longer use the site.
    package func deviceName(of request: StoreRequestID) -> String? {
        context.requestOwners[request].flatMap { context.devices[$0.device]?.name }
    }

    /// Whether a device may use the site.
    package func knows(_ fingerprint: SHA256Digest) -> Bool { context.devices[fingerprint] != nil }

    /// The newest REPORT of each device, if one has come since the last call; otherwise `nil`.
    package mutating func takeChangedReports() -> [DeviceReport]? { reports.takeChanged() }

    /// Takes the actions that the shell has to perform, in order. The shell calls this after every event.
    package mutating func takeActions() -> [GatewayAction] {
        defer { context.actions = [] }
        return context.actions
    }

    // MARK: Events

    /// Handles one event completely. No other method changes the machine.
    @discardableResult
    package mutating func handle(_ event: GatewayEvent, now: Instant) -> OnEvent {
        context.now = now
        switch event {
        case .devicesChanged(let list): devicesChanged(list)
        case .deviceVouchedFor(let device): context.devices.add(device)
        case .deviceLeft(let fingerprint): context.devices.remove(fingerprint)
        case .siteKeyChanged: siteKeyChanged()
        case .nextSiteKeyChanged(let fingerprint): nextSiteKey = fingerprint
        case .enrolled(let outcome, let id): enrolled(outcome, on: id)
        case .reportsRestored(let kept): reports.restore(kept, limits)
        case .accepted(let id): accepted(id)
        case .heard(let bytes, let id): connections[id]?.heard(bytes: bytes, now: now)
        case .frame(let frame, let slot, let id, let wallMilliseconds):
            context.wallMilliseconds = wallMilliseconds
            receivedFrame(frame, slot: slot, from: id)
        case .frameCounted(let id): return .pause(pauseAfterFrame(from: id))
        case .malformed(let code, let message, let id):
            end(id, code, message)
            transfers.settle(&context)
        case .data(let header, let slot, let id): return .data(receivedData(header, slot: slot, from: id))
        case .bytes(let count, let flow, let id):
            return .bytes(areWanted: receivedBytes(count, flow: flow, from: id))
        case .written(let bytes, let id): transfers.written(bytes, on: id, &context)
        case .connectionLost(let id): connectionLost(id)
        case .consumed(let total, let flow): transfers.sessions.consumed(total, flow: flow, &context)
        case .storeAnswered(let request, let answer, let wallMilliseconds):
            context.wallMilliseconds = wallMilliseconds
            transfers.storeAnswered(request, answer, &context)
        case .tick: tick()
        case .drain(let duration): drain(within: duration)
        case .finish: context.calls.close()
        }
        return .none
    }

    private mutating func devicesChanged(_ list: [AuthorisedDevice]) {
        context.devices.replace(by: list, now: context.now)
        for id in connections.ids {
            guard let device = connections[id]?.device, context.devices[device.fingerprint] != device else { continue }
            if context.devices[device.fingerprint] == nil {
                end(id, .notAuthorised, "the device is no longer on the list")
            } else {
                end(id, .draining, "the device's line on the list has changed")
            }
        }
        transfers.settle(&context)
    }

    private mutating func siteKeyChanged() {
        for id in connections.ids { end(id, .draining, "the gateway's key has changed; connect again") }
        transfers.settle(&context)
    }

    private mutating func accepted(_ id: ConnectionID) {
        if connections.isEmpty { transfers.progress.began(limits.progress, now: context.now) }
        connections.add(GatewayConnection(now: context.now, helloLimit: limits.helloLimit), id)
        connections.check(at: context.now + limits.helloLimit)
        if drainDeadline != nil {
            end(id, .draining, GatewayContext.drainMessage)
        } else if connections.count > limits.connectionsMax + limits.unauthenticatedPeersMax {
            end(id, .tooManyConnections, Self.fullMessage)
        }
    }

    private mutating func receivedFrame(_ frame: Frame, slot: Slot, from id: ConnectionID) {
        guard let phase = connections[id]?.phase else { return }
        connections[id]?.heard(now: context.now)
        switch phase {
        case .silent:
            switch frame {
            case .hello(let hello): receivedHello(hello, from: id)
            case .enrol(let enrol): receivedEnrol(enrol, from: id)
            default: return end(id, .unexpectedFrame, "\(frame.type) before HELLO")
            }
        case .enrolling:
            return end(id, .unexpectedFrame, "\(frame.type) behind ENROL")
        case .open(let device):
            receivedFrame(frame, at: Attachment(connection: id, slot: slot), device: device)
        }
        transfers.settle(&context)
    }

    private mutating func receivedFrame(_ frame: Frame, at attachment: Attachment, device: AuthorisedDevice) {
        let id = attachment.connection
        guard attachment.slot.value <= context.limits.slotsMax else {
            // The gateway never answers an ERROR with an ERROR.
            if case .error = frame { return }
            return end(id, .badSlot, "slot \(attachment.slot), at most \(context.limits.slotsMax)")
        }
        switch frame {
        case .ping(let ping):
            context.actions.append(.send(id, .connection, .pong(Pong(nonce: ping.nonce))))
        case .pong:
            break  // PONG only shows that the agent lives.
        case .report(let report):
            let kept = DeviceReport(
                device: device.name, arrivedMilliseconds: context.wallMilliseconds, report: report)
            reports.keep(kept, now: context.now, limits)
        case .error(let report) where report.scope == .connection:
            close(id)  // The agent has ended the connection. Its code is for people who read logs.
        default:
            let violation = transfers.received(frame, at: attachment, of: device, &context)
            if let violation { end(id, violation.code, violation.message) }
        }
    }

    private mutating func receivedData(_ header: PartDataHeader, slot: Slot, from id: ConnectionID) -> OnPartData {
        connections[id]?.heard(now: context.now)
        guard let connection = connections[id] else { return .discard }
        if let violation = connection.judge(header, slot: slot, limits) { return end(id, violation) }
        let result = transfers.receivedData(
            header, at: Attachment(connection: id, slot: slot), creditBytes: connection.creditBytes, &context)
        switch result {
        case .success(let verdict): return verdict
        case .failure(let violation): return end(id, violation)
        }
    }

    private mutating func receivedBytes(_ count: UInt64, flow: FlowID, from id: ConnectionID) -> Bool {
        connections[id]?.heard(now: context.now)
        return connections[id] != nil && transfers.sessions.receivedBytes(count, flow: flow, from: id, &context)
    }

    /// How long the shell reads nothing more from the connection (specification §5.3); `nil` if it reads on at once.
    private mutating func pauseAfterFrame(from id: ConnectionID) -> Duration? {
        guard let device = connections[id]?.device?.fingerprint else { return nil }
        return context.devices.countFrame(of: device, limits, now: context.now)
    }

    private mutating func connectionLost(_ id: ConnectionID) {
        forget(id)
        transfers.settle(&context)
    }

    private mutating func tick() {
        let now = context.now
        for due in connections.tick(idleLimit: limits.idleLimit, now: now) { apply(due) }
        if let nextAt = transfers.progress.nextDeadline, nextAt <= now {
            transfers.windowPassed(heardBytes: connections.takeHeardBytes(), &context)
        }
        transfers.tick(&context)
        if let drainDeadline, drainDeadline <= now {
            for id in connections.ids { end(id, .draining, GatewayContext.drainMessage) }
        }
        transfers.settle(&context)
    }

    /// When `tick` may have something to do. Computing it is cheap, so the shell may ask after every event.
    package var nextDeadline: Instant? {
        let ofStore = earlier(context.pace.nextDeadline, context.breaker.nextDeadline)
        let next = earlier(earlier(transfers.sessions.nextDeadline, connections.nextDeadline), ofStore)
        return connections.isEmpty ? next : earlier(next, earlier(drainDeadline, transfers.progress.nextDeadline))
    }

    private mutating func drain(within duration: Duration) {
        guard drainDeadline == nil else { return }
        context.drainDeadline = context.now + duration
        let away = GoAway(deadlineMilliseconds: duration.wireMilliseconds, message: GatewayContext.drainMessage)
        for id in connections.ids {
            if connections[id]?.device != nil { context.actions.append(.send(id, .connection, .goAway(away))) }
        }
    }

    // MARK: Connections

    private mutating func apply(_ due: ConnectionTable.Due) {
        switch due.result {
        case .wait: break
        case .sendPing:
            let ping = Ping(nonce: context.now.nanoseconds)
            context.actions.append(.send(due.id, .connection, .ping(ping)))
        case .close(let reason): end(due.id, .idle, reason)
        }
    }

    private mutating func receivedHello(_ hello: Hello, from id: ConnectionID) {
        guard hello.versionMin <= WireLimits.version, hello.versionMax >= WireLimits.version else {
            return end(id, .versionUnsupported, "this gateway speaks version \(WireLimits.version)")
        }
        guard let device = context.devices[hello.fingerprint] else {
            return end(id, .notAuthorised, "the device is not known here")
        }
        switch context.devices.judge(hello.run, on: id, of: device.fingerprint) {
        case .current: break
        case .fences(let older): for id in older { fence(id, of: device) }
        case .fenced: return end(id, .fenced, Self.fencedMessage)
        }
        if drainDeadline != nil {
            context.devices.keep(hello.run, on: id, of: device.fingerprint)
            return end(id, .draining, GatewayContext.drainMessage)
        }
        // HELLO may have fenced connections that a cut has left open, so count the open connections only now.
        guard context.devices.openCount < limits.connectionsMax else {
            return end(id, .tooManyConnections, Self.fullMessage)
        }
        let siblings = context.devices.connectionCount(of: device.fingerprint)
        guard siblings < context.limits(of: device.fingerprint).connectionsPerDeviceMax else {
            return end(id, .tooManyConnections, "the device has as many connections as it may have")
        }
        context.devices.keep(hello.run, on: id, of: device.fingerprint)
        context.devices.opened(id, of: device.fingerprint, now: context.now)
        let credit = reserveCredit(for: device)
        let capabilities = hello.capabilities.intersection(.lz4)
        connections[id]?.opened(by: device, capabilities: capabilities, creditBytes: credit)
        transfers.slots.opened(id, by: device.fingerprint)
        connections.check(at: context.now + limits.idleLimit / 3)
        welcome(hello, from: id, device: device, capabilities: capabilities, creditBytes: credit)
    }

    private mutating func fence(_ id: ConnectionID, of device: AuthorisedDevice) {
        context.actions.append(.note(.fenced(id, device: device.name)))
        end(id, .fenced, Self.fencedMessage)
    }

    /// Ends a connection with a code and a text for people that is never empty. Frames that still arrive are ignored.
    mutating func end(_ id: ConnectionID, _ code: ErrorCode, _ message: String) {
        guard connections[id] != nil else { return }
        let report = ErrorReport(scope: .connection, code: code, retryAfterMilliseconds: 0, message: message)
        context.actions.append(.send(id, .connection, .error(report)))
        context.actions.append(.close(id))
        context.actions.append(.note(.ended(id, device: deviceName(on: id), code, message: message)))
        forget(id)
    }

    private mutating func end(_ id: ConnectionID, _ violation: Violation) -> OnPartData {
        end(id, violation.code, violation.message)
        return .violation
    }

    /// Closes a connection that has nothing left to do, once everything sent has been flushed.
    mutating func close(_ id: ConnectionID) {
        context.actions.append(.close(id))
        forget(id)
    }

    /// Frees the slots, the credit and the budget of a connection. No other method does.
    private mutating func forget(_ id: ConnectionID) {
        transfers.connectionLost(id, &context)
        guard let connection = connections.remove(id) else { return }
        context.reservations.closed(id)
        guard let device = connection.device else { return }
        context.reservations.release(UInt64(connection.creditBytes), device: device.fingerprint)
        context.devices.closed(id, of: device.fingerprint)
    }
}
