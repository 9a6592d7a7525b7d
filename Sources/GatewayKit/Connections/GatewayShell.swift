import Cryptography
import FoundationEssentials
import Logging
import NIOCore
import NIOPosix
import ObjectStore
import SecureChannel
import SystemSupport
import TransferCommon
import TransferCore
import WireProtocol

/// Performs the actions of the gateway's state machine: sends frames, passes received bytes to the store requests
/// (`PartFlow`) and calls the store.
///
/// The shell and its connections share one event loop, so a frame is answered without a change of thread. Calls to the
/// store run on other threads, and their results return to this loop.
actor GatewayShell: MachineShell {
    nonisolated let eventLoop: any EventLoop
    private let calls: StoreCalls
    private let storeLog: StoreLog
    let files: Files
    let logger: Logger
    var machine: Gateway
    var sessionCount: Int { machine.unfinishedSessionCount }
    var state = ShellState<ConnectionID>()
    private var flows: [FlowID: PartFlow] = [:]
    /// The calls to the store that are running. They are unstructured tasks, because each must be cancellable without
    /// the others; `finish` waits for all of them.
    private var tasks: [StoreRequestID: Task<Void, Never>] = [:]
    /// The enrolments that are running, each under the connection that requested it; `finish` waits for all of them.
    var enrolments: [ConnectionID: Task<Void, Never>] = [:]
    private var lastConnection: UInt64 = 0
    private(set) var invitations = InvitationList()
    var listReading = ListReading.idle
    private var certified = CertifiedDevices()
    private var assumedPrefixes = AssumedPrefixes(in: "The device list")
    private var assumedPrefixesOfInvitations = AssumedPrefixes(in: "The file of invitations")
    private var unauthenticatedPeers: UnauthenticatedPeers
    var log: GatewayLog
    private var draining: CheckedContinuation<Void, Never>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    init(
        machine: Gateway, store: any ObjectStore, files: Files, eventLoop: any EventLoop, logger: Logger
    ) {
        self.machine = machine
        self.unauthenticatedPeers = UnauthenticatedPeers(machine.limits)
        self.files = files
        self.calls = StoreCalls(store: store)
        self.storeLog = StoreLog(logger)
        self.eventLoop = eventLoop
        self.logger = logger
        self.log = GatewayLog(logger)
    }

    // MARK: Connections, called on the loop

    /// Registers an unauthenticated connection; may close the oldest one.
    func unauthenticatedPeerConnected(
        _ channel: any Channel, from address: SocketAddress?
    ) -> PreAuthenticationLimiter.Peer {
        let (newcomer, leaving) = unauthenticatedPeers.connected(channel, from: address)
        leaving?.drop()
        return newcomer
    }

    /// Registers a connection from a balancer, whose PROXY header has not arrived; may close the oldest one.
    func proxyHeaderAwaited(on channel: any Channel) -> PreAuthenticationLimiter.Peer {
        let (newcomer, leaving) = unauthenticatedPeers.awaitsProxyHeader(channel)
        leaving?.drop()
        return newcomer
    }

    /// Unregisters a connection that has ended, said HELLO, or got its PROXY header.
    func unauthenticatedPeerLeft(_ peer: PreAuthenticationLimiter.Peer) { unauthenticatedPeers.left(peer) }

    /// Whether a device with this key is on the device list.
    func knows(_ device: Fingerprint) -> Bool { machine.knows(device.digest) }

    /// Whether an invitation is open. If so, the handshake admits unknown devices (§5.2).
    var hasOpenInvitation: Bool { invitations.hasLive(at: Date()) }

    /// Whether a device whose certificate has this name may connect.
    func knows(name: String) -> Bool { certified.device(named: name) != nil }

    /// Registers a connection and returns its number.
    ///
    /// - Parameters:
    ///   - peer: the identity that the handshake proved; `nil` on plain TCP.
    ///   - address: the peer's address, which a balancer may have named.
    func accepted(_ channel: any Channel, peer: TLSPeer?, from address: SocketAddress?) -> ConnectionID {
        lastConnection += 1
        let id = ConnectionID(lastConnection)
        log.accepted(id, LoggedPeer(address, peer))
        state.frames.opened(id, channel)
        if let name = peer?.name, let device = certified.connected(id, name: name) {
            machine.handle(.deviceVouchedFor(device), now: now)
        }
        handle(.accepted(id))
        return id
    }

    private func handle(_ event: GatewayEvent) {
        machine.handle(event, now: now)
        perform()
    }

    func connectionLost(_ id: ConnectionID) {
        state.frames.lost(id)
        log.lost(id)
        machine.handle(.connectionLost(id), now: now)
        if let device = certified.connectionLost(id) { machine.handle(.deviceLeft(device), now: now) }
        perform()
    }

    func receivedFrame(_ frame: Frame, slot: Slot, from id: ConnectionID) {
        handle(.frame(frame, slot: slot, from: id, wallMilliseconds: wallMilliseconds))
        if case .hello(let hello) = frame { rememberPins(of: hello, on: id) }
    }

    /// Records that the connection has received bytes, whatever they contain: the peer is not silent.
    func heard(_ byteCount: Int, from id: ConnectionID) {
        machine.handle(.heard(bytes: UInt64(byteCount), from: id), now: now)
    }

    /// Counts a frame against the device's frame rate. Returns how long to pause reading from the connection; `nil` for
    /// no pause.
    func pauseAfterFrame(from id: ConnectionID) -> Duration? { machine.handle(.frameCounted(from: id), now: now).pause }

    func receivedMalformed(_ code: ErrorCode, message: String, from id: ConnectionID) {
        handle(.malformed(code, message: message, from: id))
    }

    func receivedData(_ header: PartDataHeader, slot: Slot, from id: ConnectionID) -> OnPartData {
        let verdict = machine.handle(.data(header, slot: slot, from: id), now: now).partData
        perform()
        return verdict
    }

    /// Appends bytes of a part to the flow if the machine accepts them, and returns whether it does.
    func receivedBytes(_ bytes: ByteBuffer, flow: FlowID, from id: ConnectionID) -> Bool {
        let event = GatewayEvent.bytes(UInt64(bytes.readableBytes), flow: flow, from: id)
        let isWanted = machine.handle(event, now: now).areBytesWanted
        if isWanted { flows[flow]?.append(bytes) }
        perform()
        return isWanted
    }

    func invitationsChanged(_ list: InvitationList) {
        assumedPrefixesOfInvitations.tell(list.namesOfAssumedPrefix, logger)
        invitations = list
    }

    func devicesChanged(_ list: DeviceList) {
        assumedPrefixes.tell(list.namesOfAssumedPrefix, logger)
        handle(.devicesChanged(certified.listChanged(list)))
    }

    // MARK: Stopping

    /// Asks agents to disconnect, and waits until the parts that they are sending are finished or the limit has passed.
    func drain(within limit: Duration) async {
        handle(.drain(within: limit))
        guard !machine.isDrained else { return }
        let timer = eventLoop.scheduleTask(in: TimeAmount(limit)) { self.assumeIsolated { $0.endDraining() } }
        await withCheckedContinuation { draining = $0 }
        timer.cancel()
    }

    private func endDraining() { draining.take()?.resume() }

    /// Closes the remaining connections, cancels the calls to the store, and waits for the end of both. A slow peer has
    /// until the drain deadline to read its last frames.
    func finish() async {
        stopTimer()
        let channels = state.frames.openChannels + state.frames.closingChannels
        for channel in channels { channel.close(promise: nil) }
        // After this event no further call to the store begins. The loop waits for the calls that have begun.
        handle(.finish)
        while !tasks.isEmpty {
            let rest = Array(tasks.values)
            for flow in flows.values { flow.drop() }
            for task in rest { task.cancel() }
            for task in rest { await task.value }
        }
        for task in Array(enrolments.values) { await task.value }
        await finishReadingLists()
        await channels.waitForEnd(within: machine.drainDeadline?.since(now) ?? .zero, on: eventLoop)
    }

    // MARK: Performing

    private var wallMilliseconds: Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }

    func takeActions() -> [GatewayAction] { machine.takeActions() }

    func socketTook(_ number: UInt64, of id: ConnectionID) {
        handle(.written(bytes: number, on: id))
    }

    func actionsPerformed() {
        if draining != nil, machine.isDrained { endDraining() }
        log.forgetLostPeers()
    }

    var nextDeadline: Instant? { machine.nextDeadline }

    func tick() { machine.handle(.tick, now: now) }

    func perform(_ action: GatewayAction) {
        switch action {
        case .send(let id, let slot, let frame):
            do {
                try state.frames.append(to: id) { try frame.encode(slot: slot, into: &$0) }
            } catch {
                logger.log("Could not encode a frame", error, at: .error, ["frame.type": "\(frame.type)"])
            }
        case .reportWritten(let id, let bytes):
            state.frames.reportWritten(bytes, to: id)
        case .close(let id):
            closeConnection(id)
        case .store(let id, let request):
            call(id, request)
        case .cancel(let id):
            tasks[id]?.cancel()
        case .openFlow(let id, let size, let holdsLast):
            flows[id] = PartFlow(size: size, holdsLast: holdsLast) { [self] total in
                eventLoop.execute { self.assumeIsolated { $0.consumed(total, flow: id) } }
            }
        case .releaseFlow(let id):
            flows[id]?.release()
        case .dropFlow(let id):
            flows.removeValue(forKey: id)?.drop()
        case .enrol(let id, let fingerprint, let secret):
            enrol(id, Fingerprint(fingerprint), secret)
        case .note(let note):
            log.write(note, now: now)
        }
    }

    /// Logs how many lines about peers were left out. The gateway calls this once a second.
    func logLeftOut() { log.writeLeftOut(now: now) }

    private func consumed(_ total: UInt64, flow: FlowID) {
        handle(.consumed(total: total, flow: flow))
    }

    private func call(_ id: StoreRequestID, _ request: StoreRequest) {
        let flow = request.flow.flatMap { flows[$0] }
        tasks[id] = Task { [calls] in
            let answer = await calls.answer(request, flow: flow)
            self.storeAnswered(id, request, answer)
        }
    }

    private func storeAnswered(_ id: StoreRequestID, _ request: StoreRequest, _ answer: StoreAnswer) {
        tasks[id] = nil
        // Log before the machine takes the answer: afterwards it no longer knows whose request it was.
        storeLog.answered(request, answer, device: machine.deviceName(of: id))
        handle(.storeAnswered(id, answer, wallMilliseconds: wallMilliseconds))
    }
}
