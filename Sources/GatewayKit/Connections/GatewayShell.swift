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

/// Performs what the gateway's machine decides: the one place where frames, flows and store calls meet.
///
/// It lives on one event loop, which is also the loop of its connections, so that a frame is decided and answered
/// without a hop; the store's calls run elsewhere and come back to it.
actor GatewayShell: MachineShell {
    nonisolated let eventLoop: any EventLoop
    private let calls: StoreCalls
    let files: Files
    let logger: Logger
    var machine: Gateway
    var state = ShellState<ConnectionID>()
    private var flows: [FlowID: PartFlow] = [:]
    /// Calls to the store under way. They are no children of another task since each may be cancelled by itself;
    /// `finishCalls` waits for all of them.
    private var tasks: [StoreRequestID: Task<Void, Never>] = [:]
    /// Invitations that are being taken up; `finish` waits for these, too.
    var enrolments: [ConnectionID: Task<Void, Never>] = [:]
    /// Records of resumed sessions that are being written again.
    private var renewals: [SessionID: Task<Void, Never>] = [:]
    private var lastConnection: UInt64 = 0
    var invitations = InvitationList()
    var listReading = ListReading.idle
    private var certified = CertifiedDevices()
    private var preAuthenticationLimiter: PreAuthenticationLimiter
    private var unauthenticatedPeers: [PreAuthenticationLimiter.Peer: any Channel] = [:]
    /// Lines that peers bring about, of which there may be too many.
    private var notices = Allowance(atOnce: 200, perSecond: 10)
    private var unwrittenNotices = 0
    private var draining: CheckedContinuation<Void, Never>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    init(
        machine: Gateway, store: any ObjectStore, files: Files, eventLoop: any EventLoop, logger: Logger
    ) {
        self.machine = machine
        self.silenceCheckInterval = machine.limits.progressWindow / 6
        self.preAuthenticationLimiter = PreAuthenticationLimiter(machine.limits)
        self.files = files
        self.calls = StoreCalls(store: store)
        self.eventLoop = eventLoop
        self.logger = logger
    }

    // MARK: Connections, called on the loop

    /// Registers an unauthenticated connection; may close the oldest one.
    func unauthenticatedPeerConnected(_ channel: any Channel) -> PreAuthenticationLimiter.Peer {
        let address = PreAuthenticationLimiter.address(of: channel.remoteAddress)
        let (newcomer, leaving) = preAuthenticationLimiter.enter(address)
        unauthenticatedPeers[newcomer] = channel
        if let leaving { unauthenticatedPeers.removeValue(forKey: leaving)?.close(promise: nil) }
        return newcomer
    }

    /// Unregisters a connection that has ended or said HELLO.
    func unauthenticatedPeerLeft(_ peer: PreAuthenticationLimiter.Peer) {
        unauthenticatedPeers[peer] = nil
        preAuthenticationLimiter.left(peer)
    }

    /// Whether a device's key is on the list.
    func knows(_ device: Fingerprint) -> Bool { machine.knows(device.digest) }

    /// Whether an invitation is open, so that unauthenticated peers may show its secret (specification §5.2).
    var hasOpenInvitation: Bool { invitations.hasLive(at: Date()) }

    /// Whether a device whose certificate has this name may connect.
    func knows(name: String) -> Bool { certified.device(named: name) != nil }

    /// A connection is there; the number is its name from here on.
    ///
    /// - Parameter peer: `nil` where nothing was proved.
    func accepted(_ channel: any Channel, peer: TLSPeer?) -> ConnectionID {
        lastConnection += 1
        let id = ConnectionID(lastConnection)
        state.frames.opened(id, channel)
        if let name = peer?.name, let device = certified.connected(id, name: name) { machine.deviceVouchedFor(device) }
        machine.accepted(id, now: now)
        perform()
        return id
    }

    func connectionLost(_ id: ConnectionID) {
        state.frames.lost(id)
        machine.connectionLost(id, now: now)
        if let device = certified.connectionLost(id) { machine.deviceLeft(device) }
        perform()
    }

    /// Whether the device is known, and nothing is held against its connection any more.
    func isOpen(_ id: ConnectionID) -> Bool { machine.isOpen(id) }

    func receivedFrame(_ frame: Frame, slot: Slot, from id: ConnectionID) {
        machine.receivedFrame(frame, slot: slot, from: id, now: now, wallMilliseconds: wallMilliseconds)
        perform()
        if case .hello(let hello) = frame { rememberPins(of: hello, on: id) }
    }

    /// Bytes have arrived, whatever they are.
    func heard(_ byteCount: Int, from id: ConnectionID) {
        machine.heard(UInt64(byteCount), from: id, now: now)
    }

    /// What is read from a known device's socket at once.
    var readBytes: Int { machine.limits.readBytes }

    /// - Returns: how long the connection is not to be read from; `nil` for on at once.
    func pauseAfterFrame(from id: ConnectionID) -> Duration? { machine.pauseAfterFrame(from: id, now: now) }

    func receivedMalformed(_ code: ErrorCode, message: String, from id: ConnectionID) {
        machine.receivedMalformed(code, message: message, from: id, now: now)
        perform()
    }

    func receivedData(_ header: PartDataHeader, slot: Slot, from id: ConnectionID) -> OnPartData {
        let verdict = machine.receivedData(header, slot: slot, from: id, now: now)
        perform()
        return verdict
    }

    /// - Returns: whether the bytes were wanted.
    func receivedBytes(_ bytes: ByteBuffer, flow: FlowID, from id: ConnectionID) -> Bool {
        let isWanted = machine.receivedBytes(UInt64(bytes.readableBytes), flow: flow, from: id, now: now)
        if isWanted { flows[flow]?.append(bytes) }
        perform()
        return isWanted
    }

    // MARK: Time and devices

    /// How often `dropSilentFlows` is called.
    nonisolated let silenceCheckInterval: Duration

    /// A small part takes a place among those that are on their way to the store before it is whole. No client of HTTP
    /// looks after it, as it does after a large one, whose bytes go out as they come.
    func dropSilentFlows() {
        let limits = machine.limits
        for flow in flows.values where flow.size <= limits.heldPartBytesMax {
            flow.dropIfSilent(for: limits.progressWindow)
        }
    }

    func devicesChanged(_ list: DeviceList) {
        machine.devicesChanged(certified.listChanged(list), now: now)
        perform()
    }

    // MARK: Stopping

    /// Asks agents to go away, and waits until their parts under way are finished or the limit has passed.
    func drain(within limit: Duration) async {
        machine.drain(within: limit, now: now)
        perform()
        guard !machine.isDrained else { return }
        let timer = eventLoop.scheduleTask(in: TimeAmount(limit)) { self.assumeIsolated { $0.endDraining() } }
        await withCheckedContinuation { draining = $0 }
        timer.cancel()
    }

    private func endDraining() {
        draining.take()?.resume()
    }

    /// Closes what is left and waits for the calls to the store, which end as soon as they notice.
    func finish() async {
        stopTimer()
        for channel in state.frames.openChannels { channel.close(promise: nil) }
        let rest = Array(tasks.values) + Array(renewals.values)
        for flow in flows.values { flow.drop() }
        for task in rest { task.cancel() }
        for task in rest { await task.value }
        for task in Array(enrolments.values) { await task.value }
        await finishReadingLists()
    }

    // MARK: Performing

    private var wallMilliseconds: Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }

    func takeActions() -> [GatewayAction] { machine.takeActions() }

    func framesWritten(bytes: UInt64) {}

    func actionsPerformed() {
        if draining != nil, machine.isDrained { endDraining() }
    }

    var nextDeadline: Instant? { machine.nextDeadline }

    func tick() { machine.tick(now: now) }

    func perform(_ action: GatewayAction) {
        switch action {
        case .send(let id, let slot, let frame):
            do {
                try state.frames.append(to: id) { try frame.encode(slot: slot, into: &$0) }
            } catch {
                logger.error(
                    "Could not encode a frame", metadata: ["frame.type": "\(frame.type)", "error": "\(error)"])
            }
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
            log(note)
            if case .resumed(let session, _, let key) = note { renewRecord(of: session, key) }
        }
    }

    private func consumed(_ total: UInt64, flow: FlowID) {
        machine.consumed(total, flow: flow, now: now)
        perform()
    }

    private func call(_ id: StoreRequestID, _ request: StoreRequest) {
        let flow = request.flow.flatMap { flows[$0] }
        // What is removed must not be written a moment later.
        var renewal: Task<Void, Never>?
        if case .removeRecord(_, let session) = request { renewal = renewals[session] }
        tasks[id] = Task { [calls, renewal] in
            await renewal?.value
            let answer = await calls.answer(request, flow: flow)
            self.storeAnswered(id, answer)
        }
    }

    /// A session that is gone on with after a long time is not to be taken for one that nobody goes on with.
    private func renewRecord(of session: SessionID, _ key: String) {
        guard renewals[session] == nil else { return }
        renewals[session] = Task { [calls, logger] in
            do throws(StoreError) {
                try await calls.renewRecord(key: key, session: session)
            } catch {
                logger.info(
                    "Could not write a resumed session's record again",
                    metadata: ["session": "\(session)", "store.error": "\(error.shortDescription)"])
            }
            self.renewals[session] = nil
        }
    }

    private func storeAnswered(_ id: StoreRequestID, _ answer: StoreAnswer) {
        tasks[id] = nil
        if case .failed(let failure) = answer, failure != .cancelled {
            logger.info("The store failed", metadata: ["store.failure": "\(failure)"])
        }
        machine.storeAnswered(id, answer, now: now, wallMilliseconds: wallMilliseconds)
        perform()
    }

    private func log(_ note: GatewayNote) {
        switch note {
        case .welcomed(let id, let device, _):
            logger.info("Welcomed", metadata: ["connection": "\(id.value)", "device": "\(device)"])
        case .fenced(let id, let device):
            notice("Fenced an older run", ["connection": "\(id.value)", "device": "\(device)"])
        case .refused(let id, let code):
            notice("Refused", ["connection": "\(id.value)", "code": "\(code.name)"])
        case .opened(let session, let device, _):
            logger.info("Opened", metadata: ["session": "\(session)", "device": "\(device)"])
        case .resumed(let session, let device, _):
            logger.info("Resumed", metadata: ["session": "\(session)", "device": "\(device)"])
        case .completed(let session, _, let bytes):
            logger.info("Completed", metadata: ["session": "\(session)", "bytes": "\(bytes)"])
        case .aborted(let session, _):
            logger.info("Aborted", metadata: ["session": "\(session)"])
        case .lost(let session, _):
            logger.warning("The store lost a session", metadata: ["session": "\(session)"])
        case .failed(let session, _, let code):
            notice("A session failed", ["session": "\(session)", "code": "\(code.name)"])
        case .partEvicted(let session, let part):
            logger.info("Evicted a part", metadata: ["session": "\(session)", "part": "\(part.value)"])
        case .unsigned(let device):
            notice("Could not sign a receipt", ["device": "\(device)"])
        case .storeUnavailable(let cause):
            logger.warning("The store takes no data; agents wait", metadata: ["cause": "\(cause)"])
        case .storeRecovered:
            logger.notice("The store takes data again")
        }
    }

    /// A line that a peer can bring about at will: of too many, only how many they were is told.
    private func notice(_ message: Logger.Message, _ metadata: Logger.Metadata) {
        guard notices.take(now: now) == nil else {
            unwrittenNotices += 1
            return
        }
        var metadata = metadata
        if unwrittenNotices > 0 { metadata["unwritten.before"] = "\(unwrittenNotices)" }
        unwrittenNotices = 0
        logger.notice(message, metadata: metadata)
    }
}
